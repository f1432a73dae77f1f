"""Lies about what a run's final state answers. The verifier takes any public values."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from provenance.audit.predictions import _result
from provenance.claim import Claim, Records
from provenance.expected.models import ModelShape
from provenance.features import FeatureField
from provenance.field import Digest, FieldElement
from provenance.findings import Level, Outcome
from tests.provenance.claimed import (
    Lie,
    Maker,
    about,
    claim_world,
    evaluation,
    held_out,
    inference,
    open_inference,
)
from tests.provenance.documents import CLAIMS
from tests.provenance.world import World, bad

OTHER = Digest(b"\7" * 32)
ANSWERS: Final = ((900,), (17,), (512,), (1024,))
RIGHT: Final = (3, 2)


def told(**changes: Any) -> Lie:
    return Lie(statement=lambda statement: replace(statement, **changes))


def answers(**options: Any) -> Maker:
    return inference(3, 20, 7, 8, outputs=ANSWERS, **options)


def rated(**options: Any) -> Maker:
    return evaluation(3, 20, 7, 8, 1, 2, right=RIGHT, **options)


def chosen(change: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Lie:
    """Name other records than are proved about."""

    def statement(honest: Any) -> Any:
        name = "records" if hasattr(honest, "records") else "inputs"
        records = getattr(honest, name)
        return replace(honest, **{name: replace(records, indexes=change(records.indexes))})

    return Lie(statement=statement)


def of_v1(maker: Callable[..., Maker], name: str) -> Maker:
    def make(world: World) -> Claim:
        def statement(honest: Any) -> Any:
            return replace(
                honest, **{name: Records(world["v1"].digest, getattr(honest, name).indexes)}
            )

        return maker(lie=Lie(statement=statement))(world)

    return make


def with_initial(maker: Callable[..., Maker]) -> Maker:
    """Prove about the run's initial state instead."""

    def make(world: World) -> Claim:
        first = FieldElement.decode(world["run"].initial)
        return maker(lie=Lie(public=lambda _, values: (first, *values[1:])))(world)

    return make


def of_dataset(maker: Callable[..., Maker]) -> Maker:
    return lambda world: maker(lie=told(run=world["v2"].digest))(world)


