"""Poseidon's permutation as the paper defines it: short, slow, and what all else must equal.

Nothing but the tests calls it; `normalised` computes the same with fewer multiplications.

Source: Poseidon (ePrint 2019/458), section 2.
"""

from collections.abc import Sequence

from provenance.field import ORDER
from provenance.poseidon.parameters import parameters


def permute(state: Sequence[int]) -> list[int]:
    """Return the state after all rounds: add constants, S-box x**5, multiply by the matrix.

    Args:
        state: 2 to 17 integers below r; the width chooses the parameters.
    """
    chosen = parameters(len(state))
    first_partial = chosen.full_rounds // 2
    partial = range(first_partial, first_partial + chosen.partial_rounds)
    for number, constants in enumerate(chosen.constants):
        state = [x + c for x, c in zip(state, constants, strict=True)]
        boxes = 1 if number in partial else len(state)
        state = [pow(x, 5, ORDER) for x in state[:boxes]] + state[boxes:]
        state = [sum(m * x for m, x in zip(row, state, strict=True)) for row in chosen.matrix]
        state = [x % ORDER for x in state]
    return list(state)
