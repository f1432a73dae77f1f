"""What the kernels call that numba does not know: the compression of blocks, and small things.

They take addresses instead of arrays, of which numba would count references at each call.
"""

from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from provenance.sha256 import extensions, vectors
from provenance.sha256.constants import BLOCK
from provenance.sha256.emitting import ADDRESS, Values, address, call, read
from provenance.sha256.machines import Extensions, Machine, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

Integer = int | np.int64
Word = TypeVar("Word", np.uint32, np.uint64)
Code = Any
"""One of numba's types, or what it gives to who writes code: a context, a signature."""
Described = tuple[Code, Callable[[Code, ir.IRBuilder, Code, Values], ir.Value]]
"""A signature, and what writes the code of a call."""
_WRITERS: Final[dict[type[Machine], ModuleType]] = {Extensions: extensions, Vectors: vectors}


def _compress(_typing: Code, machine: Code, states: Code, places: Code, blocks: Code) -> Described:
    chosen: type[Machine] = machine.instance_class

    def code(context: Code, builder: ir.IRBuilder, _signature: Code, values: Values) -> ir.Value:
        name = f"sha256_{chosen.__name__}"
        function = builder.module.globals.get(name) or _define(builder.module, name, chosen)
        builder.call(function, values[1:])
        return context.get_dummy_value()

    return types.void(machine, states, places, blocks), code


def _define(module: ir.Module, name: str, chosen: type[Machine]) -> ir.Function:
    """Return the function that `compress` calls, for one machine."""
    kind = ir.FunctionType(ir.VoidType(), [ADDRESS] * 3)
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")  # wherever it is called, it is compiled once
    builder = ir.IRBuilder(function.append_basic_block())
    states, places, count = function.args
    machine, lanes = _WRITERS[chosen], chosen().lanes
    loaded = machine.load(builder, states, lanes)
    kept = [[_kept(builder, each) for each in lane] for lane in loaded]
    bases = [read(builder, ADDRESS, places, 8 * lane) for lane in range(lanes)]
    with cgutils.for_range(builder, count) as loop:
        offset = builder.mul(loop.index, address(BLOCK))
        blocks = [builder.add(base, offset) for base in bases]
        before = [[builder.load(each) for each in lane] for lane in kept]
        for lane, values in zip(kept, machine.compress(builder, before, blocks), strict=True):
            for each, value in zip(lane, values, strict=True):
                builder.store(value, each)
    machine.store(builder, states, [[builder.load(each) for each in lane] for lane in kept])
    builder.ret_void()
    return function


def _kept(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return the place of a variable that begins with this value."""
    return cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]


def _copy(_typing: Code, target: Code, source: Code, count: Code) -> Described:
    def code(context: Code, builder: ir.IRBuilder, _signature: Code, values: Values) -> ir.Value:
        byte = ir.IntType(8).as_pointer()
        target, source = (builder.inttoptr(value, byte) for value in values[:2])
        cgutils.raw_memcpy(builder, target, source, values[2], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return types.void(target, source, count), code


def _swapped(_typing: Code, word: Code) -> Described:
    def code(_context: Code, builder: ir.IRBuilder, _signature: Code, values: Values) -> ir.Value:
        return call(builder, f"llvm.bswap.i{values[0].type.width}", values[0])

    return word(word), code


def _address_of(_typing: Code, array: Code) -> Described:
    def code(context: Code, builder: ir.IRBuilder, _signature: Code, values: Values) -> ir.Value:
        data = context.make_array(array)(context, builder, values[0]).data
        return builder.ptrtoint(data, ADDRESS)

    return types.int64(array), code


compress = cast("Callable[[Machine, Integer, Integer, Integer], None]", intrinsic(_compress))
"""Compress consecutive blocks into the state of each lane.

Its arguments are a machine; the address of its lanes' states, eight words each; the address of the
addresses of their first blocks; how many blocks each lane has.
"""
copy = cast("Callable[[Integer, Integer, Integer], None]", intrinsic(_copy))
"""Copy bytes: to an address, from an address, how many."""
swapped = cast("Callable[[Word], Word]", intrinsic(_swapped))
"""Return a word with its bytes in the opposite order: between ours and SHA-256's."""
address_of = cast("Callable[[NDArray[Any]], int]", intrinsic(_address_of))
"""Return where an array without gaps begins; whoever calls sees that it lives on."""
