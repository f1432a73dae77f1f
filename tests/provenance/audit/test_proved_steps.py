"""Lies about steps that proofs are said to prove. The verifier takes any public values."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from provenance import canonical
from provenance.attestation import verify
from provenance.audit import Case, audit
from provenance.audit.claimed import check_width
from provenance.audit.datasets import anchored
from provenance.audit.ledger import published
from provenance.audit.proved_steps import (
    ProvedSteps,
    check_training,
    step_rule,
    strongest,
)
from provenance.audit.trust import Worth
from provenance.claim import Claim, StepsStatement
from provenance.errors import VerificationError
from provenance.evidence import read
from provenance.expected.steps import centre_commitment
from provenance.field import ORDER, Digest, FieldElement
from provenance.findings import Level, Outcome
from provenance.training import STEP_SCHEMA, RunStart, Step
from tests.provenance.audit.test_runs import finding
from tests.provenance.claimed import (
    COUNT,
    Lie,
    Maker,
    about,
    absence,
    claim_world,
    refused,
    steps,
    table,
    with_features,
)
from tests.provenance.world import DATASET_KEY, ROTATED, SRS, VERIFIERS, World, bad, table_of

OTHER = Digest(b"\7" * 32)
Public = tuple[FieldElement, ...]


def told(**changes: Any) -> Lie:
    """Return a lie in the statement."""
    return Lie(statement=lambda statement: replace(statement, **changes))


def swapped(one: int, other: int) -> Lie:
    def public(_: int, values: Public) -> Public:
        changed = list(values)
        changed[one], changed[other] = changed[other], changed[one]
        return tuple(changed)

    return Lie(public=public)


def document(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Lie:
    return Lie(opened=lambda shown: {**shown, **change(shown)})


def foreign(world: World) -> Claim:
    """Claim the last steps with the proofs of the first ones."""
    first = world["first claim"]
    return steps(2, 4, lie=Lie(proofs=lambda _: list(first.proofs)))(world)


def honest_first(world: World) -> Claim:
    claim: Claim = world.made.setdefault("first claim", steps(0, 4)(world))
    return claim


def other_rows(shown: dict[str, Any]) -> dict[str, Any]:
    """Open the first record as another version of the dataset has it."""
    index = shown["records"][0]["path"]
    number = index["position"]
    return {"records": [OLD.features(number).json, *shown["records"][1:]]}


def other_commitment(shown: dict[str, Any]) -> dict[str, Any]:
    one, two, *rest = shown["records"]
    return {"records": [{**one, "commitment": two["commitment"]}, two, *rest]}


def exchanged(shown: dict[str, Any]) -> dict[str, Any]:
    """Put two records into each other's places."""
    one, two, *rest = shown["records"]
    return {"records": [{**two, "path": one["path"]}, {**one, "path": two["path"]}, *rest]}


