"""A world in which things are claimed that proofs back, for tests to lie in.

    world = claim_world(steps(0, 4), absence("Nobody here"))

Each maker makes one claim as its issuer would, with proofs that the fake verifier takes: it takes
any public values, so only the auditor's own comparison protects. A `Lie` changes one stage of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from provenance import canonical
from provenance.audit.absences import key_parts
from provenance.audit.claimed import claimed_document, values_document
from provenance.canonical import JsonObject
from provenance.claim import (
    AbsenceStatement,
    Claim,
    ClaimStatement,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
    RunState,
    StepsStatement,
    part_context,
)
from provenance.exclusion import key as exclusion_key
from provenance.expected.exclusion import exclusion_public
from provenance.expected.functions import PropertyShape, property_public
from provenance.expected.models import (
    COMMITTED,
    OPEN,
    ModelShape,
    evaluation_public,
    inference_public,
)
from provenance.expected.steps import step_public
from provenance.field import Digest, FieldElement
from provenance.findings import Finding, Level, Outcome, Verdict
from provenance.leaf import content_digest
from provenance.opening import FeatureOpening
from provenance.policy import Policy, Requirement
from provenance.record import Record, encode_record
from provenance.replay import plan
from provenance.sgd import Model, StepShape, rule_of
from provenance.training import Step
from tests.provenance.world import (
    DATASET_KEY,
    HONEST,
    ISSUER,
    NOTES,
    SCHEMA,
    SPEC,
    Table,
    World,
    add_artifacts,
    build,
    proof_of,
    rows,
    sampler_parameters,
    table_of,
    trusted,
)

Public = tuple[FieldElement, ...]
Maker = Callable[[World], Claim]
FUNCTION: Final = b"the ONNX of a function"
COUNT: Final = 6
"""Steps of the world's run."""


def same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Lie:
    """What is told otherwise: statement, a part's context, public values, claim, opened member."""

    statement: Callable[[Any], Any] = same
    context: Callable[[int], int] = same
    public: Callable[[int, Public], Public] = lambda _, public: public
    proofs: Callable[[list[Digest]], list[Digest]] = same
    claim: Callable[[Claim], Claim] = same
    opened: Callable[[Any], Any] = same


NONE: Final = Lie()


def claim_world(*makers: Maker, **changes: Callable[[Any], Any]) -> World:
    """Return a world whose run has features in its transcript, and these claims after it."""

    def claims(world: World) -> list[Claim]:
        world.made["circuits"] = []
        return [make(world) for make in makers]

    told: dict[str, Any] = {"steps": with_features, "claims": claims} | changes
    world = build((*HONEST, "claims"), **told)
    world.policy = with_circuits(world, world.policy)
    return world


def with_circuits(world: World, policy: Policy) -> Policy:
    """Return a policy that also trusts the circuits of the world's claims."""
    more = tuple(trusted(circuit) for circuit in dict.fromkeys(world["circuits"]))
    return replace(policy, circuits=(*policy.circuits, *more))


def table() -> Table:
    """Return the world's training data."""
    return table_of(rows(30, 2), SCHEMA, SPEC, DATASET_KEY, 13)


def with_features(steps: Sequence[Step]) -> list[Step]:
    """Return the steps with the feature commitments of their batches."""
    data = table()
    return [
        replace(
            step,
            features=tuple(
                Digest(data.features(data.numbers[index]).commitment.encoded)
                for index in step.batch
            ),
        )
        for step in steps
    ]


def make(
    world: World,
    circuit: str,
    statement: ClaimStatement,
    publics: Sequence[Callable[[FieldElement], Public]],
    opened: Callable[[Claim], dict[str, JsonObject]],
    lie: Lie,
) -> Claim:
    """Return a claim whose proofs have these public values, a function of the context a part."""
    told: ClaimStatement = lie.statement(statement)
    parts, proofs = len(publics), []
    for part, public in enumerate(publics):
        place = lie.context(part)
        context = part_context(ISSUER.key_id, world.log_id, circuit, told, place, parts)
        proof = proof_of(circuit, lie.public(part, public(context)))
        world.members[f"proofs/{proof.digest.hex()}.json"] = proof.encoded
        proofs.append(proof.digest)
    names = tuple(lie.proofs(proofs))
    claim = lie.claim(Claim(ISSUER.key_id, world.log_id, circuit, told, names))
    for folder, document in opened(claim).items():
        path = f"{folder}/{claim.digest.hex()}.json"
        world.members[path] = canonical.encode(lie.opened(document))
    add_artifacts(world, circuit)
    world["circuits"].append(circuit)
    return claim


