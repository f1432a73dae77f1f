"""Keys, salts and leaves of many against those of one."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.exclusion_arrays import (
    BLOCK,
    Salter,
    as_rows,
    distinct,
    exact_keys,
    index_leaves,
    key_array,
    key_words,
    present,
    shared_bits,
)
from provenance.exclusion_key import ExclusionKey, index_leaf, index_salt, key
from provenance.field import Digest
from provenance.leaf import DatasetKey
from provenance.poseidon import from_words

SECRET = DatasetKey(bytes(range(32)))
KEYS = st.one_of(
    st.binary(min_size=31, max_size=31),
    st.sampled_from([bytes(31), b"\xff" * 31, b"\1" + bytes(30), bytes(30) + b"\1"]),
    st.integers(0, 247).map(lambda bit: (1 << bit).to_bytes(31, "big")),
    st.integers(0, 247).map(lambda bit: (2**248 - 1 - (1 << bit)).to_bytes(31, "big")),
)


@given(st.lists(KEYS, max_size=20))
@example([bytes(31), bytes(31)])
def test_the_different_keys_in_order_are_those_of_a_sorted_set(keys: list[bytes]) -> None:
    found = distinct(as_rows(key_array(keys)))
    assert [row.tobytes() for row in found] == [b"\0" + each for each in sorted(set(keys))]
    assert (distinct(as_rows(key_array(keys)), in_runs=True) == found).all()


@given(st.sets(KEYS, max_size=20))
@example({bytes(31), bytes(30) + b"\1"})
@example({bytes(31), b"\xff" * 31})
@example({b"\xfe" + b"\xff" * 30, b"\xff" * 31})
def test_neighbours_share_the_bits_that_they_write_alike(keys: set[bytes]) -> None:
    ordered = sorted(keys)
    written = [f"{int.from_bytes(each, 'big'):0248b}" for each in ordered]
    expected = [
        next(i for i in range(248) if one[i] != other[i]) for one, other in pairwise(written)
    ]
    assert shared_bits(key_words(as_rows(key_array(ordered)))).tolist() == expected


@given(KEYS, KEYS)
def test_keys_that_do_not_ascend_share_no_bits(one: bytes, other: bytes) -> None:
    with pytest.raises(MalformedError, match="ascend"):
        shared_bits(key_words(as_rows(key_array([max(one, other), min(one, other)]))))


@settings(deadline=None, max_examples=20)
@given(st.lists(KEYS, max_size=3))
def test_salts_and_leaves_are_those_of_single_keys(keys: list[bytes]) -> None:
    rows, singles = as_rows(key_array(keys)), [ExclusionKey(each) for each in keys]
    salts = Salter(SECRET).salts(rows)
    expected = [index_salt(SECRET, each) for each in singles]
    assert [row.tobytes() for row in salts] == expected
    leaves = from_words(index_leaves(key_words(rows), salts))
    assert list(leaves) == [index_leaf(*pair) for pair in zip(singles, expected, strict=True)]


def test_a_salter_that_knows_buckets_gives_the_same_salts() -> None:
    numbers = np.random.default_rng(1).integers(0, 256, (600, 31), dtype=np.uint8)
    numbers[:, 0] &= 3
    rows = as_rows(numbers)
    salter = Salter(SECRET)
    first, again = salter.salts(rows), salter.salts(rows[::-1])
    assert (first == again[::-1]).all()
    assert first[7].tobytes() == index_salt(SECRET, ExclusionKey(numbers[7].tobytes()))


@settings(deadline=None, max_examples=60)
@given(st.sets(KEYS, max_size=12), st.lists(KEYS, max_size=6), st.data())
@example({bytes(31), b"\xff" * 31}, [b"\xff" * 31, bytes(31), b"\xff" * 31], None)
def test_what_is_present_is_what_a_set_says(
    keys: set[bytes], others: list[bytes], data: st.DataObject | None
) -> None:
    mine = data.draw(st.lists(st.sampled_from(sorted(keys)))) if data and keys else []
    wanted = mine + others
    answer = present(distinct(as_rows(key_array(keys))), key_array(wanted))
    assert answer.tolist() == [key in keys for key in wanted]


def test_what_is_present_in_an_index_of_many_blocks() -> None:
    numbers = np.random.default_rng(5).integers(0, 256, (2 * BLOCK + 77, 31), dtype=np.uint8)
    keys = distinct(as_rows(numbers))
    beside = numbers[:1000].copy()
    beside[:, 30] ^= 1
    edges = keys[[0, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK, -1], 1:]
    answer = present(keys, np.concatenate((beside, numbers[::50], edges)))
    assert not answer[:1000].any()
    assert answer[1000:].all()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_keys_of_whole_records_are_those_of_single_ones(contents: list[bytes]) -> None:
    found = exact_keys(np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 32))
    expected = [key("exact/1", "", Digest(each)) for each in contents]
    assert [row.tobytes() for row in found] == expected


@pytest.mark.parametrize(
    "keys",
    [
        np.zeros((2, 32), np.uint8),
        np.zeros((2, 30), np.uint8),
        np.zeros(31, np.uint8),
        np.zeros((2, 31), np.int8),
    ],
)
def test_what_is_no_array_of_keys_is_refused(keys: np.ndarray) -> None:
    with pytest.raises(MalformedError, match="bytes in rows of 31"):
        as_rows(keys)
    with pytest.raises(MalformedError, match="bytes in rows of 32"):
        exact_keys(keys[..., :31])
