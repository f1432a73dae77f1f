"""Arrow -> logical types and Python values: whatever the physical variant, one logical reading.

Dictionary, run-end encoded, large, view and fixed-size types, integer widths, half floats, decimal
widths, date32 and date64, time and timestamp units all vanish here; what has no exact logical value
is refused: unions, month intervals, extension types, duplicate names.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types as arrow

from provenance.errors import MalformedError
from provenance.record import (
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Field,
    Float32,
    Float64,
    Int,
    List,
    LogicalType,
    Map,
    Null,
    Record,
    Schema,
    String,
    Struct,
    Time,
    Timestamp,
    UInt,
    Value,
)
from provenance.schema import MAX_DEPTH

UNIT_NS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
DAY_MS: Final = 86_400_000
EXTENSION: Final = b"ARROW:extension:name"

Column = Any
"""An Arrow array; pyarrow's stubs know too few of its methods."""
AnyField = Any
"""An Arrow field, likewise."""
Check = Callable[[pa.DataType], bool]
_SIMPLE: Final[tuple[tuple[Check, LogicalType], ...]] = (
    (arrow.is_null, Null()),
    (arrow.is_boolean, Bool()),
    (arrow.is_signed_integer, Int()),
    (arrow.is_unsigned_integer, UInt()),
    (lambda kind: arrow.is_float16(kind) or arrow.is_float32(kind), Float32()),
    (arrow.is_float64, Float64()),
    (
        lambda kind: (
            arrow.is_string(kind) or arrow.is_large_string(kind) or arrow.is_string_view(kind)
        ),
        String(),
    ),
    (
        lambda kind: (
            arrow.is_binary(kind)
            or arrow.is_large_binary(kind)
            or arrow.is_binary_view(kind)
            or arrow.is_fixed_size_binary(kind)
        ),
        Bytes(),
    ),
    (arrow.is_date, Date()),
    (arrow.is_time, Time()),
    (arrow.is_duration, Duration()),
)


def logical_schema(schema: pa.Schema) -> Schema:
    """Return the logical schema of an Arrow schema.

    Raises:
        MalformedError: No column, a name twice, or a type that cannot be encoded exactly; the
            message names the column and a remedy.
    """
    return Schema.of(*_logical_fields(list(schema), 1))


def _logical_fields(fields: Sequence[AnyField], depth: int) -> Iterator[Field]:
    for field in fields:
        try:
            if field.metadata and EXTENSION in field.metadata:
                raise _refused(field.type)
            yield Field(field.name, logical_type(field.type, depth))
        except MalformedError as error:
            raise MalformedError(f"column {field.name!r}: {error}") from error
        except UnicodeDecodeError as error:
            raise MalformedError("a column's name is no valid UTF-8; rename it") from error


def logical_type(kind: pa.DataType, depth: int = 1) -> LogicalType:
    """Return the logical type of an Arrow type, or raise MalformedError with a remedy."""
    if depth > MAX_DEPTH:  # before Python's own limit
        raise MalformedError(f"nested deeper than {MAX_DEPTH}; flatten it")
    if arrow.is_dictionary(kind) or arrow.is_run_end_encoded(kind):
        return logical_type(kind.value_type, depth + 1)
    for check, logical in _SIMPLE:
        if check(kind):
            return logical
    return _composite(kind, depth + 1)


def is_list(kind: pa.DataType) -> bool:
    """Return whether `kind` is any of Arrow's lists."""
    return (
        arrow.is_list(kind)
        or arrow.is_large_list(kind)
        or arrow.is_fixed_size_list(kind)
        or arrow.is_list_view(kind)
        or arrow.is_large_list_view(kind)
    )


def _composite(kind: pa.DataType, depth: int) -> LogicalType:
    if arrow.is_decimal(kind):
        return Decimal(kind.precision, kind.scale)
    if arrow.is_timestamp(kind):
        return Timestamp(kind.tz is not None)
    if is_list(kind):
        (item,) = _logical_fields([kind.field(0)], depth)
        return List(item.type)
    if arrow.is_struct(kind):
        return Struct.of(*_logical_fields(list(kind), depth))
    if arrow.is_map(kind):
        key, item = _logical_fields([kind.key_field, kind.item_field], depth)
        return Map(key.type, item.type)
    raise _refused(kind)


