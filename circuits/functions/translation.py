"""A function's nodes, one after the other, as arithmetic of a circuit on bounded integers.

    value = translate(arithmetic, function, integers)

A value keeps the rank that ONNX gives it, 0 to 2, and is held as a matrix: (n,) as (1, n). What an
operator means is in `elementwise.py` and `rearranging.py`; here values are found, spread over a
common shape, and bounded: none may reach beyond 2**125, whatever records a prover has.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from circuits.functions.function import Entries, Function, Operation
from circuits.integers import Arithmetic, Integers
from provenance.errors import MalformedError

LIMIT: Final = 2**125
MAX_WORK: Final = 2**18
"""Entries of all values together, a matrix product counting each of its multiplications."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value of the function: its entries as a matrix, its ONNX shape, whether they are truths."""

    integers: Integers
    shape: Shape
    boolean: bool = False


class Translation:
    """A function on its way into a circuit."""

    def __init__(self, arithmetic: Arithmetic, function: Function, taken: Integers) -> None:
        """Start with the input's values, from the committed digits."""
        self.arithmetic = arithmetic
        self.function = function
        self._values = {function.input: Value(taken, taken.shape)}
        self._work = 0

    def keep(self, operation: Operation, value: Value) -> None:
        """Keep what an operation gave, if it is small enough."""
        if max(-value.integers.low, value.integers.high) > LIMIT:
            raise operation.refuse("a value could reach beyond 2**125; use smaller numbers")
        self._values[operation.output] = value

    def spend(self, operation: Operation, entries: int) -> None:
        """Count work before it is done, so that nobody's function fills the memory."""
        self._work += entries
        if self._work > MAX_WORK:
            raise operation.refuse(f"the function has more than {MAX_WORK} entries and products")

    def value(self, operation: Operation, name: str) -> Value:
        """Return a value by name; a constant is made where it is used as a value."""
        if name in self.function.constants:
            array = self.function.constants[name]
            self.spend(operation, array.size)
            boolean = array.dtype == np.bool_
            self._values[name] = Value(self._constant(operation, array), array.shape, boolean)
        return self._values[name]

    def numbers(self, operation: Operation, *names: str) -> list[Value]:
        """Return values that must be numbers."""
        found = [self.value(operation, name) for name in names]
        if any(value.boolean for value in found):
            raise operation.refuse("it takes numbers, not truth values: cast them first")
        return found

    def constant(self, operation: Operation, place: int) -> Entries:
        """Return an input that must be a constant of integers."""
        array = self.function.constants.get(operation.inputs[place])
        if array is None or array.dtype == np.bool_:
            raise operation.refuse(f"input {place} must be a constant of integers")
        return array

    def spread(self, operation: Operation, values: Sequence[Value]) -> tuple[Shape, list[Integers]]:
        """Return the common shape of values as ONNX broadcasts them, and each spread over it."""
        try:
            shape = np.broadcast_shapes(*(value.shape for value in values))
        except ValueError as error:
            raise operation.refuse(f"shapes {[v.shape for v in values]} do not fit") from error
        rows, lanes = matrix(shape)
        self.spend(operation, rows * lanes)
        return shape, [self._spread(value.integers, rows, lanes) for value in values]

    def _spread(self, value: Integers, rows: int, lanes: int) -> Integers:
        if value.shape == (rows, lanes):
            return value
        if value.shape == (1, 1):
            return self.arithmetic.filled(value, rows, lanes)
        if value.shape[0] == 1:
            return self.arithmetic.stack(*[value] * rows)
        return self.arithmetic.join(*[value] * lanes)

    def _constant(self, operation: Operation, array: Entries) -> Integers:
        rows = array.reshape(matrix(array.shape)).astype(object)
        low, high = int(rows.min()), int(rows.max())
        if max(-low, high) > LIMIT:
            raise operation.refuse("a constant reaches beyond 2**125")
        if low == high:
            return self.arithmetic.number(low, rows.shape)
        # Counted from the least, so that entries below 0 need no 254 bits each; row by row, since
        # the front end takes long over constants of many entries.
        graph = self.arithmetic.graph
        made = [graph.constants([[int(v) - low for v in row]]) for row in rows]
        whole = Integers(graph.stack(*made), 0, high - low)
        return Integers(self.arithmetic.move(whole, low).tensor, low, high)


Meaning = Callable[[Translation, Operation], Value]
"""From an operation to its value; raises MalformedError naming the node."""


def translate(
    arithmetic: Arithmetic,
    function: Function,
    taken: Integers,
    meanings: Mapping[str, Meaning],
) -> Integers:
    """Return the row (1, n) that a function gives of its input's values.

    Args:
        arithmetic: Of the circuit.
        function: From `function.read`.
        taken: The input's signed values, (rows, lanes).
        meanings: What each operator means.

    Raises:
        MalformedError: A node is not understood, or a value could be too large; names the node.
    """
    translation = Translation(arithmetic, function, taken)
    for operation in function.operations:
        try:
            translation.keep(operation, meanings[operation.operator](translation, operation))
        except (ValueError, TypeError, LookupError) as error:
            raise operation.refuse(f"its inputs or attributes do not fit: {error}") from error
        except MalformedError as error:
            if str(error).startswith("function, "):
                raise
            raise operation.refuse(str(error)) from error
    end = Operation("Output", (function.output,), "", {}, f"output {function.output!r:.60}")
    found = translation.value(end, function.output)
    if len(found.shape) != 2 or found.shape[0] != 1:
        raise end.refuse(f"the value must be one row (1, n), not {found.shape}")
    return found.integers


def matrix(shape: Shape) -> tuple[int, int]:
    """Return the rows and lanes that hold a value of rank 0 to 2."""
    rows, lanes = (1,) * (2 - len(shape)) + tuple(shape)
    return rows, lanes
