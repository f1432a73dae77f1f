"""The machines' own text, run on intervals: nothing overflows, whatever is hashed.

`test_bounds` follows the values; here the very code that is compiled is run instead, so that no
step can differ. Both run in the order of the permutation, over the numbers really used.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import pytest

from provenance.field import ORDER
from provenance.poseidon.normalised import normalised
from provenance.poseidon.parameters import WIDTHS, parameters

ir = pytest.importorskip("llvmlite.ir", reason="machines need llvmlite")
permutation = pytest.importorskip("provenance.poseidon.permutation")
intervals = pytest.importorskip("tests.provenance.poseidon.intervals")
primitives = pytest.importorskip("provenance.poseidon.primitives")

LIMB = 2**52
TOP = 8 * ORDER >> 208
"""Of an element before a block; the tests prove that it is so before the next one."""
INTEGERS = ir.VectorType(ir.IntType(64), 8)
DOUBLES = ir.VectorType(ir.DoubleType(), 4)
Element = tuple[tuple[int, int], ...]


class Machine:
    """A machine whose elements are bounds; `vectors` of a kind are written for one of them."""

    def __init__(self, name: str) -> None:
        self.text = primitives.MACHINES[name]
        self.kind, self.vectors = (INTEGERS, 2) if name == "ifma" else (DOUBLES, 1)
        self.words = ir.VectorType(ir.IntType(64), self.kind.count)
        self.fifth_power = cache(self._fifth_power)

    def numbers(self, width: int) -> list[Element]:
        table = self.text.table(normalised(width, self.text.MONTGOMERY))
        table = table.view(float) if self.kind is DOUBLES else table
        return [tuple((int(limb), int(limb)) for limb in row) for row in table]

    def enter(self, words: Element, added: Element, number: Element) -> Element:
        builder = self._builder(added=added, number=number)
        rows = [intervals.Interval(self.words, *row) for row in words for _ in range(self.vectors)]
        builder.memory["words"] = rows
        self.text.enter(builder, "out", "words", "added", "number")
        return self._written(builder)

    def weighted_sum(
        self, unit: Element, factors: list[Element], numbers: list[Element]
    ) -> Element:
        builder = self._builder(number=numbers[0], unit=unit)
        total = self.text.start(builder, "number")
        for factor, number in zip(factors, numbers[1:], strict=True):
            builder.memory |= self._builder(factor=factor, number=number).memory
            total = self.text.accumulate(builder, total, "factor", "number")
        self.text.finish(builder, "out", total, "unit")
        return self._written(builder)

    def _fifth_power(self, x: Element) -> Element:
        builder = self._builder(x=x)
        self.text.fifth_power(builder, "out", "x")
        return self._written(builder)

    def _builder(self, **elements: Element) -> Any:
        return intervals.Builder(
            {
                name: [intervals.Interval(self.kind, *limb) for limb in element * self.vectors]
                for name, element in elements.items()
            }
        )

    def _written(self, builder: Any) -> Element:
        return tuple(limb.bounds for limb in builder.memory["out"][:5])


def text(
    machine: Machine, memory: dict[int, Element], numbers: list[Element]
) -> Callable[..., Any]:
    """Return the permutation's text for elements and numbers of the size 1."""

    def fifth_power(_: None, out: int, x: int) -> None:
        memory[out] = machine.fifth_power(memory[x])

    def weighted_sum(_: None, out: int, unit: int, factors: int, count: int, at: int) -> None:
        terms = [memory[factors + i] for i in range(count)]
        memory[out] = machine.weighted_sum(memory[unit], terms, numbers[at : at + count + 1])

    space = {**vars(permutation), "element_bytes": lambda _: 1, "number_bytes": lambda _: 1}
    space |= {"fifth_power": fifth_power, "weighted_sum": weighted_sum}
    for name, found in vars(permutation).items():
        if hasattr(found, "py_func"):
            space[name] = FunctionType(found.py_func.__code__, space)
    return space["permute"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module", params=["fma", "ifma"])
def machine(request: pytest.FixtureRequest) -> Machine:
    return Machine(request.param)


def block(machine: Machine, width: int, top: int) -> list[Element]:
    """Return the state after a block, from one whose elements have top limbs up to `top`."""
    words = *[(0, 2**64 - 1)] * 3, (0, ORDER >> 192)
    before = *[(0, LIMB - 1)] * 4, (0, top)
    numbers, zeros = machine.numbers(width), width
    memory = {i: machine.enter(words, before, numbers[i]) for i in range(width)}
    memory |= {zeros + i: ((0, 0),) * 5 for i in range(width - 1)}
    permute = text(machine, memory, numbers[width:])
    permute(None, 0, zeros, width, parameters(width).partial_rounds, 0, width)
    return [memory[i] for i in range(width)]


@pytest.mark.parametrize(
    "width",
    [
        # Wider ones run the same text for longer; `test_bounds` follows the widest's values too.
        width if width in {2, 3, 4} else pytest.param(width, marks=pytest.mark.slow)
        for width in WIDTHS
    ],
)
def test_nothing_overflows_in_any_block(machine: Machine, width: int) -> None:
    """By induction: a state within bounds, as zeros are, is within them after any block."""
    for *limbs, (low, high) in block(machine, width, TOP):
        assert all(0 <= least <= most < LIMB for least, most in limbs)
        assert 0 <= low <= high <= TOP
        assert high + 1 << 208 <= 16 * ORDER  # which `leave` takes off


def test_a_larger_state_would_be_noticed(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"cut|double"):
        block(machine, 3, LIMB - 1)
