"""Claims that steps of a run were computed by its declared rule, proved and not replayed.

Nothing of a claim is taken on trust that a commitment decides: the states and batches are those of
the run's transcript, the rule, its rate and its centre those of the run's start, and the rows those
that stand in the dataset at the batch's positions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from provenance.audit.case import Case
from provenance.audit.claimed import FEATURES_REST, Claimed, check_width, claimed, commitments
from provenance.audit.datasets import Anchored, chunk_table, dataset_of
from provenance.audit.sampling import Samplings
from provenance.audit.transcripts import Announced, run_name, run_of, transcript_step
from provenance.audit.trust import Worth, prove, read_proofs
from provenance.canonical import Fields
from provenance.claim import Claim, StepsStatement
from provenance.dataset import DatasetCommitment
from provenance.errors import UnavailableError, VerificationError
from provenance.expected.steps import StepShape, step_public
from provenance.field import Digest, FieldElement
from provenance.replay import INITIAL, SAMPLER
from provenance.sgd import Rule, rule_of, tolerance_of
from provenance.sgd.rule import MODELS
from provenance.sgd.shape import LIMITS
from provenance.training import Run, RunStart, Step

TOO_MUCH: Final = 2**10
"""Units of the last place, 1.0 of a weight: a slack of so much says nothing of a whole run."""


@dataclass(frozen=True, slots=True)
class ProvedSteps:
    """Steps of a run that a claim's proofs were found to prove."""

    run: Digest
    first: int
    last: int
    worth: Worth
    notes: tuple[str, ...]

    def rests_on(self, start: RunStart) -> tuple[str, ...]:
        """Return what the proved steps of a run rest on."""
        data = f"dataset {start.datasets['train'].hex()[:16]}… (L1)"
        return (f"run {start.name} (L1)", data, FEATURES_REST, *self.worth.rests_on)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A claim's steps and rows, each shown to stand where it must."""

    steps: tuple[Step, ...]
    rows: Mapping[int, FieldElement]


def check_steps(
    case: Case,
    item: Anchored,
    claim: Claim,
    statement: StepsStatement,
    found: Mapping[Digest, Anchored],
    samplings: Samplings,
) -> tuple[ProvedSteps, ...]:
    """Add a finding for a claim about steps, and return which steps it proves, if it does."""
    last = statement.first + statement.steps - 1
    name = run_name(statement.run, found)
    subject = f"{name}[{statement.first}..{last}]" if name else item.attestation.name
    proved: list[ProvedSteps] = []

    def check() -> None:
        announced = run_of(statement.run, found)
        worth, notes = _proved(case, claim, statement, announced, found, samplings)
        proved.append(ProvedSteps(statement.run, statement.first, last, worth, notes))

    if case.attempt("proved-steps", subject, check):
        start, run = run_of(statement.run, found).start, statement.run.hex()
        case.holds(
            "proved-steps",
            subject,
            proved[0].worth.level,
            proved[0].worth.told(
                f"steps {statement.first} to {last}: every proof verifies, and its public values "
                f"are those of transcript, dataset and rule {start.optimiser}"
                f"{_slack(start, statement.steps)}"
            ),
            rests_on=proved[0].rests_on(start),
            notes=(
                *proved[0].notes,
                f"circuit {claim.circuit}",
                f"run {run}",
                f"claim {claim.digest.hex()}",
            ),
        )
    return tuple(proved)


def check_training(
    case: Case, found: Mapping[Digest, Anchored], proved: Sequence[ProvedSteps]
) -> None:
    """Add a finding for each registered run: whether all its steps are proved."""
    for digest, item in found.items():
        if not isinstance(item.attestation.commitment, Run):
            continue
        name = run_name(digest, found)  # None: `run` says that its start is missing
        parts = sorted(
            (part for part in proved if part.run == digest),
            key=lambda part: (part.first, part.last),
        )
        if parts:
            _report_training(case, run_of(digest, found), parts)
        elif proved and name is not None:
            words = f"no step of run {digest.hex()[:16]}… is proved"
            case.unknown("training", name, words)


