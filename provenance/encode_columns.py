"""Columns -> the canonical bytes of consecutive records, all at once.

Two passes: the sizes of all records give their offsets; then the columns write their values at each
record's cursor, neighbours of fixed width together. What is nested is encoded first, as if its
items were records, so that a list, struct or map is a run of bytes like a string. The bytes are
those of encoding.py, which the tests compare record by record.

The writers are compiled (encode_kernels.py), so numba is needed; without it, and for a few records,
a caller encodes record by record.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Encoded
from provenance.columns import (
    Column,
    Fixed,
    Items,
    Members,
    Nothing,
    Octets,
    Offsets,
    Pairs,
    Ragged,
)
from provenance.encoding import MAX_SIZE
from provenance.errors import MalformedError, UnavailableError

PATIENCE: Final = 16_384
"""Records that are encoded one by one about as fast as numba is imported."""
_NONE: Final = np.empty(0, np.uint8)


class Patience:
    """Says when compiled code pays: once a process has encoded so many records without it."""

    def __init__(self, records: int = PATIENCE) -> None:
        self._left = records

    def pays(self, records: int) -> bool:
        """Return whether to encode these records, and all later ones, with compiled code."""
        if self._left >= 0:
            self._left -= records
        return self._left < 0 and has_kernels()


@cache
def has_kernels() -> bool:
    """Return whether numba is here; loads it."""
    try:
        _kernels()
    except ImportError:
        return False
    return True


def _kernels() -> ModuleType:
    return importlib.import_module("provenance.encode_kernels")


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Values as runs of ready bytes: strings, or what was encoded before.

    Attributes:
        data: All bytes.
        bounds: Value i is data[bounds[i] : bounds[i + 1]].
        offsets: The same in bytes, items or pairs.
        head: In how many bytes their number is written before the value: 4, or 0 for structs.
        valid: Which are not null.
    """

    data: Octets
    bounds: Offsets
    offsets: Offsets
    head: int
    valid: Octets | None


_Piece = Nothing | Fixed | _Run


def encode_table(fields: Mapping[str, Column], count: int) -> Encoded:
    """Return the canonical bytes of `count` records, whose `fields` are in the schema's order.

    Raises:
        MalformedError: A column of another length, a map with a key twice or null, or a value too
            long to be written; names the field, not the record.
        UnavailableError: numba is missing.
    """
    if not has_kernels():
        raise UnavailableError("encoding whole columns needs numba: install rootline[kernel]")
    pieces = []
    for name, column in fields.items():
        try:
            _check_length(column, count)
            pieces.append(_piece(column))
        except MalformedError as error:
            raise MalformedError(f"field {name!r}: {error}") from error
    return _written(pieces, count)


def _check_length(column: Column, count: int) -> None:
    if len(column) != count:
        raise MalformedError(f"a column of {len(column)} values in a table of {count}")


def _piece(column: Column) -> _Piece:
    """Return `column` as what the writers take, whatever is nested encoded."""
    match column:
        case Ragged():
            _check_sizes(column.offsets, column.valid)
            return _Run(column.data, column.offsets, column.offsets, 4, column.valid)
        case Items():
            _check_sizes(column.offsets, column.valid)
            data, bounds = _alone(column.items, column.offsets)
            return _Run(data, bounds, column.offsets, 4, column.valid)
        case Members():
            rows = encode_table(column.fields, len(column))
            return _Run(rows.data, rows.offsets, rows.offsets, 0, column.valid)
        case Pairs():
            _check_sizes(column.offsets, column.valid)
            return _sorted(column)
        case _:
            return column


def _check_sizes(offsets: Offsets, valid: Octets | None) -> None:
    """Refuse a value whose size does not fit 4 bytes."""
    if offsets[-1] - offsets[0] <= MAX_SIZE:
        return
    sizes = np.diff(offsets)
    largest = int((sizes if valid is None else sizes * valid).max())
    if largest > MAX_SIZE:
        raise MalformedError(f"a value of size {largest}; at most {MAX_SIZE} can be written")


