"""The permutation on a machine: one text for all machines and all widths (`normalised`).

All functions work on addresses: of `width` elements `state`, element 0 last; of `boxed`, where
their fifth powers go, with zeros before it and room for the recurrence's past after it; and of the
numbers that come next, the address after which they return.
"""

from provenance.compiling import compiled
from provenance.poseidon.parameters import FULL_ROUNDS
from provenance.poseidon.primitives import (
    Token,
    element_bytes,
    fifth_power,
    number_bytes,
    weighted_sum,
)


@compiled
def permute(
    machine: Token, state: int, zeros: int, width: int, rounds: int, numbers: int, outputs: int
) -> None:
    """Permute the state, of which only the last `outputs` elements are computed in the end.

    Args:
        machine: Its token.
        state: `width` elements, to which their first constants are added already.
        zeros: width - 1 elements that are 0, then room for width + 2 `rounds`.
        width: 2 to 17.
        rounds: Partial rounds.
        numbers: The machine's table after the first constants.
        outputs: 1 to width.
    """
    size = element_bytes(machine)
    boxed = zeros + (width - 1) * size
    for _ in range(FULL_ROUNDS // 2 - 1):
        numbers = _full_round(machine, state, boxed, width, numbers)
    _boxes(machine, boxed, state, width)
    numbers = _partial_rounds(machine, state, boxed, width, rounds, numbers)
    for _ in range(FULL_ROUNDS // 2 - 1):
        numbers = _full_round(machine, state, boxed, width, numbers)
    _boxes(machine, boxed, state, width)
    for i in range(width - outputs, width):
        row = numbers + i * (width + 1) * number_bytes(machine)
        weighted_sum(machine, state + i * size, zeros, boxed, width, row)


@compiled
def _boxes(machine: Token, boxed: int, state: int, width: int) -> None:
    size = element_bytes(machine)
    for i in range(width):
        fifth_power(machine, boxed + i * size, state + i * size)


@compiled
def _full_round(machine: Token, state: int, boxed: int, width: int, numbers: int) -> int:
    size = element_bytes(machine)
    unit = boxed + (width - 1) * size
    _boxes(machine, boxed, state, width)
    for i in range(width):
        weighted_sum(machine, state + i * size, unit, boxed, width - 1, numbers)
        numbers += width * number_bytes(machine)
    return numbers


@compiled
def _partial_rounds(
    machine: Token, state: int, boxed: int, width: int, rounds: int, numbers: int
) -> int:
    """Go on from the fifth powers of a full round by the recurrence, and return to the state."""
    size = element_bytes(machine)
    past = 2 * (width - 1)
    unit = boxed + (width - 1) * size
    for _ in range(rounds):
        newest = unit + size
        weighted_sum(machine, newest, unit, unit - past * size, past, numbers)
        numbers += (past + 1) * number_bytes(machine)
        unit = newest + size
        fifth_power(machine, unit, newest)
    newest = state + (width - 1) * size
    weighted_sum(machine, newest, unit, unit - past * size, past, numbers)
    numbers += (past + 1) * number_bytes(machine)
    first = unit - (past - 2) * size
    for i in range(width - 1):
        weighted_sum(machine, state + i * size, newest, first, past - 1, numbers)
        numbers += past * number_bytes(machine)
    return numbers
