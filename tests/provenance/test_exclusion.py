"""The index against a naive tree, its published values, and attacks on its proofs."""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import errors
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.exclusion import (
    AbsenceProof,
    ExclusionIndex,
    ExclusionKey,
    IndexEntry,
    IndexSalt,
    Neighbour,
    PresenceProof,
    index_leaf,
    index_salt,
    key,
    prove_absence,
    prove_presence,
    verify_absence,
    verify_presence,
)
from provenance.field import ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.poseidon import poseidon

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/exclusion.json").read_text()
)
FOLD = "text-nfkc-casefold/1"
SECRET = DatasetKey(bytes(range(32)))
VALUES = ("Ada", "Blaise", "Carl", "David", "Emmy")
INDEX = ExclusionIndex.build([key(FOLD, "name", value) for value in VALUES], SECRET)
ENTRY = INDEX.entry(FOLD, "name", 2)

# Keys as integers: next to each other (a path of 248), far apart, and both
NUMBERS = st.one_of(
    st.integers(0, 7),
    st.integers(0, 63).map(lambda number: number << 242),
    st.integers(0, 2**248 - 1),
)


def as_key(number: int) -> ExclusionKey:
    return ExclusionKey(number.to_bytes(31, "big"))


def naive_root(leaves: Mapping[str, FieldElement]) -> FieldElement:
    """The root over leaves by their keys, written as bits."""
    if not leaves:
        return ZERO
    if len(leaves) == 1:
        return next(iter(leaves.values()))
    halves = [{k[1:]: v for k, v in leaves.items() if k[0] == bit} for bit in "01"]
    return poseidon(*map(naive_root, halves))


def naive_leaves(keys: Sequence[ExclusionKey]) -> dict[str, FieldElement]:
    return {f"{each.number:0248b}": index_leaf(each, index_salt(SECRET, each)) for each in keys}


def climb(place: ExclusionKey, end: FieldElement, siblings: Sequence[FieldElement]) -> FieldElement:
    """What a builder commits to who puts `end` in the place of a key."""
    for depth in reversed(range(len(siblings))):
        pair = (siblings[depth], end) if place.bit(depth) else (end, siblings[depth])
        end = poseidon(*pair)
    return end


def absent_value(*, beside_nothing: bool) -> str:
    """A value whose absence is shown by nothing in its place, or by a neighbour."""
    for number in range(1000):
        proof = prove_absence(INDEX, key(FOLD, "name", f"no {number}"))
        if (proof.neighbour is None) == beside_nothing:
            return f"no {number}"
    raise AssertionError


# Published values


@pytest.mark.parametrize("case", VECTORS["roots"], ids=lambda case: case["name"])
def test_root_vectors(case: dict[str, Any]) -> None:
    keys = [ExclusionKey(bytes.fromhex(each)) for each in case["keys"]]
    index = ExclusionIndex.build(keys, DatasetKey(bytes.fromhex(case["dataset_key"])))
    assert index.root.hex == case["root"]


@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: case["name"])
def test_proof_vectors(case: dict[str, Any]) -> None:
    rejects = pytest.raises(getattr(errors, case["error"])) if case["error"] else nullcontext()
    with rejects:
        entry = IndexEntry.from_json(case["entry"])
        if "presence" in case:
            verify_presence(case["value"], PresenceProof.from_json(case["presence"]), entry)
        else:
            verify_absence(case["value"], AbsenceProof.from_json(case["absence"]), entry)


# Against the naive tree


@settings(deadline=None, max_examples=5)
@given(st.lists(NUMBERS, max_size=5))
def test_the_root_is_that_of_the_naive_tree(numbers: list[int]) -> None:
    keys = [as_key(number) for number in numbers]
    index = ExclusionIndex.build(keys, SECRET)
    assert index.root == naive_root(naive_leaves(keys))
    assert index.count == len(set(numbers))
    assert index.root == ExclusionIndex.build(keys[::-1] * 2, SECRET).root


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from("abcdefghij"), max_size=10), st.sampled_from("abcdefghijkl"))
def test_every_value_has_a_proof_of_presence_or_absence(values: list[str], value: str) -> None:
    index = ExclusionIndex.build([key(FOLD, "name", each) for each in values], SECRET)
    entry, wanted = index.entry(FOLD, "name", 0), key(FOLD, "name", value)
    if value in values:
        presence = prove_presence(index, wanted)
        verify_presence(value.upper(), PresenceProof.from_json(presence.to_json()), entry)
        with pytest.raises(VerificationError, match="is in the index"):
            prove_absence(index, wanted)
    else:
        absence = prove_absence(index, wanted)
        verify_absence(value.upper(), AbsenceProof.from_json(absence.to_json()), entry)
        with pytest.raises(VerificationError, match="not in the index"):
            prove_presence(index, wanted)


