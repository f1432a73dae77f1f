"""LLVM's instructions that both machines are written with."""

from typing import Final

from llvmlite import ir

WORD: Final = ir.IntType(32)
ADDRESS: Final = ir.IntType(64)
Values = list[ir.Value]


def vector(words: int) -> ir.VectorType:
    """Return the type of so many 32-bit words."""
    return ir.VectorType(WORD, words)


def constants(*words: int) -> ir.Constant:
    """Return a vector of these words."""
    return ir.Constant(vector(len(words)), list(words))


def address(number: int) -> ir.Constant:
    """Return a number of bytes to add to an address."""
    return ir.Constant(ADDRESS, number)


def read(builder: ir.IRBuilder, kind: ir.Type, base: ir.Value, offset: int = 0) -> ir.Value:
    """Return the value at an address, which need not be a multiple of anything."""
    return builder.load(_pointer(builder, kind, base, offset), align=1, typ=kind)


def write(builder: ir.IRBuilder, value: ir.Value, base: ir.Value, offset: int = 0) -> None:
    """Write a value to an address."""
    builder.store(value, _pointer(builder, value.type, base, offset), align=1)


def _pointer(builder: ir.IRBuilder, kind: ir.Type, base: ir.Value, offset: int) -> ir.Value:
    return builder.inttoptr(builder.add(base, address(offset)), kind.as_pointer())


def call(builder: ir.IRBuilder, name: str, *values: ir.Value) -> ir.Value:
    """Return what one of LLVM's own functions makes of values, all of one type."""
    kind = values[0].type
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(values)), name)
    return builder.call(function, values)


def picked(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, *places: int) -> ir.Value:
    """Return the words at `places`, counted through both vectors."""
    return builder.shuffle_vector(left, right, constants(*places))


def read_block(builder: ir.IRBuilder, base: ir.Value, words: int) -> Values:
    """Return a block's big-endian words in vectors of so many, on a little-endian processor."""
    kind = vector(words)
    raw = [read(builder, kind, base, at) for at in range(0, 64, 4 * words)]
    return [call(builder, f"llvm.bswap.v{words}i32", each) for each in raw]