OLD: Final = table_of(table().records[:28], table().schema, table().spec, table().key, 11)
LIES: Final[dict[str, tuple[Maker, str]]] = {
    "parts in each other's place": (steps(0, 4, lie=Lie(context=lambda n: 1 - n)), "value 12"),
    "proofs in each other's place": (steps(0, 4, lie=Lie(proofs=lambda p: p[::-1])), "value 0"),
    "a part dropped": (steps(0, 4, lie=Lie(proofs=lambda p: p[:1])), "1 proofs of 2 steps for 4"),
    "a part added": (
        steps(0, 4, lie=Lie(proofs=lambda p: [*p, OTHER])),
        "3 proofs of 2 steps for 4",
    ),
    "proofs of another claim": (foreign, "public value 0"),
    "another issuer's context": (
        steps(0, 4, lie=Lie(claim=lambda claim: replace(claim, issuer=ROTATED.key_id))),
        "public value 12",
    ),
    "other steps": (steps(0, 4, lie=told(first=2)), "step 0 was opened where step 1"),
    "fewer steps": (steps(0, 4, lie=told(steps=3)), "2 proofs of 2 steps for 3"),
    "steps that are not": (steps(2, 4, lie=told(first=4)), "goes to step 7 of a run of 6"),
    "states swapped": (steps(0, 2, lie=swapped(0, 1)), "public value 0"),
    "rows swapped": (steps(0, 2, lie=swapped(4, 5)), "public value 4"),
    "a row and a state swapped": (steps(0, 2, lie=swapped(2, 3)), "public value 2"),
    "a value added": (
        steps(0, 2, lie=Lie(public=lambda _, values: (*values, FieldElement(0)))),
        "14 public values, not the expected 13",
    ),
    "a value dropped": (
        steps(0, 2, lie=Lie(public=lambda _, values: values[:-1])),
        "12 public values, not the expected 13",
    ),
    "another centre": (
        steps(0, 2, lie=Lie(public=lambda _, v: (*v[:-2], FieldElement(5), v[-1]))),
        "public value 11",
    ),
    "a dataset for a run": (
        lambda world: steps(0, 2, lie=told(run=world["v2"].digest))(world),
        "is no run",
    ),
    **{
        circuit: (steps(0, 2, circuit=circuit), "the start declares what")
        for circuit in (
            "step-logistic-4x3-u2-r2.v1",
            "step-logistic-4x3-u2-r1-e1.v1",
            "step-logistic-4x3-u2-r1-m1.v1",
            "step-logistic-4x3-u2-r1-d1.v1",
            "step-linear-4x3-u2-r1.v1",
            "step-logistic-5x3-u2-r1.v1",
            "step-logistic-4x4-u2-r1.v1",
            "step-mlp2to2-4x3-u2-r1.v1",
        )
    },
    "no unrolling": (steps(0, 2, circuit="step-logistic-4x3-r1.v1"), "1 proofs of 1 steps for 2"),
    "a circuit of another family": (steps(0, 2, circuit="exclusion-40.v1"), "no training step"),
}


