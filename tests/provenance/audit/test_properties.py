"""Lies about what a function gives. The verifier takes any public values."""

from dataclasses import replace
from typing import Any, Final

import pytest

from provenance import canonical
from provenance.audit import properties
from provenance.claim import Claim, Records, RunState
from provenance.field import Digest, FieldElement
from provenance.findings import Level, Outcome
from tests.provenance.claimed import (
    FUNCTION,
    Lie,
    Maker,
    about,
    claim_world,
    property_of_records,
    property_of_state,
)
from tests.provenance.world import World, bad

OTHER = Digest(b"\7" * 32)
VALUES: Final = ((5, -2), (1, 0))
NAME: Final = canonical.digest(FUNCTION).hex()
PATH: Final = f"functions/{NAME}.onnx"


def honest(**options: Any) -> Maker:
    return property_of_records(3, 20, 7, 8, values=VALUES, **options)


def told(**changes: Any) -> Lie:
    return Lie(statement=lambda statement: replace(statement, **changes))


def records(change: Any) -> Lie:
    def statement(honest: Any) -> Any:
        return replace(honest, about=replace(honest.about, indexes=change(honest.about.indexes)))

    return Lie(statement=statement)


def of_v1(world: World) -> Claim:
    def statement(honest: Any) -> Any:
        return replace(honest, about=Records(world["v1"].digest, honest.about.indexes))

    return honest(lie=Lie(statement=statement))(world)


def of_run(world: World) -> Claim:
    return honest(lie=told(about=RunState(world["run"].digest, "final")))(world)


def of_records(world: World) -> Claim:
    about = Records(world["v2"].digest, (1, 2))
    return property_of_state("final", values=((4,),), lie=told(about=about))(world)


def of_a_dataset(world: World) -> Claim:
    about = RunState(world["v2"].digest, "final")
    return property_of_state("final", values=((4,),), lie=told(about=about))(world)


def final_for_initial(world: World) -> Claim:
    about = RunState(world["run"].digest, "initial")
    return property_of_state("final", values=((4,),), lie=told(about=about))(world)


def added(public: tuple[FieldElement, ...]) -> tuple[FieldElement, ...]:
    return (*public, public[-1])


LIES: Final[dict[str, tuple[Maker, str]]] = {
    "a value off by one": (honest(lie=told(values=((5, -1), (1, 0)))), "public value 2"),
    "values of other parts": (honest(lie=told(values=VALUES[::-1])), "public value 2"),
    "a value more": (honest(lie=told(values=((5, -2, 0), (1, 0)))), "public value 2"),
    "another function": (honest(lie=told(function=OTHER)), "is not the circuit of function"),
    "parts in each other's place": (honest(lie=Lie(context=lambda n: 1 - n)), "public value 3"),
    "proofs in each other's place": (honest(lie=Lie(proofs=lambda p: p[::-1])), "public value 0"),
    "records in another order": (honest(lie=records(lambda i: i[::-1])), "public value 0"),
    "another record": (honest(lie=records(lambda i: (*i[:3], 0))), "other records are opened"),
    "a record less": (honest(lie=records(lambda i: i[:3])), "other records are opened"),
    "another version": (of_v1, "leads to"),
    "a state for records": (of_run, "about another kind of thing"),
    "records for a state": (of_records, "about another kind of thing"),
    "a dataset for a run": (of_a_dataset, "is no run"),
    "the final state for the initial one": (final_for_initial, "public value 0"),
    "another width": (honest(width=5), "commits to 4 digits a record, the circuit takes 5"),
    "a public value more": (honest(lie=Lie(public=lambda _, p: added(p))), "5 public values"),
    "a public value less": (honest(lie=Lie(public=lambda _, p: p[:-1])), "3 public values"),
    "no property circuit": (
        honest(lie=Lie(claim=lambda c: replace(c, circuit="exclusion-40.v1"))),
        "is no property circuit",
    ),
    "too few records for the parts": (
        property_of_records(1, 2, 3, values=VALUES, fill=True),
        "3 records for 2 parts of 2 rows",
    ),
}


