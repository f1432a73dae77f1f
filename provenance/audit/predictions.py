"""Claims about what a run's final state answers, and how often it is right.

State and centre are the run's own; the circuit must be of the model that its start declares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provenance.audit.case import Case
from provenance.audit.claimed import FEATURES_REST, check_width, record_commitments
from provenance.audit.datasets import Anchored, dataset_of
from provenance.audit.proved_steps import step_rule, training_data
from provenance.audit.sampling import Samplings
from provenance.audit.transcripts import Announced, run_name, run_of
from provenance.audit.trust import Worth, prove, read_proofs
from provenance.claim import Claim, EvaluationStatement, InferenceStatement, Records
from provenance.dataset import DatasetCommitment
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    VerificationError,
)
from provenance.expected.models import ModelShape, evaluation_public, inference_public
from provenance.field import Digest, FieldElement
from provenance.sgd import Rule
from provenance.sgd.models import LINEAR
from provenance.training import RunStart

Public = tuple[FieldElement, ...]


@dataclass(frozen=True, slots=True)
class _Model:
    """What the public values of all parts share."""

    announced: Announced
    shape: ModelShape
    rule: Rule
    state: FieldElement


def check_inference(
    case: Case,
    item: Anchored,
    claim: Claim,
    statement: InferenceStatement,
    found: Mapping[Digest, Anchored],
) -> None:
    """Add a finding for a claim about a run's answers."""
    inputs, name = statement.inputs, run_name(statement.run, found)
    over = _label(inputs, found) if isinstance(inputs, Records) else "inputs in the claim"
    subject = f"{name}[{over}]" if name else item.attestation.name
    shown: list[Worth] = []

    def check() -> None:
        model = _model(claim, statement.run, found)
        proofs = read_proofs(case, claim)
        shown.append(prove(case, proofs, _inferences(case, claim, statement, model, found)))

    if not case.attempt("inference", subject, check):
        return
    case.holds(
        "inference",
        subject,
        shown[0].level,
        shown[0].told(
            f"{len(statement.outputs)} answers of the final state are those in the claim"
        ),
        rests_on=(
            f"run {name} (L1)",
            *((f"dataset {over} (L1)", FEATURES_REST) if isinstance(inputs, Records) else ()),
            *shown[0].rests_on,
        ),
        notes=(
            f"run {statement.run.hex()}",
            f"circuit {claim.circuit}",
            f"claim {claim.digest.hex()}",
        ),
    )


def check_evaluation(
    case: Case,
    item: Anchored,
    claim: Claim,
    statement: EvaluationStatement,
    found: Mapping[Digest, Anchored],
    samplings: Samplings,
) -> None:
    """Add a finding for a claim about how many labels a run's final state predicts rightly."""
    over, name = _label(statement.records, found), run_name(statement.run, found)
    subject = f"{name}[{over}]" if name else item.attestation.name
    shown: list[tuple[Worth, str, tuple[str, ...]]] = []

    def check() -> None:
        model = _model(claim, statement.run, found)
        proofs = read_proofs(case, claim)
        rows = _records(case, claim, statement.records, model, found)
        worth = prove(case, proofs, _evaluations(claim, statement, model, rows))
        notes = _relation(model.announced, statement.records, found, samplings)
        shown.append((worth, _result(model.shape, statement), notes))

    if not case.attempt("evaluation", subject, check):
        return
    worth, result, notes = shown[0]
    case.holds(
        "evaluation",
        subject,
        worth.level,
        worth.told(result),
        rests_on=(f"run {name} (L1)", f"dataset {over} (L1)", FEATURES_REST, *worth.rests_on),
        notes=(
            *notes,
            f"run {statement.run.hex()}",
            f"circuit {claim.circuit}",
            f"claim {claim.digest.hex()}",
        ),
    )


def _label(records: Records, found: Mapping[Digest, Anchored]) -> str:
    item = found.get(records.dataset)
    return item.attestation.name if item else f"{records.dataset.hex()[:16]}…"


def _model(claim: Claim, run: Digest, found: Mapping[Digest, Anchored]) -> _Model:
    announced, shape = run_of(run, found), ModelShape.parse(claim.circuit)
    start, rule = announced.start, step_rule(announced.start)
    if (shape.model, shape.velocities) != (rule.model, bool(rule.momentum)):
        raise VerificationError(f"{shape.name} is of another model than {start.name} declares")
    return _Model(announced, shape, rule, FieldElement.decode(announced.run.final))


