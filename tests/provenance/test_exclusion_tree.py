"""The tree over sorted keys, in blocks cut anywhere, against the one that the format defines."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.exclusion_arrays import Bytes, Salter, Words, as_rows, key_array
from provenance.exclusion_key import ExclusionKey, index_leaf, index_salt
from provenance.exclusion_tree import Block, build
from provenance.field import ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.poseidon import from_words, poseidon

SECRET = DatasetKey(bytes(range(32)))
SALTER = Salter(SECRET)

Rows = dict[int, tuple[FieldElement, FieldElement]]

# Keys as integers: at the ends, next to each other, far apart, with long runs of equal bits
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2**248 - 1, 2**248 - 2, 2**247, 2**247 - 1]),
    st.integers(0, 255).map(lambda number: number << 240),
    st.integers(0, 63).map(lambda number: 0xABCDE << 228 | number << 200),
    st.integers(0, 15).map(lambda number: number << 236),
)


def naive(numbers: list[int], rows: Rows, place: int = 0, depth: int = 0) -> FieldElement:
    """The root over ascending numbers that share `depth` bits; what divides them goes to `rows`."""
    if not numbers:
        return ZERO
    if len(numbers) == 1:
        key = ExclusionKey(numbers[0].to_bytes(31, "big"))
        return index_leaf(key, index_salt(SECRET, key))
    halves = [[n for n in numbers if n >> 247 - depth & 1 == side] for side in (0, 1)]
    middle = place + len(halves[0])
    left = naive(halves[0], rows, place, depth + 1)
    right = naive(halves[1], rows, middle, depth + 1)
    if left and right:
        rows[middle] = (left, right)
    return poseidon(left, right)


def backwards(work: Callable[[int], Block], items: Iterable[int]) -> Iterator[Block]:
    """Do the last block first, as threads might."""
    yield from [work(item) for item in reversed(list(items))][::-1]


def built(numbers: Iterable[int], block: int) -> tuple[FieldElement, Rows]:
    """What `build` gives for ascending numbers."""
    keys = as_rows(key_array(number.to_bytes(31, "big") for number in numbers))
    found: Rows = {}

    def read(start: int, stop: int) -> Bytes:
        assert 0 <= start < stop <= len(keys)
        assert stop - start <= block + 2
        return keys[start:stop]

    def put(start: int, rows: Words, made: NDArray[np.bool_]) -> None:
        for i in np.flatnonzero(made).tolist():
            assert start + i not in found
            left, right = from_words(rows[i])
            found[start + i] = (left, right)
        assert not rows[~made].any()

    return build(read, len(keys), SALTER, put, block=block, mapper=backwards), found


@settings(deadline=None, max_examples=40)
@given(st.sets(NUMBERS, max_size=12), st.integers(1, 5))
@example(set(), 1)
@example({0}, 1)
@example({0, 2**248 - 1}, 1)
@example({0, 1}, 1)
@example({2**248 - 1, 2**248 - 2}, 2)
@example({2**247 - 1, 2**247}, 2)
@example({1 << i for i in range(0, 248, 16)}, 3)
def test_root_and_rows_are_those_of_the_definition(numbers: set[int], block: int) -> None:
    rows: Rows = {}
    root = naive(sorted(numbers), rows)
    assert built(sorted(numbers), block) == (root, rows)
    assert sorted(rows) == list(range(1, len(numbers)))


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32), st.integers(1, 100))
def test_blocks_may_be_cut_anywhere(seed: int, block: int) -> None:
    numbers = np.random.default_rng(seed).integers(0, 2**60, 60)
    ordered = sorted({0xABCDE << 228 | int(number) << 168 for number in numbers})
    assert built(ordered, block) == built(ordered, 1000)


LADDER = {1 << i for i in range(248)} | {2**248 - 1 - (1 << i) for i in range(248)}
COMB = {(1 << i) + j for i in range(2, 60) for j in range(4)}


@pytest.mark.parametrize(
    ("numbers", "most"),
    [(LADDER, 496), (COMB, 248), (range(600), 30)],
    ids=["ladder", "comb", "run"],
)
def test_a_block_leaves_few_subtrees_whatever_the_keys_are(numbers: set[int], most: int) -> None:
    keys = as_rows(key_array(number.to_bytes(31, "big") for number in sorted(numbers)))
    left: list[int] = []

    def counted(work: Callable[[int], Block], items: Iterable[int]) -> Iterator[Block]:
        for block in map(work, items):
            left.append(len(block.left.values))
            yield block

    build(lambda i, j: keys[i:j], len(keys), SALTER, lambda *_: None, block=100, mapper=counted)
    assert len(left) == -(-len(keys) // 100)
    assert max(left) <= most


def test_keys_that_do_not_ascend_are_refused() -> None:
    for numbers in ([2, 1], [1, 1], [1, 2, 3, 3], [1, 2, 4, 3]):
        for block in (1, 2, 3, 10):
            with pytest.raises(MalformedError, match="ascend, and each is there once"):
                built(numbers, block)
