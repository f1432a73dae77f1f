"""What a run's final state answers to committed records, or to inputs that everybody sees."""

from collections.abc import Sequence
from typing import Final

from pipelines.flow.catalogue import Version
from pipelines.flow.proofs.claiming import PLAIN, Chosen, Opened, Part, Proving, claim
from pipelines.flow.proofs.features import FeatureRows, opened_records
from pipelines.flow.proofs.trained import Trained
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.claim import Claim, InferenceStatement, Records
from provenance.claim import Rows as OpenRows
from provenance.errors import MalformedError
from provenance.expected.models import COMMITTED, OPEN, UNLABELLED, ModelShape
from provenance.field import FieldElement
from provenance.proof import Proof
from provenance.training import Run
from storage.readers.datasets import Dataset

ROWS: Final = 64
"""Inputs in one proof at most, if nothing else is asked for."""
Values = Sequence[Sequence[int]]


def prove_inference(
    space: Workspace,
    run: Run,
    dataset: Dataset,
    numbers: Sequence[int],
    *,
    version: Version | None = None,
    rows: int | None = None,
    how: Proving = PLAIN,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs of a final state's answers to committed records.

    Args:
        space: The home, where the run was recorded.
        run: The registered run.
        dataset: Files of the version.
        numbers: Running numbers of the records, in order.
        version: A version with features; by default the one that the run was trained on.
        rows: How many records one proof holds; a divisor of how many there are.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: No such records, parts that are not all full, or other features than the
            run was trained on.
        VerificationError: The files are not those that were registered.
        UnavailableError: No circuit proves such a run, or the prover is not installed, or ran out
            of time, memory or disk.
    """
    trained = Trained.of(space, run)
    over = trained.asked(version, labelled=False)
    opened = FeatureRows(space, over, dataset).open(numbers)
    found = [opened[number] for number in numbers]
    spec = over.commitment.features
    labelled = spec is not None and spec.label is not None
    values, salts = [row.values for row in found], [row.salt for row in found]
    records = Records(over.commitment.digest, tuple(row.index for row in found))

    def member(claimed: Claim) -> bytes:
        return opened_records(claimed, found)

    shape = _shape(trained, COMMITTED if labelled else UNLABELLED, len(found), rows)
    return _claim(space, trained, shape, records, values, salts, member, how)


def prove_open_inference(
    space: Workspace, run: Run, inputs: Values, *, rows: int | None = None, how: Proving = PLAIN
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs of a final state's answers to inputs in the clear.

    Args:
        space: The home, where the run was recorded.
        run: The registered run.
        inputs: Signed fixed-point values, one row a question; they are published.
        rows: How many of them one proof holds; a divisor of how many there are.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: A row of another width, a value out of range, or parts that are not full.
        UnavailableError: No circuit proves such a run, or the prover is not installed, or ran out
            of time, memory or disk.
    """
    trained = Trained.of(space, run)
    asked: OpenRows = tuple(map(tuple, inputs))
    for row in asked:
        trained.check_inputs(row)
    shape = _shape(trained, OPEN, len(asked), rows)
    return _claim(space, trained, shape, asked, asked, [], None, how)


def _shape(trained: Trained, kind: str, count: int, rows: int | None) -> ModelShape:
    size = rows or min(ROWS, count)
    if not count or count % size:
        raise MalformedError(f"{count} inputs do not come in parts of {size}: choose --rows")
    return ModelShape(trained.rule.model, size, kind, bool(trained.rule.momentum))


def _claim(
    space: Workspace,
    trained: Trained,
    shape: ModelShape,
    about: Records | OpenRows,
    values: Values,
    salts: Sequence[FieldElement],
    member: Opened | None,
    how: Proving,
) -> tuple[Attestation, tuple[Proof, ...]]:
    from circuits.registry import circuit
    from circuits.statements.inference import inference_values

    features, centre = shape.model.features, trained.rule.centre
    questions = [row[:features] for row in values]
    outputs = inference_values(shape.model, trained.weights, questions, centre)
    statement = InferenceStatement(trained.stored.run.digest, about, outputs)
    firsts = range(0, len(values), shape.rows)
    parts = [
        _part(trained, shape, values[n : n + shape.rows], salts[n : n + shape.rows]) for n in firsts
    ]
    return claim(space, circuit(shape.name), statement, parts, member, how=how)


def _part(
    trained: Trained, shape: ModelShape, values: Values, salts: Sequence[FieldElement]
) -> Part:
    from circuits.statements.inference import inference_chosen

    def chosen(context: FieldElement) -> Chosen:
        return inference_chosen(shape, trained.state, values, salts, trained.rule.centre, context)

    return chosen
