"""Machine for fused multiply-add of doubles: four hashes at once on AVX2, any processor with FMA.

A double holds 53 bits, so it holds a limb of 52; a fused multiply-add rounds once, so two of them
give the upper and the lower half of a product of limbs exactly:

    high = 2**104 + x y, rounded to a multiple of 2**52
    low  = x y - (high - 2**104), between -2**51 and 2**51, exact

The bits of `high`, as an integer, are those of 2**104 plus the half; so are those of low + 1.5 *
2**52. Columns are sums of such bits, modulo 2**64; what the powers of two add is known when code
is written, and taken off in the end. Elements are stored as doubles.

Source of the trick: Emmart, Zheng, Weems, "Faster modular exponentiation using double precision
floating point arithmetic on the GPU" (ARITH 2018).
"""

import struct
from collections.abc import Iterable
from typing import Final

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from provenance.poseidon import vectors
from provenance.poseidon.vectors import BITS, FOLDS, LIMBS, MASK, ORDER_LIMBS, QUOTIENT, Limbs

LANES: Final = 4
MONTGOMERY: Final = vectors.MONTGOMERY
GROUP: Final = LANES
ELEMENT_BYTES: Final = 8 * LIMBS * LANES
NUMBER_BYTES: Final = 8 * LIMBS
FEATURES: Final = frozenset({"fma", "avx2"})

_INTEGERS: Final = ir.VectorType(vectors.WORD, LANES)
_DOUBLES: Final = ir.VectorType(ir.DoubleType(), LANES)


def _bits(value: float) -> int:
    return int.from_bytes(struct.pack("<d", value), "little")


_ONE = 2.0**52
"""A double of this size, up to twice as much, has the bits of its integer part at the end."""
_LOW = 1.5 * 2.0**52
_HIGH = {False: 2.0**104, True: 1.5 * 2.0**104}
"""Added to products of two limbs; the second to those that may be negative, of 2**103 at most."""
_BIAS = 2**62
"""Makes columns positive, so that a carry needs no signed shift, which AVX2 lacks."""


def table(numbers: Iterable[int]) -> NDArray[np.uint64]:
    """Return numbers as they are loaded: limbs as doubles."""
    return vectors.table(numbers).astype(np.float64).view(np.uint64)


def _splat(value: float) -> ir.Constant:
    return ir.Constant(_DOUBLES, [value] * LANES)


def _integer(value: int) -> ir.Constant:
    return vectors.splat(LANES, value)


def fused(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    """Return x y + z, rounded once."""
    name = f"llvm.fma.v{LANES}f64"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(_DOUBLES, [_DOUBLES] * 3), name)
    return builder.call(function, [x, y, z])


def _after(builder: ir.IRBuilder, x: ir.Value, other: ir.Value) -> ir.Value:
    """Return x, for LLVM only known after `other`; no instruction comes of it.

    LLVM would begin many products at once, for which there are no registers: a fifth slower.
    """
    kind = ir.FunctionType(_DOUBLES, [_DOUBLES, other.type])
    return builder.call(ir.InlineAsm(kind, "", "=x,0,x"), [x, other])


def _double(builder: ir.IRBuilder, integer: ir.Value) -> ir.Value:
    """Return an integer of 52 bits as a double."""
    bits = builder.or_(integer, _integer(_bits(_ONE)))
    return builder.fsub(builder.bitcast(bits, _DOUBLES), _splat(_ONE))


def _split(
    builder: ir.IRBuilder, x: ir.Value, y: ir.Value, *, signed: bool = False
) -> tuple[ir.Value, ir.Value]:
    """Return `high` and `low` of x y."""
    power = _splat(_HIGH[signed])
    high = fused(builder, x, y, power)
    return high, fused(builder, x, y, builder.fsub(power, high))


