"""Proofs read from the rows of an index against paths that are walked as they are defined."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.exclusion_arrays import Salter, as_rows, distinct, key_array
from provenance.exclusion_key import ExclusionKey, index_leaf, index_salt
from provenance.exclusion_path import TOGETHER, IndexProver, IndexRows
from provenance.exclusion_proof import AbsenceProof, Neighbour, PresenceProof
from provenance.exclusion_tree import build
from provenance.field import ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.poseidon import poseidon, words_to_bytes

SECRET = DatasetKey(bytes(range(32)))

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 3, 2**248 - 1, 2**248 - 2, 2**247, 2**247 - 1]),
    st.integers(0, 63).map(lambda number: number << 242),
    st.integers(0, 63).map(lambda number: 0xABCDE << 228 | number << 220),
)


def as_key(number: int) -> ExclusionKey:
    return ExclusionKey(number.to_bytes(31, "big"))


def stored(numbers: Sequence[int]) -> IndexRows:
    keys = distinct(as_rows(key_array(map(as_key, numbers))))
    rows = np.zeros((len(keys), 2, 4), np.uint64)

    def put(start: int, found: np.ndarray, made: np.ndarray) -> None:
        rows[start : start + len(found)][made] = found[made]

    build(lambda i, j: keys[i:j], len(keys), Salter(SECRET), put)
    return IndexRows(keys, words_to_bytes(rows.reshape(-1, 4)).reshape(-1, 64))


def root_of(numbers: Sequence[int], depth: int) -> FieldElement:
    """The root over numbers that share `depth` bits."""
    if not numbers:
        return ZERO
    if len(numbers) == 1:
        return index_leaf(as_key(numbers[0]), index_salt(SECRET, as_key(numbers[0])))
    halves = [[n for n in numbers if n >> 247 - depth & 1 == side] for side in (0, 1)]
    return poseidon(*(root_of(half, depth + 1) for half in halves))


def naive(numbers: Sequence[int], number: int) -> PresenceProof | AbsenceProof:
    """The proof of one number, walked a bit at a time."""
    inside, siblings = list(numbers), list[FieldElement]()
    while len(inside) > 1:
        shift = 247 - len(siblings)
        beside = [n for n in inside if n >> shift & 1 != number >> shift & 1]
        inside = [n for n in inside if n >> shift & 1 == number >> shift & 1]
        siblings.append(root_of(beside, len(siblings) + 1))
    if not inside:
        return AbsenceProof(None, tuple(siblings))
    salt = index_salt(SECRET, as_key(inside[0]))
    if inside[0] == number:
        return PresenceProof(salt, tuple(siblings))
    return AbsenceProof(Neighbour(as_key(inside[0]), salt), tuple(siblings))


@settings(deadline=None, max_examples=25)
@given(st.sets(NUMBERS, max_size=6), st.lists(NUMBERS, min_size=1, max_size=4))
@example(set(), [0])
@example({0}, [0, 1, 2**248 - 1])
@example({0, 1}, [0, 1, 2, 2**248 - 1])
@example({2**247 - 1, 2**247}, [2**247 - 1, 2**247, 0])
@example({2, 3}, [0, 1, 4, 8])
def test_single_proofs_are_those_of_the_definition(numbers: set[int], wanted: list[int]) -> None:
    prover = IndexProver(stored(sorted(numbers)), SECRET)
    for number in wanted:
        assert prover.prove(as_key(number)) == naive(sorted(numbers), number)


@settings(deadline=None, max_examples=25)
@given(st.sets(NUMBERS, max_size=12), st.lists(NUMBERS, max_size=12))
def test_many_proofs_are_the_single_ones_in_the_order_of_the_keys(
    numbers: set[int], wanted: list[int]
) -> None:
    rows = stored(sorted(numbers))
    found = list(IndexProver(rows, SECRET).prove_many(map(as_key, wanted)))
    assert [key for key, _ in found] == [as_key(number) for number in sorted(set(wanted))]
    for key, proof in found:
        assert proof == IndexProver(rows, SECRET).prove(key)


def test_proofs_of_more_keys_than_are_made_together() -> None:
    numbers = [n * 7919 % 2**12 << 236 for n in range(40)]
    prover = IndexProver(stored(numbers), SECRET)
    wanted = [as_key(n << 236) for n in range(TOGETHER + 100)]
    found = dict(prover.prove_many(wanted))
    assert list(found) == wanted
    for key in (*wanted[::97], wanted[-1]):
        assert found[key] == prover.prove(key)


# Damage


def damaged(keys: Sequence[int]) -> IndexRows:
    """Rows of a sound index under keys that are not its own."""
    sound = stored([1, 2, 3, 4])
    return IndexRows(as_rows(key_array(map(as_key, keys))), sound.rows)


@pytest.mark.parametrize("keys", [[4, 3, 2, 1], [1, 1, 1, 1], [3, 4, 1, 3], [2**247, 0, 0, 5]])
def test_keys_that_do_not_ascend_on_a_path_are_refused(keys: list[int]) -> None:
    with pytest.raises(MalformedError, match="do not ascend: the index is damaged"):
        dict(IndexProver(damaged(keys), SECRET).prove_many(map(as_key, range(8))))


DAMAGED = st.lists(NUMBERS, min_size=4, max_size=4)


@settings(deadline=None, max_examples=15)
@given(DAMAGED, NUMBERS)
def test_a_walk_in_a_damaged_index_ends(keys: list[int], number: int) -> None:
    check_walk(keys, number)


@pytest.mark.slow
@settings(deadline=None, max_examples=500)
@given(DAMAGED, NUMBERS)
def test_a_walk_in_any_damaged_index_ends(keys: list[int], number: int) -> None:
    check_walk(keys, number)


def check_walk(keys: list[int], number: int) -> None:
    prover = IndexProver(damaged(keys), SECRET)
    with suppress(MalformedError):
        assert len(prover.prove(as_key(number)).siblings) <= 248


def test_an_input_that_is_no_field_element_is_refused() -> None:
    sound = stored([1, 2])
    rows = sound.rows.copy()
    rows[1, :32] = 255
    prover = IndexProver(IndexRows(sound.keys, rows), SECRET)
    for number in (2, 3, 2**247):  # beside the left input, twice, and above both
        with pytest.raises(MalformedError, match=r"below the BN254 scalar order"):
            prover.prove(as_key(number))