def _records(
    case: Case, claim: Claim, records: Records, model: _Model, found: Mapping[Digest, Anchored]
) -> tuple[FieldElement, ...]:
    dataset = dataset_of(records.dataset, found)
    check_width(dataset, model.shape.width, labelled=model.shape.is_labelled)
    _check_features(model.announced.start, dataset, found)
    return record_commitments(case, claim, records, found)


def _check_features(
    start: RunStart, dataset: DatasetCommitment, found: Mapping[Digest, Anchored]
) -> None:
    """Check that a dataset's fields mean to the model what those it was trained on do.

    Raises:
        UnavailableError: The training data's commitment is not in the evidence.
        VerificationError: They are other fields, in another order or at another scale.
    """
    trained, own = dataset_of(training_data(start), found).features, dataset.features
    if (
        trained is None
        or own is None
        or trained.fields != own.fields
        or (own.label is not None and own.label != trained.label)
    ):
        raise VerificationError(
            f"{dataset.label} has other features than {start.name} was trained on"
        )


def _inferences(
    case: Case,
    claim: Claim,
    statement: InferenceStatement,
    model: _Model,
    found: Mapping[Digest, Anchored],
) -> list[Public]:
    inputs, shape = statement.inputs, model.shape
    rows: Sequence[FieldElement] | Sequence[Sequence[int]] = (
        _records(case, claim, inputs, model, found) if isinstance(inputs, Records) else inputs
    )
    if len(rows) != shape.rows * len(claim.proofs):
        raise VerificationError(
            f"{len(rows)} inputs for {len(claim.proofs)} parts of {shape.rows}, all of them full"
        )
    return [
        inference_public(
            shape,
            model.state,
            rows[first : first + shape.rows],
            model.rule.centre,
            statement.outputs[first : first + shape.rows],
            context,
        )
        for first, context in zip(range(0, len(rows), shape.rows), claim.contexts(), strict=True)
    ]


def _evaluations(
    claim: Claim,
    statement: EvaluationStatement,
    model: _Model,
    rows: Sequence[FieldElement],
) -> list[Public]:
    """Return each part's public values: all parts are full but the last, which may be padded."""
    shape = model.shape
    firsts = range(0, len(rows), shape.rows)
    if len(firsts) != len(claim.proofs):
        raise VerificationError(
            f"{len(rows)} records for {len(claim.proofs)} parts of at most {shape.rows}"
        )
    found = []
    each = zip(firsts, statement.right, claim.contexts(), strict=True)
    for part, (first, right, context) in enumerate(each):
        own = rows[first : first + shape.rows]
        if shape.model.kind != LINEAR and right > len(own):
            raise MalformedError(f"part {part}: {right} right of {len(own)} records")
        found.append(evaluation_public(shape, model.state, own, model.rule.centre, right, context))
    return found


def _result(shape: ModelShape, statement: EvaluationStatement) -> str:
    total, count = sum(statement.right), len(statement.records.indexes)
    if shape.model.kind == LINEAR:
        return f"a sum of squared errors of {total} over {count} records, in the circuit's units"
    return f"{total} of {count} committed labels are predicted rightly ({total / count:.1%})"


def _relation(
    announced: Announced,
    records: Records,
    found: Mapping[Digest, Anchored],
    samplings: Samplings,
) -> tuple[str, ...]:
    """Return in words how the records relate to those that the run's seed holds out."""
    start = announced.start
    if records.dataset != training_data(start):
        return ("the records are of another dataset than the run was trained on",)
    try:
        drawn = samplings.of(start, announced.run, dataset_of(records.dataset, found))
    except ProvenanceError as error:  # what the run did is told of its steps, not here
        return (f"whether these records were held out was not found out: {error}",)
    held, own = set(drawn.plan.held_out), set(drawn.numbers(records.indexes))
    if own == held:
        return ("the records ARE exactly those that the run's seed held out",)
    inside = len(own & held)
    words = (
        f"the records are NOT the {len(held)} that the run's seed held out: {inside} of those, "
        f"and {len(own) - inside} that it was to be trained on"
    )
    return (words,)
