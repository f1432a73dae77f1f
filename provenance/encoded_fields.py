"""Where fields lie in the canonical bytes of consecutive records, found for all records at once.

Leaves bind these bytes and nothing else, so whoever takes a number from them takes the one that was
committed, whatever the records were read from. One cursor a record moves on from field to field:

    01 00 00 00 00 00 00 01 02   01 00 00 00 02 68 69   01 40 …
    ^ validity byte, then a      ^ a text: its length   ^ and so the cursors of two records are
      value of 8 bytes             says where it ends     apart from here on
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Encoded
from provenance.errors import UnavailableError
from provenance.schema import (
    Bool,
    Date,
    Decimal,
    Duration,
    Float32,
    Float64,
    Int,
    List,
    LogicalType,
    Map,
    Null,
    Schema,
    Struct,
    Time,
    Timestamp,
    UInt,
    walk,
)

Octets = NDArray[np.uint8]
Cursors = NDArray[np.int64]

WIDTHS: Final[Mapping[type[LogicalType], int]] = {
    Null: 0,
    Bool: 1,
    Int: 8,
    UInt: 8,
    Float32: 4,
    Float64: 8,
    Decimal: 32,
    Date: 8,
    Time: 8,
    Timestamp: 12,
    Duration: 12,
}
"""Bytes of a value; of those that are not here, the bytes themselves tell."""
ROUNDS: Final = 256
SHARE: Final = 8
"""Items that a round has to pass on average, once there are more than ROUNDS of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where a field lies in each record.

    Attributes:
        at: Where its value begins, after the validity byte, shape (records,).
        valid: 1 where there is a value, 0 where it is null, shape (records,).
    """

    at: Cursors
    valid: Octets


def find_fields(schema: Schema, encoded: Encoded, names: Collection[str]) -> dict[str, Places]:
    """Return where the fields of these names lie; names that the schema lacks are left out.

    Raises:
        UnavailableError: The records are quicker read one by one: lists within lists, or a few that
            are far longer than the others.
    """
    data, at = np.ascontiguousarray(encoded.data), encoded.offsets[:-1]
    found: dict[str, Places] = {}
    last = max((n for n, member in enumerate(schema.fields) if member.name in names), default=-1)
    for number, member in enumerate(schema.fields[: last + 1]):
        if member.name in names:
            found[member.name] = Places(at + 1, data[at])
        if number < last:
            at = _after(member.type, data, at)
    return found


def numbers(data: Octets, kind: str, at: Cursors) -> NDArray[Any]:
    """Return the numbers of numpy's type `kind` that begin at these places."""
    count = max(0, len(data) - np.dtype(kind).itemsize + 1)
    return np.ndarray(count, kind, data, strides=(1,))[at]


def _after(kind: LogicalType, data: Octets, at: Cursors) -> Cursors:
    """Return where the values end whose validity bytes are at these places."""
    valid, width = data[at], WIDTHS.get(type(kind))
    if width is not None:
        return at + (1 + width * valid)
    ends = at + 1
    chosen = np.flatnonzero(valid)
    ends[chosen] = _end(kind, data, ends[chosen])
    return ends


def _end(kind: LogicalType, data: Octets, at: Cursors) -> Cursors:
    """Return where values end that begin at these places."""
    match kind:
        case Struct():
            for member in kind.fields:
                at = _after(member.type, data, at)
            return at
        case List():
            return _after_items((kind.item,), data, at)
        case Map():
            return _after_items((kind.key, kind.value), data, at)
        case _:
            return at + (4 + numbers(data, ">u4", at).astype(np.int64))


def _after_items(kinds: tuple[LogicalType, ...], data: Octets, at: Cursors) -> Cursors:
    """Return where lists or maps end: in each round, one more item of all that are left."""
    left, at = numbers(data, ">u4", at).astype(np.int64), at + 4
    ends = _after_dense(kinds, data, at, left)
    if ends is not None:
        return ends
    rounds = int(left.max(initial=0))
    are_nested = any(isinstance(each, List | Map) for kind in kinds for each in walk(kind))
    if are_nested or (rounds > ROUNDS and rounds * SHARE > int(left.sum())):
        raise UnavailableError("lists of such lengths are read record by record")
    active = np.flatnonzero(left)
    while len(active):
        ends = at[active]
        for kind in kinds:
            ends = _after(kind, data, ends)
        at[active] = ends
        left[active] -= 1
        active = active[left[active] > 0]
    return at


def _after_dense(
    kinds: tuple[LogicalType, ...], data: Octets, at: Cursors, counts: Cursors
) -> Cursors | None:
    """Return where lists of so many numbers end, or None unless none of their items is null.

    If a byte is 0 where a validity byte would be, the first of them in its list is one.
    """
    width = WIDTHS.get(type(kinds[0]))
    if width is None or len(kinds) != 1:
        return None
    ends = at + counts * (width + 1)
    if ends.max(initial=0) > len(data):
        return None
    before = np.cumsum(counts) - counts
    places = np.repeat(at - before * (width + 1), counts)
    places += np.arange(len(places)) * (width + 1)
    return ends if data[places].all() else None
