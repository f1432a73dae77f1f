"""What a processor could do at most: the operations of a hash, and how many it does a second.

A hash is fifth powers (two squares, a product, three reductions each) and sums (products and one
reduction each). How many there are follows from the permutation (`provenance.poseidon.normalised`);
how many operations each takes, from the machine. The rate is that of the same operations, as many
of each kind, when they wait for nothing and touch no memory.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numba
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from provenance.poseidon import fma, ifma
from provenance.poseidon.parameters import FULL_ROUNDS, parameters

BURSTS: Final = 500_000
Chain = tuple[ir.Value, Callable[[ir.Value], ir.Value]]
"""A vector to begin with, and the operation that is done on it again and again."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The operations of a hash of width 3, given those of its parts, for so many `lanes`."""

    square: int
    product: int
    reduction: int
    lanes: int
    kind: str

    @property
    def arithmetic(self) -> str:
        """Return the sum in words."""
        return (
            f"{FIFTHS} x (2 x {self.square} + {self.product} + 3 x {self.reduction})"
            f" + {PRODUCTS} x {self.product} + {SUMS} x {self.reduction}"
            f" = {self.operations:,} {self.kind} for {self.lanes} hashes"
        )

    @property
    def operations(self) -> int:
        """Return how many operations so many hashes take."""
        fifth = 2 * self.square + self.product + 3 * self.reduction
        return FIFTHS * fifth + PRODUCTS * self.product + SUMS * self.reduction


WIDTH: Final = 3
PARTIAL: Final = parameters(WIDTH).partial_rounds
FIFTHS: Final = FULL_ROUNDS * WIDTH + PARTIAL
SUMS: Final = (FULL_ROUNDS - 2) * WIDTH + (PARTIAL + 1) + (WIDTH - 1) + 1
"""Of six full rounds, of the recurrence, back to the lanes, and the hash."""
PRODUCTS: Final = (
    (FULL_ROUNDS - 2) * WIDTH * (WIDTH - 1)
    + (PARTIAL + 1) * 2 * (WIDTH - 1)
    + (WIDTH - 1) * (2 * WIDTH - 3)
    + WIDTH
)
"""In the same, factors of 1 left out."""
COUNTED: Final = {
    "ifma": Counted(30, 50, 51, ifma.LANES, "vpmadd52"),
    "fma": Counted(15 * 6, 25 * 6, 25 * 6 + 3, fma.LANES, "FMA, FADD and integer additions"),
}
"""On FMA, a product of two limbs takes two operations of each kind."""


def limit(machine: str) -> float:
    """Return the hashes a second at which the processor would do nothing but these operations."""
    counted = COUNTED[machine]
    return _rate({"ifma": _ifma, "fma": _fma}[machine]) / counted.operations * counted.lanes


def _rate(chains: Callable[[ir.IRBuilder], list[Chain]]) -> float:
    """Return the operations a second of chains that do not wait for each other."""
    done = 0

    @intrinsic
    def bursts(typing: object, count: object) -> tuple[object, object]:  # noqa: ARG001
        def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
            nonlocal done
            begun = chains(builder)
            done = len(begun)
            places = [builder.alloca(value.type) for value, _ in begun]
            for place, (value, _) in zip(places, begun, strict=True):
                builder.store(value, place)
            with cgutils.for_range(builder, values[0]):
                for place, (_, work) in zip(places, begun, strict=True):
                    builder.store(_opaque(builder, work(builder.load(place))), place)
            return values[0]

        return numba.intp(numba.intp), code

    @numba.njit
    def run(count: int) -> Any:  # noqa: ANN401
        return bursts(count)  # type: ignore[call-arg]  # numba hands over the first itself

    run(1)
    seconds = []
    for _ in range(9):
        start = time.thread_time()
        run(BURSTS)
        seconds.append(time.thread_time() - start)
    return BURSTS * done / min(seconds)


def _opaque(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return the value, of which LLVM then knows nothing; no instruction comes of it."""
    kind = ir.FunctionType(value.type, [value.type])
    return builder.call(ir.InlineAsm(kind, "", "=x,0"), [value])


def _ifma(builder: ir.IRBuilder) -> list[Chain]:
    x = _opaque(builder, ir.Constant(ifma.KIND, [2**51 + 1] * 8))

    def added(half: str) -> Callable[[ir.Value], ir.Value]:
        return lambda column: ifma.vpmadd52(builder, half, column, x, x)

    return [(x, added("lh"[i % 2])) for i in range(12)]


def _fma(builder: ir.IRBuilder) -> list[Chain]:
    """Return four chains of each kind; each takes up to four cycles."""
    doubles, integers = ir.VectorType(ir.DoubleType(), 4), ir.VectorType(ir.IntType(64), 4)
    half = _opaque(builder, ir.Constant(doubles, [0.5] * 4))
    one = _opaque(builder, ir.Constant(integers, [1] * 4))
    return [
        *[(half, lambda value: fma.fused(builder, value, half, half))] * 5,
        *[(half, lambda value: builder.fadd(value, half))] * 5,
        *[(one, lambda value: builder.add(value, one))] * 5,
    ]
