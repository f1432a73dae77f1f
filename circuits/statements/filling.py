"""Arithmetic over wide matrices: constants are copies of copies.

ezkl's front end takes more than quadratic time over the parts of one concatenation: minutes for the
constant that is added to each of 2,000 digits. Over the square root of as many it takes none.
"""

from math import isqrt

from circuits.graph import Tensor
from circuits.integers import Arithmetic


class WideArithmetic(Arithmetic):
    """Exact arithmetic on matrices of thousands of entries."""

    # Python 3.11 has no typing.override.
    def _filled(self, value: Tensor, rows: int, lanes: int) -> Tensor:  # type: ignore[explicit-override]
        graph, count = self.graph, rows * lanes
        side = isqrt(count)
        column = graph.reshape(graph.repeat(value, side), side, 1)
        block = graph.repeat(column, count // side)
        flat = graph.reshape(block, 1, block.shape[0] * block.shape[1])
        rest = count - flat.shape[1]
        whole = graph.join(flat, graph.repeat(value, rest)) if rest else flat
        return graph.reshape(whole, rows, lanes)
