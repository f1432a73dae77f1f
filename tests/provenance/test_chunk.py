"""The cut rule against a slow obvious reference, and what it promises."""

import json
from bisect import bisect_left
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.chunk import (
    CHUNK,
    NOTHING,
    QUIET,
    WINDOW,
    Cutter,
    Marks,
    cut_key,
)
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.leaf import DatasetKey
from provenance.siphash import siphash_many

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/chunk.json").read_text())
KEY = cut_key(DatasetKey(bytes(range(32))))
GROUND = bytes(16)
Rows = NDArray[np.uint8]


def random_rows(count: int, seed: int = 0, distinct: int | None = None) -> Rows:
    """Digests of `count` records of which at most `distinct` differ."""
    source = np.random.default_rng(seed)
    if distinct is None:
        return source.integers(0, 256, (count, 32), dtype=np.uint8)
    kinds = source.integers(0, 256, (distinct, 32), dtype=np.uint8)
    return kinds[source.integers(0, distinct, count)]


def ground_rows(count: int, marks: list[int]) -> Rows:
    """Digests picked by somebody who knows the cut key GROUND, so that just `marks` are marked."""
    pool = random_rows(2**16)
    values = siphash_many(GROUND, pool)
    order = np.argsort(values)
    ranked = values[order].tolist()
    wanted, picks, h = set(marks), [], 0
    for number in range(count):
        place = bisect_left(ranked, -2 * h % 2**64) if number in wanted else number * 40_503
        while ((2 * h + ranked[place % 2**16]) % 2**64 >> 52 == 0) != (number in wanted):
            place += 1
        h = (2 * h + ranked[place % 2**16]) % 2**64
        picks.append(place % 2**16)
    return pool[order[picks]]


def slow_lengths(key: bytes, rows: Rows) -> list[int]:
    """The rule as its page writes it, one record after the other."""
    lengths, marks, h, size = [], list[int](), 0, 0
    for number, g in enumerate(siphash_many(key, rows).tolist()):
        h = (2 * h + g) % 2**64
        size += 1
        marked = h >> 52 == 0 and number >= 63
        natural = marked and not any(number - mark <= 2047 for mark in marks[-1:])
        if marked:
            marks.append(number)
        if natural or size == 2**14:
            lengths.append(size)
            size = 0
    return [*lengths, size] if size else lengths


def marks_of(key: bytes, rows: Rows) -> Marks:
    return Marks.of(siphash_many(key, rows))


def fast_lengths(key: bytes, rows: Rows, batches: list[int] | None = None) -> list[int]:
    cutter, lengths, start = Cutter(), list[int](), 0
    for size in [*(batches or []), len(rows)]:
        lengths += cutter.feed(marks_of(key, rows[start : start + size]))
        start += size
    return [*lengths, cutter.open] if cutter.open else lengths


def natural_ends(key: bytes, rows: Rows) -> list[int]:
    """After how many records natural cuts fall, by the rule as its page writes it."""
    marks, ends, h = list[int](), list[int](), 0
    for number, g in enumerate(siphash_many(key, rows).tolist()):
        h = (2 * h + g) % 2**64
        if h >> 52 == 0 and number >= 63:
            if not marks or number - marks[-1] > 2047:
                ends.append(number + 1)
            marks.append(number)
    return ends


def chunks(key: bytes, rows: Rows) -> Counter[bytes]:
    ends = np.cumsum(fast_lengths(key, rows)).tolist()
    pairs = pairwise([0, *ends])
    return Counter(sha256(rows[start:end].tobytes()).digest() for start, end in pairs)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_chunk_vectors(case: dict[str, Any]) -> None:
    key = cut_key(DatasetKey(bytes.fromhex(case["dataset_key"])))
    assert key.hex() == case["cut_key"]
    numbers = [number % case["distinct"] for number in range(case["records"])]
    digests = [Digest(sha256(str(number).encode()).digest()) for number in numbers]
    rows = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
    assert fast_lengths(key, rows) == case["lengths"]


@pytest.mark.parametrize("distinct", [1, 2, 3, 17, 1000, None])
def test_fast_and_slow_cuts_agree(distinct: int | None) -> None:
    for seed in range(2):
        rows = random_rows(70_000, seed, distinct)
        assert fast_lengths(KEY, rows) == slow_lengths(KEY, rows)


