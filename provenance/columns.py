"""Columns of consecutive records as plain buffers, the form in which tables lie in memory.

A column holds `len(column)` values of one logical type, however many records have to be written at
once, and no Python object for any of them. Six shapes suffice for all types:

    Nothing   null in every record
    Fixed     numbers, dates, instants: canonical bytes of one width (canonical_rows.py)
    Ragged    strings and bytes
    Items     lists
    Members   structs
    Pairs     maps

`valid` says which values are not null, as bytes 0 or 1; None means that all are valid. What lies
under a null does not matter for flat columns; inside lists, structs and maps the caller leaves out
what no valid value holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError

Octets = NDArray[np.uint8]
Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Nothing:
    """`count` nulls, of whatever type."""

    count: int

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """Values whose canonical bytes have one width: `rows` has the shape (count, width)."""

    rows: Octets
    valid: Octets | None = None

    def __post_init__(self) -> None:
        """Raise MalformedError unless the buffers fit each other."""
        if self.rows.ndim != 2 or self.rows.dtype != np.uint8 or not self.rows.flags.c_contiguous:
            raise MalformedError("a fixed column is a contiguous array of bytes (count, width)")
        _check_valid(self.valid, len(self))

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Strings or bytes: value i is data[offsets[i] : offsets[i + 1]]."""

    data: Octets
    offsets: Offsets
    valid: Octets | None = None

    def __post_init__(self) -> None:
        """Raise MalformedError unless the buffers fit each other."""
        _check_octets(self.data)
        _check_offsets(self.offsets, len(self.data))
        _check_valid(self.valid, len(self))

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Lists: list i holds the items from offsets[i] to offsets[i + 1]."""

    items: "Column"
    offsets: Offsets
    valid: Octets | None = None

    def __post_init__(self) -> None:
        """Raise MalformedError unless the buffers fit each other."""
        _check_offsets(self.offsets, len(self.items))
        _check_valid(self.valid, len(self))

    def __len__(self) -> int:
        return len(self.offsets) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Structs: a column for each field, in the order of their names."""

    fields: Mapping[str, "Column"]
    valid: Octets | None = None

    def __post_init__(self) -> None:
        """Raise MalformedError unless the columns have one length."""
        if len({len(column) for column in self.fields.values()}) != 1:
            raise MalformedError("the columns of a struct have different lengths, or there is none")
        _check_valid(self.valid, len(self))

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Maps: map i holds the keys and values from offsets[i] to offsets[i + 1], in any order."""

    keys: "Column"
    values: "Column"
    offsets: Offsets
    valid: Octets | None = None

    def __post_init__(self) -> None:
        """Raise MalformedError unless the buffers fit each other."""
        if len(self.keys) != len(self.values):
            raise MalformedError("a column of maps has as many keys as values")
        _check_offsets(self.offsets, len(self.keys))
        _check_valid(self.valid, len(self))

    def __len__(self) -> int:
        return len(self.offsets) - 1


Column = Nothing | Fixed | Ragged | Items | Members | Pairs


def _check_octets(data: Octets) -> None:
    if data.ndim != 1 or data.dtype != np.uint8 or not data.flags.c_contiguous:
        raise MalformedError("a column's data are contiguous bytes")


def _check_valid(valid: Octets | None, count: int) -> None:
    """Refuse a mask of another length; compiled code does not look where it reads."""
    if valid is not None:
        _check_octets(valid)
        if len(valid) != count:
            raise MalformedError(f"a mask of {len(valid)} for {count} values")


def _check_offsets(offsets: Offsets, end: int) -> None:
    """Refuse offsets that lead outside; compiled code does not look where it reads."""
    flags = offsets.flags
    if offsets.ndim != 1 or offsets.dtype != np.int64 or not (flags.c_contiguous and flags.aligned):
        raise MalformedError("a column's offsets are contiguous integers of 64 bits")
    if not len(offsets) or offsets[0] < 0 or offsets[-1] > end:
        raise MalformedError("a column's offsets lead out of its data")
    if (offsets[1:] < offsets[:-1]).any():
        raise MalformedError("a column's offsets run backwards")
