"""Challenged steps of a run, opened and run again.

    {"first":<opening>,"initial":{"salt":"…","weights":[0,0,0]},"kind":"rootline/steps/v1",
     "last":<opening>,"run":"…","samples":[{"after":{…},"before":{…},"following":<opening>,
     "preceding":null,"rows":[<opening>,…],"step":<opening>},…]}

A challenged step is opened with both neighbours: numbers equal positions, states chain, the first
and the last state are the declared ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from provenance.audit.case import Case
from provenance.audit.datasets import chunk_table
from provenance.audit.transcripts import transcript_step
from provenance.canonical import Fields, JsonObject
from provenance.chunk import CHUNK
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.features import digits, feature_commitment, state_commitment, values
from provenance.field import Digest, FieldElement
from provenance.opening import Opening, verify_opening
from provenance.replay import Plan, challenge, plan
from provenance.sgd import Rule, rule_of, tolerance_of
from provenance.training import Run, RunStart, Step
from provenance.tree import Chunk

KIND: Final = "rootline/steps/v1"
MAX_WEIGHTS: Final = 2**16


@dataclass(frozen=True, slots=True)
class State:
    """A state of form fixed14/1 in the clear: weights as signed integers, and their salt."""

    weights: tuple[int, ...]
    salt: FieldElement

    @property
    def json(self) -> JsonObject:
        """The state as it stands in a bundle."""
        return {"weights": list(self.weights), "salt": self.salt.hex}

    @property
    def commitment(self) -> Digest:
        """The committed form that steps and runs name."""
        return Digest(state_commitment(self.weights, self.salt).encoded)

    @classmethod
    def of(cls, fields: Fields) -> "State":
        """Return the state that an object holds, or raise MalformedError."""
        items = fields.items("weights", MAX_WEIGHTS)
        weights = tuple(w for w in items if isinstance(w, int) and not isinstance(w, bool))
        if len(weights) != len(items):
            raise fields.error("weights", "an array of integers")
        state = cls(weights, fields.element("salt"))
        fields.done()
        return state


@dataclass(frozen=True, slots=True)
class Sample:
    """One challenged step with its neighbours, the states around it, and its batch's records."""

    step: Opening
    preceding: Opening | None
    following: Opening | None
    before: State
    after: State
    rows: tuple[Opening, ...]

    @property
    def json(self) -> JsonObject:
        """The sample as it stands in a bundle."""
        return {
            "step": self.step.json,
            "preceding": self.preceding.json if self.preceding else None,
            "following": self.following.json if self.following else None,
            "before": self.before.json,
            "after": self.after.json,
            "rows": [row.json for row in self.rows],
        }

    @classmethod
    def of(cls, fields: Fields) -> "Sample":
        """Return the sample that an object holds, or raise MalformedError."""
        sample = cls(
            Opening.from_fields(fields.inner("step")),
            fields.optional("preceding", lambda name: Opening.from_fields(fields.inner(name))),
            fields.optional("following", lambda name: Opening.from_fields(fields.inner(name))),
            State.of(fields.inner("before")),
            State.of(fields.inner("after")),
            tuple(Opening.from_fields(row) for row in fields.objects("rows", CHUNK)),
        )
        fields.done()
        return sample


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many of a run's steps were run again and agreed, give or take the declared tolerance."""

    samples: int
    steps: int
    tolerance: int


@dataclass(frozen=True, slots=True)
class _Replay:
    start: RunStart
    run: Run
    dataset: DatasetCommitment
    firsts: tuple[int, ...]
    records: tuple[Chunk, ...]
    plan: Plan
    rule: Rule
    tolerance: int


def steps_document(
    run: Digest, initial: State, first: Opening, last: Opening, samples: Sequence[Sample]
) -> JsonObject:
    """Return the member that opens the challenged steps of a run."""
    return {
        "kind": KIND,
        "run": run.hex(),
        "initial": initial.json,
        "first": first.json,
        "last": last.json,
        "samples": [sample.json for sample in samples],
    }


def replayed(
    case: Case,
    data: bytes,
    start: RunStart,
    run: Run,
    dataset: DatasetCommitment,
    block_hash: Digest,
    samples: int,
) -> Replayed:
    """Return how many challenged steps agree, at least `samples` of them.

    Raises:
        MalformedError: The member is not in its one form.
        VerificationError: A step, state, batch or record is not the one that it must be.
        UnavailableError: Fewer steps are opened than the policy asks for, or a table is missing.
    """
    fields = Fields.parse(data, KIND)
    if fields.digest("run") != run.digest:
        raise VerificationError("the opened steps are of another run")
    initial = State.of(fields.inner("initial"))
    ends = [Opening.from_fields(fields.inner(name)) for name in ("first", "last")]
    opened = [Sample.of(item) for item in fields.objects("samples", 2**16)]
    fields.done()
    replay = _prepare(case, start, run, dataset)
    _check_ends(replay, initial, *ends)
    drawn = challenge(block_hash, run.digest, run.transcript.steps, len(opened))
    if len(opened) < min(samples, run.transcript.steps):
        raise UnavailableError(f"{len(opened)} steps are opened, the policy asks for {samples}")
    if len(drawn) != len(opened):
        raise MalformedError(f"{len(opened)} opened steps in a run of {run.transcript.steps}")
    for number, sample in zip(drawn, opened, strict=True):
        _check_sample(replay, number, sample)
    return Replayed(len(opened), run.transcript.steps, replay.tolerance)


