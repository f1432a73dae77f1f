"""How many labels of committed records a run's final state predicts rightly."""

from collections.abc import Sequence
from typing import Final

from pipelines.flow.catalogue import Version
from pipelines.flow.proofs.claiming import PLAIN, Chosen, Part, Proving, claim
from pipelines.flow.proofs.features import CommittedRow, FeatureRows, opened_records
from pipelines.flow.proofs.trained import Trained
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.claim import Claim, EvaluationStatement, Records
from provenance.errors import MalformedError
from provenance.expected.models import ModelShape
from provenance.field import FieldElement
from provenance.proof import Proof
from provenance.replay import SAMPLER, plan
from provenance.training import Run
from storage.readers.datasets import Dataset

ROWS: Final = 60
"""Records in one proof at most, if nothing else is asked for; more take twice the rows of 60."""


def prove_evaluation(
    space: Workspace,
    run: Run,
    dataset: Dataset,
    numbers: Sequence[int] | None = None,
    *,
    version: Version | None = None,
    rows: int | None = None,
    how: Proving = PLAIN,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs of how often a run's final state is right.

    The last part may be short: its circuit is filled with rows that do not count. Of a linear
    model it is the sum of squared errors.

    Args:
        space: The home, where the run was recorded.
        run: The registered run.
        dataset: Files of the version.
        numbers: Running numbers of the records; without them those that the run held out.
        version: A version with features; by default the one that the run was trained on.
        rows: How many records one proof holds.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: No such records, or none that were held out, or other features than the
            run was trained on.
        VerificationError: The files are not those that were registered.
        UnavailableError: No circuit proves such a run, or the prover is not installed, or ran out
            of time, memory or disk.
    """
    from circuits.registry import circuit
    from circuits.statements.evaluation import evaluation_value

    trained = Trained.of(space, run)
    over, model = trained.asked(version), trained.rule.model
    asked = held_out(trained, over) if numbers is None else tuple(numbers)
    if not asked:
        raise MalformedError("no records to evaluate on")
    opened = FeatureRows(space, over, dataset).open(asked)
    found = [opened[number] for number in asked]
    size = rows or min(ROWS, len(found))
    shape = ModelShape(model, size, velocities=bool(trained.rule.momentum))
    parts = [found[first : first + size] for first in range(0, len(found), size)]
    right = tuple(
        evaluation_value(model, trained.weights, [row.values for row in part], trained.rule.centre)
        for part in parts
    )
    records = Records(over.commitment.digest, tuple(row.index for row in found))
    statement = EvaluationStatement(run.digest, records, right)
    made = [_part(trained, shape, part) for part in parts]

    def member(claimed: Claim) -> bytes:
        return opened_records(claimed, found)

    return claim(space, circuit(shape.name), statement, made, member, how=how)


def held_out(trained: Trained, version: Version) -> tuple[int, ...]:
    """Return the records that a run's seed holds out, by running number.

    Raises:
        MalformedError: It holds none out, or the version is not the one it was trained on.
    """
    start = trained.stored.start
    if start.sampler != SAMPLER or version.commitment.digest != trained.version.commitment.digest:
        raise MalformedError(f"{start.name} holds no records of this version out: name some")
    found = plan(trained.stored.run.seed, version.commitment.records, start.hyperparameters)
    return found.held_out


def _part(trained: Trained, shape: ModelShape, rows: Sequence[CommittedRow]) -> Part:
    from circuits.statements.evaluation import evaluation_chosen

    values, salts = [row.values for row in rows], [row.salt for row in rows]

    def chosen(context: FieldElement) -> Chosen:
        return evaluation_chosen(shape, trained.state, values, salts, trained.rule.centre, context)

    return chosen