def _report_training(case: Case, announced: Announced, parts: Sequence[ProvedSteps]) -> None:
    start, steps = announced.start, announced.run.transcript.steps
    reached = _reached(parts)
    if reached < steps:
        words = f"step {reached} is not proved, nor all that follow; the run has {steps} steps"
        case.unknown("training", start.name, words)
        return
    slack = steps * tolerance_of(start.hyperparameters)
    if slack >= TOO_MUCH:
        words = f"its tolerance lets a weight be {slack} units off after {steps} steps: anything"
        case.unknown("training", start.name, words)
        return
    parts = strongest(parts, steps)
    weakest = min((part.worth for part in parts), key=lambda worth: worth.level)
    case.holds(
        "training",
        start.name,
        weakest.level,
        weakest.told(
            f"all {steps} steps are proved, from the declared initial to the declared final state"
            f"{_slack(start, steps)}"
        ),
        rests_on=tuple(dict.fromkeys(rest for part in parts for rest in part.rests_on(start))),
        notes=(
            f"run {announced.run.digest.hex()}",
            *dict.fromkeys(note for part in parts for note in part.notes),
        ),
    )


def _reached(parts: Sequence[ProvedSteps]) -> int:
    """Return how many steps from the first on are proved; parts are in order."""
    reached = 0
    for part in parts:
        if part.first <= reached:
            reached = max(reached, part.last + 1)
    return reached


def strongest(parts: Sequence[ProvedSteps], steps: int) -> Sequence[ProvedSteps]:
    """Return the parts of the highest level, and above, that prove all steps among them."""
    for level in sorted({part.worth.level for part in parts}, reverse=True):
        chosen = [part for part in parts if part.worth.level >= level]
        if _reached(chosen) >= steps:
            return chosen
    return parts


def _proved(
    case: Case,
    claim: Claim,
    statement: StepsStatement,
    announced: Announced,
    found: Mapping[Digest, Anchored],
    samplings: Samplings,
) -> tuple[Worth, tuple[str, ...]]:
    start, run = announced.start, announced.run
    rule, shape = step_rule(start), StepShape.parse(claim.circuit)
    check_shape(start, rule, shape)
    if statement.steps != len(claim.proofs) * shape.unroll:
        raise VerificationError(
            f"{len(claim.proofs)} proofs of {shape.unroll} steps for {statement.steps} steps"
        )
    proofs = read_proofs(case, claim)
    dataset = dataset_of(training_data(start), found)
    check_width(dataset, shape.features + 1, labelled=True)
    opened = _opened(case, claim, statement, run, dataset)
    notes = _sampled(opened.steps, start, run, dataset, samplings)
    expected = [
        _expected(part, shape, rule, opened, context)
        for part, context in enumerate(claim.contexts())
    ]
    return prove(case, proofs, expected), notes


def step_rule(start: RunStart) -> Rule:
    """Return the rule that a start declares, without the state that it begins with.

    Raises:
        MalformedError: A hyperparameter is missing or out of range.
        UnavailableError: No circuit proves such an optimiser, or opens such states.
    """
    if start.optimiser not in MODELS or start.state != "fixed14/1":
        raise UnavailableError(
            f"{start.name}: no circuit proves {start.optimiser} on states {start.state}"
        )
    return rule_of(start.optimiser, INITIAL, start.hyperparameters)


def check_shape(start: RunStart, rule: Rule, shape: StepShape) -> None:
    """Check that a circuit proves steps of the rule that the start declares.

    The tolerance is declared as the others are, and 0 where it is not: a run of an exact rule is
    not proved by a circuit that lets its states differ.

    Raises:
        VerificationError: It is a circuit of another rule, or of batches of another size.
    """
    fields = Fields.of(dict(start.hyperparameters), f"start {start.name!r}")
    tolerance = tolerance_of(start.hyperparameters)
    rows = fields.integer("batch", *LIMITS["rows"]) if "batch" in fields.members else shape.rows
    if rule.shape(rows, shape.unroll, tolerance) != shape:
        wanted = rule.shape(rows, shape.unroll, tolerance).name
        raise VerificationError(f"the start declares what {wanted} proves, not {shape.name}")