class Columns:
    """A number as ten columns, of the weights 2**(52 i), and what each is too large by."""

    def __init__(self, builder: ir.IRBuilder, values: Limbs | None = None) -> None:
        self.builder = builder
        self.values: Limbs = [_integer(0)] * 10 if values is None else list(values)
        self.excess = [0] * 10

    def add(self, i: int, integer: ir.Value, excess: int) -> None:
        """Add to column i what is so much too large."""
        self.values[i] = self.builder.add(self.values[i], integer)
        self.excess[i] += excess

    def multiply(self, i: int, x: ir.Value, y: ir.Value, *, signed: bool = False) -> None:
        """Add x y to column i, once what was there is added up."""
        builder = self.builder
        x = _after(builder, x, self.values[i])
        high, low = _split(builder, x, y, signed=signed)
        low = builder.fadd(low, _splat(_LOW))
        self.add(i + 1, builder.bitcast(high, _INTEGERS), _bits(_HIGH[signed]))
        self.add(i, builder.bitcast(low, _INTEGERS), _bits(_LOW))

    def product(self, x: Limbs, y: Limbs) -> None:
        """Add x y, column by column, which keeps most of them out of the registers."""
        for column in range(9):
            for i in range(max(0, column - 4), min(column, 4) + 1):
                self.multiply(column, x[i], y[column - i])

    def square(self, x: Limbs) -> None:
        """Set to x x: products of different limbs once, doubled, and squares of limbs."""
        for column in range(1, 8):
            for i in range(max(0, column - 4), (column + 1) // 2):
                self.multiply(column, x[i], x[column - i])
        self.values = [self.builder.add(value, value) for value in self.values]
        self.excess = [2 * each for each in self.excess]
        for i in range(LIMBS):
            self.multiply(2 * i, x[i], x[i])

    def add_element(self, x: Limbs) -> None:
        """Add x * 2**260."""
        for i, limb in enumerate(x):
            bits = self.builder.fadd(limb, _splat(_ONE))
            self.add(5 + i, self.builder.bitcast(bits, _INTEGERS), _bits(_ONE))

    def plain(self, i: int, added: int = 0) -> ir.Value:
        """Return column i, no longer too large, plus `added`."""
        value = self.builder.add(self.values[i], _integer(added - self.excess[i]))
        self.values[i], self.excess[i] = value, added
        return value

    def all_plain(self) -> Limbs:
        """Return all columns, no longer too large."""
        return [self.plain(i) for i in range(10)]

    def carry(self, i: int) -> ir.Value:
        """Return the lowest 52 bits of column i, and carry the others over."""
        value = self.plain(i, _BIAS)
        self.add(i + 1, self.builder.lshr(value, _integer(BITS)), _BIAS >> BITS)
        return self.builder.and_(value, _integer(MASK))

    def reduced(self) -> Limbs:
        """Return the number / 2**260 modulo r: four limbs are folded at once, then one.

        r is added, for the multiple of r that makes the last limb vanish may be negative, -r/2 at
        least.
        """
        builder = self.builder
        low = [_double(builder, self.carry(i)) for i in range(4)]
        for column in range(4, 9):
            for i in range(4):
                self.multiply(column, low[i], _splat(FOLDS[i][column - 4]))
        rest = builder.and_(self.plain(4, _BIAS), _integer(MASK))
        _, multiple = _split(builder, _double(builder, rest), _splat(QUOTIENT))
        for i in range(LIMBS):
            self.multiply(4 + i, multiple, _splat(ORDER_LIMBS[i]), signed=True)
            self.excess[5 + i] -= ORDER_LIMBS[i]
        self.carry(4)
        return self.upper()

    def upper(self) -> Limbs:
        """Return columns 5 to 9 as an element, whose last limb may have more than 52 bits."""
        low = [_double(self.builder, self.carry(5 + i)) for i in range(4)]
        return [*low, _double(self.builder, self.plain(9))]


def _squared(builder: ir.IRBuilder, x: Limbs) -> Limbs:
    columns = Columns(builder)
    columns.square(x)
    return columns.reduced()


def fifth_power(builder: ir.IRBuilder, out: ir.Value, x: ir.Value) -> None:
    """Write x**5."""
    base = _load(builder, x)
    columns = Columns(builder)
    columns.product(_squared(builder, _squared(builder, base)), base)
    vectors.store(builder, out, columns.reduced())


def start(builder: ir.IRBuilder, number: ir.Value) -> Limbs:
    """Return the columns of number * 2**260."""
    columns = Columns(builder)
    columns.add_element(vectors.load_number(builder, number, _DOUBLES))
    return columns.all_plain()


def accumulate(builder: ir.IRBuilder, values: Limbs, factor: ir.Value, number: ir.Value) -> Limbs:
    """Return the columns with factor * number added."""
    columns = Columns(builder, values)
    columns.product(_load(builder, factor), vectors.load_number(builder, number, _DOUBLES))
    return columns.all_plain()


def finish(builder: ir.IRBuilder, out: ir.Value, values: Limbs, unit: ir.Value) -> None:
    """Write the columns plus unit * 2**260, reduced."""
    columns = Columns(builder, values)
    columns.add_element(_load(builder, unit))
    vectors.store(builder, out, columns.reduced())


def enter(
    builder: ir.IRBuilder, out: ir.Value, words: ir.Value, added: ir.Value, number: ir.Value
) -> None:
    """Write words + added + number as an element."""
    columns = Columns(builder)
    limbs = vectors.limbs_of_words(builder, vectors.load(builder, words, _INTEGERS, 4))
    for i, limb in enumerate(limbs, 5):
        columns.add(i, limb, 0)
    columns.add_element(_load(builder, added))
    columns.add_element(vectors.load_number(builder, number, _DOUBLES))
    vectors.store(builder, out, columns.upper())


def leave(builder: ir.IRBuilder, words: ir.Value, x: ir.Value) -> None:
    """Write an element's value below r as words."""
    columns = Columns(builder)
    columns.add_element(_load(builder, x))
    limbs = vectors.canonical(builder, columns.all_plain()[5:])
    vectors.store(builder, words, vectors.words_of_limbs(builder, limbs))


def _load(builder: ir.IRBuilder, address: ir.Value) -> Limbs:
    return vectors.load(builder, address, _DOUBLES, LIMBS)
