"""The operations that every machine has, as functions that compiled code may call.

Their first argument is the machine's token, whose type says for which machine code is to be
written: so one text is compiled for each machine, and numba keeps them apart. All others are
addresses: of elements (`ELEMENT_BYTES`, for a whole group of hashes), of a table's numbers
(`NUMBER_BYTES`), or of words (for each of four words, one of each hash of the group).
"""

from collections.abc import Callable, Iterable
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from typing import Final, Protocol, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from provenance.poseidon import fma, scalar
from provenance.poseidon.ifma import Ifma

Function = TypeVar("Function", bound=Callable[..., object])
Kind = numba.types.Type
Token = np.unsignedinteger
Values = list[ir.Value]
_ADDRESS: Final = ir.IntType(64)


class Machine(Protocol):
    """Writes code for elements in its own form; all its functions are given addresses."""

    @property
    def MONTGOMERY(self) -> int:  # noqa: N802  # machines are modules, these their constants
        """Return what it divides products by."""

    @property
    def GROUP(self) -> int:  # noqa: N802
        """Return how many hashes it computes at once."""

    @property
    def ELEMENT_BYTES(self) -> int:  # noqa: N802
        """Return the size of an element of all hashes of a group."""

    @property
    def NUMBER_BYTES(self) -> int:  # noqa: N802
        """Return the size of a number in its table."""

    @property
    def FEATURES(self) -> frozenset[str]:  # noqa: N802
        """Return what the processor must have."""

    def table(self, numbers: Iterable[int]) -> NDArray[np.uint64]:
        """Return numbers as they are loaded."""

    def enter(
        self,
        builder: ir.IRBuilder,
        out: ir.Value,
        words: ir.Value,
        added: ir.Value,
        number: ir.Value,
    ) -> None:
        """Write the element words + added + number."""

    def fifth_power(self, builder: ir.IRBuilder, out: ir.Value, x: ir.Value) -> None:
        """Write the element x**5."""

    def start(self, builder: ir.IRBuilder, number: ir.Value) -> Values:
        """Return the sum of a number, not reduced."""

    def accumulate(
        self, builder: ir.IRBuilder, values: Values, factor: ir.Value, number: ir.Value
    ) -> Values:
        """Return the sum with factor * number added."""

    def finish(self, builder: ir.IRBuilder, out: ir.Value, values: Values, unit: ir.Value) -> None:
        """Write the element that a sum plus the element `unit` is."""

    def leave(self, builder: ir.IRBuilder, words: ir.Value, x: ir.Value) -> None:
        """Write an element's words, below r."""


MACHINES: Final[dict[str, Machine]] = {"ifma": Ifma(), "fma": fma, "scalar": scalar}
"""Fastest first."""
TOKENS: Final[dict[str, Token]] = {
    "ifma": np.uint32(0),
    "fma": np.uint16(0),
    "scalar": np.uint8(0),
}
BY_KIND: Final[dict[Kind, Machine]] = {
    numba.uint32: MACHINES["ifma"],
    numba.uint16: MACHINES["fma"],
    numba.uint8: MACHINES["scalar"],
}


def _weighted_sum(machine: Machine) -> Callable[..., None]:
    """Return what writes the sum over factors: a loop that keeps the sum in registers.

    The unit comes last, since it is the last to be known: nothing else waits for it.
    """

    def write(
        builder: ir.IRBuilder,
        out: ir.Value,
        unit: ir.Value,
        factors: ir.Value,
        count: ir.Value,
        numbers: ir.Value,
    ) -> None:
        columns = machine.start(builder, numbers)
        places = [builder.alloca(each.type) for each in columns]
        for place, value in zip(places, columns, strict=True):
            builder.store(value, place)
        with cgutils.for_range(builder, count) as loop:
            next_one = builder.add(loop.index, ir.Constant(_ADDRESS, 1))
            factor = _at(builder, factors, loop.index, machine.ELEMENT_BYTES)
            number = _at(builder, numbers, next_one, machine.NUMBER_BYTES)
            values = [builder.load(place) for place in places]
            values = machine.accumulate(builder, values, factor, number)
            for place, value in zip(places, values, strict=True):
                builder.store(value, place)
        machine.finish(builder, out, [builder.load(place) for place in places], unit)

    return write


