"""Arrow's buffers -> columns -> canonical bytes, without a Python object for any value.

The same logical reading as arrow.py has, which the tests hold it to record by record: physical
variants vanish, here by numpy on buffers that are not copied before they are encoded. What is
dictionary or run-end encoded is decoded, views are made plain, and lists are flattened by Arrow, so
that nothing is left that no valid value holds.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import types as arrow

from provenance import canonical_rows as rows
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
from provenance.encode_columns import Patience, encode_table
from provenance.encoding import encoder
from provenance.errors import MalformedError
from provenance.record import (
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Float32,
    Float64,
    Int,
    List,
    LogicalType,
    Map,
    Schema,
    String,
    Struct,
    Time,
    Timestamp,
    UInt,
)
from provenance.schema import type_name
from storage.readers.arrow import Column as Array
from storage.readers.arrow import as_lists, is_list, records

_patience: Final = Patience()
PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def encode(batch: pa.RecordBatch, schema: Schema, patience: Patience = _patience) -> Encoded:
    """Return the canonical bytes of a batch that `validate(full=True)` passed.

    Args:
        batch: Records; columns of Arrow's type null fit any type.
        schema: Their logical schema, or the one declared for them.
        patience: Says when compiled code is worth loading; shared by all of a process.

    Raises:
        MalformedError: A column is missing, not in the schema or of another type, or a value cannot
            be encoded; names the field, not the record.
    """
    if not batch.num_rows or not patience.pays(batch.num_rows):
        return Encoded.of(map(encoder(schema), records(batch)))
    return encode_table(columns(batch, schema), batch.num_rows)


def columns(batch: pa.RecordBatch, schema: Schema) -> Mapping[str, Column]:
    """Return the columns of a validated batch in the order of the schema, or raise as `encode`."""
    arrays = dict(zip(batch.schema.names, batch.columns, strict=True))
    return _members(arrays, {member.name: member.type for member in schema.fields})


def _members(
    arrays: Mapping[str, Array], logical: Mapping[str, LogicalType]
) -> Mapping[str, Column]:
    found = {}
    for name, kind in logical.items():
        if name not in arrays:
            raise MalformedError(f"field {name!r} is missing")
        try:
            found[name] = column(arrays[name], kind)
        except MalformedError as error:
            raise MalformedError(f"field {name!r}: {error}") from error
    if len(arrays) != len(found):
        raise MalformedError(f"field {min(arrays.keys() - found)[:80]!r} is not in the schema")
    return found


def column(array: Array, logical: LogicalType) -> Column:
    """Return an Arrow array, which null fits in any case, as a column of type `logical`."""
    kind = array.type
    if arrow.is_null(kind):
        return Nothing(len(array))
    if arrow.is_dictionary(kind):
        return column(array.dictionary_decode(), logical)
    if arrow.is_run_end_encoded(kind):
        return column(pc.call_function("run_end_decode", [array]), logical)
    for check, read in _READ[type(logical)]:
        if check(kind):
            return read(array, logical)
    raise MalformedError(f"expected {type_name(logical)}, got Arrow type {kind}")


def _valid(array: Array) -> Octets | None:
    if not array.null_count:
        return None
    return _bits(array, 0)


def _bits(array: Array, place: int) -> Octets:
    """Return a buffer of bits as bytes 0 or 1."""
    if not len(array):
        return np.empty(0, np.uint8)
    bits = np.frombuffer(array.buffers()[place], np.uint8)
    start, skipped = divmod(array.offset, 8)
    used = bits[start : start + (skipped + len(array) + 7) // 8]
    return np.unpackbits(used, count=skipped + len(array), bitorder="little")[skipped:]


def _numbers(array: Array, kind: str, width: int = 1) -> NDArray[Any]:
    """Return a flat array's buffer, for `width` numbers of numpy's type `kind` a value."""
    if not len(array):
        return np.empty(0, kind)
    end = (array.offset + len(array)) * width
    return np.frombuffer(array.buffers()[1], kind, count=end)[array.offset * width :]


def _booleans(array: Array, _: LogicalType) -> Column:
    return Fixed(rows.booleans(_bits(array, 1)), _valid(array))


def _integers(array: Array, _: LogicalType) -> Column:
    return Fixed(rows.integers(_numbers(array, f"<i{array.type.bit_width // 8}")), _valid(array))


def _unsigned(array: Array, _: LogicalType) -> Column:
    return Fixed(rows.unsigned(_numbers(array, f"<u{array.type.bit_width // 8}")), _valid(array))


def _floats32(array: Array, _: LogicalType) -> Column:
    return Fixed(rows.floats32(_numbers(array, f"<f{array.type.bit_width // 8}")), _valid(array))


def _floats64(array: Array, _: LogicalType) -> Column:
    return Fixed(rows.floats64(_numbers(array, "<f8")), _valid(array))


def _decimals(array: Array, logical: LogicalType) -> Column:
    kind, valid = array.type, _valid(array)
    if Decimal(kind.precision, kind.scale) != logical:
        raise MalformedError(f"expected {logical}, got Arrow type {kind}")
    if kind.bit_width == 32:
        words = _numbers(array, "<i4").astype(np.int64).view(np.uint64).reshape(-1, 1)
    else:
        words = _numbers(array, "<u8", kind.bit_width // 64).reshape(-1, kind.bit_width // 64)
    return Fixed(rows.decimals(words, valid, kind.precision, kind.scale), valid)


def _days(array: Array, _: LogicalType) -> Column:
    valid = _valid(array)
    return Fixed(rows.days(_numbers(array, "<i8"), valid), valid)


def _times(array: Array, _: LogicalType) -> Column:
    valid = _valid(array)
    numbers = _numbers(array, f"<i{array.type.bit_width // 8}")
    return Fixed(rows.times(numbers, valid, PER_SECOND[array.type.unit]), valid)


def _instants(array: Array, logical: LogicalType) -> Column:
    if isinstance(logical, Timestamp) and logical.zoned != (array.type.tz is not None):
        raise MalformedError(f"expected {logical}, got Arrow type {array.type}")
    numbers = _numbers(array, "<i8")
    return Fixed(rows.instants(numbers, PER_SECOND[array.type.unit]), _valid(array))


def _ragged(array: Array, kind: str) -> Column:
    """Return text or bytes with offsets of numpy's type `kind`, where they lie."""
    if not len(array):
        return Ragged(np.empty(0, np.uint8), np.zeros(1, np.int64))
    _, offsets, data = array.buffers()
    found = np.frombuffer(offsets, kind, count=array.offset + len(array) + 1)[array.offset :]
    held = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    return Ragged(held, _plain(found), _valid(array))