def steps(first: int, count: int, *, unroll: int = 2, circuit: str = "", lie: Lie = NONE) -> Maker:
    """Return what claims steps of the run."""

    def maker(world: World) -> Claim:
        start, data = world["start"], world["table2"]
        rule = rule_of(start.optimiser, start.initial, start.hyperparameters)
        around = range(max(0, first - 1), min(first + count, len(world["steps"]) - 1) + 1)
        batches = [step.batch for step in world["steps"][first : first + count]]
        shape = rule.shape(len(batches[0]), unroll)
        statement = StepsStatement(world["run"].digest, first, count)
        used = sorted({data.numbers[index] for batch in batches for index in batch})

        def opened(claim: Claim) -> dict[str, JsonObject]:
            shown = [world["transcript"].opening(number) for number in around]
            records = [data.features(number) for number in used]
            return {"claims": claimed_document(claim.digest, shown, records)}

        def public(part: int) -> Callable[[FieldElement], Public]:
            begin = first + part * unroll
            return lambda context: steps_public(world, shape, rule.centre, begin, context)

        publics = [public(part) for part in range(count // unroll)]
        return make(world, circuit or shape.name, statement, publics, opened, lie)

    return maker


def steps_public(
    world: World, shape: StepShape, centre: Sequence[int], first: int, context: FieldElement
) -> Public:
    """Return the public values of steps `first` … of the world's run, as its trainer has them."""
    states = [
        FieldElement.decode(state.commitment)
        for state in world["states"][first : first + shape.unroll + 1]
    ]
    batches = world["batches"][first : first + shape.unroll]
    features = [[table().features(n).commitment for n in batch] for batch in batches]
    return step_public(shape, states, features, centre, context)


def absence(
    *values: str, circuit: str = "exclusion-40.v1", shown: Any = None, lie: Lie = NONE
) -> Maker:
    """Return what claims that values are not in the index of notes."""

    def maker(world: World) -> Claim:
        keys = tuple(exclusion_key(NOTES, "note", value) for value in values)
        statement = AbsenceStatement(world["v2"].digest, 1, keys)
        root = world["v2"].indexes[1].root

        def public(part: tuple[int, ...]) -> Callable[[FieldElement], Public]:
            return lambda context: exclusion_public(circuit, root, part, context)

        def opened(claim: Claim) -> dict[str, JsonObject]:
            return {} if shown is None else {"values": values_document(claim.digest, shown)}

        return make(
            world, circuit, statement, [public(p) for p in key_parts(circuit, keys)], opened, lie
        )

    return maker


def exact_absence(record: Record, *, lie: Lie = NONE) -> Maker:
    """Return what claims that a whole record is not in the dataset's index of records."""

    def maker(world: World) -> Claim:
        dataset, encoded = world["v2"], encode_record(SCHEMA, record)
        key = exclusion_key("exact/1", "", content_digest(SCHEMA.digest, encoded))
        circuit, root = "exclusion-64.v1", dataset.indexes[0].root
        return make(
            world,
            circuit,
            AbsenceStatement(dataset.digest, 0, (key,)),
            [lambda context: exclusion_public(circuit, root, (key.number,), context)],
            lambda claim: {"values": values_document(claim.digest, (encoded.hex(),))},
            lie,
        )

    return maker


def property_of_records(
    *numbers: int, values: Any, width: int = 4, fill: bool = False, lie: Lie = NONE
) -> Maker:
    """Return what claims a function's values over records by running number, two a part.

    `fill` takes the first record again where the last part lacks one.
    """

    def maker(world: World) -> Claim:
        data, function = world["table2"], canonical.digest(FUNCTION)
        shape = PropertyShape.of(function, 2, width)
        opened = [data.features(number) for number in numbers]
        records = Records(world["v2"].digest, tuple(o.path.index for o in opened))
        found = [o.commitment for o in (*opened, *opened[:fill])]

        def public(part: int) -> Callable[[FieldElement], Public]:
            own = found[2 * part : 2 * part + 2]
            return lambda context: property_public(shape, own, values[part], context)

        world.members[f"functions/{function.hex()}.onnx"] = FUNCTION
        return make(
            world,
            shape.name,
            PropertyStatement(function, records, values),
            [public(part) for part in range(len(values))],
            lambda claim: {"claims": claimed_document(claim.digest, (), opened)},
            lie,
        )

    return maker


def property_of_state(state: str, *, values: Any, lie: Lie = NONE) -> Maker:
    """Return what claims a function's values over a state of the run."""

    def maker(world: World) -> Claim:
        function, run = canonical.digest(FUNCTION), world["run"]
        shape = PropertyShape.of(function, 0, 4)
        about = FieldElement.decode(run.initial if state == "initial" else run.final)
        world.members[f"functions/{function.hex()}.onnx"] = FUNCTION
        return make(
            world,
            shape.name,
            PropertyStatement(function, RunState(run.digest, state), values),
            [lambda context: property_public(shape, (about,), values[0], context)],
            lambda _: {},
            lie,
        )

    return maker


def inference(
    *numbers: int, outputs: Any, rows: int = 2, circuit: str = "", lie: Lie = NONE
) -> Maker:
    """Return what claims answers for records by running number."""

    def maker(world: World) -> Claim:
        data = world["table2"]
        shape = ModelShape(Model("logistic", 3), rows, COMMITTED)
        opened = [data.features(number) for number in numbers]
        state = FieldElement.decode(world["run"].final)
        centre = world["start"].hyperparameters["centre"]

        def public(first: int) -> Callable[[FieldElement], Public]:
            own = [o.commitment for o in opened[first : first + rows]]
            told = outputs[first : first + rows]
            return lambda context: inference_public(shape, state, own, centre, told, context)

        return make(
            world,
            circuit or shape.name,
            InferenceStatement(world["run"].digest, records_of(world, opened), outputs),
            [public(first) for first in range(0, len(numbers), rows)],
            lambda claim: {"claims": claimed_document(claim.digest, (), opened)},
            lie,
        )

    return maker


def open_inference(*inputs: tuple[int, ...], outputs: Any, lie: Lie = NONE) -> Maker:
    """Return what claims answers for inputs that everybody sees, one a part."""

    def maker(world: World) -> Claim:
        shape = ModelShape(Model("logistic", 3), 1, OPEN)
        state = FieldElement.decode(world["run"].final)
        centre = world["start"].hyperparameters["centre"]

        def public(number: int) -> Callable[[FieldElement], Public]:
            one, told = inputs[number : number + 1], outputs[number : number + 1]
            return lambda context: inference_public(shape, state, one, centre, told, context)

        return make(
            world,
            shape.name,
            InferenceStatement(world["run"].digest, inputs, outputs),
            [public(number) for number in range(len(inputs))],
            lambda _: {},
            lie,
        )

    return maker


def evaluation(
    *numbers: int, right: Any, rows: int = 4, circuit: str = "", lie: Lie = NONE
) -> Maker:
    """Return what claims how many records are predicted right; without numbers, those held out."""

    def maker(world: World) -> Claim:
        data = world["table2"]
        shape = ModelShape(Model("logistic", 3), rows)
        opened = [data.features(number) for number in numbers or held_out(world)]
        state = FieldElement.decode(world["run"].final)
        centre = world["start"].hyperparameters["centre"]

        def public(part: int) -> Callable[[FieldElement], Public]:
            own = [o.commitment for o in opened[part * rows : (part + 1) * rows]]
            return lambda context: evaluation_public(
                shape, state, own, centre, right[part], context
            )

        return make(
            world,
            circuit or shape.name,
            EvaluationStatement(world["run"].digest, records_of(world, opened), right),
            [public(part) for part in range(len(right))],
            lambda claim: {"claims": claimed_document(claim.digest, (), opened)},
            lie,
        )

    return maker


def records_of(world: World, opened: Sequence[FeatureOpening]) -> Records:
    """Return the records of version 2 that are opened, in this order."""
    return Records(world["v2"].digest, tuple(opening.path.index for opening in opened))


def held_out(world: World) -> tuple[int, ...]:
    """Return the running numbers of the records that the world's seed holds out."""
    return plan(world["seed"], 30, sampler_parameters(world["start"])).held_out


def requiring(world: World, *wanted: Requirement) -> Policy:
    """Return the world's policy with these requirements only."""
    return replace(world.policy, require=wanted)


def about(verdict: Verdict, claim: str, outcome: Outcome | None = None) -> list[Finding]:
    """Return a verdict's findings of one claim."""
    found = [f for f in verdict.findings if f.claim == claim]
    return [f for f in found if outcome in (None, f.outcome)]


def refused(world: World, claim: str, words: str, outcome: Outcome = Outcome.FAILS) -> bool:
    """Return whether the claim is told as false or unknown for this reason, and nowhere holds."""
    verdict = world.audit()
    found = about(verdict, claim)
    told = [f for f in found if f.outcome is outcome and words in f.reason]
    return len(told) == 1 and not any("claim " in note for f in found for note in f.notes)


LEVELS: Final = (Level.L0, Level.L1, Level.L4)