@pytest.fixture(scope="module")
def lying() -> World:
    world = claim_world(*(maker for maker, _ in LIES.values()))
    world.made["found"] = about(world.audit(), "property")
    return world


@pytest.mark.parametrize("name", LIES)
def test_no_lie_about_a_property_holds(lying: World, name: str) -> None:
    told = [f.reason for f in lying["found"] if f.outcome is Outcome.FAILS]
    assert any(LIES[name][1] in reason for reason in told), told


def test_every_lie_is_told_and_none_holds(lying: World) -> None:
    assert [f.outcome for f in lying["found"]] == [Outcome.FAILS] * len(LIES)


@pytest.fixture(scope="module")
def told_truly() -> World:
    long = tuple(tuple(range(9)) for _ in range(1))
    return claim_world(
        honest(),
        property_of_state("initial", values=((-4096,),)),
        property_of_state("final", values=long),
    )


def test_a_property_holds_with_its_function_to_be_read(told_truly: World) -> None:
    verdict = told_truly.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    found = about(verdict, "property")
    assert {f.level for f in found} == {Level.L4}
    names = [
        f"cells@v2[function {NAME[:16]}]",
        *[f"first-run[{state}][function {NAME[:16]}]" for state in ("final", "initial")],
    ]
    assert sorted(f.subject for f in found) == sorted(names)
    assert all(f"read the function: {PATH}" in f.notes for f in found)
    reasons = sorted(f.reason for f in found)
    assert reasons[0].endswith("over 4 records the function gives 5, -2; 1, 0")
    assert "over the final state the function gives 0, 1, 2, 3, 4, 5, 6, 7, … (all" in reasons[1]
    assert reasons[2].endswith("over the initial state the function gives -4096")


def test_a_function_that_is_not_shown_leaves_it_unknown(told_truly: World) -> None:
    members = {path: data for path, data in told_truly.members.items() if path != PATH}
    found = about(told_truly.audit(members=members), "property")
    assert {f.outcome for f in found} == {Outcome.UNKNOWN}
    assert all("not in the evidence to be read" in f.reason for f in found)


def test_another_function_in_its_place_fails(told_truly: World) -> None:
    found = about(told_truly.audit(members=told_truly.members | {PATH: b"other"}), "property")
    assert {f.outcome for f in found} == {Outcome.FAILS}
    assert all("name is not its digest" in f.reason for f in found)


def test_a_function_too_long_to_read_fails(
    told_truly: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(properties, "MAX_FUNCTION", len(FUNCTION) - 1)
    found = about(told_truly.audit(), "property")
    assert all("at most" in f.reason for f in found)
    assert {f.outcome for f in found} == {Outcome.FAILS}


def test_a_policy_without_the_circuit_or_the_srs_is_not_convinced(told_truly: World) -> None:
    policy = replace(told_truly.policy, circuits=told_truly.policy.circuits[:1])
    assert {f.outcome for f in about(told_truly.audit(policy), "property")} == {Outcome.UNKNOWN}
    policy = replace(told_truly.policy, srs=())
    assert {f.level for f in about(told_truly.audit(policy), "property")} == {Level.L1}


def test_claims_about_what_is_not_published_are_unknown() -> None:
    elsewhere = (
        honest(lie=told(about=Records(OTHER, (1, 2, 3, 4)))),
        property_of_state("final", values=((1,),), lie=told(about=RunState(OTHER, "final"))),
    )
    found = about(claim_world(*elsewhere).audit(), "property")
    assert [f.outcome for f in found] == [Outcome.UNKNOWN] * 2
    assert all(f.subject.startswith("claim-") for f in found)


def test_steps_are_opened_only_for_claims_about_steps() -> None:
    def with_steps(world: World) -> Claim:
        step = world["transcript"].opening(0).json
        return honest(lie=Lie(opened=lambda d: {**d, "steps": [step]}))(world)

    [found] = about(claim_world(with_steps).audit(), "property")
    assert "steps are opened for a claim that is about none" in found.reason
