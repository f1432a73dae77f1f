"""What a circuit is: name, statement, public values, size, and digests of its source.

The digests of ONNX and settings of the usual circuits are pinned (pinned.py): a verifier refuses
settings that differ, because ezkl's proofs hardly bind them. Which verifying key counts is a
policy's matter, because it depends on the SRS too.
"""

from collections.abc import Callable
from dataclasses import dataclass

from circuits.graph import Graph
from circuits.table import LEAST, Table
from provenance.field import Digest


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
        cells: Cells of one operand, where ezkl's own count is too high: until keys are made it
            counts a slice of values that no cell holds yet as a copy of them all. Keys cannot be
            made with too few, so this changes what a proof costs and not what it says.
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
    cells: int | None = None
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
