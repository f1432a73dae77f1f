"""Differences of two versions: against a slow reference, the published ones, and attacks."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import canonical, errors
from provenance.chunk import CHUNK
from provenance.dataset import DatasetCommitment
from provenance.difference import (
    MAX_BYTES,
    Change,
    Difference,
    Held,
    Side,
    changed,
    check_line,
    difference,
    size_bytes,
    verify_difference,
)
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.field import ORDER, FieldElement
from provenance.poseidon import to_words
from provenance.schema import Field, Int, Schema
from provenance.tree import Chunk, Words, chunk_root, record_root
from tests.provenance.documents import DATASET, other_spellings, vectors, word

VECTORS: Final = vectors("difference")
Parts = Sequence[Sequence[int]]


@lru_cache(maxsize=4096)
def chunk_of(leaves: tuple[int, ...]) -> Chunk:
    return chunk_root(leaves)


def held(parts: Parts, version: str = "v1", **changes: Any) -> Held:
    """Return a version of which these are the leaves, chunk by chunk."""
    chunks = [chunk_of(tuple(part)) for part in parts]
    commitment = replace(
        DATASET,
        **{
            "version": version,
            "root": record_root(chunks),
            "chunks": len(chunks),
            "records": sum(map(len, parts)),
            "indexes": (),
            "previous": None,
            **changes,
        },
    )
    return Held(commitment, chunks, lambda number: to_words(parts[number]))


def shown(before: Held, after: Held) -> Change:
    """Return what the document of a difference shows to a reader who has both commitments."""
    data = difference(before, after).encoded
    return verify_difference(Difference.parse(data), before.commitment, after.commitment)


def slow(before: Parts, after: Parts) -> Change:
    """Cross off every leaf of the one version in the other, one by one."""
    came = [leaf for part in after for leaf in part]
    went = []
    for leaf in (leaf for part in before for leaf in part):
        if leaf in came:
            came.remove(leaf)
        else:
            went.append(leaf)
    kept = sum(map(len, before)) - len(went)
    return Change(elements(went), elements(came), kept)


def elements(leaves: Sequence[int]) -> tuple[FieldElement, ...]:
    return tuple(map(FieldElement, sorted(leaves)))


BEFORE: Final[Parts] = [[1, 2, 3], [201, 202, 203], [4, 5, 6]]
AFTER: Final[Parts] = [[1, 2, 3], [203, 301], [4, 5, 6]]
A, B = held(BEFORE), held(AFTER, "v2", previous=held(BEFORE).commitment.digest)
HONEST: Final = difference(A, B)


def test_the_leaves_that_went_and_came_are_shown() -> None:
    change = shown(A, B)
    assert change == slow(BEFORE, AFTER) == Change(elements([201, 202]), elements([301]), 7)


def test_only_changed_chunks_are_listed() -> None:
    document = json.loads(HONEST.encoded)
    assert [len(document[side]["chunks"]) for side in ("before", "after")] == [3, 3]
    assert [len(document[side]["leaves"]) for side in ("before", "after")] == [1, 1]
    assert "leaves" not in json.dumps([document[side]["chunks"] for side in ("before", "after")])


few = st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=4), min_size=1, max_size=6)


@given(few, few)
@settings(deadline=None, max_examples=30)
def test_differences_agree_with_crossing_off(before: Parts, after: Parts) -> None:
    check_difference(before, after)


@pytest.mark.slow
@given(few, few)
@settings(deadline=None, max_examples=1000)
def test_many_differences_agree_with_crossing_off(before: Parts, after: Parts) -> None:
    check_difference(before, after)


def check_difference(before: Parts, after: Parts) -> None:
    one, two = held(before), held(after, "v2")
    assert shown(one, two) == slow(before, after)
    assert len(difference(one, two).encoded) == size_bytes(one.chunks, two.chunks)


@st.composite
def edited(draw: st.DrawFn) -> tuple[Parts, Parts]:
    """Two versions, the later one made of the earlier by edits, cut anew where it was edited."""
    parts = [list(range(10 * i + 1, 10 * i + 1 + draw(st.integers(1, 5)))) for i in range(8)]
    after = [list(part) for part in parts]
    for _ in range(draw(st.integers(0, 6))):
        part = after[draw(st.integers(0, len(after) - 1))]
        place = draw(st.integers(0, len(part) - 1))
        match draw(st.sampled_from(["insert", "remove", "change", "move", "double", "split"])):
            case "insert":
                part.insert(place, draw(st.integers(1000, 1003)))
            case "remove" if len(part) > 1:
                del part[place]
            case "change":
                part[place] = draw(st.integers(2000, 2003))
            case "move" if len(part) > 1:
                after[draw(st.integers(0, len(after) - 1))].append(part.pop(place))
            case "double":
                after.insert(draw(st.integers(0, len(after))), list(part))
            case "split" if place:
                after[after.index(part)] = part[:place]
                after.append(part[place:])
            case _:
                continue
    return parts, after


@given(edited())
@settings(deadline=None, max_examples=20)
def test_edits_are_shown_exactly(versions: tuple[Parts, Parts]) -> None:
    check_edits(*versions)


@pytest.mark.slow
@given(edited())
@settings(deadline=None, max_examples=500)
def test_many_edits_are_shown_exactly(versions: tuple[Parts, Parts]) -> None:
    check_edits(*versions)


def check_edits(before: Parts, after: Parts) -> None:
    assert shown(held(before), held(after, "v2")) == slow(before, after)
    back = shown(held(after), held(before, "v2"))
    assert (back.came, back.went) == (slow(before, after).went, slow(before, after).came)


def test_equal_chunks_are_counted() -> None:
    once, twice = [[7, 8], [1]], [[7, 8], [1], [7, 8]]
    assert changed(held(twice).chunks, held(once).chunks) == (2,)
    assert shown(held(twice), held(once, "v2")) == Change(elements([7, 8]), (), 3)
    assert shown(held(once), held(twice, "v2")) == Change((), elements([7, 8]), 3)


def test_another_cutting_of_the_same_records_shows_that_nothing_changed() -> None:
    change = shown(held([[1, 2], [3]]), held([[1], [2, 3]], "v2"))
    assert change == Change((), (), 3)


def test_records_that_only_moved_are_kept() -> None:
    assert shown(held([[1, 2], [3, 4]]), held([[4, 3], [1, 2]], "v2")) == Change((), (), 4)


# Published values


@pytest.mark.parametrize("case", VECTORS["differences"], ids=lambda case: case["name"])
def test_difference_vectors(case: dict[str, Any]) -> None:
    parts = [[[int(leaf, 16) for leaf in part] for part in case[name]] for name in SIDES]
    before, after = (DatasetCommitment.parse(case[f"{name}_commitment"].encode()) for name in SIDES)
    for commitment, leaves in zip((before, after), parts, strict=True):
        assert commitment.root == record_root([chunk_of(tuple(part)) for part in leaves])
    made = difference(*map(_held, (before, after), parts))
    assert made.encoded == case["document"].encode()
    assert canonical.digest(made.encoded).hex() == case["digest"]
    told = verify_difference(Difference.parse(made.encoded), before, after)
    assert [leaf.hex for leaf in told.went] == case["went"]
    assert [leaf.hex for leaf in told.came] == case["came"]
    assert told.kept == case["kept"]
    assert told == slow(*parts)


SIDES: Final = ("before", "after")


def _held(commitment: DatasetCommitment, parts: Parts) -> Held:
    chunks = [chunk_of(tuple(part)) for part in parts]
    return Held(commitment, chunks, lambda number: to_words(parts[number]))


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_refused_vectors_are_refused(case: dict[str, Any]) -> None:
    before, after = (DatasetCommitment.parse(case[f"{name}_commitment"].encode()) for name in SIDES)
    with pytest.raises(getattr(errors, case["error"])):
        verify_difference(Difference.parse(case["document"].encode()), before, after)


# Attacks: each changes one thing


def told(change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(HONEST.encoded)
    change(document)
    return canonical.encode(document)


def drop_leaf(document: dict[str, Any]) -> None:
    document["before"]["leaves"][0] = document["before"]["leaves"][0][64:]


def drop_leaf_and_count(document: dict[str, Any]) -> None:
    drop_leaf(document)
    document["before"]["chunks"][1]["count"] -= 1


def move_leaf(document: dict[str, Any]) -> None:
    text = document["before"]["leaves"][0]
    document["before"]["leaves"][0] = text[64:] + text[:64]


def zero_leaf(document: dict[str, Any]) -> None:
    document["before"]["leaves"][0] = "0" * 64 + document["before"]["leaves"][0][64:]


def big_leaf(document: dict[str, Any]) -> None:
    text = f"{ORDER + 201:064x}"
    document["before"]["leaves"][0] = text + document["before"]["leaves"][0][64:]


def other_leaf(document: dict[str, Any]) -> None:
    document["after"]["leaves"][0] = f"{302:064x}" + document["after"]["leaves"][0][64:]


def declare_unchanged(document: dict[str, Any]) -> None:
    document["after"]["chunks"][1] = document["before"]["chunks"][1]
    document["before"]["leaves"] = document["after"]["leaves"] = []


def hide_all_leaves(document: dict[str, Any]) -> None:
    document["before"]["leaves"] = document["after"]["leaves"] = []


def add_unchanged(document: dict[str, Any]) -> None:
    document["before"]["leaves"].append("".join(f"{leaf:064x}" for leaf in (4, 5, 6)))


def swap_leaves(document: dict[str, Any]) -> None:
    before, after = document["before"], document["after"]
    before["leaves"], after["leaves"] = after["leaves"], before["leaves"]


def swap_sides(document: dict[str, Any]) -> None:
    document["before"], document["after"] = document["after"], document["before"]


def swap_commitments(document: dict[str, Any]) -> None:
    before, after = document["before"], document["after"]
    before["commitment"], after["commitment"] = after["commitment"], before["commitment"]


def swap_tables(document: dict[str, Any]) -> None:
    before, after = document["before"], document["after"]
    before["chunks"], after["chunks"] = after["chunks"], before["chunks"]
    swap_leaves(document)


def reorder_table(document: dict[str, Any]) -> None:
    document["after"]["chunks"].reverse()


def drop_chunk(document: dict[str, Any]) -> None:
    for side in SIDES:
        del document[side]["chunks"][0]


def upper_case(document: dict[str, Any]) -> None:
    document["before"]["leaves"][0] = document["before"]["leaves"][0].upper()


def foreign_commitment(document: dict[str, Any]) -> None:
    document["before"]["commitment"] = word("another").hex()


ATTACKS: Final[tuple[tuple[Callable[[dict[str, Any]], None], type[Exception], str], ...]] = (
    (drop_leaf, MalformedError, "192 lower-case hex digits"),
    (drop_leaf_and_count, VerificationError, "counts 8 records, not 9"),
    (move_leaf, RootMismatchError, "leads to"),
    (zero_leaf, MalformedError, "never 0"),
    (big_leaf, MalformedError, "not below the BN254 scalar order"),
    (other_leaf, RootMismatchError, "leads to"),
    (declare_unchanged, VerificationError, "counts 9 records, not 8"),
    (hide_all_leaves, MalformedError, "1 chunks changed, the leaves of 0"),
    (add_unchanged, MalformedError, "1 chunks changed, the leaves of 2"),
    (swap_leaves, MalformedError, "192 lower-case hex digits"),
    (swap_sides, VerificationError, "another version"),
    (swap_commitments, VerificationError, "another version"),
    (swap_tables, VerificationError, "records, not"),
    (reorder_table, RootMismatchError, "leads to"),
    (drop_chunk, VerificationError, "2 chunks, not 3"),
    (upper_case, MalformedError, "lower-case"),
    (foreign_commitment, VerificationError, "another version"),
)


@pytest.mark.parametrize(("attack", "error", "words"), ATTACKS)
def test_attacks_are_refused(
    attack: Callable[[dict[str, Any]], None], error: type[Exception], words: str
) -> None:
    data = told(attack)
    assert data != HONEST.encoded
    with pytest.raises(error, match=words):
        verify_difference(Difference.parse(data), A.commitment, B.commitment)


def test_a_changed_chunk_of_the_same_length_cannot_be_declared_unchanged() -> None:
    before, after = held([[1], [2, 3]]), held([[1], [2, 4]], "v2")
    told = Side(after.commitment.digest, tuple(before.chunks), ())
    forged = Difference(Side(before.commitment.digest, tuple(before.chunks), ()), told)
    with pytest.raises(RootMismatchError):
        verify_difference(forged, before.commitment, after.commitment)


@pytest.mark.parametrize("listed", [0, 2])
def test_a_chunk_that_stood_twice_is_listed_once(listed: int) -> None:
    """Neither is it hidden that one of two went, nor are both said to have gone."""
    twice, once = held([[7, 8], [1], [7, 8]]), held([[7, 8], [1]], "v2")
    honest = difference(twice, once)
    assert len(honest.before.leaves) == 1
    with pytest.raises(MalformedError, match="other leaves"):
        replace(honest, before=replace(honest.before, leaves=honest.before.leaves * listed))


def test_a_leaf_cannot_be_moved_between_listed_chunks() -> None:
    before, after = held([[1, 2], [3, 4]]), held([[5, 6], [7, 8]], "v2")
    document = json.loads(difference(before, after).encoded)
    document["before"]["leaves"].reverse()
    shown = Difference.parse(canonical.encode(document))
    with pytest.raises(RootMismatchError):
        verify_difference(shown, before.commitment, after.commitment)


def test_a_table_of_a_third_version_is_refused() -> None:
    third = held([[1, 2, 3], [203, 302], [4, 5, 6]], "v3")
    forged = replace(difference(A, third).after, commitment=B.commitment.digest)
    with pytest.raises(RootMismatchError):
        verify_difference(replace(HONEST, after=forged), A.commitment, B.commitment)


OTHER_SCHEMA: Final = Schema.of(*DATASET.schema.fields, Field("year", Int()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "v1", "previous": None}, "are one version"),
        ({"name": "lungs"}, "different datasets"),
        ({"log": word("another log")}, "different datasets"),
        ({"schema": OTHER_SCHEMA}, "different schemas"),
        ({"features": None}, "different feature specs"),
    ],
)
def test_versions_that_cannot_be_compared_are_refused(changes: dict[str, Any], words: str) -> None:
    other = replace(A.commitment, **{"version": "v2", **changes})
    with pytest.raises(MalformedError, match=words):
        check_line(A.commitment, other)
    with pytest.raises(MalformedError, match=words):
        verify_difference(HONEST, A.commitment, other)
    with pytest.raises(MalformedError, match=words):
        difference(A, Held(other, A.chunks, A.leaves_of))


def test_a_version_that_follows_another_does_not_come_before_it() -> None:
    check_line(A.commitment, B.commitment)
    with pytest.raises(MalformedError, match=r"cells@v1 came before cells@v2"):
        check_line(B.commitment, A.commitment)


def test_a_document_has_one_form() -> None:
    assert Difference.parse(HONEST.encoded) == HONEST
    for spelling in other_spellings(HONEST.encoded):
        with pytest.raises(MalformedError):
            Difference.parse(spelling)
    for attack in (
        lambda document: document.update(kind="rootline/table/v1"),
        lambda document: document.update(surplus=1),
        lambda document: document["before"].update(surplus=1),
        lambda document: document.pop("after"),
        lambda document: document["after"].pop("leaves"),
        lambda document: document["after"].update(leaves=[1]),
        lambda document: document["after"].update(leaves={}),
        lambda document: document["after"]["chunks"][0].update(count=CHUNK + 1),
        lambda document: document["after"]["chunks"][0].update(root="0" * 64),
    ):
        with pytest.raises(MalformedError):
            Difference.parse(told(attack))


def test_a_document_that_is_too_long_is_not_read() -> None:
    with pytest.raises(MalformedError, match="at most 67108864 are read"):
        Difference.parse(bytes(MAX_BYTES + 1))


def test_a_difference_that_would_be_too_long_is_refused_before_a_leaf_is_read() -> None:
    def never(number: int) -> Words:
        raise AssertionError(number)

    def far(first: int, version: str) -> Held:
        chunks = [Chunk(FieldElement(first + n), CHUNK) for n in range(40)]
        records = len(chunks) * CHUNK
        made = replace(A.commitment, version=version, chunks=len(chunks), records=records)
        return Held(made, chunks, never)

    one, two = far(1, "v1"), far(100, "v2")
    assert size_bytes(one.chunks, two.chunks) > MAX_BYTES
    with pytest.raises(MalformedError, match="versions that lie closer"):
        difference(one, two)