Shown = dict[str, Any]
DOCUMENTS: Final[dict[str, tuple[Callable[[Shown], Shown], str]]] = {
    "steps in another order": (
        lambda d: {"steps": [d["steps"][1], d["steps"][0], *d["steps"][2:]]},
        "step 1 was opened where step 0 was wanted",
    ),
    "no neighbour": (
        lambda d: {"steps": d["steps"][:-1]},
        "4 steps are opened; 0 to 4 are needed",
    ),
    "a row that is not opened": (
        lambda d: {"records": d["records"][1:]},
        "other records are opened",
    ),
    "a row that no step has": (
        lambda d: {"records": [*d["records"], table().features(29).json]},
        "",
    ),
    "a row of another version": (other_rows, "leads to"),
    "another row's features": (other_commitment, "leads to"),
    "rows in each other's place": (exchanged, "leads to"),
    "a record opened twice": (
        lambda d: {"records": [d["records"][0], *d["records"]]},
        "in ascending order, each once",
    ),
    "another claim's document": (lambda _: {"claim": OTHER.hex()}, "speaks of another claim"),
    "a zero leaf": (
        lambda d: {"records": [{**d["records"][0], "leaf": "0" * 64}, *d["records"][1:]]},
        "leaf digest is never 0",
    ),
    "a member more": (lambda _: {"weights": []}, "unknown member"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_lie_about_what_stands_where_holds(whole: World, name: str) -> None:
    change, words = DOCUMENTS[name]
    path = f"claims/{whole['claims'][0].digest.hex()}.json"
    shown = json.loads(whole.members[path])
    told = {path: canonical.encode({**shown, **change(shown)})}
    verdict = whole.audit(members=whole.members | told)
    [found] = about(verdict, "proved-steps", Outcome.FAILS)
    assert words in found.reason
    assert found.subject == "first-run[0..3]"
    assert not about(verdict, "training", Outcome.HOLDS)


@pytest.fixture(scope="module")
def lying() -> World:
    """A world with an honest claim, and one for each lie."""
    return claim_world(honest_first, *(maker for maker, _ in LIES.values()))


@pytest.mark.parametrize("name", LIES)
def test_no_lie_about_steps_holds(lying: World, name: str) -> None:
    claim = lying["claims"][1 + list(LIES).index(name)]
    found = about(lying["verdict"] if "verdict" in lying.made else judged(lying), "proved-steps")
    assert not any(f"claim {claim.digest.hex()}" in finding.notes for finding in found)
    reasons = [f.reason for f in found if f.outcome is Outcome.FAILS]
    assert any(LIES[name][1] in reason for reason in reasons), reasons


def judged(world: World) -> Any:
    world.made["verdict"] = world.audit()
    return world["verdict"]


def test_every_lie_is_told_and_the_honest_claim_beside_them_holds(lying: World) -> None:
    found = about(judged(lying), "proved-steps")
    assert [f.subject for f in found if f.outcome is Outcome.HOLDS] == ["first-run[0..3]"]
    assert sum(f.outcome is Outcome.FAILS for f in found) == len(LIES)
    assert lying["verdict"].outcome is Outcome.FAILS


# all steps


@pytest.fixture(scope="module")
def whole() -> World:
    return claim_world(steps(0, 4), steps(4, 2))


def test_all_steps_over_several_claims_are_a_training(whole: World) -> None:
    verdict = whole.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    [found] = about(verdict, "training")
    assert (found.subject, found.level) == ("first-run", Level.L4)
    assert "all 6 steps are proved" in found.reason
    assert any("where the initial state came from" in words for words in found.not_proved)
    assert any("(L0)" in rest for rest in found.rests_on)
    assert any("seed gives" in note for note in found.notes)


@pytest.mark.parametrize(
    ("claims", "missing"),
    [
        ((steps(0, 4),), 4),
        ((steps(2, 4),), 0),
        ((steps(0, 2), steps(4, 2)), 2),
        ((steps(0, 2), steps(1, 2)), 3),
    ],
)
def test_a_gap_is_no_training(claims: tuple[Maker, ...], missing: int) -> None:
    verdict = claim_world(*claims).audit()
    [found] = about(verdict, "training")
    assert found.outcome is Outcome.UNKNOWN
    assert f"step {missing} is not proved" in found.reason
    assert {f.outcome for f in about(verdict, "proved-steps")} == {Outcome.HOLDS}


def test_steps_that_two_claims_prove_are_proved() -> None:
    verdict = claim_world(steps(0, 4), steps(2, 2), steps(1, 5, unroll=1)).audit()
    assert [f.outcome for f in about(verdict, "training")] == [Outcome.HOLDS]


def test_a_failed_claim_leaves_a_gap() -> None:
    verdict = claim_world(steps(0, 4), steps(4, 2, lie=swapped(0, 1))).audit()
    assert [f.outcome for f in about(verdict, "training")] == [Outcome.UNKNOWN]
    assert verdict.outcome is Outcome.FAILS


# the world around the claim


def test_features_in_the_transcript_that_are_others_fail() -> None:
    def mixed(made: list[Step]) -> list[Step]:
        first, *rest = with_features(made)
        return [replace(first, features=first.features[::-1]), *rest]

    assert refused(claim_world(steps(0, 2), steps=mixed), "proved-steps", "features are not those")


def test_a_transcript_without_features_proves_nothing() -> None:
    world = claim_world(steps(0, 2), steps=lambda made: made)
    assert refused(world, "proved-steps", "holds no feature commitments", Outcome.UNKNOWN)


def test_steps_that_do_not_chain_fail_though_each_is_proved() -> None:
    def broken(made: list[Step]) -> list[Step]:
        first, second, *rest = with_features(made)
        return [first, replace(second, before=first.before), *rest]

    world = claim_world(steps(0, 2), steps=broken)
    assert refused(world, "proved-steps", "steps 0 and 1 do not chain")
    world = claim_world(steps(1, 1, unroll=1), steps=broken)
    assert refused(world, "proved-steps", "steps 0 and 1 do not chain")


def test_a_step_counts_only_at_its_own_place_in_the_transcript() -> None:
    """The first two steps stand in each other's place, and are opened as if they did not."""

    def moved(made: list[Step]) -> list[Step]:
        first, second, *rest = with_features(made)
        return [second, first, *rest]

    lie = document(lambda d: {"steps": [d["steps"][1], d["steps"][0], *d["steps"][2:]]})
    world = claim_world(steps(0, 2, lie=lie), steps=moved)
    assert refused(world, "proved-steps", "step 0 was opened where step 0 was wanted")


def test_a_step_of_another_transcript_fails() -> None:
    def foreign_step(world: World) -> Claim:
        records = [step.record for step in world["steps"]]
        other = table_of(records, STEP_SCHEMA, None, DATASET_KEY, 2).opening(0).json
        lie = document(lambda d: {"steps": [other, *d["steps"][1:]]})
        return steps(0, 2, lie=lie)(world)

    assert refused(claim_world(foreign_step), "proved-steps", "leads to")


@pytest.mark.parametrize(
    ("name", "claim", "words"),
    [("initial", steps(0, 2), "declared initial"), ("final", steps(4, 2), "declared final")],
)
def test_a_run_that_begins_or_ends_elsewhere_fails(name: str, claim: Maker, words: str) -> None:
    world = claim_world(claim, run=lambda run: replace(run, **{name: OTHER}))
    assert refused(world, "proved-steps", words)


def test_a_batch_of_another_dataset_fails() -> None:
    world = claim_world(
        steps(0, 2),
        steps=lambda made: [replace(step, dataset=OTHER) for step in with_features(made)],
    )
    assert refused(world, "proved-steps", "its batch is of another dataset")


def test_a_batch_that_the_seed_does_not_give_fails() -> None:
    world = claim_world(steps(0, 2), run=lambda run: replace(run, seed=OTHER))
    assert refused(world, "proved-steps", "not the one that the seed gives")


def test_a_sampler_that_is_not_known_here_is_told_and_not_checked() -> None:
    external = claim_world(
        steps(0, COUNT),
        start=lambda start: replace(start, sampler="external/1"),
    )
    [found] = about(external.audit(), "proved-steps")
    assert found.outcome is Outcome.HOLDS
    assert any("was not checked: sampler external/1" in note for note in found.notes)
    [found] = about(external.audit(), "training")
    assert any("was not checked: sampler external/1" in note for note in found.notes)


def test_without_the_datasets_table_it_is_unknown_whether_the_seed_gives_the_batches(
    whole: World,
) -> None:
    path = f"tables/{whole['v2'].digest.hex()}.json"
    members = {name: data for name, data in whole.members.items() if name != path}
    found = about(whole.audit(members=members), "proved-steps")
    assert {f.outcome for f in found} == {Outcome.UNKNOWN}
    assert all("chunk table" in f.reason for f in found)


def test_a_sampler_with_another_number_of_steps_fails_for_every_claim() -> None:
    parameters = {"epochs": 2}
    world = claim_world(
        steps(0, 2),
        steps(2, 2),
        steps=lambda made: with_features(made[:6]),
        start=lambda start: replace(start, hyperparameters={**start.hyperparameters, **parameters}),
    )
    reasons = [f.reason for f in about(world.audit(), "proved-steps")]
    assert len(reasons) == 2
    assert all("the sampler gives 12 steps, the transcript has 6" in reason for reason in reasons)


HONEST: Final = "step-logistic-4x3-u2-r1.v1"


def old_centre(_: int, values: Public) -> Public:
    return (*values[:-2], centre_commitment((800, 96, 256)), values[-1])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"centre": [800, 96, 257]}, "public value 11"),
        ({"rate_bits": 2}, "declares what step-logistic-4x3-u2-r2.v1 proves"),
        ({"tolerance": 1}, "declares what step-logistic-4x3-u2-r1-e1.v1 proves"),
        ({"tolerance": True}, "'tolerance' must be an integer"),
    ],
)
def test_a_start_that_declares_another_rule_fails(changes: dict[str, Any], words: str) -> None:
    """What is proved is what the run was meant to be; the start was published with this change."""

    def start(honest: Any) -> Any:
        return replace(honest, hyperparameters={**honest.hyperparameters, **changes})

    claim = steps(0, 2, circuit=HONEST, lie=Lie(public=old_centre))
    assert refused(claim_world(claim, start=start), "proved-steps", words)