def _plain(offsets: NDArray[Any]) -> Offsets:
    return np.require(offsets, np.int64, ["C", "A"])


def _short(array: Array, _: LogicalType) -> Column:
    return _ragged(array, "<i4")


def _large(array: Array, _: LogicalType) -> Column:
    return _ragged(array, "<i8")


def _viewed(array: Array, _: LogicalType) -> Column:
    return _ragged(array.cast(pa.large_binary()), "<i8")


def _equally_long(array: Array, _: LogicalType) -> Column:
    width = array.type.byte_width
    offsets = np.arange(len(array) + 1, dtype=np.int64) * width
    return Ragged(_numbers(array, "u1", width), offsets, _valid(array))


def _items(array: Array, logical: LogicalType) -> Column:
    assert isinstance(logical, List)  # noqa: S101  # by _READ
    return Items(column(array.flatten(), logical.item), _starts(array), _valid(array))


def _starts(array: Array) -> Offsets:
    """Return where each list begins, and the last ends, in what Arrow flattens: no null's items."""
    lengths = pc.list_value_length(array).fill_null(0)
    starts = np.zeros(len(array) + 1, np.int64)
    np.cumsum(_numbers(lengths, f"<i{lengths.type.bit_width // 8}"), out=starts[1:])
    return starts


def _pairs(array: Array, logical: LogicalType) -> Column:
    assert isinstance(logical, Map)  # noqa: S101  # by _READ
    lists = as_lists(array)
    keys, values = lists.flatten().flatten()
    return Pairs(
        column(keys, logical.key), column(values, logical.value), _starts(lists), _valid(lists)
    )


def _structs(array: Array, logical: LogicalType) -> Column:
    assert isinstance(logical, Struct)  # noqa: S101  # by _READ
    names = [member.name for member in array.type]
    arrays = dict(zip(names, array.flatten(), strict=True))
    return Members(
        _members(arrays, {member.name: member.type for member in logical.fields}), _valid(array)
    )


Check = Callable[[pa.DataType], bool]
Read = Callable[[Array, LogicalType], Column]
_READ: Final[Mapping[type[LogicalType], tuple[tuple[Check, Read], ...]]] = {
    Bool: ((arrow.is_boolean, _booleans),),
    Int: ((arrow.is_signed_integer, _integers),),
    UInt: ((arrow.is_unsigned_integer, _unsigned),),
    Float32: ((arrow.is_float32, _floats32), (arrow.is_float16, _floats32)),
    Float64: ((arrow.is_float64, _floats64),),
    Decimal: ((arrow.is_decimal, _decimals),),
    String: (
        (arrow.is_string, _short),
        (arrow.is_large_string, _large),
        (arrow.is_string_view, _viewed),
    ),
    Bytes: (
        (arrow.is_binary, _short),
        (arrow.is_large_binary, _large),
        (arrow.is_binary_view, _viewed),
        (arrow.is_fixed_size_binary, _equally_long),
    ),
    Date: ((arrow.is_date32, _integers), (arrow.is_date64, _days)),
    Time: ((arrow.is_time, _times),),
    Timestamp: ((arrow.is_timestamp, _instants),),
    Duration: ((arrow.is_duration, _instants),),
    List: ((is_list, _items),),
    Struct: ((arrow.is_struct, _structs),),
    Map: ((arrow.is_map, _pairs),),
}
