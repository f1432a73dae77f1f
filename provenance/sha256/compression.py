"""The compression of several messages' blocks as one function that numba can call."""

from collections.abc import Callable
from types import ModuleType
from typing import Final, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.types import Type
from numba.extending import intrinsic
from numpy.typing import NDArray

from provenance.compiling import compiled
from provenance.sha256 import extensions, vectors
from provenance.sha256.constants import BLOCK
from provenance.sha256.emitting import ADDRESS, Values, address, read
from provenance.sha256.machines import Extensions, Machine, Vectors

_WRITERS: Final[dict[type[Machine], ModuleType]] = {Extensions: extensions, Vectors: vectors}


def _described(
    _typing: object, machine: Type, states: Type, places: Type, blocks: Type
) -> tuple[object, object]:
    """Return a signature, and what writes a call of the code for this type of machine."""
    chosen: type[Machine] = machine.instance_class
    signature = numba.types.void(machine, states, places, blocks)

    def code(
        context: BaseContext, builder: ir.IRBuilder, _signature: object, values: Values
    ) -> ir.Value:
        name = f"sha256_{chosen.__name__}"
        function = builder.module.globals.get(name) or _define(builder.module, name, chosen)
        builder.call(function, values[1:])
        return context.get_dummy_value()

    return signature, code


_compress = cast("Callable[[Machine, int, int, int], None]", intrinsic(_described))


def _define(module: ir.Module, name: str, chosen: type[Machine]) -> ir.Function:
    """Return the function of addresses: of the states, of the blocks' addresses; and how many."""
    kind = ir.FunctionType(ir.VoidType(), [ADDRESS] * 3)
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")  # wherever it is called, it is compiled once
    builder = ir.IRBuilder(function.append_basic_block())
    states, places, count = function.args
    machine, lanes = _WRITERS[chosen], chosen().lanes
    loaded = machine.load(builder, states, lanes)
    kept = [[cgutils.alloca_once_value(builder, each) for each in lane] for lane in loaded]
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


@compiled
def compress(
    machine: Machine, states: NDArray[np.uint32], places: NDArray[np.int64], blocks: int
) -> None:
    """Compress so many consecutive blocks into the state of each lane.

    Args:
        machine: Whose code it is.
        states: Shape (lanes, 8), changed in place.
        places: The address of each lane's first block.
        blocks: 0 or more, for all lanes alike.
    """
    _compress(machine, np.int64(states.ctypes.data), np.int64(places.ctypes.data), blocks)
