"""Lies about keys that proofs are said to find in no index; any public values are taken."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from provenance import canonical
from provenance.audit.absences import key_parts
from provenance.claim import Claim
from provenance.errors import MalformedError
from provenance.exclusion import key as exclusion_key
from provenance.exclusion_key import ExclusionKey
from provenance.field import Digest, FieldElement
from provenance.findings import Finding, Level, Outcome
from provenance.record import encode_record
from tests.provenance.claimed import Lie, Maker, about, absence, claim_world, exact_absence
from tests.provenance.world import NOTES, SCHEMA, World, bad, rows

OTHER = Digest(b"\7" * 32)
NAMES: Final = ("Nobody", "Nobody else", "No one", "None", "Nil")


def told(**changes: Any) -> Lie:
    return Lie(statement=lambda statement: replace(statement, **changes))


def key_of(value: str) -> ExclusionKey:
    return exclusion_key(NOTES, "note", value)


def about_v1(world: World) -> Claim:
    return absence("Nobody", lie=told(dataset=world["v1"].digest))(world)


def about_run(world: World) -> Claim:
    return absence("Nobody", lie=told(dataset=world["run"].digest))(world)


def flipped(place: int) -> Lie:
    def public(_: int, values: tuple[FieldElement, ...]) -> tuple[FieldElement, ...]:
        other = FieldElement((values[place] + 1) % 2**200)
        return (*values[:place], other, *values[place:][1:])

    return Lie(public=public)


LIES: Final[dict[str, tuple[Maker, str]]] = {
    "a key that is there": (absence("Nobody", lie=told(keys=(key_of("Patient 7"),))), "value 1 of"),
    "another key": (absence("Nobody", lie=told(keys=(key_of("Nobody2"),))), "value 1 of"),
    "keys in another order": (
        absence(*NAMES[:2], lie=told(keys=(key_of(NAMES[1]), key_of(NAMES[0])))),
        "value 1 of",
    ),
    "another index": (absence("Nobody", lie=told(index=0)), "value 0 of"),
    "no such index": (absence("Nobody", lie=told(index=2)), "cells@v2 has no index number 2"),
    "another version": (about_v1, "value 0 of"),
    "no dataset": (about_run, "is no dataset"),
    "parts in each other's place": (
        absence(*NAMES[:2], lie=Lie(context=lambda n: 1 - n)),
        "public value",
    ),
    "proofs in each other's place": (
        absence(*NAMES[:2], lie=Lie(proofs=lambda p: p[::-1])),
        "value 1 of",
    ),
    "a key more than proofs": (
        absence("Nobody", lie=told(keys=(key_of("Nobody"), key_of("No one")))),
        "1 proofs for keys in 2 parts",
    ),
    "a key less than proofs": (
        absence(*NAMES[:2], lie=told(keys=(key_of(NAMES[0]),))),
        "2 proofs for keys in 1 parts",
    ),
    "no exclusion circuit": (
        absence("Nobody", lie=Lie(claim=lambda c: replace(c, circuit="membership-22.v2"))),
        "is no exclusion circuit",
    ),
    "another circuit than the proof's": (
        absence("Nobody", lie=Lie(claim=lambda c: replace(c, circuit="exclusion-64.v1"))),
        "of circuit exclusion-40.v1, not exclusion-64.v1",
    ),
    "another context": (absence("Nobody", lie=flipped(-2)), "public value"),
    "no one": (absence("Nobody", lie=flipped(-1)), "public value"),
    "a bit": (absence("Nobody", lie=flipped(2)), "public value 2"),
}


def reasons(found: list[Finding], outcome: Outcome) -> list[str]:
    return [f.reason for f in found if f.outcome is outcome]


@pytest.fixture(scope="module")
def lying() -> World:
    world = claim_world(*(maker for maker, _ in LIES.values()))
    world.made["found"] = about(world.audit(), "absence")
    return world


@pytest.mark.parametrize("name", LIES)
def test_no_lie_about_absence_holds(lying: World, name: str) -> None:
    claim = lying["claims"][list(LIES).index(name)]
    found = lying["found"]
    assert not any(f"claim {claim.digest.hex()}" in note for f in found for note in f.notes)
    assert any(LIES[name][1] in reason for reason in reasons(found, Outcome.FAILS))


def test_every_lie_is_told(lying: World) -> None:
    assert len(reasons(lying["found"], Outcome.FAILS)) == len(LIES)


# what holds, and what it is worth


@pytest.fixture(scope="module")
def shown() -> World:
    """Five keys in two proofs of four; two of the values are shown."""
    values = ("Nobody", None, "NO ONE", None, None)
    return claim_world(absence(*NAMES, circuit="exclusion-40x4.v1", shown=values))


def test_keys_that_a_proof_finds_nowhere_are_absent_and_capped(shown: World) -> None:
    verdict = shown.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    found = [f for f in about(verdict, "absence") if any("exclusion-40x4" in n for n in f.notes)]
    assert {f.level for f in found} == {Level.L0}
    assert all("only declared, which caps the claim" in f.reason for f in found)
    assert [f.subject for f in found] == [
        "cells@v2[note]=Nobody",
        f"cells@v2[note]#{key_of('Nobody else').hex()}",
        "cells@v2[note]=NO ONE",
        f"cells@v2[note]#{key_of('None').hex()}",
        f"cells@v2[note]#{key_of('Nil').hex()}",
    ]
    notes = ["computed here" in f.notes[0] for f in found]
    assert notes == [True, False, True, False, False]


def test_a_local_srs_is_told_although_the_claim_is_capped_already(shown: World) -> None:
    verdict = shown.audit(replace(shown.policy, srs=()))
    found = [f for f in about(verdict, "absence") if any("exclusion-40x4" in n for n in f.notes)]
    assert len(found) == 5
    assert all("INSECURE" in f.reason for f in found)


def test_a_whole_record_is_absent_by_the_digest_of_its_content() -> None:
    record = {**rows(1, 1)[0], "note": "never seen"}
    world = claim_world(exact_absence(record, lie=Lie()))
    verdict = world.audit()
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)
    subject = f"cells@v2[]={encode_record(SCHEMA, record).hex()}"
    assert [f.outcome for f in about(verdict, "absence") if f.subject == subject] == [Outcome.HOLDS]


VALUES: Final[dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], str]]] = {
    "another value": (
        lambda d: {**d, "values": ["Somebody", *d["values"][1:]]},
        "value 0 has another key",
    ),
    "values in another order": (lambda d: {**d, "values": d["values"][::-1]}, "has another key"),
    "too few values": (lambda d: {**d, "values": d["values"][:-1]}, "4 for 5 keys"),
    "too many values": (lambda d: {**d, "values": [*d["values"], None]}, "at most 5 elements"),
    "a number": (lambda d: {**d, "values": [7, *d["values"][1:]]}, "strings of at most"),
    "too long": (lambda d: {**d, "values": ["x" * (2**20 + 1), *d["values"][1:]]}, "at most"),
    "another claim's": (lambda d: {**d, "claim": OTHER.hex()}, "speaks of another claim"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_must_have_the_claimed_key(shown: World, name: str) -> None:
    change, words = VALUES[name]
    path = f"values/{shown['claims'][0].digest.hex()}.json"
    document = canonical.encode(change(json.loads(shown.members[path])))
    found = about(shown.audit(members=shown.members | {path: document}), "absence")
    assert any(words in reason for reason in reasons(found, Outcome.FAILS))


def test_a_claim_about_an_unpublished_dataset_is_unknown() -> None:
    found = about(claim_world(absence("Nobody", lie=told(dataset=OTHER))).audit(), "absence")
    [unknown] = [f for f in found if f.outcome is Outcome.UNKNOWN]
    assert "not shown to be published" in unknown.reason
    assert unknown.subject.startswith("claim-")


@pytest.mark.parametrize("folder", ["claims", "values", "functions"])
def test_what_no_claim_asks_for_is_told(shown: World, folder: str) -> None:
    path = f"{folder}/{OTHER.hex()}.{'onnx' if folder == 'functions' else 'json'}"
    verdict = shown.audit(members=shown.members | {path: b"{}"})
    assert [f.subject for f in verdict.findings if f.outcome is Outcome.UNKNOWN] == [path]


def test_a_claim_of_absence_opens_nothing(shown: World) -> None:
    path = f"claims/{shown['claims'][0].digest.hex()}.json"
    verdict = shown.audit(members=shown.members | {path: b"{}"})
    assert [f.subject for f in verdict.findings if f.outcome is Outcome.UNKNOWN] == [path]


def test_the_last_part_is_filled_with_its_last_key() -> None:
    keys = [ExclusionKey(bytes([n]) * 31) for n in range(1, 6)]
    numbers = [key.number for key in keys]
    assert key_parts("exclusion-40x4.v1", keys) == (
        tuple(numbers[:4]),
        (numbers[4],) * 4,
    )
    assert key_parts("exclusion-40.v1", keys[:2]) == ((numbers[0],), (numbers[1],))
    with pytest.raises(MalformedError, match="no exclusion circuit"):
        key_parts("exclusion-41.v1", keys)
