"""The additive FFT against plain interpolation; against Leopard itself in test_square.py."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from storage.celestia.erasure import Shares, extend, parity, products

TABLE = products()


def inverse(value: int) -> int:
    return int(np.flatnonzero(TABLE[value] == 1)[0])


def interpolated(data: list[int], points: Iterable[int]) -> list[int]:
    """Values at `points` of the polynomial that has `data` at k..2k-1 (addition is xor)."""
    count, out = len(data), []
    for point in points:
        total = 0
        for j, value in enumerate(data):
            term = value
            for other in range(count):
                if other != j:
                    term = TABLE[term, point ^ (count + other)]
                    term = TABLE[term, inverse((count + j) ^ (count + other))]
            total ^= int(term)
        out.append(total)
    return out


def test_products_are_those_of_a_field() -> None:
    assert (TABLE == TABLE.T).all()
    assert (TABLE[1] == np.arange(256)).all()
    assert all(len(set(TABLE[value])) == 256 for value in range(1, 256))


@settings(deadline=None, max_examples=40)
@given(*[st.integers(0, 255)] * 3)
def test_products_distribute_and_associate(a: int, b: int, c: int) -> None:
    assert TABLE[a, b ^ c] == TABLE[a, b] ^ TABLE[a, c]
    assert TABLE[a, TABLE[b, c]] == TABLE[TABLE[a, b], c]


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([1, 2, 4, 8, 16]).flatmap(
        lambda k: st.lists(st.integers(0, 255), min_size=k, max_size=k)
    )
)
def test_parity_is_interpolation(data: list[int]) -> None:
    column = np.array(data, dtype=np.uint8)[:, None]
    assert parity(column)[:, 0].tolist() == interpolated(data, range(len(data)))


def test_the_largest_square_is_interpolation_too() -> None:
    data = [(7 * i * i + 3) % 256 for i in range(128)]
    column = np.array(data, dtype=np.uint8)[:, None]
    assert parity(column)[[0, 77, 127], 0].tolist() == interpolated(data, (0, 77, 127))


@pytest.mark.parametrize("size", [1, 2, 8])
def test_rows_first_or_columns_first_is_the_same(size: int) -> None:
    square: Shares = np.random.default_rng(size).integers(0, 256, (size, size, 512), dtype=np.uint8)
    whole = extend(square)
    assert whole.shape == (2 * size, 2 * size, 512)
    assert (whole[:size, :size] == square).all()
    assert (extend(square.swapaxes(0, 1)).swapaxes(0, 1) == whole).all()


def test_data_are_left_as_they_are() -> None:
    data: Shares = np.arange(8, dtype=np.uint8).reshape(8, 1)
    parity(data)
    assert data[:, 0].tolist() == list(range(8))


@pytest.mark.parametrize("count", [0, 3, 129, 256])
def test_another_number_of_shares_is_refused(count: int) -> None:
    with pytest.raises(MalformedError, match="power of two up to 128"):
        parity(np.zeros((count, 1), dtype=np.uint8))
