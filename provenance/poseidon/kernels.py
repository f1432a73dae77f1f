"""Many hashes at once, compiled by numba: some twenty to thirty times as fast as pure Python.

An element is four 64-bit words, lowest first, and while it is computed with in Montgomery form
(x 2**256 mod r). Its arithmetic is written as LLVM's wide integers, which every target lowers to
its own multiplications and carries; all else is plain Python. Rows are hashed without the
interpreter's lock. Compiled code is kept only where the application names a folder for it
(`NUMBA_CACHE_DIR`), never in the source tree. numba notices changes to a kept function by its file
alone, so whatever is compiled stands in this file.

It imports numba, so only `many` imports it, and only when there is enough work.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Final, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from numpy.typing import NDArray

from provenance.field import ORDER
from provenance.poseidon.hashes import EZKL_CAPACITY
from provenance.poseidon.parameters import FULL_ROUNDS
from provenance.poseidon.sparse import schedule
from provenance.poseidon.words import to_words

Function = TypeVar("Function", bound=Callable[..., object])
Array = NDArray[np.uint64]
Words = tuple[np.uint64, ...]
"""Four are an element in Montgomery form, below r; nine a sum of at most 17 products of two."""
Values = list[ir.Value]
"""Words while code for them is written."""

MONTGOMERY: Final = 2**256
_ZERO: Final = np.uint64(0)
_ENTERING: Final = tuple(map(np.uint64, map(int, to_words([MONTGOMERY**2 % ORDER])[0])))


def _compiled(function: Function) -> Function:
    """Return `function`, compiled when it is first called, or into what calls it."""
    return cast("Function", numba.njit(nogil=True, error_model="numpy")(function))


def _compiled_and_kept(function: Function) -> Function:
    """Return `function` compiled, and kept if the application names a writable folder for that."""
    folder = getattr(numba.config, "CACHE_DIR", "")
    if folder:
        try:
            kept = numba.njit(nogil=True, error_model="numpy", cache=True)(function)
        except RuntimeError:  # numba found no folder to write to
            return _compiled(function)
        if str(kept.stats.cache_path).startswith(folder):  # and not beside the source
            return cast("Function", kept)
    return _compiled(function)


# Arithmetic on wide integers, as LLVM's instructions.


def _constant(bits: int, value: int) -> ir.Value:
    return ir.Constant(ir.IntType(bits), value)


def _join(builder: ir.IRBuilder, words: Values, bits: int, shift: int = 0) -> ir.Value:
    """Return the integer of `bits` bits that has `words` from bit `shift` on."""
    joined = _constant(bits, 0)
    for i, word in enumerate(words):
        wide = builder.zext(word, ir.IntType(bits))
        joined = builder.or_(joined, builder.shl(wide, _constant(bits, shift + 64 * i)))
    return joined


def _split(builder: ir.IRBuilder, value: ir.Value, count: int) -> Values:
    """Return the lowest `count` words of an integer."""
    bits = value.type.width
    shifted = [builder.lshr(value, _constant(bits, 64 * i)) for i in range(count)]
    return [builder.trunc(part, ir.IntType(64)) for part in shifted]


def _scaled(builder: ir.IRBuilder, words: Values, factor: ir.Value, bits: int) -> ir.Value:
    """Return words * one word as an integer of `bits` bits: two chains of carries."""
    double = ir.IntType(128)
    wide = builder.zext(factor, double)
    products = [builder.mul(builder.zext(word, double), wide) for word in words]
    halves = [_split(builder, product, 2) for product in products]
    low = _join(builder, [half[0] for half in halves], bits)
    return builder.add(low, _join(builder, [half[1] for half in halves], bits, 64))


def _below(builder: ir.IRBuilder, value: ir.Value, bound: int) -> ir.Value:
    """Return `value`, less `bound` if it is not below it."""
    limit = _constant(value.type.width, bound)
    is_below = builder.icmp_unsigned("<", value, limit)
    return builder.select(is_below, value, builder.sub(value, limit))


def _multiplied(builder: ir.IRBuilder, left: Values, right: Values) -> ir.Value:
    """Return left * right, not reduced, as an integer of nine words."""
    total = _constant(576, 0)
    for i, word in enumerate(right):
        row = builder.zext(_scaled(builder, left, word, 320), ir.IntType(576))
        total = builder.add(total, builder.shl(row, _constant(576, 64 * i)))
    return total


def _reduced(builder: ir.IRBuilder, total: ir.Value, *limits: int) -> ir.Value:
    """Return total / 2**256 mod r (Montgomery's reduction), below r after taking off `limits`.

    Before that it is below total / 2**256 + r, and r**2 / 2**256 is 0.189 r.
    """
    order = [_constant(64, ORDER >> 64 * i & 2**64 - 1) for i in range(4)]
    factor = _constant(64, -pow(ORDER, -1, 2**64) % 2**64)
    for _ in range(4):
        multiple = builder.mul(builder.trunc(total, ir.IntType(64)), factor)
        row = builder.zext(_scaled(builder, order, multiple, 320), ir.IntType(576))
        total = builder.lshr(builder.add(total, row), _constant(576, 64))
    value = builder.trunc(total, ir.IntType(256))
    for limit in limits:
        value = _below(builder, value, limit)
    return value


def _arithmetic(words: int) -> Callable[[Callable[..., ir.Value]], Callable[..., Words]]:
    """Return a decorator: code for lists of words becomes a compiled function of tuples.

    The decorated function is given a builder and each argument's words as they are in LLVM, and
    returns an integer, of which the result takes so many `words`. It is emitted once for a module,
    not wherever it is called, which halves the time that compiling takes.
    """
    # numba leaves its tuples without types
    tuple_of_words = numba.types.UniTuple(numba.uint64, words)  # type: ignore[no-untyped-call]

    def decorate(emit: Callable[..., ir.Value]) -> Callable[..., Words]:
        @wraps(emit)  # numba reads the names of the arguments
        def describe(_typing: object, *kinds: numba.types.Type) -> tuple[object, object]:
            return tuple_of_words(*kinds), code

        def code(
            _context: object, builder: ir.IRBuilder, _signature: object, tuples: list[ir.Value]
        ) -> ir.Value:
            function = builder.module.globals.get(emit.__name__)
            if function is None:
                function = _define(builder.module, emit, [each.type for each in tuples], words)
            return builder.call(function, tuples)

        return cast("Callable[..., Words]", intrinsic(describe))

    return decorate


def _words_of(builder: ir.IRBuilder, value: ir.Value) -> Values:
    return [builder.extract_value(value, i) for i in range(value.type.count)]


def _define(
    module: ir.Module, emit: Callable[..., ir.Value], kinds: list[ir.Type], words: int
) -> ir.Function:
    """Return the function `emit` writes, from tuples of `kinds` to a tuple of so many `words`."""
    result = ir.ArrayType(ir.IntType(64), words)
    function = ir.Function(module, ir.FunctionType(result, kinds), emit.__name__)
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    value = emit(builder, *(_words_of(builder, each) for each in function.args))
    returned = ir.Constant(result, ir.Undefined)
    for i, word in enumerate(_split(builder, value, words)):
        returned = builder.insert_value(returned, word, i)
    builder.ret(returned)
    return function


@_arithmetic(words=4)
def _multiply(builder: ir.IRBuilder, left: Values, right: Values) -> ir.Value:
    """Return left * right."""
    return _reduced(builder, _multiplied(builder, left, right), ORDER)


@_arithmetic(words=4)
def _multiply_add(builder: ir.IRBuilder, left: Values, right: Values, added: Values) -> ir.Value:
    """Return left * right + added."""
    total = builder.add(_multiplied(builder, left, right), _join(builder, added, 576, 256))
    return _reduced(builder, total, ORDER, ORDER)


@_arithmetic(words=9)
def _product(builder: ir.IRBuilder, left: Values, right: Values) -> ir.Value:
    """Return left * right, not reduced."""
    return _multiplied(builder, left, right)


@_arithmetic(words=9)
def _accumulate(builder: ir.IRBuilder, total: Values, left: Values, right: Values) -> ir.Value:
    """Return total + left * right, not reduced."""
    return builder.add(_join(builder, total, 576), _multiplied(builder, left, right))


@_arithmetic(words=4)
def _reduce(builder: ir.IRBuilder, total: Values) -> ir.Value:
    """Return the element of a sum of at most 17 products: it is below 4.3 r before `limits`."""
    return _reduced(builder, _join(builder, total, 576), 2 * ORDER, 2 * ORDER, ORDER)


@_arithmetic(words=4)
def _add(builder: ir.IRBuilder, left: Values, right: Values) -> ir.Value:
    """Return left + right."""
    total = builder.add(_join(builder, left, 256), _join(builder, right, 256))
    return _below(builder, total, ORDER)


# The permutation, on arrays of words.


@_compiled
def _load(rows: Array, i: int) -> Words:
    return (rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3])


@_compiled
def _store(rows: Array, i: int, element: Words) -> None:
    for word in range(4):
        rows[i, word] = element[word]


@_compiled
def _fifth_power(x: Words) -> Words:
    square = _multiply(x, x)
    return _multiply(_multiply(square, square), x)


@_compiled
def _full_round(state: Array, boxed: Array, table: Array, at: int) -> int:
    """Do a full round on `state`, with numbers of `table` from `at` on; return where they end."""
    width = len(state)
    for i in range(width):
        _store(boxed, i, _fifth_power(_add(_load(state, i), _load(table, at + i))))
    for i in range(width):
        at += width
        total = _product(_load(boxed, 0), _load(table, at))
        for j in range(1, width):
            total = _accumulate(total, _load(boxed, j), _load(table, at + j))
        _store(state, i, _reduce(total))
    return at + width


@_compiled
def _partial_round(state: Array, table: Array, at: int) -> int:
    """Do a sparse partial round on `state`, with numbers of `table`; return where they end."""
    width = len(state)
    row, column = at + 1, at + width
    u = _fifth_power(_add(_load(state, 0), _load(table, at)))
    total = _product(u, _load(table, row))
    for i in range(1, width):
        lane = _load(state, i)
        total = _accumulate(total, lane, _load(table, row + i))
        _store(state, i, _multiply_add(u, _load(table, column + i), lane))
    _store(state, 0, _reduce(total))
    return at + 2 * width


@_compiled
def _permute(state: Array, boxed: Array, table: Array) -> None:
    """Permute `state` in place, with `boxed` as scratch of the same shape."""
    width = len(state)
    full = FULL_ROUNDS // 2 * (width + width * width)
    at = 0
    while at < full:
        at = _full_round(state, boxed, table, at)
    while at < len(table) - full:
        at = _partial_round(state, table, at)
    while at < len(table):
        at = _full_round(state, boxed, table, at)


@_compiled_and_kept
def _hash_rows(rows: Array, initial: Array, first: int, table: Array, out: Array) -> None:
    """Hash each row, its blocks added one after the other to the state from element `first` on.

    Args:
        rows: (rows, blocks, rate, 4 words), below r, in plain form.
        initial: (width, 4 words), the state before the first block.
        first: The state's element to which a block's first is added.
        table: (numbers of the schedule, 4 words).
        out: (rows, 4 words), written in plain form: the state's first element in the end.
    """
    width = len(initial)
    state, boxed = np.empty((width, 4), np.uint64), np.empty((width, 4), np.uint64)
    for i in range(len(rows)):
        for j in range(width):
            _store(state, j, _load(initial, j))
        for block in rows[i]:
            for j in range(len(block)):
                before = _load(state, first + j)
                _store(state, first + j, _multiply_add(_load(block, j), _ENTERING, before))
            _permute(state, boxed, table)
        a, b, c, d = _load(state, 0)
        _store(out, i, _reduce((a, b, c, d, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO)))


@cache
def _table(width: int) -> Array:
    """Return the schedule's numbers in Montgomery form."""
    return to_words(number * MONTGOMERY % ORDER for number in schedule(width))


def poseidon_rows(inputs: Array) -> Array:
    """Return circomlib's Poseidon of checked rows: (rows, inputs, 4 words) -> (rows, 4 words)."""
    width = inputs.shape[1] + 1
    out = np.empty((len(inputs), 4), np.uint64)
    initial = to_words([0] * width)
    _hash_rows(np.ascontiguousarray(inputs)[:, np.newaxis], initial, 1, _table(width), out)
    return out


def ezkl_sponge_rows(elements: Array) -> Array:
    """Return ezkl's sponge over checked rows: (rows, elements, 4 words) -> (rows, 4 words)."""
    out = np.empty((len(elements), 4), np.uint64)
    initial = to_words([0, EZKL_CAPACITY * MONTGOMERY % ORDER])
    _hash_rows(np.ascontiguousarray(elements)[:, :, np.newaxis], initial, 0, _table(2), out)
    return out
