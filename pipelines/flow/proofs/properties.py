"""What a function of somebody's own gives of committed records, or of a run's state.

The values are computed here in plain integers and stand in the claim; the circuit proves them.
"""

from collections.abc import Sequence

from pipelines.flow.catalogue import Version
from pipelines.flow.proofs.claiming import (
    PLAIN,
    Chosen,
    Opened,
    Part,
    Proving,
    claim,
    function_path,
)
from pipelines.flow.proofs.features import CommittedRow, FeatureRows, opened_records
from pipelines.flow.proofs.trained import stored_of
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.attestation import Attestation
from provenance.claim import Claim, PropertyStatement, Records, RunState
from provenance.errors import MalformedError
from provenance.field import FieldElement
from provenance.proof import Proof
from provenance.training import Run
from storage.atomic import write_atomic
from storage.readers.datasets import Dataset

Salted = tuple[Sequence[Sequence[int]], Sequence[FieldElement]]
"""Rows of signed values, and the salt of each row's commitment."""


def prove_property(
    space: Workspace,
    version: Version,
    dataset: Dataset,
    function: bytes,
    numbers: Sequence[int],
    *,
    how: Proving = PLAIN,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs of what a function gives over records.

    Args:
        space: The home.
        version: A registered version that commits to features.
        dataset: Its files.
        function: ONNX of a function over `records`; it is kept, for an auditor must read it.
        numbers: Running numbers, in order; as many as the function takes, or a multiple: then it
            gives one row of values for each part.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: A function that is not understood, or other records than it takes.
        VerificationError: The files are not those that were registered.
        UnavailableError: No features are committed to, or the prover is not installed, or ran out
            of time, memory or disk.
    """
    from circuits.functions.function import RECORDS, read

    found = read(function)
    count, width = found.shape
    if found.input != RECORDS:
        raise MalformedError("the function is one of a state: name a run and its state")
    if not numbers or len(numbers) % count:
        raise MalformedError(
            f"the function takes {count} records at a time: {len(numbers)} are no multiple of that"
        )
    spec = version.commitment.features
    if spec is not None and len(spec.all) != width:
        raise MalformedError(
            f"the function takes {width} digits a record; {version.commitment.label} commits to "
            f"{len(spec.all)}, the label among them"
        )
    opened = FeatureRows(space, version, dataset).open(numbers)
    rows = [opened[number] for number in numbers]
    parts = [_salted(rows[first : first + count]) for first in range(0, len(rows), count)]
    about = Records(version.commitment.digest, tuple(row.index for row in rows))

    def member(made: Claim) -> bytes:
        return opened_records(made, rows)

    return _claim(space, function, about, parts, how, member)


def prove_state_property(
    space: Workspace, run: Run, state: str, function: bytes, *, how: Proving = PLAIN
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proof of what a function gives of a run's state.

    Args:
        space: The home, where the run was recorded.
        run: The registered run.
        state: `initial` or `final`.
        function: ONNX of a function over `state`.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: No such state, or a function that is not understood or takes another.
        UnavailableError: The run has no states that a circuit opens, or the prover is not
            installed, or ran out of time, memory or disk.
    """
    from circuits.functions.function import STATE, read

    about, found, stored = RunState(run.digest, state), read(function), stored_of(space, run)
    if found.input != STATE:
        raise MalformedError("the function is one of records: name a version and its records")
    chosen = stored.states[0 if state == "initial" else -1]
    if len(chosen.weights) != found.shape[1]:
        raise MalformedError(
            f"the function takes {found.shape[1]} weights; states of {stored.start.name} have "
            f"{len(chosen.weights)}"
        )
    return _claim(space, function, about, [([chosen.weights], [chosen.salt])], how)


def _claim(
    space: Workspace,
    data: bytes,
    about: Records | RunState,
    parts: Sequence[Salted],
    how: Proving,
    member: Opened | None = None,
) -> tuple[Attestation, tuple[Proof, ...]]:
    from circuits.functions.function import read
    from circuits.functions.values import function_values
    from circuits.registry import circuit
    from circuits.statements.properties import property_chosen, property_shape

    function = read(data)
    named = circuit(property_shape(function).name, data)  # it refuses what its twin cannot read
    values = tuple(function_values(function, rows) for rows, _ in parts)
    statement = PropertyStatement(canonical.digest(data), about, values)
    write_atomic(function_path(space, statement.function), data)

    def part(salted: Salted) -> Part:
        def chosen(context: FieldElement) -> Chosen:
            return property_chosen(function, *salted, context)

        return chosen

    return claim(space, named, statement, [part(salted) for salted in parts], member, how=how)


def _salted(rows: Sequence[CommittedRow]) -> Salted:
    return [row.values for row in rows], [row.salt for row in rows]
