"""A builder that writes no code but does on intervals what the code would do.

A machine's own text is run with it. Numbers are whole; integers are modulo 2**64, and a shift or a
mask, which would tell one remainder from another, refuses an interval that goes beyond a multiple.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from llvmlite import ir

WORD: Final = 2**64
LIMB: Final = 2**52
Address = str


@dataclass(frozen=True, eq=False)
class Interval:
    """All whole numbers from `low` to `high`, as a vector of `type`.

    Attributes:
        rounded: The factors and the start, if it is start + left * right as a double.
        short: Such a value, if it is that value's start less it.
    """

    type: ir.Type
    low: int
    high: int
    rounded: tuple["Interval", "Interval", int] | None = None
    short: "Interval | None" = None

    @property
    def bounds(self) -> tuple[int, int]:
        return self.low, self.high


def values(constant: ir.Constant) -> Interval:
    """Return a constant that is the same in every lane."""
    first = constant.constant
    while isinstance(first, list | ir.Constant):
        first = first[0] if isinstance(first, list) else first.constant
    exact = int(first)
    assert exact == first
    return Interval(constant.type, exact, exact)


def of(value: Any) -> Interval:
    return value if isinstance(value, Interval) else values(value)


@dataclass
class Builder:
    """What the machines need of LLVM's builder.

    Attributes:
        memory: The vectors at each address.
        module: For the names of functions.
        carried: What was added to the next column from 52 bits on, so that it may be lost here.
    """

    memory: dict[Address, Sequence[Interval]]
    module: ir.Module = field(default_factory=ir.Module)
    carried: set[Interval] = field(default_factory=set)

    def inttoptr(self, address: Address, _: ir.Type) -> Address:
        return address

    def gep(self, address: Address, places: list[ir.Constant]) -> tuple[Address, int]:
        return address, places[0].constant

    def load(self, place: tuple[Address, int], align: int = 8) -> Interval:
        assert align
        address, at = place
        return self.memory[address][at]

    def store(self, value: Interval, place: tuple[Address, int], align: int = 8) -> None:
        assert align
        address, at = place
        before = self.memory.get(address, ())
        self.memory[address] = [*before[:at], of(value)]

    def insert_element(self, _: Any, value: Interval, __: Any) -> Interval:
        return value

    def shuffle_vector(self, value: Interval, nothing: ir.Constant, _: Any) -> Interval:
        return Interval(nothing.type, *value.bounds)

    def add(self, left: Any, right: Any) -> Interval:
        x, y = of(left), of(right)
        return Interval(x.type, x.low + y.low, x.high + y.high)

    def sub(self, left: Any, right: Any) -> Interval:
        x, y = of(left), of(right)
        return Interval(x.type, x.low - y.high, x.high - y.low)

    def and_(self, left: Any, mask: Any) -> Interval:
        x, most = unsigned(of(left)), of(mask).low
        assert most & (most + 1) == 0
        return x if x.high <= most else Interval(x.type, 0, most)

    def or_(self, left: Any, right: Any) -> Interval:
        x, y = unsigned(of(left)), unsigned(of(right))
        if y.low == y.high and y.low % LIMB == 0:
            assert x.high < LIMB, "the bits of a double would be changed"
            return self.add(x, y)
        return Interval(x.type, 0, 2 ** max(x.high.bit_length(), y.high.bit_length()) - 1)

    def lshr(self, value: Any, by: Any) -> Interval:
        x, bits = of(value), of(by).low
        if bits == 52:
            self.carried.add(x)
        rest = unsigned(x)
        return Interval(x.type, rest.low >> bits, rest.high >> bits)

    def ashr(self, value: Any, by: Any) -> Interval:
        x, bits = of(value), of(by).low
        assert -WORD // 2 <= x.low <= x.high < WORD // 2, "a carry leaves 64 bits"
        return Interval(x.type, x.low >> bits, x.high >> bits)

    def shl(self, value: Any, by: Any) -> Interval:
        x, bits = of(value), of(by).low
        return Interval(x.type, 0, min(x.high << bits, WORD - 1))

    def fadd(self, left: Any, right: Any) -> Interval:
        return exact_double(self.add(left, right))

    def fsub(self, left: Any, right: Any) -> Interval:
        x, y = of(left), of(right)
        if y.rounded:
            assert x.low == x.high == y.rounded[2]
            return Interval(x.type, x.low - y.high, x.high - y.low, short=y)
        return exact_double(self.sub(x, y))

    def bitcast(self, value: Any, kind: ir.Type) -> Interval:
        """Return the bits of doubles between one power of 2 and the next, or such doubles."""
        x = of(value)
        if kind.element == ir.DoubleType():
            power = (x.low >> 52) - 1023
            assert power == (x.high >> 52) - 1023 == 52
            return Interval(kind, LIMB + x.low % LIMB, LIMB + x.high % LIMB)
        power = x.low.bit_length() - 1
        # The bits go on evenly up to the next power, which is included.
        assert power >= 52, "a double leaves its binade"
        assert x.high <= 2 ** (power + 1), "a double leaves its binade"
        start, ulp = (1023 + power) << 52, 2 ** (power - 52)
        low, high = ((bound - 2**power) // ulp for bound in x.bounds)
        return Interval(kind, start + low, start + high)

    def call(self, function: Any, arguments: Sequence[Any]) -> Interval:
        if isinstance(function, ir.InlineAsm):
            return of(arguments[0])
        x, y, z = map(of, arguments)  # `of` returns intervals themselves: `carried` knows them
        if "vpmadd52" not in function.name:
            assert "fma" in function.name
            return fused(x, y, z)
        upper = "vpmadd52h" in function.name
        if upper or x.bounds != (0, 0):  # the lowest bits of one product do not feel the others
            assert max(y.high, z.high) < LIMB or {y, z} & self.carried, "a limb is cut"
        return multiplied(x, y, z, upper=upper)


def unsigned(x: Interval) -> Interval:
    """Return the remainders modulo 2**64, which must be one interval."""
    assert x.low // WORD == x.high // WORD, "a column leaves 64 bits"
    return Interval(x.type, x.low % WORD, x.high % WORD)


def exact_double(x: Interval) -> Interval:
    assert max(-x.low, x.high) <= 2**53, "a sum is no double"
    return x


def multiplied(column: Interval, x: Interval, y: Interval, *, upper: bool) -> Interval:
    """Return what vpmadd52 gives: it sees the lowest 52 bits of x and y."""
    most = min(unsigned(x).high, LIMB - 1) * min(unsigned(y).high, LIMB - 1)
    total = Interval(
        column.type, column.low, column.high + (most >> 52 if upper else min(most, LIMB - 1))
    )
    unsigned(total)
    return total


def fused(x: Interval, y: Interval, z: Interval) -> Interval:
    """Return x * y + z, rounded: z is a start, or what a start lacks of the same sum."""
    corners = [a * b for a in x.bounds for b in y.bounds]
    if z.short:
        factors = z.short.rounded
        assert factors
        assert factors[0].bounds == x.bounds
        assert factors[1].bounds == y.bounds
        most = min(LIMB // 2, max(map(abs, corners)))
        return Interval(z.type, -most, most)
    assert z.low == z.high
    low, high = ((corner + LIMB // 2) // LIMB * LIMB for corner in (min(corners), max(corners)))
    return Interval(z.type, z.low + low, z.high + high, rounded=(x, y, z.low))
