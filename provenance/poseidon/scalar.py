"""Machine for any processor: one hash at a time, on words of 64 bits.

Arithmetic is written as LLVM's wide integers, which every target lowers to its own multiplications
and carries. An element is four words, lowest first, in Montgomery form, times 2**256, and below
2 r; that suffices for a product, reduced, to be below 2 r again with nothing taken off.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from provenance.field import ORDER
from provenance.poseidon.words import to_words

MONTGOMERY: Final = 2**256
GROUP: Final = 1
ELEMENT_BYTES: Final = 32
NUMBER_BYTES: Final = 32
FEATURES: Final[frozenset[str]] = frozenset()

Values = list[ir.Value]
_WORD: Final = ir.IntType(64)
_ELEMENT: Final = ir.IntType(256)
_SUM: Final = ir.IntType(576)
"""Holds 33 products of elements and a table's numbers, before they are reduced."""


def table(numbers: Iterable[int]) -> NDArray[np.uint64]:
    """Return numbers as they are loaded."""
    return to_words(number * MONTGOMERY % ORDER for number in numbers)


def _load(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.load(builder.inttoptr(address, _ELEMENT.as_pointer()), align=8)


def _store(builder: ir.IRBuilder, address: ir.Value, element: ir.Value) -> None:
    builder.store(element, builder.inttoptr(address, _ELEMENT.as_pointer()), align=8)


def _words(builder: ir.IRBuilder, value: ir.Value, count: int = 4) -> Values:
    """Return the lowest words of an integer."""
    shifts = (ir.Constant(value.type, 64 * i) for i in range(count))
    return [builder.trunc(builder.lshr(value, shift), _WORD) for shift in shifts]


def _joined(builder: ir.IRBuilder, words: Values, kind: ir.IntType, start: int) -> ir.Value:
    """Return the integer that has `words` from word `start` on."""
    joined: ir.Value = ir.Constant(kind, 0)
    for i, word in enumerate(words, start):
        shifted = builder.shl(builder.zext(word, kind), ir.Constant(kind, 64 * i))
        joined = builder.or_(joined, shifted)
    return joined


def _scaled(builder: ir.IRBuilder, words: Values, factor: ir.Value) -> ir.Value:
    """Return words * one word, of five words: two chains of carries."""
    double, kind = ir.IntType(128), ir.IntType(320)
    wide = builder.zext(factor, double)
    halves = [_words(builder, builder.mul(builder.zext(x, double), wide), 2) for x in words]
    low = _joined(builder, [half[0] for half in halves], kind, 0)
    return builder.add(low, _joined(builder, [half[1] for half in halves], kind, 1))


def _product(builder: ir.IRBuilder, left: ir.Value, right: ir.Value) -> ir.Value:
    """Return left * right, not reduced."""
    words = _words(builder, left)
    total: ir.Value = ir.Constant(_SUM, 0)
    for i, word in enumerate(_words(builder, right)):
        row = builder.zext(_scaled(builder, words, word), _SUM)
        total = builder.add(total, builder.shl(row, ir.Constant(_SUM, 64 * i)))
    return total


def _reduced(builder: ir.IRBuilder, total: ir.Value, *limits: int) -> ir.Value:
    """Return total / 2**256 modulo r (Montgomery's reduction), less than r more than the quotient.

    Each of `limits` is then taken off if the number is not below it.
    """
    order = [ir.Constant(_WORD, ORDER >> 64 * i & 2**64 - 1) for i in range(4)]
    factor = ir.Constant(_WORD, -pow(ORDER, -1, 2**64) % 2**64)
    for _ in range(4):
        multiple = builder.mul(builder.trunc(total, _WORD), factor)
        row = builder.zext(_scaled(builder, order, multiple), _SUM)
        total = builder.lshr(builder.add(total, row), ir.Constant(_SUM, 64))
    value = _less(builder, builder.trunc(total, ir.IntType(320)), *limits)
    return builder.trunc(value, _ELEMENT)


def _less(builder: ir.IRBuilder, value: ir.Value, *limits: int) -> ir.Value:
    """Return `value`, less each of `limits` in turn that it is not below."""
    for limit in limits:
        constant = ir.Constant(value.type, limit)
        below = builder.icmp_unsigned("<", value, constant)
        value = builder.select(below, value, builder.sub(value, constant))
    return value


def fifth_power(builder: ir.IRBuilder, out: ir.Value, x: ir.Value) -> None:
    """Write x**5."""
    base = _load(builder, x)
    square = _reduced(builder, _product(builder, base, base))
    fourth = _reduced(builder, _product(builder, square, square))
    _store(builder, out, _reduced(builder, _product(builder, fourth, base)))


def start(builder: ir.IRBuilder, number: ir.Value) -> Values:
    """Return number * 2**256, not reduced."""
    total = builder.zext(_load(builder, number), _SUM)
    return [builder.shl(total, ir.Constant(_SUM, 256))]


def accumulate(builder: ir.IRBuilder, values: Values, factor: ir.Value, number: ir.Value) -> Values:
    """Return the sum with factor * number added."""
    product = _product(builder, _load(builder, factor), _load(builder, number))
    return [builder.add(values[0], product)]


def finish(builder: ir.IRBuilder, out: ir.Value, values: Values, unit: ir.Value) -> None:
    """Write the sum plus unit * 2**256, reduced; before limits it is below 16 r."""
    added = builder.shl(builder.zext(_load(builder, unit), _SUM), ir.Constant(_SUM, 256))
    total = builder.add(values[0], added)
    _store(builder, out, _reduced(builder, total, 8 * ORDER, 4 * ORDER, 2 * ORDER))


def enter(
    builder: ir.IRBuilder, out: ir.Value, words: ir.Value, added: ir.Value, number: ir.Value
) -> None:
    """Write words + added + number: below 4 r before the limit."""
    total = builder.add(_load(builder, words), _load(builder, added))
    total = builder.add(total, _load(builder, number))
    _store(builder, out, _less(builder, total, 2 * ORDER))


def leave(builder: ir.IRBuilder, words: ir.Value, x: ir.Value) -> None:
    """Write an element's value below r as words."""
    _store(builder, words, _less(builder, _load(builder, x), ORDER))
