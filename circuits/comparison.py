"""Whether integers of a circuit are positive or zero, as bits that cannot be false.

    bit = positive(arithmetic, value)      1 where value > 0, else 0
    bit = is_zero(arithmetic, value)       1 where value = 0, else 0

A bit is a hint; one value that can only be natural if the bit is true pins it down.
"""

from collections.abc import Callable

import numpy as np

from circuits.graph import Matrix
from circuits.integers import Arithmetic, Integers, signed


def positive(arithmetic: Arithmetic, value: Integers) -> Integers:
    """Return 1 for each entry above 0, else 0."""
    bit, _ = _signed_bit(arithmetic, value)
    return bit


def magnitude(arithmetic: Arithmetic, value: Integers) -> Integers:
    """Return each entry without its sign."""
    _, size = _signed_bit(arithmetic, value)
    return size


def rectified(arithmetic: Arithmetic, value: Integers) -> Integers:
    """Return each entry that is above 0, and 0 for the others."""
    found = arithmetic.multiply(value, positive(arithmetic, value))
    return Integers(found.tensor, 0, max(0, value.high))


def is_zero(arithmetic: Arithmetic, value: Integers) -> Integers:
    """Return 1 for each entry that is 0, else 0."""
    bit = _bit(arithmetic, value, lambda number: number == 0)
    square = arithmetic.square(value)
    # With the bit 0 the square must be at least 1; with the bit 1 it must be 0.
    one = arithmetic.number(1, value.shape)
    spare = arithmetic.subtract(arithmetic.add(square, bit), one)
    arithmetic.natural(spare, max(0, square.high - 1))
    arithmetic.zero(arithmetic.multiply(square, bit))
    return bit


def _signed_bit(arithmetic: Arithmetic, value: Integers) -> tuple[Integers, Integers]:
    """Return whether each entry is above 0, and its magnitude."""
    bit = _bit(arithmetic, value, lambda number: number > 0)
    one = arithmetic.number(1, value.shape)
    sign = arithmetic.subtract(arithmetic.add(bit, bit), one)
    size = arithmetic.multiply(value, sign)
    # With the bit 1 this is value - 1, with the bit 0 it is -value: only the true one is natural.
    most = max(0, value.high - 1, -value.low)
    arithmetic.natural(arithmetic.subtract(size, bit), most)
    return bit, Integers(size.tensor, 0, max(abs(value.low), abs(value.high)))


def _bit(arithmetic: Arithmetic, value: Integers, test: Callable[[int], bool]) -> Integers:
    def compute(entries: Matrix) -> Matrix:
        found: Matrix = np.vectorize(lambda v: int(test(signed(v))), otypes=[object])(entries)
        return found

    return arithmetic.bits(arithmetic.graph.hint(value.shape, compute, value.tensor))