def _alone(column: Column, offsets: Offsets) -> tuple[Octets, Offsets]:
    """Return each value of a column with its validity byte, and where those at `offsets` begin."""
    if isinstance(column, Fixed) and column.valid is None:  # as long vectors are: no sums of sizes
        count, width = column.rows.shape
        data = np.empty(count * (width + 1), np.uint8)
        _kernels().put_dense(data, _source(column.rows.reshape(-1)), width)
        return data, offsets * (width + 1)
    found = _written([_piece(column)], len(column))
    return found.data, found.offsets[offsets]


def _sorted(maps: Pairs) -> _Run:
    """Return maps with their pairs encoded, sorted by the encoded keys."""
    order = np.arange(len(maps.keys))
    keys, starts = _alone(maps.keys, np.arange(len(order) + 1))
    if not keys[starts[maps.offsets[0] : maps.offsets[-1]]].all():
        raise MalformedError("a map has a null key")
    if not _kernels().sort_pairs(_source(keys), _source(starts), _source(maps.offsets), order):
        raise MalformedError("a map has the same key twice")
    pairs = _written([_piece(maps.keys), _piece(maps.values)], len(order))
    data, numbers = np.empty_like(pairs.data), _source(order)
    _kernels().put_in_order(data, _source(pairs.data), _source(pairs.offsets), numbers)
    return _Run(data, pairs.offsets[maps.offsets], maps.offsets, 4, maps.valid)


def _written(pieces: Sequence[_Piece], count: int) -> Encoded:
    """Return the encoding of `count` records of such pieces."""
    offsets = np.zeros(count + 1, np.int64)
    sizes = offsets[1:]
    sizes += sum(map(_always, pieces))
    for piece in pieces:
        _add_sizes(piece, sizes)
    np.cumsum(sizes, out=sizes)
    data, cursor = np.empty(offsets[-1], np.uint8), offsets[:-1].copy()
    for are_words, group in groupby(pieces, _are_words):
        if are_words:
            _put_words([each for each in group if isinstance(each, Fixed)], data, cursor)
            continue
        for piece in group:
            _put(piece, data, cursor)
    return Encoded(data, offsets)


def _are_words(piece: _Piece) -> bool:
    """Return whether this is what most columns are: 8 bytes a value, and none is null."""
    return isinstance(piece, Fixed) and piece.valid is None and piece.rows.shape[1] == 8


def _always(piece: _Piece) -> int:
    """Return how many bytes every value takes: the validity byte, and all else of fixed size."""
    if isinstance(piece, Nothing) or piece.valid is not None:
        return 1
    return 1 + (piece.rows.shape[1] if isinstance(piece, Fixed) else piece.head)


def _add_sizes(piece: _Piece, sizes: Offsets) -> None:
    """Add to the sizes of the records what each value takes beyond `_always`."""
    if isinstance(piece, Nothing):
        return
    if piece.valid is not None:
        each: int | Offsets
        if isinstance(piece, Fixed):
            each = piece.rows.shape[1]
        else:
            each = np.diff(piece.bounds) + piece.head
        sizes += np.multiply(piece.valid, each, dtype=np.int64)
    elif isinstance(piece, _Run):
        sizes += piece.bounds[1:]
        sizes -= piece.bounds[:-1]


def _put_words(columns: Sequence[Fixed], data: Octets, cursor: Offsets) -> None:
    """Write neighbouring columns of words where `cursor` says, and move it on."""
    addresses = np.array([each.rows.ctypes.data for each in columns], np.int64)
    _kernels().put_words(data, cursor, _source(addresses))


def _put(piece: _Piece, data: Octets, cursor: Offsets) -> None:
    """Write a column where `cursor` says, and move it on."""
    if isinstance(piece, Nothing):
        data[cursor] = 0
        cursor += 1
        return
    valid = _source(_NONE if piece.valid is None else piece.valid)
    if isinstance(piece, Fixed):
        rows = _source(piece.rows.reshape(-1))
        _kernels().put_fixed(data, cursor, rows, piece.rows.shape[1], valid)
    else:
        runs = [_source(each) for each in (piece.data, piece.bounds, piece.offsets)]
        _kernels().put_runs(data, cursor, *runs, piece.head, valid)


def _source(array: NDArray[Any]) -> NDArray[Any]:
    """Return the same array, read-only, as all sources are, or numba would compile anew."""
    found = array.view()
    found.flags.writeable = False
    return found
