"""Integers inside a circuit: each matrix carries the bounds that its constraints guarantee.

A field element is a number modulo r, and nothing says of itself that it is small. Here a matrix is
a matrix of integers only because every entry was looked up, or follows from such ones, and its
bounds are kept with it: sums and products that could reach half of r are refused when the circuit
is built, so nothing ever wraps round, whatever a prover chooses.

    arithmetic = Arithmetic(graph, Table.of(14))
    digits = arithmetic.digits(graph.private("weights", 1, 8))     # 3 … 16378
    arithmetic.between(digits, 3, 100)

Two kinds of constraint cost nothing in public: a lookup (a value outside the table has no proof),
and `zero`, for what is never negative: such values are added up, and one public zero stands for
all. Everything else is a private hint that these two pin down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np

from circuits.graph import Graph, Matrix, Tensor
from circuits.table import LEAST, Table
from provenance.errors import MalformedError
from provenance.features import MOST
from provenance.field import ORDER

BOUND: Final = 2**251
"""No integer reaches this, so that the sum or difference of two is below half of r."""


@dataclass(frozen=True, slots=True)
class Integers:
    """A matrix of integers from `low` to `high`, both included."""

    tensor: Tensor
    low: int
    high: int

    def __post_init__(self) -> None:
        if not -BOUND < self.low <= self.high < BOUND:
            raise MalformedError("integers of a circuit could wrap round r: use smaller ones")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and lanes."""
        return self.tensor.shape