def _at(builder: ir.IRBuilder, start: ir.Value, index: ir.Value, size: int) -> ir.Value:
    return builder.add(start, builder.mul(index, ir.Constant(_ADDRESS, size)))


WRITERS: Final[dict[str, Callable[[Machine], Callable[..., None]]]] = {
    "enter": lambda machine: machine.enter,
    "fifth_power": lambda machine: machine.fifth_power,
    "weighted_sum": _weighted_sum,
    "leave": lambda machine: machine.leave,
}


def _operation(stub: Function) -> Function:
    """Return the operation of the name, of all machines, as a function for compiled code.

    It is taken into each of its few callers, which is faster than calls of it.
    """
    name = stub.__name__

    def describe(_typing: object, token: Kind, *addresses: Kind) -> tuple[object, object]:
        def code(
            _context: object, builder: ir.IRBuilder, _signature: object, values: Values
        ) -> ir.Value:
            function = builder.module.globals.get(name)
            if function is None:
                write = WRITERS[name](BY_KIND[token])
                function = _define(builder.module, name, write, len(addresses))
            builder.call(function, values[1:])
            return ir.Constant(ir.IntType(8).as_pointer(), None)  # numba's form of no value

        return numba.void(token, *[numba.intp] * len(addresses)), code

    return _named(stub, describe)


def _named(stub: Function, describe: Callable[..., object]) -> Function:
    """Return what numba makes of `describe`, whose arguments are those of `stub` after the first.

    numba reads the names of the arguments.
    """
    update_wrapper(describe, stub)
    arguments = signature(stub).parameters.values()
    typing = Parameter("typing", Parameter.POSITIONAL_OR_KEYWORD)
    describe.__signature__ = Signature([typing, *arguments])  # type: ignore[attr-defined]
    return cast("Function", intrinsic(describe))


def _define(module: ir.Module, name: str, write: Callable[..., None], count: int) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_ADDRESS] * count), name)
    function.linkage = "internal"
    function.attributes.add("alwaysinline")
    builder = ir.IRBuilder(function.append_basic_block())
    write(builder, *function.args)
    builder.ret_void()
    return function


def _constant(stub: Function) -> Function:
    """Return the machine's constant of the name, in capitals, as a function."""
    name = stub.__name__.upper()

    def describe(_typing: object, token: Kind) -> tuple[object, object]:
        def code(*_: object) -> ir.Value:
            return ir.Constant(_ADDRESS, getattr(BY_KIND[token], name))

        return numba.intp(token), code

    return _named(stub, describe)


@_constant
def element_bytes(machine: Token) -> int:
    """Return the size of an element."""
    raise NotImplementedError


@_constant
def number_bytes(machine: Token) -> int:
    """Return the size of a table's number."""
    raise NotImplementedError


@_constant
def group(machine: Token) -> int:
    """Return how many hashes are computed at once."""
    raise NotImplementedError


@_operation
def enter(machine: Token, out: int, words: int, added: int, number: int) -> None:
    """Write to `out` the element words + added + number."""


@_operation
def fifth_power(machine: Token, out: int, x: int) -> None:
    """Write to `out` the element x**5."""


@_operation
def weighted_sum(
    machine: Token, out: int, unit: int, factors: int, count: int, numbers: int
) -> None:
    """Write to `out` unit + numbers[0] + the sum of factors[i] * numbers[1 + i], i < count."""


@_operation
def leave(machine: Token, words: int, x: int) -> None:
    """Write to `words` the element x, below r."""