def training_data(start: RunStart) -> Digest:
    """Return the dataset that a start names as `train`, or raise UnavailableError."""
    if "train" not in start.datasets:
        raise UnavailableError(f"{start.name}: it names no dataset as 'train'")
    return start.datasets["train"]


def _opened(
    case: Case,
    claim: Claim,
    statement: StepsStatement,
    run: Run,
    dataset: DatasetCommitment,
) -> _Opened:
    steps, shown = run.transcript.steps, claimed(case, claim)
    last = statement.first + statement.steps - 1
    if last >= steps:
        raise VerificationError(f"the claim goes to step {last} of a run of {steps}")
    around = _chained(case, run, shown, max(0, statement.first - 1), min(last + 1, steps - 1))
    own = tuple(step for step in around if statement.first <= step.number <= last)
    for step in own:
        if step.dataset != dataset.digest:
            raise VerificationError(f"step {step.number}: its batch is of another dataset")
    indexes = [index for step in own for index in step.batch]
    rows = commitments(shown.records, indexes, dataset)
    for step in own:
        _check_features(step, rows)
    return _Opened(own, rows)


def _chained(case: Case, run: Run, shown: Claimed, first: int, last: int) -> tuple[Step, ...]:
    """Return steps `first` to `last`, which must be those opened, and must chain."""
    transcript = run.transcript
    if len(shown.steps) != last - first + 1:
        raise VerificationError(
            f"{len(shown.steps)} steps are opened; {first} to {last} are needed, neighbours too"
        )
    table = chunk_table(case, run.digest, transcript.root, transcript.chunks, transcript.steps)
    firsts = tuple(accumulate((chunk.count for chunk in table), initial=0))
    steps = tuple(
        transcript_step(run, firsts, opening, number)
        for number, opening in enumerate(shown.steps, start=first)
    )
    for before, after in pairwise(steps):
        if before.after != after.before:
            raise VerificationError(f"steps {before.number} and {after.number} do not chain")
    if first == 0 and steps[0].before != run.initial:
        raise VerificationError("the first step does not begin at the declared initial state")
    if last == transcript.steps - 1 and steps[-1].after != run.final:
        raise VerificationError("the last step does not end at the declared final state")
    return steps


def _check_features(step: Step, rows: Mapping[int, FieldElement]) -> None:
    standing = tuple(Digest(rows[index].encoded) for index in step.batch)
    if not step.features:
        raise UnavailableError(f"step {step.number}: its transcript holds no feature commitments")
    if step.features != standing:
        raise VerificationError(
            f"step {step.number}: its features are not those at its batch's positions"
        )


def _sampled(
    steps: Sequence[Step],
    start: RunStart,
    run: Run,
    dataset: DatasetCommitment,
    samplings: Samplings,
) -> tuple[str, ...]:
    """Return a note on whether the seed gives these batches; raise if it gives others."""
    try:
        drawn = samplings.of(start, run, dataset)
    except UnavailableError as error:
        if start.sampler == SAMPLER:
            raise  # whoever leaves a table out must not gain by it
        return (f"whether the seed gives these batches was not checked: {error}",)
    for step in steps:
        if drawn.numbers(step.batch) != drawn.plan.batches[step.number]:
            raise VerificationError(
                f"step {step.number}: its batch is not the one that the seed gives"
            )
    return ("the batches are those that the run's seed gives; where it is from is claim `order`",)


def _expected(
    part: int, shape: StepShape, rule: Rule, opened: _Opened, context: FieldElement
) -> tuple[FieldElement, ...]:
    steps = opened.steps[part * shape.unroll : (part + 1) * shape.unroll]
    states = [FieldElement.decode(step.before) for step in steps]
    return step_public(
        shape,
        (*states, FieldElement.decode(steps[-1].after)),
        [[opened.rows[index] for index in step.batch] for step in steps],
        rule.centre,
        context,
    )


def _slack(start: RunStart, steps: int) -> str:
    """Return in words by how much the declared tolerance lets the steps be off their rule."""
    tolerance = tolerance_of(start.hyperparameters)
    if not tolerance:
        return ""
    return (
        f"; each weight may be {tolerance} units of its last place off the rule in each step, and "
        f"{steps * tolerance} after all of them"
    )