def _refused(kind: pa.DataType) -> MalformedError:
    return MalformedError(
        f"Arrow type {kind} cannot be encoded exactly; cast it to plain columns or leave it out"
    )


def records(batch: pa.RecordBatch) -> list[Record]:
    """Return the rows of a validated batch as records of its logical schema."""
    return _rows(batch.schema.names, batch.columns)


def _rows(names: Sequence[str], columns: Sequence[Column]) -> list[Record]:
    rows = zip(*map(values, columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def values(array: Column) -> list[Value]:
    """Return the logical values of an Arrow array.

    Raises:
        MalformedError: A date64 with a part of a day.
    """
    kind = array.type
    for check, read in _READ:
        if check(kind):
            return read(array)
    return list(array.to_pylist())


def _masked(array: Column, found: Sequence[Value]) -> list[Value]:
    """Return `found` with None where `array` is null."""
    if not array.null_count:
        return list(found)
    valid = array.is_valid().to_pylist()
    return [value if is_valid else None for value, is_valid in zip(found, valid, strict=True)]


def _numbers(array: Column) -> list[Any]:
    if not array.null_count:
        return list(array.to_numpy(zero_copy_only=False).tolist())
    return _masked(array, array.fill_null(0).to_numpy(zero_copy_only=False).tolist())


def _scaled(array: Column, factor: int) -> list[Value]:
    """Return the integers behind a temporal array, times `factor`; never through datetime."""
    raw = array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    return [None if each is None else each * factor for each in _numbers(raw)]


def _days(array: Column) -> list[Value]:
    return [None if each is None else _day(each) for each in _numbers(array.view(pa.int64()))]


def _day(milliseconds: int) -> int:
    day, rest = divmod(milliseconds, DAY_MS)
    if rest:
        raise MalformedError("a date64 holds a part of a day; cast it to a timestamp or to date32")
    return day


def _items(array: Column) -> list[Value]:
    return _cut(array, values(array.flatten()))


def _cut(array: Column, items: list[Value]) -> list[Value]:
    """Return `items`, which are those of all valid lists in order, list by list."""
    found: list[Value] = []
    at = 0
    for length in pc.list_value_length(array).to_pylist():
        found.append(None if length is None else items[at : at + length])
        at += length or 0
    return found


def _pairs(array: Column) -> list[Value]:
    """Return the maps of `array` as lists of pairs, by reading it as the lists that it is."""
    lists = as_lists(array)
    keys, items = (values(each) for each in lists.flatten().flatten())
    return _cut(lists, list(zip(keys, items, strict=True)))


def as_lists(maps: Column) -> Column:
    """Return an array of maps as the lists of structs that it is, without copying.

    Arrow's own `cast` and `view` would give the nulls inside maps of maps another length.
    """
    entries = maps.values  # with their offset, which `maps.keys` forgets
    buffers = maps.buffers()[:2]
    return pa.Array.from_buffers(
        pa.list_(entries.type), len(maps), buffers, -1, maps.offset, [entries]
    )


def _members(array: Column) -> list[Value]:
    rows = _rows([field.name for field in array.type], array.flatten())
    return _masked(array, rows)


def _decoded(array: Column) -> Column:
    return pc.call_function("run_end_decode", [array])


def _is_timed(kind: pa.DataType) -> bool:
    return arrow.is_time(kind) or arrow.is_timestamp(kind) or arrow.is_duration(kind)


_READ: Final[tuple[tuple[Check, Callable[[Column], list[Value]]], ...]] = (
    (arrow.is_null, lambda array: [None] * len(array)),
    (arrow.is_dictionary, lambda array: values(array.dictionary_decode())),
    (arrow.is_run_end_encoded, lambda array: values(_decoded(array))),
    (arrow.is_map, _pairs),
    (is_list, _items),
    (arrow.is_struct, _members),
    (arrow.is_float16, lambda array: _numbers(array.cast(pa.float32()))),
    (lambda kind: arrow.is_integer(kind) or arrow.is_floating(kind), _numbers),
    (arrow.is_date32, lambda array: _scaled(array, 1)),
    (arrow.is_date64, _days),
    (_is_timed, lambda array: _scaled(array, UNIT_NS[array.type.unit])),
)
