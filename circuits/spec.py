"""Which circuits there are: name, statement, public values, size, and digests of their source.

    circuit("membership-22.v1").statement
    circuit("membership-22.v1").onnx()

The digests of ONNX and settings are pinned here: a verifier refuses settings that differ, because
ezkl's proofs hardly bind them. The verifying key depends on the SRS too, so it is derived and named
by proof and policy (artifacts.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from circuits.graph import Graph
from circuits.statements.membership import membership_graph
from circuits.table import LEAST, Table
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.proof import MEMBERSHIP

MEMBERSHIP_STATEMENT: Final = (
    "The prover knows a record leaf, not 0, that stands under this record root at a position below "
    "its chunk's record count; the blinded leaf commits to the leaf and the blinded index to its "
    "index. Which record it is stays hidden. Nothing is said of a particular record until the "
    "blinded leaf is opened."
)
MEMBERSHIP_PUBLIC: Final = (
    "root: the record root, lifted to the circuit's depth",
    "zeros: one for each constraint",
    "blinded leaf: poseidon(4, leaf, blind)",
    "blinded index: poseidon(5, index, blind)",
    "context: of the statement that the proof belongs to",
    "one: 1",
)


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit, and all that fixes its keys but the SRS.

    Attributes:
        name: Name and version; another circuit under the same name is never made.
        statement: What a proof shows, in plain words.
        public: The public values in order.
        graph: Makes the graph.
        logrows: The circuit has 2**logrows rows.
        columns: How many cells a row holds for each operand (ezkl's inner columns).
        table: What it looks values up in, if it does.
        hashed: Whether each public value is the hash of a row of outputs (`Graph.commit`), or the
            outputs are public themselves (`Graph.publish`).
        proof_bytes: Size of every proof, where it is pinned; longer ones carry bytes that nothing
            authenticates.
        onnx_digest: SHA-256 of the graph, where it is pinned.
        settings_digest: SHA-256 of ezkl's settings in canonical form, without their timestamp,
            where it is pinned; else only a policy says which settings count.
    """

    name: str
    statement: str
    public: tuple[str, ...]
    graph: Callable[[], Graph]
    logrows: int
    columns: int
    table: Table | None = None
    hashed: bool = False
    proof_bytes: int | None = None
    onnx_digest: Digest | None = None
    settings_digest: Digest | None = None

    def onnx(self) -> bytes:
        """Return the graph as ezkl reads it."""
        return self.graph().onnx()

    @property
    def most(self) -> int:
        """The last value of the table, or 0 without one."""
        return self.table.most if self.table else 0

    @property
    def run_arguments(self) -> dict[str, int | bool | str | list[int]]:
        """All that ezkl is told instead of its defaults: integers as they are, nothing rounded."""
        looked_up = {"lookup_range": [LEAST, self.table.most]} if self.table else {}
        return {
            **looked_up,
            "input_scale": 0,
            "param_scale": 0,
            "scale_rebase_multiplier": 1,
            "input_visibility": "private",
            "output_visibility": "hashed" if self.hashed else "public",
            "param_visibility": "fixed",
            "logrows": self.logrows,
            "num_inner_cols": self.columns,
            "ignore_range_check_inputs_outputs": True,
            "decomp_base": 2,
            "decomp_legs": 1,
            "disable_freivalds": True,
        }


def circuit(name: str) -> Circuit:
    """Return the circuit with this name, or raise MalformedError."""
    if name not in CIRCUITS:
        raise MalformedError(f"no circuit {name!r:.60}; there are {', '.join(CIRCUITS)}")
    return CIRCUITS[name]


def _membership(
    name: str, *, logrows: int, columns: int, proof_bytes: int, onnx: str, settings: str
) -> Circuit:
    return Circuit(
        name=name,
        statement=MEMBERSHIP_STATEMENT,
        public=MEMBERSHIP_PUBLIC,
        graph=partial(membership_graph, MEMBERSHIP[name]),
        logrows=logrows,
        columns=columns,
        proof_bytes=proof_bytes,
        onnx_digest=Digest.parse(onnx),
        settings_digest=Digest.parse(settings),
    )


CIRCUITS: Final[Mapping[str, Circuit]] = {
    made.name: made
    for made in (
        _membership(
            "membership-14.v1",
            logrows=13,
            columns=3,
            proof_bytes=2560,
            onnx="a374cdec18546db8f47ca7acef6e8790af27f0300093a94160e899f4e12974f7",
            settings="77695e3c090989720b36950b73a6767d6ef37702bcf004213cef0cbb51289a8c",
        ),
        _membership(
            "membership-22.v1",
            logrows=13,
            columns=3,
            proof_bytes=2560,
            onnx="0b308c3a3fa98c2dfccaf848375ac3c8af79d811e89d3b629537dc100866d59f",
            settings="0cae887c9a7aee20d606f1bd7b92b2faf75e5225c7eb2ddc5ca609184bdcb602",
        ),
        _membership(
            "membership-32.v1",
            logrows=14,
            columns=2,
            proof_bytes=2112,
            onnx="7b123f9a6b1924638304d4c0a2096521b97282f17c42dcae9148b0d525728bb7",
            settings="780ffb99f5f1333085c12260897d6169fcf550b643dabc99fd285c7fb597cebc",
        ),
    )
}
