"""The worst case of lazy reduction, by interval arithmetic over the numbers really used.

Machines reduce a sum only so far that it fits where it goes. Here each machine's steps are done on
the largest value that an element may have, and on the largest and smallest of each column, in the
order of the permutation, for every width, and for ezkl's sponge, whose state is carried from block
to block. Nothing is rounded.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from typing_extensions import override

from provenance.field import ORDER
from provenance.poseidon.normalised import normalised
from provenance.poseidon.parameters import FULL_ROUNDS, WIDTHS, parameters

vectors = pytest.importorskip("provenance.poseidon.vectors", reason="machines need llvmlite")

FULL_LIMB = 2**52 - 1


def limbs(largest: int) -> list[int]:
    """Return the largest limbs of an element up to `largest`."""
    assert 0 <= largest < 2**260, "the top limb has 52 bits"
    return [min(largest, FULL_LIMB)] * 4 + [largest >> 208]


class Columns:
    """The ten columns of IFMA: each is never negative and must stay below 2**64."""

    def __init__(self) -> None:
        self.high, self.low = [0] * 10, [0] * 10

    def add(self, at: int, largest: int, least: int = 0) -> None:
        self.high[at] += largest
        self.low[at] += least
        self.check(at)

    def check(self, at: int) -> None:
        assert self.low[at] == 0
        assert self.high[at] < 2**64, "a column has 64 bits"

    def multiply(self, at: int, x: int, y: int) -> None:
        self.add(at, min(x * y, FULL_LIMB))
        self.add(at + 1, x * y >> 52)

    def product(self, x: Sequence[int], y: Sequence[int]) -> None:
        for i in range(5):
            for j in range(5):
                self.multiply(i + j, x[i], y[j])

    def square(self, x: Sequence[int]) -> None:
        for i in range(5):
            for j in range(i):
                self.multiply(i + j, x[i], x[j])
        for at in range(10):
            self.high[at], self.low[at] = 2 * self.high[at], 2 * self.low[at]
            self.check(at)
        for i in range(5):
            self.multiply(2 * i, x[i], x[i])

    def carry(self, first: int, last: int) -> None:
        for at in range(first, last):
            self.add(at + 1, self.high[at] >> 52, self.low[at] >> 52)

    def vanish(self) -> None:
        for i, limb in enumerate(vectors.ORDER_LIMBS):
            self.multiply(4 + i, FULL_LIMB, limb)

    def reduce(self) -> None:
        self.carry(0, 4)
        for fold in vectors.FOLDS:
            for i, limb in enumerate(fold):
                self.multiply(4 + i, FULL_LIMB, limb)
        self.vanish()
        self.carry(4, 9)


class SignedColumns(Columns):
    """The columns of FMA: a half is rounded to the nearest, and a bias of 2**62 makes positive."""

    @override
    def check(self, at: int) -> None:
        assert -(2**62) <= self.low[at] <= self.high[at] < 2**64 - 2**62

    @override
    def multiply(self, at: int, x: int, y: int) -> None:
        assert x * y < 2**104, "a half is seen in the bits of 2**104 plus it"
        self.add(at, min(x * y, 2**51), -(2**51))
        self.add(at + 1, x * y + 2**51 >> 52)

    @override
    def vanish(self) -> None:
        for i, limb in enumerate(vectors.ORDER_LIMBS):
            assert limb << 51 < 2**103, "and of 1.5 * 2**104"
            self.add(4 + i, 2**51, -(2**51))
            self.add(5 + i, (limb << 51) + 2**51 >> 52, -((limb << 51) + 2**51 >> 52))
            self.add(5 + i, limb, 0)


class Vectors:
    """An element's largest value on IFMA."""

    columns: type[Columns] = Columns
    montgomery = 2**260
    multiple = FULL_LIMB * ORDER
    added = 0

    def reduced(self, largest: int, columns: Columns) -> int:
        columns.reduce()
        fold = FULL_LIMB * sum(x << 52 * i for fold in vectors.FOLDS for i, x in enumerate(fold))
        result: int = (largest + (fold + self.multiple << 208) >> 260) + self.added
        limbs(result)
        return result

    def squared(self, x: int) -> int:
        columns = self.columns()
        columns.square(limbs(x))
        return self.reduced(x * x, columns)

    def fifth(self, x: int) -> int:
        fourth, columns = self.squared(self.squared(x)), self.columns()
        columns.product(limbs(fourth), limbs(x))
        return self.reduced(fourth * x, columns)

    def sum(self, unit: int, numbers: Sequence[int], factors: Sequence[int]) -> int:
        columns = self.columns()
        for at in range(5):
            columns.add(5 + at, limbs(unit)[at] + limbs(numbers[0])[at])
        for number, factor in zip(numbers[1:], factors, strict=True):
            columns.product(limbs(factor), vectors.limbs(number))
        products = sum(map(int.__mul__, numbers[1:], factors))
        return self.reduced((unit + numbers[0] << 260) + products, columns)

    def entered(self, added: int, number: int) -> int:
        limbs(ORDER - 1 + added + number)
        return ORDER - 1 + added + number

    def leave(self, largest: int) -> None:
        assert largest < 16 * ORDER, "8, 4, 2 and 1 r are taken off"


