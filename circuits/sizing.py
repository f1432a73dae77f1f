"""How large a hashed circuit must be: a rule, so that the same graph has the same keys everywhere.

A size is the smallest k from 12 to 17 at which the hashes of the outputs fit, and all other cells
fit three to a row. Hashes have columns of their own, 41 rows for each entry of an output: with k 13
ezkl 23.0.5 lays out 199 entries and refuses 200. The count of cells is within a few hundredths of
its own; where it is too low, ezkl adds columns, and a proof costs more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from circuits.graph import HINT, Graph, Node
from circuits.table import Table
from provenance.errors import MalformedError

LOGROWS: Final = range(12, 18)
COLUMNS: Final = 3
RESERVED_ROWS: Final = 16
"""Rows at a column's end that stay free; ezkl needs six of them."""
HASH_ROWS: Final = 41

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a circuit is: 2**`logrows` rows of `columns` cells for each operand."""

    logrows: int
    columns: int = COLUMNS

    @property
    def table(self) -> Table:
        """The table that a circuit of this size looks digits up in."""
        return Table.of(self.logrows)


def smallest(graph: Callable[[Table], Graph]) -> Size:
    """Return the smallest size that holds a circuit.

    Args:
        graph: Makes the circuit for a table; a smaller one means more digits.

    Raises:
        MalformedError: It does not fit the largest size.
    """
    for logrows in LOGROWS:
        size = Size(logrows)
        if rows(graph(size.table), size.columns) + RESERVED_ROWS <= 2**logrows:
            return size
    raise MalformedError(f"the circuit needs more than 2**{LOGROWS[-1]} rows: ask for less at once")


def rows(graph: Graph, columns: int) -> int:
    """Return how many rows a hashed circuit takes, at most."""
    return max(hash_rows(graph), -(-cells(graph, columns) // columns))


def hash_rows(graph: Graph) -> int:
    """Return the rows of the hashes of all outputs."""
    return sum(HASH_ROWS * output.shape[1] for output in graph.outputs)


def cells(graph: Graph, columns: int) -> int:
    """Return the cells of one operand, as ezkl counts them before keys are made.

    A dot product and a sum fill whole rows; a slice counts what it is cut from once more.
    """
    shapes: dict[str, Shape] = {tensor.name: tensor.shape for tensor in graph.inputs}
    literals = {name: array.ravel() for name, array in graph.literals}
    for name, array in graph.literals:
        shapes[name] = (array.shape[0], array.shape[1]) if array.ndim == 2 else (1, array.size)
    total = sum(lanes * high for high, lanes in (tensor.shape for tensor in graph.inputs))
    for node in graph.nodes:
        if node.operator != HINT:
            parts = [shapes[name] for name in node.inputs]
            shapes[node.output] = _shape(node, parts, literals)
            total += _cost(node, parts, shapes[node.output], columns)
    return total


def _shape(node: Node, parts: list[Shape], literals: Mapping[str, NDArray[np.generic]]) -> Shape:
    rows, lanes = parts[0]
    numbers = [[int(v) for v in literals[name]] for name in node.inputs if name in literals]
    if node.operator == "Reshape":
        ((rows, lanes),) = numbers
    elif node.operator == "Slice":
        (first,), (end,), (axis,) = numbers
        rows, lanes = (end - first, lanes) if axis == 0 else (rows, end - first)
    elif node.operator == "MatMul":
        lanes = parts[1][1]
    elif node.operator == "Concat":
        lanes = sum(part[1] for part in parts)
    elif node.operator == "Transpose":
        rows, lanes = lanes, rows
    return (1, 1) if node.operator == "ReduceSum" else (rows, lanes)


def _cost(node: Node, parts: list[Shape], made: Shape, columns: int) -> int:
    rows, lanes = parts[0]
    if node.operator == "MatMul":
        return made[0] * made[1] * -(-lanes // columns) * columns
    if node.operator in ("ReduceSum", "Slice"):
        return -(-rows * lanes // columns) * columns
    if node.operator in ("Add", "Sub", "Mul", "HardSwish"):
        return rows * lanes
    return 0
