"""Code for vectors of numbers in limbs of 52 bits: what the FMA and the IFMA machine share.

An element is five limbs for each of `lanes` hashes, lowest limb first: value = sum of
limb i * 2**(52 i). It is in Montgomery form, times 2**260, and only loosely reduced (`bounds`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from provenance.field import ORDER

BITS: Final = 52
LIMBS: Final = 5
MASK: Final = 2**BITS - 1
MONTGOMERY: Final = 2 ** (BITS * LIMBS)

Vector = ir.Value
Limbs = list[ir.Value]
WORD: Final = ir.IntType(64)


def limbs(value: int, count: int = LIMBS) -> list[int]:
    """Return the limbs of a number, lowest first."""
    return [value >> BITS * i & MASK for i in range(count)]


ORDER_LIMBS: Final = tuple(limbs(ORDER))
FOLDS: Final = tuple(limbs(pow(2, -BITS * (4 - i), ORDER)) for i in range(4))
"""What limb i, of the weight 2**(52 i), is replaced by at the weight 2**208: the same modulo r."""
QUOTIENT: Final = -pow(ORDER, -1, 2**BITS) % 2**BITS
"""Limb 4 times this is how often r at the weight 2**208 makes limb 4 vanish."""


def table(numbers: Iterable[int]) -> NDArray[np.uint64]:
    """Return numbers in Montgomery form, shape (numbers, 5 limbs)."""
    return np.array([limbs(number * MONTGOMERY % ORDER) for number in numbers], np.uint64)


def splat(lanes: int, value: int) -> ir.Constant:
    """Return the vector that has `value`, modulo 2**64, in every lane."""
    return ir.Constant(ir.VectorType(WORD, lanes), [value % 2**64] * lanes)


def load(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type, count: int) -> Limbs:
    """Return so many vectors of `kind` from an address on."""
    pointer = builder.inttoptr(address, kind.as_pointer())
    places = (builder.gep(pointer, [ir.Constant(WORD, i)]) for i in range(count))
    return [builder.load(place, align=8 * kind.count) for place in places]


def store(builder: ir.IRBuilder, address: ir.Value, values: Sequence[ir.Value]) -> None:
    """Write vectors from an address on."""
    pointer = builder.inttoptr(address, values[0].type.as_pointer())
    for i, value in enumerate(values):
        place = builder.gep(pointer, [ir.Constant(WORD, i)])
        builder.store(value, place, align=8 * value.type.count)


def load_number(builder: ir.IRBuilder, address: ir.Value, kind: ir.VectorType) -> Limbs:
    """Return the five limbs of a table's number, each in all lanes."""
    pointer = builder.inttoptr(address, kind.element.as_pointer())
    index = ir.IntType(32)
    nothing, lanes = ir.Constant(kind, ir.Undefined), ir.VectorType(index, kind.count)
    vectors = []
    for i in range(LIMBS):
        limb = builder.load(builder.gep(pointer, [ir.Constant(WORD, i)]))
        first = builder.insert_element(nothing, limb, ir.Constant(index, 0))
        vectors.append(builder.shuffle_vector(first, nothing, ir.Constant(lanes, [0] * kind.count)))
    return vectors


def limbs_of_words(builder: ir.IRBuilder, words: Limbs) -> Limbs:
    """Return four words of 64 bits as five limbs of 52."""
    lanes = words[0].type.count
    mask = splat(lanes, MASK)
    found = [builder.and_(words[0], mask)]
    for i in range(3):
        low = builder.lshr(words[i], splat(lanes, BITS - 12 * i))
        high = builder.shl(words[i + 1], splat(lanes, 12 + 12 * i))
        found.append(builder.and_(builder.or_(low, high), mask))
    return [*found, builder.lshr(words[3], splat(lanes, 16))]


def words_of_limbs(builder: ir.IRBuilder, values: Limbs) -> Limbs:
    """Return five limbs, of 52 bits each, of a number below 2**256 as four words."""
    lanes = values[0].type.count
    return [
        builder.or_(
            builder.lshr(values[i], splat(lanes, 12 * i)),
            builder.shl(values[i + 1], splat(lanes, BITS - 12 * i)),
        )
        for i in range(4)
    ]


def canonical(builder: ir.IRBuilder, values: Limbs) -> Limbs:
    """Return the number below r that equals one below 16 r; limbs of 52 bits, but the last."""
    lanes = values[0].type.count
    for power in (8, 4, 2, 1):
        less = carried(
            builder,
            [
                builder.sub(limb, splat(lanes, taken))
                for limb, taken in zip(values, limbs(power * ORDER), strict=True)
            ],
        )
        negative = builder.icmp_signed("<", less[-1], splat(lanes, 0))
        values = [builder.select(negative, a, b) for a, b in zip(values, less, strict=True)]
    return values


def carried(builder: ir.IRBuilder, values: Limbs) -> Limbs:
    """Return the same number with 52 bits in all limbs but the last; limbs may be negative."""
    lanes = values[0].type.count
    done = []
    carry: ir.Value = splat(lanes, 0)
    for value in values[:-1]:
        total = builder.add(value, carry)
        done.append(builder.and_(total, splat(lanes, MASK)))
        carry = builder.ashr(total, splat(lanes, BITS))
    return [*done, builder.add(values[-1], carry)]
