"""Digits -> field elements, as commitments hash them: 18 digits of 14 bits, the first lowest.

The same numbers as provenance.features packs. A state begins with the digit 1, which no record can
have, so that a record's commitment never passes for a state's.
"""

from typing import Final

from circuits.graph import Graph, Tensor
from circuits.integers import Integers
from provenance.features import DIGITS, WIDTH

HALF: Final = DIGITS // 2
"""Powers up to 2**112 are exact literals; the upper half is lifted by one constant of 126 bits."""


def packed(graph: Graph, digits: Integers, *, state: bool = False) -> Tensor:
    """Return the elements of each row, (rows, elements).

    Args:
        graph: The circuit.
        digits: A row of digits for each record or state, from `Arithmetic.digits`.
        state: Whether the digit 1 comes first.
    """
    rows = digits.shape[0]
    first = [graph.reshape(graph.repeat(graph.one, rows), rows, 1)] if state else []
    width = digits.shape[1] + len(first)
    elements = -(-width // DIGITS)
    missing = elements * DIGITS - width
    zero = graph.subtract(graph.one, graph.one)
    filling = [graph.reshape(graph.repeat(zero, rows * missing), rows, missing)] if missing else []
    flat = graph.join(*first, digits.tensor, *filling)
    powers = graph.constants([[2 ** (WIDTH * place)] for place in range(HALF)])
    halves = graph.apply(graph.reshape(flat, rows * elements * 2, HALF), powers)
    pairs = graph.reshape(halves, rows * elements, 2)
    lift = graph.constants([[1], [2 ** (WIDTH * HALF)]])
    return graph.reshape(graph.apply(pairs, lift), rows, elements)