class Arithmetic:
    """Exact arithmetic on bounded integers in one graph, and the constraints that it collects."""

    def __init__(self, graph: Graph, table: Table) -> None:
        """Work in `graph`, whose lookups go to `table`."""
        self.graph = graph
        self.table = table
        self._looked_up: list[Tensor] = []
        self._zeros: list[Integers] = []

    def digits(self, value: Tensor) -> Integers:
        """Return private values as digits, 3 to 16378 or to the table's end if that is lower.

        Where the table reaches further, each digit is looked up once more, moved to its end.
        """
        found = self.graph.look_up(value)
        if self.table.most > MOST:
            self._check(self._moved(found, self.table.most - MOST))
        return Integers(found, LEAST, min(self.table.most, MOST))

    def number(self, value: int, shape: tuple[int, int] = (1, 1)) -> Integers:
        """Return a constant in every entry."""
        rows, lanes = shape
        one = self.graph.constants([[value % ORDER]]) if value != 1 else self.graph.one
        return Integers(self._filled(one, rows, lanes), value, value)

    def filled(self, value: Integers, rows: int, lanes: int) -> Integers:
        """Return a single integer (1, 1) in every entry of a matrix."""
        return Integers(self._filled(value.tensor, rows, lanes), value.low, value.high)

    def add(self, left: Integers, right: Integers) -> Integers:
        """Return the sum, entry by entry."""
        made = self.graph.add(left.tensor, right.tensor)
        return Integers(made, left.low + right.low, left.high + right.high)

    def subtract(self, left: Integers, right: Integers) -> Integers:
        """Return left - right, entry by entry."""
        made = self.graph.subtract(left.tensor, right.tensor)
        return Integers(made, left.low - right.high, left.high - right.low)

    def multiply(self, left: Integers, right: Integers) -> Integers:
        """Return the product, entry by entry."""
        made = self.graph.multiply(left.tensor, right.tensor)
        return Integers(made, *_product(left, right))

    def square(self, value: Integers) -> Integers:
        """Return the squares, which are never negative."""
        low, high = _product(value, value)
        return Integers(self.graph.multiply(value.tensor, value.tensor), max(0, low), high)

    def scale(self, value: Integers, factor: int) -> Integers:
        """Return `factor` times each entry."""
        if factor == 1:
            return value
        return self.multiply(value, self.number(factor, value.shape))

    def move(self, value: Integers, distance: int) -> Integers:
        """Return each entry plus `distance`."""
        if distance == 0:
            return value
        return self.add(value, self.number(distance, value.shape))

    def apply(self, matrix: Integers, value: Integers) -> Integers:
        """Return the matrix product."""
        low, high = _product(matrix, value)
        terms = matrix.shape[1]
        made = self.graph.apply(matrix.tensor, value.tensor)
        return Integers(made, terms * low, terms * high)

    def total(self, value: Integers) -> Integers:
        """Return the sum of all entries, (1, 1)."""
        terms = value.shape[0] * value.shape[1]
        return Integers(self.graph.total(value.tensor), terms * value.low, terms * value.high)

    def transpose(self, value: Integers) -> Integers:
        """Return the matrix with rows and lanes exchanged."""
        return Integers(self.graph.transpose(value.tensor), value.low, value.high)

    def reshape(self, value: Integers, rows: int, lanes: int) -> Integers:
        """Return the same entries, row by row, in another shape."""
        return Integers(self.graph.reshape(value.tensor, rows, lanes), value.low, value.high)

    def rows(self, value: Integers, first: int, end: int) -> Integers:
        """Return rows `first` to `end` - 1."""
        return Integers(self.graph.rows(value.tensor, first, end), value.low, value.high)

    def lanes(self, value: Integers, first: int, end: int) -> Integers:
        """Return lanes `first` to `end` - 1."""
        return Integers(self.graph.lanes(value.tensor, first, end), value.low, value.high)

    def join(self, *parts: Integers) -> Integers:
        """Return the parts side by side."""
        made = self.graph.join(*(part.tensor for part in parts))
        return Integers(made, min(p.low for p in parts), max(p.high for p in parts))

    def stack(self, *parts: Integers) -> Integers:
        """Return the parts one below the other."""
        made = self.graph.stack(*(part.tensor for part in parts))
        return Integers(made, min(p.low for p in parts), max(p.high for p in parts))

    def natural(self, value: Integers, most: int | None = None) -> Integers:
        """Return the entries once more, now known to be from 0 to `most` or a little above.

        They are written in digits to the table's base, as many as `most` needs; all but the lowest
        are hints, and the lowest is what is left, so no equation is needed to tie them.
        """
        bound = value.high if most is None else most
        if bound < 0:
            raise MalformedError("what is never above zero cannot be a natural number")
        base, rest, high = self.table.base, value.tensor, self.table.base
        while high <= bound:
            hint = self._digit_of(value.tensor, high)
            rest = self.graph.subtract(
                rest, self.graph.multiply(hint, self._filled_number(high, value.shape))
            )
            high *= base
        # A negative value is a field element from r + low on: so many digits must not reach it.
        if high > ORDER + min(0, value.low):
            raise MalformedError("integers of a circuit could wrap round r: use smaller ones")
        self._check(self._moved(rest, LEAST))
        return Integers(value.tensor, max(0, value.low), min(value.high, high - 1))

    def between(self, value: Integers, low: int, high: int) -> Integers:
        """Return the entries once more, now known to be from `low` to `high`."""
        self.natural(self.move(value, -low), high - low)
        self.natural(self.subtract(self.number(high, value.shape), value), high - low)
        return Integers(value.tensor, max(low, value.low), min(high, value.high))

    def free(self, shape: tuple[int, int], most: int, made: Tensor) -> Integers:
        """Return private values (a hint's) as natural numbers up to `most` or a little above."""
        if made.shape != shape:
            raise MalformedError(f"a hint of {made.shape}, not {shape}")
        digits = 1
        while self.table.base**digits <= most:
            digits += 1
        high = self.table.base**digits - 1
        return self.natural(Integers(made, 0, high), high)

    def divide(self, value: Integers, divisor: int) -> Integers:
        """Return value / divisor to the nearest integer, halves upwards; exact, no slack.

        R(a, b) = floor((2 a + b) / (2 b)), as provenance.replay.rounded.
        """
        if divisor < 1:
            raise MalformedError(f"cannot divide by {divisor}")
        low, high = ((2 * n + divisor) // (2 * divisor) for n in (value.low, value.high))

        def quotient(entries: Matrix) -> Matrix:
            return _each(entries, lambda n: (2 * signed(n) + divisor) // (2 * divisor) - low)

        hint = self.graph.hint(value.shape, quotient, value.tensor)
        found = self.move(self.free(value.shape, high - low, hint), low)
        self.is_quotient(value, found, divisor)
        return Integers(found.tensor, low, high)

    def is_quotient(self, value: Integers, found: Integers, divisor: int, slack: int = 0) -> None:
        """Constrain `found` to be value / divisor, rounded, give or take `slack`."""
        rest = self.subtract(self.scale(value, 2), self.scale(found, 2 * divisor))
        # -divisor <= 2 value - 2 divisor found < divisor, and both ends further by the slack.
        reach = 2 * slack * divisor
        self.between(rest, -divisor - reach, divisor - 1 + reach)

    def bits(self, value: Tensor) -> Integers:
        """Return private values as bits."""
        found = self.natural(Integers(value, 0, self.table.base - 1))
        square = self.square(found)
        # b * b - b is not negative for naturals, and 0 for 0 and 1 only.
        self.zero(Integers(self.graph.subtract(square.tensor, value), 0, square.high))
        return Integers(value, 0, 1)

    def zero(self, value: Integers) -> None:
        """Constrain entries that are never negative to be 0."""
        if value.low < 0:
            raise MalformedError("only what is never negative can be shown zero in a sum")
        self._zeros.append(self.total(value))

    def equal(self, left: Integers, right: Integers) -> None:
        """Constrain entries to be equal."""
        self.zero(self.square(self.subtract(left, right)))

    def nothing(self) -> Tensor:
        """Return the sum of all that must be zero, (1, 1); lookups hang on it too."""
        zero = self.number(0) if not self._zeros else self._zeros[0]
        for more in self._zeros[1:]:
            zero = self.add(zero, more)
        graph, found = self.graph, zero.tensor
        for value in self._looked_up:
            none = graph.subtract(graph.one, graph.one)
            found = graph.add(found, graph.multiply(graph.total(value), none))
        self._looked_up, self._zeros = [], []
        return found

    def _check(self, value: Tensor) -> None:
        """Look a value up; that the result is used later keeps the front end from dropping it."""
        self._looked_up.append(self.graph.look_up(value))

    def _digit_of(self, value: Tensor, unit: int) -> Tensor:
        base = self.table.base
        hint = self.graph.hint(value.shape, lambda v: v // unit % base, value)
        looked = self.graph.look_up(self._moved(hint, LEAST))
        self._looked_up.append(looked)
        return hint

    def _moved(self, value: Tensor, distance: int) -> Tensor:
        return self.graph.add(value, self._filled_number(distance, value.shape))

    def _filled_number(self, value: int, shape: tuple[int, int]) -> Tensor:
        return self._filled(self.graph.constants([[value]]), *shape)

    def _filled(self, value: Tensor, rows: int, lanes: int) -> Tensor:
        # Copies of copies: ezkl's front end takes minutes over thousands of parts of one Concat.
        graph, count = self.graph, rows * lanes
        side = isqrt(count)
        column = graph.reshape(graph.repeat(value, side), side, 1)
        block = graph.repeat(column, count // side)
        flat = graph.reshape(block, 1, block.shape[0] * block.shape[1])
        rest = count - flat.shape[1]
        whole = graph.join(flat, graph.repeat(value, rest)) if rest else flat
        return graph.reshape(whole, rows, lanes)


def signed(value: int) -> int:
    """Return the integer of least magnitude that a field element stands for."""
    return value - ORDER if value > ORDER // 2 else value


def _each(values: Matrix, function: Callable[[int], int]) -> Matrix:
    found: Matrix = np.vectorize(function, otypes=[object])(values)
    return found


def _product(left: Integers, right: Integers) -> tuple[int, int]:
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return min(ends), max(ends)