def test_the_batch_size_that_the_start_declares_is_the_circuits() -> None:
    """A sampler that nobody here knows gave batches of four; the start says three."""

    def start(honest: Any) -> Any:
        parameters = {**honest.hyperparameters, "batch": 3}
        return replace(honest, sampler="external/1", hyperparameters=parameters)

    world = claim_world(steps(0, 2, circuit=HONEST, lie=told()), start=start)
    assert refused(world, "proved-steps", "declares what step-logistic-3x3-u2-r1.v1 proves")


def test_an_optimiser_that_no_circuit_proves_is_unknown() -> None:
    world = claim_world(
        steps(0, 2),
        start=lambda start: replace(start, state="bytes/1"),
    )
    assert refused(world, "proved-steps", "no circuit proves", Outcome.UNKNOWN)


def test_a_start_without_training_data_is_unknown() -> None:
    world = claim_world(
        steps(0, 2),
        start=lambda start: replace(start, datasets={"test": start.datasets["train"]}),
    )
    assert refused(world, "proved-steps", "names no dataset as 'train'", Outcome.UNKNOWN)


def test_a_run_that_is_not_published_is_unknown() -> None:
    world = claim_world(steps(0, 2, lie=told(run=OTHER)))
    assert refused(world, "proved-steps", "not shown to be published", Outcome.UNKNOWN)
    [found] = about(world.audit(), "proved-steps")
    assert found.subject.startswith("claim-")