@pytest.mark.parametrize("period", [63, 64, 65, 1000, 2047, 2048, 2049, 4096])
def test_fast_and_slow_cuts_agree_on_data_that_repeats(period: int) -> None:
    rows = np.resize(random_rows(period, period), (40_000, 32))
    for seed in range(4):
        key = bytes([seed]) * 16
        assert fast_lengths(key, rows) == slow_lengths(key, rows)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 3), st.lists(st.integers(0, 9000), max_size=12))
def test_any_split_into_batches_gives_the_same_chunks(seed: int, batches: list[int]) -> None:
    rows = random_rows(30_000, seed, (None, 2, 40, 1)[seed])
    assert fast_lengths(KEY, rows, batches) == fast_lengths(KEY, rows)


def test_batches_of_one_record_give_the_same_chunks() -> None:
    rows = ground_rows(400, [WINDOW - 1, 300])
    assert fast_lengths(GROUND, rows, [1] * 400) == [WINDOW, 400 - WINDOW]


def same(left: Marks, right: Marks) -> bool:
    parts = zip(
        (left.head, left.tail, left.places), (right.head, right.tail, right.places), strict=True
    )
    return left.count == right.count and all(np.array_equal(one, other) for one, other in parts)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 3), st.lists(st.integers(0, 60_000), max_size=6), st.integers(0, 200))
def test_marks_of_runs_join_to_the_marks_of_the_whole(
    seed: int, splits: list[int], first: int
) -> None:
    rows = random_rows(60_000, seed, (None, 2, 40, 1)[seed])
    edges = [0, *sorted({first, *splits}), 60_000]
    runs = [marks_of(KEY, rows[start:end]) for start, end in pairwise(edges)]
    joined = NOTHING
    for run in runs:
        joined = joined.join(run)
    backwards = NOTHING
    for run in reversed(runs):
        backwards = run.join(backwards)
    whole = marks_of(KEY, rows)
    assert same(joined, whole)
    assert same(backwards, whole)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 3), st.lists(st.integers(0, 60_000), max_size=6))
def test_joined_runs_are_cut_as_one_file(seed: int, splits: list[int]) -> None:
    rows = random_rows(60_000, seed, (None, 2, 40, 1)[seed])
    cutter, lengths = Cutter(), list[int]()
    for start, end in pairwise([0, *sorted(splits), 60_000]):
        lengths += cutter.feed(marks_of(KEY, rows[start:end]))
    assert [*lengths, cutter.open][: len(lengths) + bool(cutter.open)] == slow_lengths(KEY, rows)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 5), st.integers(0, 30_000), st.integers(0, 30_000))
def test_certain_chunks_are_cut_whatever_came_before(seed: int, start: int, count: int) -> None:
    rows = random_rows(60_000, seed, (None, 2, 40, 1, None, None)[seed])
    found = marks_of(KEY, rows[start : start + count]).certain()
    ends = np.cumsum(fast_lengths(KEY, rows[: start + count])).tolist()
    chunks = {(a - start, b - a) for a, b in pairwise([0, *ends])}
    assert set(found) <= chunks


def test_most_chunks_of_a_long_run_are_certain() -> None:
    rows = random_rows(100_000, 3)
    found = marks_of(KEY, rows).certain()
    assert len(found) >= len(fast_lengths(KEY, rows)) - 3
    assert all(size <= CHUNK for _, size in found)


def test_a_mark_that_one_before_the_run_could_undo_is_not_certain() -> None:
    near = ground_rows(5000, [WINDOW - 2 + QUIET, WINDOW + 2 * QUIET])
    far = ground_rows(5000, [WINDOW - 1 + QUIET, WINDOW + 2 * QUIET])
    assert marks_of(GROUND, near).certain() == ()
    assert marks_of(GROUND, far).certain() == ((WINDOW + QUIET, QUIET + 1),)


def test_runs_of_one_record_join_as_well() -> None:
    rows = ground_rows(200, [WINDOW - 1, 130])
    joined = NOTHING
    for number in range(200):
        joined = joined.join(marks_of(GROUND, rows[number : number + 1]))
    assert same(joined, marks_of(GROUND, rows))
    assert joined.places.tolist() == [WINDOW - 1, 130]