INFERENCES: Final[dict[str, tuple[Maker, str]]] = {
    "an answer off by one": (answers(lie=told(outputs=((901,), *ANSWERS[1:]))), "public value 4"),
    "answers in another order": (answers(lie=told(outputs=ANSWERS[::-1])), "public value 4"),
    "records in another order": (answers(lie=chosen(lambda i: i[::-1])), "public value 1"),
    "another record": (answers(lie=chosen(lambda i: (*i[:3], 0))), "other records are opened"),
    "parts in each other's place": (answers(lie=Lie(context=lambda n: 1 - n)), "public value 5"),
    "proofs in each other's place": (answers(lie=Lie(proofs=lambda p: p[::-1])), "public value 1"),
    "a part dropped": (answers(lie=Lie(proofs=lambda p: p[:1])), "4 inputs for 1 parts of 2"),
    "weights of the initial state": (with_initial(answers), "public value 0"),
    "another version": (of_v1(answers, "inputs"), "leads to"),
    "no run": (of_dataset(answers), "is no run"),
    "a linear model": (
        answers(circuit="inference-linear-2x3-committed.v1"),
        "another model than first-run declares",
    ),
    "velocities": (
        answers(circuit="inference-logistic-2x3-committed-v.v1"),
        "another model than first-run declares",
    ),
    "no labels": (
        answers(circuit="inference-logistic-2x3-unlabelled.v1"),
        "commits to 4 digits a record, the circuit takes 3",
    ),
    "records for open inputs": (answers(circuit="inference-logistic-2x3-open.v1"), "takes 3"),
    "an evaluation": (answers(circuit="evaluation-logistic-2x3.v1"), "is no inference"),
    "another family": (answers(circuit="exclusion-40.v1"), "is no inference or evaluation"),
    "other inputs": (
        open_inference((800, 96, 256), outputs=((512,),), lie=told(inputs=((801, 96, 256),))),
        "public value 1",
    ),
    "open inputs' answer": (
        open_inference((800, 96, 256), outputs=((512,),), lie=told(outputs=((513,),))),
        "public value 3",
    ),
    "open inputs for records": (
        open_inference(
            (800, 96, 256),
            outputs=((512,),),
            lie=Lie(claim=lambda c: replace(c, circuit="inference-logistic-1x3-committed.v1")),
        ),
        "of circuit inference-logistic-1x3-open.v1, not inference-logistic-1x3-committed.v1",
    ),
}
EVALUATIONS: Final[dict[str, tuple[Maker, str]]] = {
    "one more right": (rated(lie=told(right=(4, 2))), "public value 6"),
    "right in another part": (rated(lie=told(right=RIGHT[::-1])), "public value 6"),
    "more right than there are": (rated(lie=told(right=(3, 3))), "part 1: 3 right of 2 records"),
    "records in another order": (rated(lie=chosen(lambda i: i[::-1])), "public value 1"),
    "a record left out": (rated(lie=chosen(lambda i: i[:-1])), "other records are opened"),
    "a record more": (rated(lie=chosen(lambda i: (*i, 0))), "other records are opened"),
    "another record": (rated(lie=chosen(lambda i: (*i[:5], 0))), "other records are opened"),
    "too many for the parts": (
        evaluation(3, 20, 7, 8, 1, right=(3,)),
        "5 records for 1 parts of at most 4",
    ),
    "parts in each other's place": (rated(lie=Lie(context=lambda n: 1 - n)), "public value 7"),
    "proofs in each other's place": (rated(lie=Lie(proofs=lambda p: p[::-1])), "public value 1"),
    "weights of the initial state": (with_initial(rated), "public value 0"),
    "another version": (of_v1(rated, "records"), "leads to"),
    "no run": (of_dataset(rated), "is no run"),
    "a linear model": (rated(circuit="evaluation-linear-4x3.v1"), "another model than"),
    "an inference": (
        rated(circuit="inference-logistic-4x3-committed.v1"),
        "is no evaluation over",
    ),
    "a padded row that counts": (
        evaluation(3, 20, 7, right=(3,), lie=Lie(public=lambda _, v: (*v[:4], v[1], *v[5:]))),
        "public value 4",
    ),
}


@pytest.mark.parametrize(
    ("claim", "lies"), [("inference", INFERENCES), ("evaluation", EVALUATIONS)]
)
def test_no_lie_holds(claim: str, lies: dict[str, tuple[Maker, str]]) -> None:
    found = about(claim_world(*(maker for maker, _ in lies.values())).audit(), claim)
    assert [f.outcome for f in found] == [Outcome.FAILS] * len(lies), found
    for name, (_, words) in lies.items():
        assert any(words in f.reason for f in found), (name, [f.reason for f in found])


@pytest.fixture(scope="module")
def world() -> World:
    return claim_world(
        answers(),
        open_inference((800, 96, 256), (0, 0, 0), outputs=((512,), (0,))),
        rated(),
        evaluation(right=(4, 1)),
    )


def test_answers_and_ratings_hold_and_say_what_they_rest_on(world: World) -> None:
    verdict = world.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    names = {f.subject for f in about(verdict, "inference")}
    assert names == {"first-run[cells@v2]", "first-run[inputs in the claim]"}
    for found in (*about(verdict, "inference"), *about(verdict, "evaluation")):
        assert found.level is Level.L4
        is_open = found.subject == "first-run[inputs in the claim]"
        assert any("(L0)" in rest for rest in found.rests_on) != is_open
        assert any("final state came from the run" in words for words in found.not_proved)
    reasons = [f.reason for f in about(verdict, "evaluation")]
    assert set(reasons) == {"5 of 6 committed labels are predicted rightly (83.3%)"}