def test_a_claim_under_another_logs_name_is_no_claim_of_this_log() -> None:
    world = claim_world(steps(0, 2, lie=Lie(claim=lambda claim: replace(claim, log=OTHER))))
    verdict = world.audit()
    assert finding(verdict, "evidence", "its commitment names another log")
    assert not about(verdict, "proved-steps")


# what is missing, and what the policy says


@pytest.mark.parametrize("folder", ["claims", "proofs", "tables", "circuits"])
def test_what_is_missing_makes_it_unknown(whole: World, folder: str) -> None:
    own = whole["claims"][0]
    names = {
        "claims": own.digest,
        "proofs": own.proofs[0],
        "tables": whole["run"].digest,
        "circuits": canonical.digest(b"vk of step-logistic-4x3-u2-r1.v1"),
    }
    lost = f"{folder}/{names[folder].hex()}"
    members = {path: data for path, data in whole.members.items() if not path.startswith(lost)}
    verdict = whole.audit(members=members)
    found = about(verdict, "proved-steps")
    assert Outcome.UNKNOWN in {f.outcome for f in found}
    assert Outcome.FAILS not in {f.outcome for f in found}
    assert not about(verdict, "training", Outcome.HOLDS)


def test_a_start_that_is_missing_makes_it_unknown(whole: World) -> None:
    path = next(p for p, data in whole.members.items() if _is_start(whole, p, data))
    members = {name: data for name, data in whole.members.items() if name != path}
    found = about(whole.audit(members=members), "proved-steps")
    assert {f.outcome for f in found} == {Outcome.UNKNOWN}
    assert all("start" in f.reason for f in found)


def _is_start(world: World, path: str, data: bytes) -> bool:
    if not path.startswith("attestations/"):
        return False
    subject: Digest = world["start"].digest
    return verify(data, world.policy.keys()).subject == subject


def test_a_circuit_that_the_policy_does_not_name_is_unknown(whole: World) -> None:
    policy = replace(whole.policy, circuits=whole.policy.circuits[:1])
    found = about(whole.audit(policy), "proved-steps")
    assert {f.outcome for f in found} == {Outcome.UNKNOWN}


def test_the_key_of_another_circuit_fails(whole: World) -> None:
    own = [entry for entry in whole.policy.circuits if entry.circuit.startswith("step")]
    mixed = tuple(replace(entry, circuit="step-linear-4x3-u2-r1.v1") for entry in own)
    found = about(whole.audit(replace(whole.policy, circuits=mixed)), "proved-steps")
    assert all("under the key of step-linear" in f.reason for f in found)
    assert {f.outcome for f in found} == {Outcome.FAILS}


def test_a_local_srs_that_an_entry_names_keeps_the_claim_at_a_signature(whole: World) -> None:
    assert {entry.srs for entry in whole.policy.circuits} == {SRS}
    verdict = whole.audit(replace(whole.policy, srs=()))
    for found in (*about(verdict, "proved-steps"), *about(verdict, "training")):
        assert (found.outcome, found.level) == (Outcome.HOLDS, Level.L1)
        assert "INSECURE" in found.reason
        assert any("accepted by nobody" in rest for rest in found.rests_on)


def test_without_a_verifier_nothing_is_proved(whole: World) -> None:
    verdict = audit(whole.seal(), whole.policy, replace(VERIFIERS, provers={}), whole.now)
    found = about(verdict, "proved-steps")
    assert {f.outcome for f in found} == {Outcome.UNKNOWN}


