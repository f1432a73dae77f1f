"""Compiled writers of columns at every record's cursor; see encode_columns.py.

A cursor is where a record's next value goes: each writer puts a validity byte and its value there
and moves the cursor on. Bytes are moved by LLVM's memcpy, which becomes a load and a store where
the size is known. Nothing here checks bounds: the columns did when they were made, and the cursors
are sums of sizes. Sources are read-only arrays, so that each writer is compiled once.

It imports numba, so only `encode_columns` imports it, and only when there is enough work.
"""

import sys
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from provenance import compiling
from provenance.compiling import compiled, kept

if TYPE_CHECKING:
    from collections.abc import Callable

Octets = NDArray[np.uint8]
Offsets = NDArray[np.int64]
Code = Any
"""One of numba's types, or a value while code for it is written."""

_kept: Final = kept(sys.modules[__name__], compiling)


@intrinsic
def _memcpy(_: Code, out: Code, at: Code, source: Code, start: Code, size: Code) -> Code:  # noqa: ARG001  # numba reads the names
    """Copy `size` bytes from source[start], or from that address, to out[at]."""
    kinds = types.void(out, types.int64, source, types.int64, types.int64)

    def generate(context: Code, builder: ir.IRBuilder, _: Code, values: Code) -> ir.Value:
        to = context.make_array(out)(context, builder, values[0]).data
        if isinstance(source, types.Array):
            from_ = context.make_array(source)(context, builder, values[2]).data
        else:
            from_ = builder.inttoptr(values[2], to.type)
        to, from_ = builder.gep(to, [values[1]]), builder.gep(from_, [values[3]])
        cgutils.raw_memcpy(builder, to, from_, values[4], 1)  # type: ignore[no-untyped-call]
        return context.get_dummy_value()

    return kinds, generate


_copy: Final = cast("Callable[[Octets, int, Octets | int, int, int], None]", _memcpy)


@_kept
def put_words(out: Octets, cursor: Offsets, columns: Offsets) -> None:
    """Write several columns of 8 bytes a value, of which none is null, record by record.

    Args:
        out: Canonical bytes of all records.
        cursor: Where in `out` each record goes on; moved.
        columns: The address of each column's rows; the caller keeps what is there alive.
    """
    for i in range(len(cursor)):
        at = cursor[i]
        for j in range(len(columns)):
            out[at] = 1
            _copy(out, at + 1, columns[j], i * 8, 8)  # a size that the compiler knows is no call
            at += 9
        cursor[i] = at


@compiled
def _fixed(out: Octets, cursor: Offsets, rows: Octets, width: int, valid: Octets) -> None:
    always = not len(valid)
    for i in range(len(cursor)):
        at = cursor[i]
        if always or valid[i]:
            out[at] = 1
            _copy(out, at + 1, rows, i * width, width)
            cursor[i] = at + 1 + width
        else:
            out[at] = 0
            cursor[i] = at + 1


@_kept
def put_fixed(out: Octets, cursor: Offsets, rows: Octets, width: int, valid: Octets) -> None:
    """Write a column whose values have one width.

    Args:
        out: Canonical bytes of all records.
        cursor: Where in `out` each record goes on; moved.
        rows: The values, one after the other.
        width: Bytes of a value.
        valid: Which are not null; empty if all are.
    """
    if width == 8:
        _fixed(out, cursor, rows, 8, valid)
    elif width == 4:
        _fixed(out, cursor, rows, 4, valid)
    elif width == 12:
        _fixed(out, cursor, rows, 12, valid)
    else:
        _fixed(out, cursor, rows, width, valid)


