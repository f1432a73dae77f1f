"""Reed-Solomon extension of a square, as Leopard does it over GF(2^8): k shares give k of parity.

Bytes stand for field elements by their coordinates in a Cantor basis, in which the subspace
polynomials of the additive FFT are right shifts. A codeword of 2k symbols is the values of one
polynomial of degree below k: at the points k to 2k - 1 the data, at 0 to k - 1 the parity.

Source: S.-J. Lin, T. Y. Al-Naffouri, Y. S. Han, "FFT Algorithm for Binary Extension Finite Fields
and Its Application to Reed-Solomon Codes" (2016), sections III and IV; field and basis as in
catid/leopard, LeopardFF8.cpp (polynomial 11d).
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError

Shares = NDArray[np.uint8]

MAX_EXTENDED: Final = 128
"""Rows of the largest square that GF(2^8) extends; Leopard takes GF(2^16) beyond."""
_POLYNOMIAL: Final = 0x11D
_BASIS: Final = (1, 214, 152, 146, 86, 200, 88, 230)


@lru_cache(maxsize=1)
def products() -> Shares:
    """Return the multiplication table, (256, 256), factors and product in Cantor coordinates."""
    elements = [0]
    for vector in _BASIS:
        elements += [element ^ vector for element in elements]
    power, powers = 1, []
    for _ in range(255):
        powers.append(power)
        power = power << 1 ^ (_POLYNOMIAL if power & 0x80 else 0)
    exponent = {value: index for index, value in enumerate(powers)}
    coordinates = {element: index for index, element in enumerate(elements)}
    logs = np.array([exponent[element] for element in elements[1:]])
    values = np.array([coordinates[value] for value in powers], dtype=np.uint8)
    table = np.zeros((256, 256), dtype=np.uint8)
    table[1:, 1:] = values[(logs[:, None] + logs[None, :]) % 255]
    return table


@lru_cache(maxsize=256)
def _multiples(factor: int) -> bytes:
    row: Shares = products()[factor]
    return row.tobytes()


def _times(factor: int, values: Shares) -> Shares:
    """Return `factor` times each value; a translation of bytes is the quickest table lookup."""
    multiplied = values.tobytes().translate(_multiples(factor))
    return np.frombuffer(multiplied, dtype=np.uint8).reshape(values.shape)


def parity(data: Shares) -> Shares:
    """Return the parity of `data`: (k, …) -> (k, …), k a power of two up to 128.

    Raises:
        MalformedError: Another k.
    """
    count = len(data)
    if not 1 <= count <= MAX_EXTENDED or count & (count - 1):
        raise MalformedError(f"cannot extend {count} shares; a power of two up to 128 is meant")
    work = data.copy()
    half = 1
    while half < count:  # values at k + i -> coefficients
        for start in range(0, count, 2 * half):
            low, high = work[start : start + half], work[start + half : start + 2 * half]
            high ^= low
            low ^= _times((count + start) // half, high)
        half *= 2
    while half > 1:  # coefficients -> values at i
        half //= 2
        for start in range(0, count, 2 * half):
            low, high = work[start : start + half], work[start + half : start + 2 * half]
            low ^= _times(start // half, high)
            high ^= low
    return work


def extend(square: Shares) -> Shares:
    """Return the extended square: (k, k, bytes) -> (2k, 2k, bytes); rows first, then columns."""
    right = parity(square.swapaxes(0, 1)).swapaxes(0, 1)
    top = np.concatenate([square, right], axis=1)
    return np.concatenate([top, parity(top)])
