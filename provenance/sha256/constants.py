"""SHA-256's constants, from the primes they are defined by.

Source: FIPS 180-4, sections 4.2.2 and 5.3.3.
"""

from math import isqrt
from typing import Final

BLOCK: Final = 64
"""Bytes that are compressed at a time."""
PRIMES: Final = tuple(n for n in range(2, 312) if all(n % d for d in range(2, isqrt(n) + 1)))


def _cube_root(number: int) -> int:
    """Return the cube root, rounded down."""
    root = 0
    for bit in reversed(range(number.bit_length() // 3 + 1)):
        if (root | 1 << bit) ** 3 <= number:
            root |= 1 << bit
    return root


START: Final = tuple(isqrt(prime << 64) % 2**32 for prime in PRIMES[:8])
"""The state before the first block: fractions of square roots."""
ROUNDS: Final = tuple(_cube_root(prime << 96) % 2**32 for prime in PRIMES)
"""What is added in each of the 64 rounds: fractions of cube roots."""