@_kept
def put_dense(out: Octets, rows: Octets, width: int) -> None:
    """Write values of one width, of which none is null, one after the other."""
    for i in range(len(out) // (width + 1)):
        at = i * (width + 1)
        out[at] = 1
        if width == 8:
            _copy(out, at + 1, rows, i * 8, 8)
        elif width == 4:
            _copy(out, at + 1, rows, i * 4, 4)
        else:
            _copy(out, at + 1, rows, i * width, width)


@_kept
def put_runs(
    out: Octets,
    cursor: Offsets,
    data: Octets,
    bounds: Offsets,
    offsets: Offsets,
    head: int,
    valid: Octets,
) -> None:
    """Write values whose bytes lie one after the other in `data`.

    Args:
        out: Canonical bytes of all records.
        cursor: Where in `out` each record goes on; moved.
        data: What to write.
        bounds: Value i is data[bounds[i] : bounds[i + 1]].
        offsets: Value i has offsets[i + 1] - offsets[i] bytes, items or pairs.
        head: In how many bytes this number is written before the value: 4 or 0.
        valid: Which are not null; empty if all are.
    """
    always = not len(valid)
    for i in range(len(cursor)):
        at = cursor[i]
        if not (always or valid[i]):
            out[at] = 0
            cursor[i] = at + 1
            continue
        out[at] = 1
        at += 1
        if head:
            count = offsets[i + 1] - offsets[i]
            for shift in (24, 16, 8, 0):
                out[at] = (count >> shift) & 255
                at += 1
        size = bounds[i + 1] - bounds[i]
        _copy(out, at, data, bounds[i], size)
        cursor[i] = at + size


@compiled
def _compare(data: Octets, offsets: Offsets, one: int, other: int) -> int:
    """Return a number below, at or above 0 as key `one` stands before, at or after `other`."""
    shift = offsets[other] - offsets[one]
    for at in range(offsets[one], min(offsets[one + 1], offsets[other + 1] - shift)):
        if data[at] != data[at + shift]:
            return int(np.int64(data[at]) - np.int64(data[at + shift]))
    return 0  # no key's encoding begins another's: each says where it ends


@compiled
def _merge(
    data: Octets, offsets: Offsets, source: Offsets, order: Offsets, low: int, half: int, high: int
) -> None:
    """Merge the sorted source[low:half] and source[half:high] into order[low:high]."""
    left, right = low, half
    for at in range(low, high):
        if right == high or (
            left < half and _compare(data, offsets, source[left], source[right]) <= 0
        ):
            order[at] = source[left]
            left += 1
        else:
            order[at] = source[right]
            right += 1


@compiled
def _sort(
    data: Octets, offsets: Offsets, order: Offsets, spare: Offsets, start: int, end: int
) -> None:
    """Sort the numbers of keys in order[start:end] by the keys, from runs of 1 to one run."""
    run = 1
    while run < end - start:
        for at in range(start, end):
            spare[at] = order[at]
        for low in range(start, end, 2 * run):
            half, high = min(low + run, end), min(low + 2 * run, end)
            _merge(data, offsets, spare, order, low, half, high)
        run *= 2


@_kept
def sort_pairs(data: Octets, keys: Offsets, offsets: Offsets, order: Offsets) -> bool:
    """Sort each map's keys by their encoding; return False if a map has a key twice.

    Args:
        data: Encoded keys of all maps, one after the other.
        keys: Key j is data[keys[j] : keys[j + 1]].
        offsets: Map i has the keys from offsets[i] to offsets[i + 1].
        order: All keys' numbers, in order; sorted within each map.
    """
    spare = np.empty_like(order)
    for i in range(len(offsets) - 1):
        _sort(data, keys, order, spare, offsets[i], offsets[i + 1])
        for at in range(offsets[i] + 1, offsets[i + 1]):
            if _compare(data, keys, order[at - 1], order[at]) == 0:
                return False
    return True


@_kept
def put_in_order(out: Octets, data: Octets, offsets: Offsets, order: Offsets) -> None:
    """Write the values data[offsets[j] : offsets[j + 1]] one after the other, for j in `order`."""
    at = 0
    for j in order:
        size = offsets[j + 1] - offsets[j]
        _copy(out, at, data, offsets[j], size)
        at += size