class Doubles(Vectors):
    """On FMA: the multiple of r lies between -r/2 and r/2, and r is added."""

    columns = SignedColumns
    multiple = 2**51 * ORDER
    added = ORDER


class Words(Vectors):
    """On words: elements are below 2 r after every step."""

    montgomery = 2**256

    def quotient(self, total: int) -> int:
        assert total + ORDER * 2**256 < 2**576, "a sum has 576 bits"
        return total + ORDER * (2**256 - 1) >> 256

    @override
    def fifth(self, x: int) -> int:
        square = self.quotient(x * x)
        fifth = self.quotient(self.quotient(square * square) * x)
        assert fifth < 2 * ORDER < 2**256
        return fifth

    @override
    def sum(self, unit: int, numbers: Sequence[int], factors: Sequence[int]) -> int:
        products = sum(map(int.__mul__, numbers[1:], factors))
        assert self.quotient((unit + numbers[0] << 256) + products) < 16 * ORDER < 2**320
        return 2 * ORDER - 1

    @override
    def entered(self, added: int, number: int) -> int:
        assert ORDER - 1 + added + number < 4 * ORDER < 2**256
        return 2 * ORDER - 1

    @override
    def leave(self, largest: int) -> None:
        assert largest < 2 * ORDER


def permuted(machine: Vectors, state: list[int]) -> list[int]:
    """Return the largest elements after the permutation of a state of such largest elements."""
    width = len(state)
    chosen = normalised(width, machine.montgomery)
    numbers = iter([x * machine.montgomery % ORDER for x in chosen])

    def row(others: Sequence[int], unit: int) -> int:
        return machine.sum(unit, [next(numbers) for _ in range(len(others) + 1)], others)

    def full_rounds(state: list[int]) -> list[int]:
        for _ in range(FULL_ROUNDS // 2 - 1):
            *others, unit = map(machine.fifth, state)
            state = [row(others, unit) for _ in state]
        return list(map(machine.fifth, state))

    past = [0] * (width - 1)
    past += full_rounds([machine.entered(each, next(numbers)) for each in state])
    for _ in range(parameters(width).partial_rounds):
        past.append(row(past[1 - 2 * width : -1], past[-1]))
        past.append(machine.fifth(past[-1]))
    newest = row(past[1 - 2 * width : -1], past[-1])
    state = [*(row(past[3 - 2 * width :], newest) for _ in state[1:]), newest]
    boxed = full_rounds(state)
    state = [row(boxed, 0) for _ in state]
    assert next(numbers, None) is None
    return state


@pytest.mark.parametrize("machine", [Vectors(), Doubles(), Words()], ids=["ifma", "fma", "scalar"])
@pytest.mark.parametrize(
    "width",
    [
        # What formats use, and the ends; sums grow with the width.
        width if width in {*WIDTHS[:3], WIDTHS[-1]} else pytest.param(width, marks=pytest.mark.slow)
        for width in WIDTHS
    ],
)
def test_no_element_and_no_column_overflows(machine: Vectors, width: int) -> None:
    machine.leave(permuted(machine, [0] * width)[-1])


@pytest.mark.parametrize("machine", [Vectors(), Doubles(), Words()], ids=["ifma", "fma", "scalar"])
def test_none_does_in_a_sponge_of_any_length(machine: Vectors) -> None:
    largest = permuted(machine, [4 * ORDER if machine.montgomery > 2**256 else 2 * ORDER - 1] * 2)
    assert max(largest) < 4 * ORDER  # so it may stand before the next block, too
    machine.leave(largest[-1])


@pytest.mark.parametrize(("machine", "factor"), [(Vectors(), 90), (Doubles(), 90), (Words(), 8)])
def test_a_larger_state_would_be_noticed(machine: Any, factor: int) -> None:
    with pytest.raises(AssertionError):
        permuted(machine, [factor * ORDER] * 3)
