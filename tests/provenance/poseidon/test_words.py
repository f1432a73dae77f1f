"""Rows of words hold field elements and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.field import ORDER
from provenance.poseidon import from_words, to_words, words_from_bytes, words_to_bytes
from provenance.poseidon.words import check_words

ELEMENTS = st.one_of(
    st.sampled_from([0, 1, ORDER - 1, 2**64 - 1, 2**64, 2**192, ORDER >> 192 << 192]),
    st.integers(0, ORDER - 1),
)


def bytes_of(values: list[int]) -> NDArray[np.uint8]:
    data = b"".join(value.to_bytes(32, "big") for value in values)
    return np.frombuffer(data, np.uint8).reshape(-1, 32)


@settings(deadline=None)
@given(st.lists(ELEMENTS, max_size=20))
def test_words_and_bytes_give_back_the_elements(elements: list[int]) -> None:
    words = to_words(elements)
    assert words.shape == (len(elements), 4)
    assert from_words(words) == tuple(elements)
    assert np.array_equal(words_to_bytes(words), bytes_of(elements))
    assert np.array_equal(words_from_bytes(bytes_of(elements)), words)


def test_the_lowest_word_comes_first() -> None:
    assert to_words([2**64 * 7 + 5]).tolist() == [[5, 7, 0, 0]]


def test_words_own_their_memory_and_can_be_written() -> None:
    words = to_words([1])
    words[0, 0] = 2
    assert from_words(words) == (2,)


@pytest.mark.parametrize("value", [ORDER, ORDER + 1, ORDER + 2**64, ORDER + 2**192, 2**256 - 1])
def test_a_value_from_the_order_on_is_refused_wherever_it_enters(value: int) -> None:
    with pytest.raises(MalformedError):
        to_words([value])
    with pytest.raises(MalformedError, match=r"the element at \(1,\)"):
        words_from_bytes(bytes_of([0, value]))
    words = np.array([[value >> 64 * i & 2**64 - 1 for i in range(4)]], np.uint64)
    for reader in (from_words, words_to_bytes):
        with pytest.raises(MalformedError, match="not below"):
            reader(words)


@settings(deadline=None)
@given(st.integers(0, 2**256 - 1))
def test_exactly_the_values_below_the_order_pass(value: int) -> None:
    words = np.array([[value >> 64 * i & 2**64 - 1 for i in range(4)]], np.uint64)
    if value < ORDER:
        check_words(words, 2)
    else:
        with pytest.raises(MalformedError):
            check_words(words, 2)


@pytest.mark.parametrize(
    "words",
    [np.zeros((1, 4), np.int64), np.zeros((1, 5), np.uint64), np.zeros(4, np.uint64)],
    ids=["another type", "five words", "one axis"],
)
def test_an_array_of_another_shape_or_type_is_refused(words: NDArray[np.uint64]) -> None:
    with pytest.raises(MalformedError, match="expected 2 axes of uint64"):
        from_words(words)


@pytest.mark.parametrize(
    "rows",
    [np.zeros((1, 32), np.int8), np.zeros((1, 31), np.uint8), np.zeros(32, np.uint8)],
    ids=["another type", "31 bytes", "one axis"],
)
def test_bytes_in_another_shape_or_type_are_refused(rows: NDArray[np.uint8]) -> None:
    with pytest.raises(MalformedError, match="expected bytes in rows of 32"):
        words_from_bytes(rows)


def test_arrays_with_gaps_are_read_alike() -> None:
    words = to_words(range(10))[::3]
    assert from_words(words) == (0, 3, 6, 9)
    assert from_words(words_from_bytes(words_to_bytes(words))) == (0, 3, 6, 9)