def _prepare(case: Case, start: RunStart, run: Run, dataset: DatasetCommitment) -> _Replay:
    transcript = run.transcript
    steps = chunk_table(case, run.digest, transcript.root, transcript.chunks, transcript.steps)
    records = chunk_table(case, dataset.digest, dataset.root, dataset.chunks, dataset.records)
    parameters = start.hyperparameters
    sampler = {name: parameters.get(name) for name in ("batch", "epochs", "holdout_permille")}
    chosen = plan(run.seed, dataset.records, sampler)
    if len(chosen.batches) != transcript.steps:
        raise VerificationError(
            f"the sampler gives {len(chosen.batches)} steps, the transcript has {transcript.steps}"
        )
    rule = rule_of(start.optimiser, start.initial, parameters)
    tolerance = tolerance_of(parameters)
    firsts = tuple(accumulate((chunk.count for chunk in steps), initial=0))
    return _Replay(start, run, dataset, firsts, records, chosen, rule, tolerance)


def _check_ends(replay: _Replay, initial: State, first: Opening, last: Opening) -> None:
    run = replay.run
    # The width first: a rule may draw millions of weights, and a state of few costs nothing.
    if (
        initial.commitment != run.initial
        or len(initial.weights) != replay.rule.shape(1, 1).state_width
        or initial.weights != replay.rule.initial(run.seed)
    ):
        raise VerificationError(
            f"the initial state is not the one that {replay.start.initial} gives"
        )
    if _step(replay, first, 0).before != run.initial:
        raise VerificationError("the first step does not begin at the declared initial state")
    if _step(replay, last, run.transcript.steps - 1).after != run.final:
        raise VerificationError("the last step does not end at the declared final state")


def _step(replay: _Replay, opening: Opening, number: int) -> Step:
    return transcript_step(replay.run, replay.firsts, opening, number)


def record_index(table: Sequence[Chunk], number: int) -> int:
    """Return the index, chunk * 2**14 + position, of the record with a running number.

    Raises:
        MalformedError: There is no such record.
    """
    for chunk, entry in enumerate(table):
        if number < entry.count:
            return chunk * CHUNK + number
        number -= entry.count
    raise MalformedError("no record has so high a number")


def _check_sample(replay: _Replay, number: int, sample: Sample) -> None:
    step = _step(replay, sample.step, number)
    _check_neighbours(replay, number, sample, step)
    if (sample.before.commitment, sample.after.commitment) != (step.before, step.after):
        raise VerificationError(f"step {number}: the opened states are not the committed ones")
    if step.dataset != replay.dataset.digest:
        raise VerificationError(f"step {number}: its batch is of another dataset")
    wanted = tuple(record_index(replay.records, n) for n in replay.plan.batches[number])
    if step.batch != wanted:
        raise VerificationError(f"step {number}: its batch is not the one that the seed gives")
    rows = _rows(replay, step, sample.rows)
    again, claimed = replay.rule.step(sample.before.weights, rows), sample.after.weights
    off = max((abs(a - b) for a, b in zip(again, claimed, strict=False)), default=0)
    if len(again) != len(claimed) or off > replay.tolerance:
        raise VerificationError(f"step {number}: run again, it ends in another state")


def _check_neighbours(replay: _Replay, number: int, sample: Sample, step: Step) -> None:
    last = replay.run.transcript.steps - 1
    if (sample.preceding is None) != (number == 0) or (sample.following is None) != (
        number == last
    ):
        raise VerificationError(f"step {number} is not opened with both its neighbours")
    if sample.preceding and _step(replay, sample.preceding, number - 1).after != step.before:
        raise VerificationError(f"steps {number - 1} and {number} do not chain")
    if sample.following and _step(replay, sample.following, number + 1).before != step.after:
        raise VerificationError(f"steps {number} and {number + 1} do not chain")


def _rows(replay: _Replay, step: Step, openings: Sequence[Opening]) -> list[tuple[int, ...]]:
    spec = replay.dataset.features
    if spec is None or spec.label is None:
        raise UnavailableError(
            "the dataset commits to no features with a label, so its steps cannot be replayed"
        )
    if tuple(opening.path.index for opening in openings) != step.batch:
        raise VerificationError(f"step {step.number}: other records are opened than its batch's")
    rows, commitments = [], []
    for opening in openings:
        record = verify_opening(opening, replay.dataset)
        rows.append(values(spec, record))
        salt = opening.feature_salt or FieldElement(0)
        commitments.append(Digest(feature_commitment(digits(spec, record), salt).encoded))
    if step.features and step.features != tuple(commitments):
        raise VerificationError(f"step {step.number}: its feature commitments are others")
    return rows