def test_a_proof_that_does_not_verify_fails(whole: World) -> None:
    class Refusing:
        def verify(self, *_: object) -> None:
            raise VerificationError("the proof does not verify")

    verifiers = replace(VERIFIERS, provers={"fake": Refusing()})
    verdict = audit(whole.seal(), whole.policy, verifiers, whole.now)
    assert {f.outcome for f in about(verdict, "proved-steps")} == {Outcome.FAILS}
    assert not about(verdict, "training")


def test_a_proof_that_no_claim_lists_fails(whole: World) -> None:
    made = claim_world(steps(0, 2), absence("Nobody")).members
    stray = {p: d for p, d in made.items() if p.startswith("proofs/") and p not in whole.members}
    verdict = whole.audit(members=whole.members | stray)
    assert finding(verdict, "evidence", "no published claim belongs to this proof")


def test_every_public_value_is_compared() -> None:
    honest = claim_world(steps(0, 2))
    [claim] = honest["claims"]
    assert isinstance(claim.statement, StepsStatement)

    def changed(place: int) -> Lie:
        def public(_: int, values: Public) -> Public:
            other = FieldElement((values[place] + 1) % ORDER)
            return (*values[:place], other, *values[place + 1 :])

        return Lie(public=public)

    world = claim_world(*(steps(0, 2, lie=changed(place)) for place in range(13)))
    reasons = " ".join(f.reason for f in about(world.audit(), "proved-steps", Outcome.FAILS))
    assert all(f"public value {place} of" in reasons for place in range(13))


RUN: Final = Digest(bytes(32))


def declaring(**values: int) -> Callable[[RunStart], RunStart]:
    """Return what declares more hyperparameters."""
    return lambda start: replace(start, hyperparameters={**start.hyperparameters, **values})


@pytest.mark.parametrize("tolerance", [1, 200])
def test_a_tolerance_adds_up_and_too_much_of_it_is_no_training(tolerance: int) -> None:
    def lenient(world: World) -> Claim:
        shape = step_rule(world["start"]).shape(4, 2, tolerance)
        return steps(0, 6, circuit=shape.name)(world)

    world = claim_world(
        lenient, start=declaring(tolerance=tolerance), steps=lambda made: with_features(made[:6])
    )
    verdict = world.audit()
    [proved], [training] = about(verdict, "proved-steps"), about(verdict, "training")
    assert f"may be {tolerance} units" in proved.reason
    assert f"{6 * tolerance} after all of them" in proved.reason
    assert training.outcome is (Outcome.HOLDS if tolerance == 1 else Outcome.UNKNOWN)


def test_a_run_of_which_nothing_is_proved_is_said_to_be_so_beside_another(whole: World) -> None:
    case = Case(read(whole.seal()), whole.policy, VERIFIERS, whole.now)
    found = anchored(case, published(case))
    other = ProvedSteps(RUN, 0, 5, Worth(Level.L4, "", ()), ())
    check_training(case, found, [other])
    [training] = [item for item in case.findings if item.claim == "training"]
    assert training.outcome is Outcome.UNKNOWN
    assert f"no step of run {whole['run'].digest.hex()[:16]}" in training.reason


def test_weaker_proofs_of_steps_that_stronger_ones_prove_too_take_nothing_away() -> None:
    def part(first: int, last: int, level: Level) -> ProvedSteps:
        return ProvedSteps(RUN, first, last, Worth(level, "", ()), ())

    strong, weak = part(0, 5, Level.L4), part(2, 3, Level.L1)
    assert list(strongest([strong, weak], 6)) == [strong]
    assert list(strongest([part(0, 2, Level.L4), weak], 4)) == [part(0, 2, Level.L4), weak]


@pytest.mark.parametrize(("labelled", "words"), [(True, "no label"), (False, "a label")])
def test_what_a_circuit_takes_for_a_label_must_be_one(
    whole: World,
    labelled: bool,  # noqa: FBT001
    words: str,
) -> None:
    dataset = whole["v2"]
    spec = dataset.features
    assert spec is not None
    changed = replace(spec, fields=spec.all, label=None) if labelled else spec
    with pytest.raises(VerificationError, match=words):
        check_width(replace(dataset, features=changed), len(spec.all), labelled=labelled)
    check_width(dataset, len(spec.all), labelled=True)
