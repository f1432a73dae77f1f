"""The permutation as one list of numbers with the fewest multiplications: what machines compute.

Three things are used, all exact, so the result is the permutation of `reference`.

1.  The partial rounds are a recurrence (`recurrence`): one sum a round, instead of one a lane.
2.  The S-box commutes with scaling: (s z)**5 = s**5 z**5. So each sum is scaled for one of its
    factors to be 1, which saves a multiplication, and the next sums' factors make good for it.
3.  The same scaling moves values into and out of Montgomery form: states are plain at both ends.

In the numbers element 0 comes last, so that what leaves the S-boxes goes over into the past of the
recurrence as it stands. `permute` is the text of `permutation` on plain integers; in pure Python,
too, no other form is as fast.
"""

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from provenance.field import ORDER
from provenance.poseidon.matrices import Matrix
from provenance.poseidon.parameters import FULL_ROUNDS, parameters
from provenance.poseidon.recurrence import Recurrence, recurrence

Element = TypeVar("Element")


def permute(state: Sequence[int], scale: int = 1) -> list[int]:
    """Return the state after all rounds, on numbers that stand for themselves divided by `scale`.

    Args:
        state: 2 to 17 integers below r.
        scale: What machines divide products by.
    """
    width, divided = len(state), _inverted(scale % ORDER)
    numbers = iter(normalised(width, scale))

    def row(others: Sequence[int], unit: int) -> int:
        return (next(numbers) + sum(next(numbers) * x for x in others) + unit) % ORDER

    state = [(next(numbers) + x * divided) % ORDER for x in _turned(tuple(state))]
    for _ in range(FULL_ROUNDS // 2 - 1):
        *others, unit = map(_fifth_power, state)
        state = [row(others, unit) for _ in state]
    past = [0] * (width - 1) + list(map(_fifth_power, state))
    for _ in range(parameters(width).partial_rounds):
        past.append(row(past[1 - 2 * width : -1], past[-1]))
        past.append(_fifth_power(past[-1]))
    past.append(row(past[1 - 2 * width : -1], past[-1]))
    state = [*(row(past[2 - 2 * width : -1], past[-1]) for _ in state[1:]), past[-1]]
    for _ in range(FULL_ROUNDS // 2 - 1):
        *others, unit = map(_fifth_power, state)
        state = [row(others, unit) for _ in state]
    boxed = list(map(_fifth_power, state))
    *others, first = [row(boxed, 0) * scale % ORDER for _ in state]
    return [first, *others]


@cache
def normalised(width: int, scale: int) -> tuple[int, ...]:
    """Return the numbers of `width` in the order of their use, for values divided by `scale`.

    1.  For each element what is added before the first S-box.
    2.  For each element of three full rounds: what is added, and the factors of all S-boxes but the
        last, whose factor is 1.
    3.  For each sum of the recurrence, one more than there are partial rounds: what is added, and
        the factors of the past 2 (width - 1); that of u is 1.
    4.  For each lane: what is added, and the factors of the past but the newest, whose factor is 1.
    5.  Again as 2.
    6.  For each element of the last full round: 0, and the factors of all S-boxes.

    Raises:
        MalformedError: The family has no such width.
    """
    chosen = parameters(width)
    half, last = FULL_ROUNDS // 2, len(chosen.constants)
    matrix = tuple(map(_turned, _turned(chosen.matrix)))
    constants = [_turned(each) for each in chosen.constants]
    divided = _inverted(scale % ORDER)
    numbers = [each * divided % ORDER for each in constants[0]]
    scales = [scale % ORDER] * width
    for each in constants[1:half]:
        scales = _write_full(numbers, each, matrix, scales)
    scales = _write_partial(numbers, recurrence(chosen), scales)
    for each in constants[last - half + 1 :]:
        scales = _write_full(numbers, each, matrix, scales)
    boxed = [_fifth_power(each) * divided for each in scales]
    for row in matrix:
        numbers += [0, *_scaled(row, boxed)]
    return tuple(numbers)


def _write_full(
    numbers: list[int], constants: Sequence[int], matrix: Matrix, scales: Sequence[int]
) -> list[int]:
    """Write a full round on elements that are `scales` too small; return those of the next."""
    boxed = list(map(_fifth_power, scales))
    rows = zip(constants, matrix, strict=True)
    return [_write(numbers, constant, _scaled(row, boxed)) for constant, row in rows]


def _write_partial(numbers: list[int], rounds: Recurrence, scales: Sequence[int]) -> list[int]:
    """Write the recurrence and the lanes; return the scales of the state that they are."""
    past = [1] * (len(scales) - 1) + list(map(_fifth_power, scales))
    for constant, factors in zip(rounds.constants, rounds.factors, strict=True):
        terms = _scaled((*factors, rounds.corner), past)
        newest = _write(numbers, constant, terms)
        past = [*past[2:], newest, _fifth_power(newest)]
    past = past[:-1]
    lanes = zip(rounds.left, rounds.lanes, strict=True)
    return [
        *(_write(numbers, constant, _scaled(row, past)) for constant, row in lanes),
        past[-1],
    ]


def _write(numbers: list[int], constant: int, terms: Sequence[int]) -> int:
    """Write a sum divided by its last factor, which thus is 1; return what it is divided by."""
    by = _inverted(terms[-1])
    numbers += [x * by % ORDER for x in (constant, *terms[:-1])]
    return terms[-1]


def _turned(elements: tuple[Element, ...]) -> tuple[Element, ...]:
    return (*elements[1:], elements[0])


def _scaled(factors: Sequence[int], scales: Sequence[int]) -> list[int]:
    return [factor * scale % ORDER for factor, scale in zip(factors, scales, strict=True)]


def _fifth_power(x: int) -> int:
    square = x * x % ORDER
    return square * square % ORDER * x % ORDER


def _inverted(x: int) -> int:
    return pow(x, -1, ORDER)
