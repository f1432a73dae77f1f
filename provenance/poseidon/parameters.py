"""The parameters of Poseidon in circomlib's family: from the Grain LFSR, a set for each width.

Nothing is copied from a table: the width decides the number of partial rounds, and both decide the
start of the shift register, whose bits become the round constants and then a Cauchy matrix.

>>> (parameters(3).full_rounds, parameters(3).partial_rounds)
(8, 57)
>>> hex(parameters(3).constants[0][0])
'0xee9a592ba9a9518d05986d656f40c2114c4993c11bb29938d21d47304cd8e6e'

Source: Poseidon (ePrint 2019/458), appendix F; iden3/circomlib: circuits/poseidon.circom.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, reduce
from itertools import islice
from operator import xor
from typing import Final

from provenance.errors import MalformedError
from provenance.field import ORDER

WIDTHS: Final = range(2, 18)
FULL_ROUNDS: Final = 8
PARTIAL_ROUNDS: Final = (56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68)
ORDER_BITS: Final = 254

_STEPS: Final = 16
"""Steps of the register taken at once; at most 18, since the highest tap is 62 of 80 bits."""
_DISCARDED: Final = 160


def _kept(byte: int) -> str:
    """Return what the pairs of eight bits, lowest first, contribute: the second bit after a 1."""
    pairs = (byte >> shift & 3 for shift in range(0, 8, 2))
    return "".join("01"[pair >> 1] for pair in pairs if pair & 1)


_KEPT: Final = tuple(map(_kept, range(256)))


@dataclass(frozen=True, slots=True)
class Parameters:
    """Round constants and matrix of one width.

    Attributes:
        width: Elements in the state.
        full_rounds: Rounds with an S-box on every element, half of them before the partial ones.
        partial_rounds: Rounds with one S-box, on the first element.
        constants: A row of `width` elements for each round.
        matrix: `width` rows; new state = matrix · state.
    """

    width: int
    full_rounds: int
    partial_rounds: int
    constants: tuple[tuple[int, ...], ...]
    matrix: tuple[tuple[int, ...], ...]


@cache
def parameters(width: int) -> Parameters:
    """Return the parameters of `width`, from 2 to 17; the first call takes some milliseconds.

    Raises:
        MalformedError: The family has no such width.
    """
    if width not in WIDTHS:
        raise MalformedError(f"Poseidon has widths 2 to 17 here, not {width}")
    partial_rounds = PARTIAL_ROUNDS[width - WIDTHS.start]
    numbers = _numbers(islice(_words(width, partial_rounds), _DISCARDED // _STEPS, None))
    below = (number for number in numbers if number < ORDER)
    rounds = range(FULL_ROUNDS + partial_rounds)
    constants = tuple(tuple(next(below) for _ in range(width)) for _ in rounds)
    points = [next(numbers) % ORDER for _ in range(2 * width)]
    return Parameters(width, FULL_ROUNDS, partial_rounds, constants, _cauchy(points))


def _cauchy(points: list[int]) -> tuple[tuple[int, ...], ...]:
    """Return 1 / (x + y), a row for each x of the first half, a column for each y of the second.

    The drawing is repeated in the general method if points coincide; they do for none of the
    widths here, and a sum of zero would raise ValueError.
    """
    half = len(points) // 2
    return tuple(tuple(pow(x + y, -1, ORDER) for y in points[half:]) for x in points[:half])


def _words(width: int, partial_rounds: int) -> Iterator[int]:
    """Yield the output of the shift register, 16 steps a word, the first step in the lowest bit."""
    described = (
        f"{1:02b}"  # a prime field
        f"{0:04b}"  # S-box x^5
        f"{ORDER_BITS:012b}{width:012b}{FULL_ROUNDS:010b}{partial_rounds:010b}{2**30 - 1:030b}"
    )
    register = int(described[::-1], 2)
    while True:
        taps = (register >> tap for tap in (0, 13, 23, 38, 51, 62))
        word = reduce(xor, taps) & 2**_STEPS - 1
        register = register >> _STEPS | word << 80 - _STEPS
        yield word


def _numbers(words: Iterator[int]) -> Iterator[int]:
    """Yield numbers of 254 bits, the highest first, from the bits kept of each pair."""
    kept = ""
    while True:
        word = next(words)
        kept += _KEPT[word & 255] + _KEPT[word >> 8]
        if len(kept) >= ORDER_BITS:
            yield int(kept[:ORDER_BITS], 2)
            kept = kept[ORDER_BITS:]