@settings(deadline=None, max_examples=4)
@given(st.sets(st.integers(0, 7), min_size=2, max_size=5), st.integers(0, 7))
def test_the_longest_paths_hold(numbers: set[int], number: int) -> None:
    index = ExclusionIndex.build(map(as_key, numbers), SECRET)
    place = as_key(number)
    if number in numbers:
        proof: PresenceProof | AbsenceProof = prove_presence(index, place)
        end = index_leaf(place, index_salt(SECRET, place))
    else:
        proof = prove_absence(index, place)
        near = proof.neighbour
        end = index_leaf(near.key, near.salt) if near else ZERO
    assert 245 < len(proof.siblings) <= 248
    assert climb(place, end, proof.siblings) == index.root


def test_an_empty_index_shows_the_absence_of_everything() -> None:
    empty = ExclusionIndex.build([], SECRET)
    entry = empty.entry(FOLD, "name", 7)
    assert (empty.root, entry.keys) == (ZERO, 0)
    verify_absence("anything", prove_absence(empty, key(FOLD, "name", "anything")), entry)


def test_an_index_of_one_key_is_its_leaf() -> None:
    only = key(FOLD, "name", "Ada")
    index = ExclusionIndex.build([only], SECRET)
    assert index.root == index_leaf(only, index_salt(SECRET, only))
    verify_presence("ADA", prove_presence(index, only), index.entry(FOLD, "name", 0))
    other = prove_absence(index, key(FOLD, "name", "Bob"))
    verify_absence("Bob", other, index.entry(FOLD, "name", 0))
    assert other.siblings == ()


def test_an_index_of_whole_records_takes_content_digests() -> None:
    index = ExclusionIndex.build([key("exact/1", "", bytes([i] * 32)) for i in range(4)], SECRET)
    entry = index.entry("exact/1", "", 0)
    verify_presence(bytes(32), prove_presence(index, entry.key(bytes(32))), entry)
    verify_absence(b"x" * 32, prove_absence(index, entry.key(b"x" * 32)), entry)


def test_a_proof_says_what_it_reveals() -> None:
    beside = prove_absence(INDEX, ENTRY.key(absent_value(beside_nothing=False)))
    assert "reveals a key" in beside.reveals
    nothing = prove_absence(INDEX, ENTRY.key(absent_value(beside_nothing=True)))
    assert "reveals no key" in nothing.reveals
    assert "salt" in prove_presence(INDEX, ENTRY.key("Ada")).reveals


# Attacks


def test_a_present_value_is_not_shown_absent_by_its_own_leaf() -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    forged = AbsenceProof(Neighbour(ENTRY.key("Ada"), here.salt), here.siblings)
    with pytest.raises(VerificationError, match="the key itself"):
        verify_absence("Ada", forged, ENTRY)


def test_a_present_value_is_not_shown_absent_by_nothing() -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    with pytest.raises(RootMismatchError):
        verify_absence("Ada", AbsenceProof(None, here.siblings), ENTRY)


def test_a_present_value_is_not_shown_absent_by_a_key_elsewhere() -> None:
    for other in VALUES[1:]:
        there = prove_presence(INDEX, ENTRY.key(other))
        forged = AbsenceProof(Neighbour(ENTRY.key(other), there.salt), there.siblings)
        with pytest.raises(VerificationError):
            verify_absence("Ada", forged, ENTRY)


def test_a_builder_cannot_put_another_key_in_a_place() -> None:
    place = ENTRY.key("Ada")
    siblings = prove_presence(INDEX, place).siblings
    stranger = next(
        each
        for each in (as_key(number << 240) for number in range(256))
        if each.bit(0) != place.bit(0)
    )
    misplaced = Neighbour(stranger, IndexSalt(bytes(31)))
    root = climb(place, index_leaf(stranger, misplaced.salt), siblings)
    with pytest.raises(VerificationError, match="does not stand where the key would"):
        verify_absence("Ada", AbsenceProof(misplaced, siblings), replace(ENTRY, root=root))


def test_a_path_does_not_end_beside_nothing() -> None:
    place = ENTRY.key("Ada")
    for siblings in ((ZERO,), (FieldElement(5), ZERO), (ZERO,) * 248):
        with pytest.raises(MalformedError, match="last sibling is 0"):
            AbsenceProof(None, siblings)
        with pytest.raises(MalformedError, match="last sibling is 0"):
            PresenceProof(index_salt(SECRET, place), siblings)