def test_it_is_told_whether_the_records_are_those_held_out(world: World) -> None:
    told = {f.notes[0] for f in about(world.audit(), "evaluation")}
    inside = len(set(held_out(world)) & {3, 20, 7, 8, 1, 2})
    words = f"{inside} of those, and {6 - inside} that it was to be trained on"
    assert told == {
        "the records ARE exactly those that the run's seed held out",
        f"the records are NOT the 6 that the run's seed held out: {words}",
    }


def test_a_choice_among_the_records_held_out_is_told() -> None:
    def best(world: World) -> Claim:
        return evaluation(*held_out(world)[:4], right=(4,))(world)

    [found] = about(claim_world(best).audit(), "evaluation")
    assert "NOT the 6 that the run's seed held out: 4 of those, and 0 that" in found.notes[0]


def test_without_the_table_it_is_not_known_which_were_held_out(world: World) -> None:
    path = f"tables/{world['v2'].digest.hex()}.json"
    members = {name: data for name, data in world.members.items() if name != path}
    found = about(world.audit(members=members), "evaluation")
    assert {f.outcome for f in found} == {Outcome.HOLDS}
    assert all("was not found out" in f.notes[0] for f in found)


def test_a_local_srs_keeps_predictions_at_a_signature(world: World) -> None:
    verdict = world.audit(replace(world.policy, srs=()))
    found = (*about(verdict, "inference"), *about(verdict, "evaluation"))
    assert {f.level for f in found} == {Level.L1}
    assert all("INSECURE" in f.reason for f in found)


def test_a_circuit_without_an_entry_is_unknown(world: World) -> None:
    verdict = world.audit(replace(world.policy, circuits=()))
    found = (*about(verdict, "inference"), *about(verdict, "evaluation"))
    assert {f.outcome for f in found} == {Outcome.UNKNOWN}


def test_claims_about_unpublished_runs_or_records_are_unknown() -> None:
    verdict = claim_world(
        answers(lie=told(run=OTHER)),
        rated(lie=told(run=OTHER)),
        rated(lie=told(records=Records(OTHER, (1, 2, 3, 4, 5, 6)))),
    ).audit()
    found = (*about(verdict, "inference"), *about(verdict, "evaluation"))
    assert [f.outcome for f in found] == [Outcome.UNKNOWN] * 3
    assert sum(f.subject.startswith("claim-") for f in found) == 2


def test_records_of_another_dataset_are_told_to_be_that() -> None:
    """Trained on version 1's name, asked about version 2: the same fields at the same scale."""

    def start(honest: Any) -> Any:
        return replace(honest, datasets={"train": known[0], "test": honest.datasets["train"]})

    known: list[Digest] = []

    def v1(honest: Any) -> Any:
        known.append(honest.digest)
        return honest

    [found] = about(claim_world(rated(), start=start, v1=v1).audit(), "evaluation")
    assert found.outcome is Outcome.HOLDS
    assert "another dataset than the run was trained on" in found.notes[0]


def test_records_whose_fields_are_others_than_those_trained_on_fail() -> None:
    made: list[Digest] = []

    def v1(honest: Any) -> Any:
        fields = (*honest.features.fields[:2], FeatureField("grade", 6))
        told = replace(honest, features=replace(honest.features, fields=fields))
        made.append(told.digest)
        return told

    def start(honest: Any) -> Any:
        return replace(honest, datasets={"train": made[0]})

    [found] = about(claim_world(rated(), start=start, v1=v1).audit(), "evaluation")
    assert "has other features than first-run was trained on" in found.reason
    assert found.outcome is Outcome.FAILS


def test_a_linear_model_is_rated_by_its_errors() -> None:
    statement: Any = CLAIMS["evaluation"].statement
    shape = ModelShape.parse("evaluation-linear-2x2.v1")
    assert "sum of squared errors of 2 over 4 records" in _result(shape, statement)
