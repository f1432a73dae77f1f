"""Machine for AVX-512 IFMA: sixteen hashes at once, as two vectors of eight.

The instruction multiplies two limbs of 52 bits and adds the lower or the upper 52 bits of the
product to a column of 64 bits; it does not look at the upper 12 bits of its factors. So a limb
whose upper bits were carried over, but not cleared, is as good as a clean one, except where it is
added. Its result comes after four cycles, so two vectors are computed in turn.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from provenance.poseidon import vectors
from provenance.poseidon.vectors import BITS, FOLDS, LIMBS, MASK, ORDER_LIMBS, QUOTIENT, Limbs

LANES: Final = 8
INTERLEAVED: Final = 2
KIND: Final = ir.VectorType(vectors.WORD, LANES)
MultiplyAdd = Callable[[ir.IRBuilder, str, ir.Value, ir.Value, ir.Value], ir.Value]
_ZERO: Final = vectors.splat(LANES, 0)
_VECTOR_BYTES: Final = 8 * LANES


def vpmadd52(
    builder: ir.IRBuilder, half: str, column: ir.Value, x: ir.Value, y: ir.Value
) -> ir.Value:
    """Return the column plus a half of x y, "l" or "h": the one place with the instruction."""
    name = f"llvm.x86.avx512.vpmadd52{half}.uq.512"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(KIND, [KIND] * 3), name)
    return builder.call(function, [column, x, y])


@dataclass(frozen=True, slots=True)
class Ifma:
    """The machine; tests give it another text for the instruction."""

    multiply_add: MultiplyAdd = vpmadd52
    FEATURES: frozenset[str] = frozenset({"avx512f", "avx512ifma"})
    MONTGOMERY: int = vectors.MONTGOMERY
    GROUP: int = INTERLEAVED * LANES
    ELEMENT_BYTES: int = INTERLEAVED * LIMBS * _VECTOR_BYTES
    NUMBER_BYTES: int = 8 * LIMBS

    def table(self, numbers: Iterable[int]) -> NDArray[np.uint64]:
        """Return numbers as they are loaded."""
        return vectors.table(numbers)

    def enter(
        self,
        builder: ir.IRBuilder,
        out: ir.Value,
        words: ir.Value,
        added: ir.Value,
        number: ir.Value,
    ) -> None:
        """Write words + added + number as an element."""
        constant = vectors.load_number(builder, number, KIND)
        rows = vectors.load(builder, words, KIND, 4 * INTERLEAVED)
        elements = []
        for i, before in enumerate(_load(builder, added)):
            limbs = vectors.limbs_of_words(builder, rows[i::INTERLEAVED])
            sums = map(builder.add, map(builder.add, limbs, before), constant)
            elements.append(vectors.carried(builder, list(sums)))
        _store(builder, out, elements)

    def fifth_power(self, builder: ir.IRBuilder, out: ir.Value, x: ir.Value) -> None:
        """Write x**5."""
        bases = _load(builder, x)
        squares = [self._reduced(builder, self._squared(builder, each)) for each in bases]
        fourths = [self._reduced(builder, self._squared(builder, each)) for each in squares]
        fifths = []
        for fourth, base in zip(fourths, bases, strict=True):
            columns = self._added(builder, [_ZERO] * 10, fourth, base)
            fifths.append(_clean(builder, self._reduced(builder, columns)))
        _store(builder, out, fifths)

    def start(self, builder: ir.IRBuilder, number: ir.Value) -> Limbs:
        """Return the columns of number * 2**260, of both vectors."""
        constant = vectors.load_number(builder, number, KIND)
        return ([_ZERO] * 5 + constant) * INTERLEAVED

    def accumulate(
        self, builder: ir.IRBuilder, values: Limbs, factor: ir.Value, number: ir.Value
    ) -> Limbs:
        """Return the columns with factor * number added."""
        y = vectors.load_number(builder, number, KIND)
        columns: Limbs = []
        for x in _load(builder, factor):
            columns += self._added(builder, values[len(columns) : len(columns) + 10], x, y)
        return columns

    def finish(self, builder: ir.IRBuilder, out: ir.Value, values: Limbs, unit: ir.Value) -> None:
        """Write the columns plus unit * 2**260, reduced."""
        elements = []
        for i, added in enumerate(_load(builder, unit)):
            low, high = values[10 * i : 10 * i + 5], values[10 * i + 5 : 10 * i + 10]
            columns = low + list(map(builder.add, high, added))
            elements.append(_clean(builder, self._reduced(builder, columns)))
        _store(builder, out, elements)

    def leave(self, builder: ir.IRBuilder, words: ir.Value, x: ir.Value) -> None:
        """Write an element's value below r as words."""
        found = [
            vectors.words_of_limbs(builder, vectors.canonical(builder, element))
            for element in _load(builder, x)
        ]
        vectors.store(builder, words, [each for pair in zip(*found, strict=True) for each in pair])

    def _added(self, builder: ir.IRBuilder, columns: Limbs, x: Limbs, y: Limbs) -> Limbs:
        """Return the columns with x y added; no column twice in a row, which would have to wait."""
        columns = list(columns)
        for j in range(LIMBS):
            for upper, half in enumerate("lh"):
                for i in range(LIMBS):
                    at = i + j + upper
                    columns[at] = self.multiply_add(builder, half, columns[at], x[i], y[j])
        return columns

    def _squared(self, builder: ir.IRBuilder, x: Limbs) -> Limbs:
        """Return the columns of x x: products of different limbs once, doubled, and squares."""
        columns: Limbs = [_ZERO] * 10
        for i in range(LIMBS):
            for upper, half in enumerate("lh"):
                for j in range(i + 1, LIMBS):
                    at = i + j + upper
                    columns[at] = self.multiply_add(builder, half, columns[at], x[i], x[j])
        columns = [builder.add(each, each) for each in columns]
        for i in range(LIMBS):
            for at, half in enumerate("lh", 2 * i):
                columns[at] = self.multiply_add(builder, half, columns[at], x[i], x[i])
        return columns

    def _reduced(self, builder: ir.IRBuilder, columns: Limbs) -> Limbs:
        """Return the number / 2**260 modulo r: four limbs are folded at once, then one.

        Carries are added to the next limb, but not cleared.
        """
        columns = list(columns)
        _carry(builder, columns, 0, 4)
        for j in range(LIMBS):
            for upper, half in enumerate("lh"):
                for i in range(4):
                    at = 4 + j + upper
                    fold = vectors.splat(LANES, FOLDS[i][j])
                    columns[at] = self.multiply_add(builder, half, columns[at], columns[i], fold)
        factor = vectors.splat(LANES, QUOTIENT)
        multiple = self.multiply_add(builder, "l", _ZERO, columns[4], factor)
        for j in range(LIMBS):
            limb = vectors.splat(LANES, ORDER_LIMBS[j])
            for at, half in enumerate("lh", 4 + j):
                columns[at] = self.multiply_add(builder, half, columns[at], multiple, limb)
        _carry(builder, columns, 4, 9)
        return columns[5:]


def _carry(builder: ir.IRBuilder, columns: Limbs, first: int, last: int) -> None:
    """Add what columns hold above 52 bits to the next, from the first up to the last."""
    for i in range(first, last):
        over = builder.lshr(columns[i], vectors.splat(LANES, BITS))
        columns[i + 1] = builder.add(columns[i + 1], over)


def _clean(builder: ir.IRBuilder, element: Limbs) -> Limbs:
    """Clear what was carried over."""
    mask = vectors.splat(LANES, MASK)
    return [*(builder.and_(limb, mask) for limb in element[:4]), element[4]]


def _load(builder: ir.IRBuilder, address: ir.Value) -> list[Limbs]:
    """Return the limbs of both vectors."""
    loaded = vectors.load(builder, address, KIND, INTERLEAVED * LIMBS)
    return [loaded[:LIMBS], loaded[LIMBS:]]


def _store(builder: ir.IRBuilder, address: ir.Value, elements: list[Limbs]) -> None:
    vectors.store(builder, address, [limb for element in elements for limb in element])