def test_a_path_is_at_most_248_long() -> None:
    for size in (249, 1000):
        with pytest.raises(MalformedError, match="at most 248 siblings"):
            AbsenceProof(None, (FieldElement(1),) * size)
        with pytest.raises(MalformedError):
            AbsenceProof.from_json({"neighbour": None, "siblings": [FieldElement(1).hex] * size})


def test_a_skipped_level_leads_to_another_root() -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    gone = prove_absence(INDEX, ENTRY.key(absent_value(beside_nothing=False)))
    for level in range(len(here.siblings)):
        rest = here.siblings[:level] + here.siblings[level + 1 :]
        with pytest.raises((RootMismatchError, MalformedError)):
            verify_presence("Ada", replace(here, siblings=rest), ENTRY)
    value = absent_value(beside_nothing=False)
    for level in range(len(gone.siblings)):
        rest = gone.siblings[:level] + gone.siblings[level + 1 :]
        with pytest.raises((VerificationError, MalformedError)):
            verify_absence(value, replace(gone, siblings=rest), ENTRY)


def test_a_subtree_is_not_shown_as_an_empty_end() -> None:
    value = absent_value(beside_nothing=True)
    proof = prove_absence(INDEX, ENTRY.key(value))
    verify_absence(value, proof, ENTRY)
    with pytest.raises((RootMismatchError, MalformedError)):
        verify_absence(value, replace(proof, siblings=proof.siblings[:-1]), ENTRY)


def test_a_wrong_salt_leads_to_another_root() -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    wrong = IndexSalt(bytes([here.salt[0] ^ 1]) + here.salt[1:])
    with pytest.raises(RootMismatchError):
        verify_presence("Ada", replace(here, salt=wrong), ENTRY)
    value = absent_value(beside_nothing=False)
    gone = prove_absence(INDEX, ENTRY.key(value))
    assert gone.neighbour
    salted = replace(gone, neighbour=replace(gone.neighbour, salt=wrong))
    with pytest.raises(RootMismatchError):
        verify_absence(value, salted, ENTRY)


@pytest.mark.parametrize("field", ["title", "name\\.name", "name.name"])
def test_the_key_of_another_field_is_another_key(field: str) -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    with pytest.raises(RootMismatchError):
        verify_presence("Ada", here, replace(ENTRY, field=field))


def test_the_key_of_another_normaliser_is_another_key() -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    with pytest.raises(RootMismatchError):
        verify_presence(bytes(32), here, replace(ENTRY, normaliser="exact/1", field=""))


def test_absence_under_another_field_says_nothing_about_this_one() -> None:
    titles = ExclusionIndex.build([key(FOLD, "title", each) for each in VALUES[1:]], SECRET)
    gone = prove_absence(titles, key(FOLD, "title", "Ada"))
    verify_absence("Ada", gone, titles.entry(FOLD, "title", 0))
    with pytest.raises(VerificationError):
        verify_absence("Ada", gone, ENTRY)


def test_a_proof_for_another_index_of_the_dataset_is_refused() -> None:
    fewer = ExclusionIndex.build(INDEX.keys[:3], SECRET)
    other = fewer.entry(FOLD, "name", 4)
    values = {ENTRY.key(value): value for value in VALUES}
    kept, dropped = values[INDEX.keys[0]], values[INDEX.keys[4]]
    with pytest.raises(RootMismatchError):
        verify_presence(kept, prove_presence(fewer, INDEX.keys[0]), ENTRY)
    with pytest.raises(VerificationError):
        verify_absence(dropped, prove_absence(fewer, INDEX.keys[4]), ENTRY)
    verify_absence(dropped, prove_absence(fewer, INDEX.keys[4]), other)


def test_root_0_with_keys_and_a_root_without_keys_are_refused() -> None:
    with pytest.raises(MalformedError, match="root 0 exactly when"):
        replace(ENTRY, root=ZERO)
    with pytest.raises(MalformedError, match="root 0 exactly when"):
        replace(ENTRY, keys=0)
    with pytest.raises(MalformedError, match="root 0 exactly when"):
        IndexEntry.from_json({**ENTRY.to_json(), "root": ZERO.hex})


def test_the_empty_proof_holds_for_the_empty_index_only() -> None:
    with pytest.raises(RootMismatchError):
        verify_absence("Ada", AbsenceProof(None, ()), ENTRY)


def test_the_verifier_normalises_the_value_itself() -> None:
    here = prove_presence(INDEX, ENTRY.key("Ada"))
    for spelling in ("ADA", "\uff21da", "a\u1d30a"):
        verify_presence(spelling, here, ENTRY)
        with pytest.raises(VerificationError):
            verify_absence(spelling, AbsenceProof(None, here.siblings), ENTRY)
    with pytest.raises(MalformedError, match="takes a string"):
        verify_presence(ENTRY.key("Ada"), here, ENTRY)