@pytest.mark.parametrize(
    ("count", "head", "tail", "places"),
    [
        (-1, 0, 0, []),
        (5, 4, 5, []),
        (5, 5, 6, []),
        (100, 63, 62, []),
        (100, 63, 63, [62]),
        (100, 63, 63, [100]),
        (100, 63, 63, [70, 70]),
        (100, 63, 63, [80, 70]),
        (20, 20, 20, [5]),
    ],
)
def test_marks_that_cannot_be_are_refused(
    count: int, head: int, tail: int, places: list[int]
) -> None:
    values = np.zeros(100, np.uint64)
    with pytest.raises(MalformedError, match="marks"):
        Marks(count, values[:head], values[:tail], np.array(places, np.int64))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 5), st.integers(0, 39_999))
def test_an_edit_moves_natural_cuts_only_shortly_after_it(seed: int, place: int) -> None:
    rows = random_rows(40_000, seed)
    before = natural_ends(KEY, rows)
    rows[place] ^= 1
    moved = {end - 1 for end in set(before) ^ set(natural_ends(KEY, rows))}
    assert all(place <= number <= place + QUIET + WINDOW - 1 for number in moved)


@pytest.mark.parametrize("distinct", [2, 5, 30, 1000, None])
def test_one_edit_changes_at_most_two_chunks(distinct: int | None) -> None:
    rows = random_rows(120_000, 7, distinct)
    before = chunks(KEY, rows)
    places = np.random.default_rng(8).integers(0, len(rows), 9).tolist()
    for turn, place in enumerate(places):
        new = random_rows(1, place)
        kept = place + (turn % 3 != 1)  # changed, put in, taken out
        parts = (rows[:place], new[: turn % 3 != 2], rows[kept:])
        after = chunks(KEY, np.concatenate(parts))
        assert (after - before).total() <= 2
        assert (before - after).total() <= 2


def test_no_data_makes_more_than_a_chunk_in_2048_records() -> None:
    count = 60_000
    rows = ground_rows(count, list(range(WINDOW - 1, count, QUIET + 1)))
    lengths = fast_lengths(GROUND, rows)
    assert set(lengths[1:-1]) == {QUIET + 1}
    assert len(lengths) <= count // (QUIET + 1) + 2


def test_marks_too_close_to_each_other_cut_nothing() -> None:
    count = 60_000
    rows = ground_rows(count, list(range(WINDOW - 1, count, QUIET)))
    assert fast_lengths(GROUND, rows) == [WINDOW, *[CHUNK] * 3, count - WINDOW - 3 * CHUNK]


def mean_chunks(rows: Rows) -> float:
    keys = [sha256(bytes([number])).digest()[:16] for number in range(12)]
    return sum(len(fast_lengths(key, rows)) for key in keys) / len(keys)


def test_constant_and_repeated_records_make_no_more_chunks_than_random_ones() -> None:
    count = 50_000
    normal = mean_chunks(random_rows(count))
    assert mean_chunks(random_rows(count, 0, 1)) <= normal
    for period in (2, 64, 100, 1000):
        assert mean_chunks(np.resize(random_rows(period, period), (count, 32))) <= normal


def test_records_ground_for_one_key_do_not_shatter_another() -> None:
    count = 50_000
    rows = ground_rows(count, list(range(WINDOW - 1, count, QUIET + 1)))
    assert mean_chunks(rows) <= 1.25 * mean_chunks(random_rows(count))


def test_a_chunk_ends_when_it_is_full() -> None:
    rows = random_rows(2 * CHUNK + 5, 0, 1)
    assert fast_lengths(KEY, rows) == [CHUNK, CHUNK, 5]
    assert fast_lengths(KEY, rows[: 2 * CHUNK]) == [CHUNK, CHUNK]


def test_the_first_63_records_are_never_marked() -> None:
    rows = ground_rows(200, [10, WINDOW - 2, WINDOW - 1])
    assert fast_lengths(GROUND, rows, [10, 53, 1]) == [WINDOW, 200 - WINDOW]


def test_an_empty_stream_has_no_chunk() -> None:
    cutter = Cutter()
    assert cutter.feed(NOTHING) == ()
    assert cutter.open == 0
