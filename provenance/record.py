"""A record as canonical bytes, and back; with `Schema`, all that the layers above need.

>>> schema = Schema.of(Field("id", Int()), Field("note", String()))
>>> encode_record(schema, {"id": 258, "note": "hi"}).hex(" ", 1)
'01 00 00 00 00 00 00 01 02 01 00 00 00 02 68 69'

`decode_record` reads any value and then asks whether it would be written so; what is spelled in
another way is refused: another NaN, a -0, a map out of order, slack (docs/spec/record.md).
"""

import decimal
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from provenance.encoding import EXACT, SECOND_NS, Record, Value, encoder
from provenance.errors import MalformedError
from provenance.schema import (
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
    Schema,
    String,
    Struct,
    Time,
    Timestamp,
    UInt,
)

__all__ = [
    "Bool",
    "Bytes",
    "Date",
    "Decimal",
    "Duration",
    "Field",
    "Float32",
    "Float64",
    "Int",
    "List",
    "LogicalType",
    "Map",
    "Null",
    "Record",
    "Schema",
    "String",
    "Struct",
    "Time",
    "Timestamp",
    "UInt",
    "Value",
    "decode_record",
    "encode_record",
    "encoder",
]

Take = Callable[[bytes, int], tuple[Value, int]]


def encode_record(schema: Schema, record: Record) -> bytes:
    """Return the one encoding of `record`.

    Raises:
        MalformedError: A field is missing or unknown, or a value does not fit its type exactly.
    """
    return encoder(schema)(record)


def decode_record(schema: Schema, data: bytes) -> dict[str, Value]:
    """Return the record that `encode_record` writes as `data`; a map's entries come in key order.

    Raises:
        MalformedError: `data` is no record's encoding under this schema.
    """
    record, _ = _decoder(schema)(data, 0)
    if encoder(schema)(record) != data:
        raise MalformedError("not the canonical encoding of a record: other spelling, or slack")
    return record


@lru_cache(maxsize=64)
def _decoder(schema: Schema) -> Callable[[bytes, int], tuple[dict[str, Value], int]]:
    return _take_fields(schema.fields)


def _take_fields(fields: Sequence[Field]) -> Callable[[bytes, int], tuple[dict[str, Value], int]]:
    takes = [(member.name, _take(member.type)) for member in fields]

    def take(data: bytes, at: int) -> tuple[dict[str, Value], int]:
        record: dict[str, Value] = {}
        for name, each in takes:
            record[name], at = each(data, at)
        return record, at

    return take


def _take(logical: LogicalType) -> Take:
    """Return what reads a validity byte and, unless it is 0, the value after it."""
    value = _take_value(logical)

    def take(data: bytes, at: int) -> tuple[Value, int]:
        validity, at = _cut(data, at, 1)
        return (None, at) if validity == b"\0" else value(data, at)

    return take


def _cut(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if size > len(data) - at:
        raise MalformedError(f"the encoding ends at byte {len(data)}, within a value")
    return data[at : at + size], at + size


def _take_value(logical: LogicalType) -> Take:
    match logical:
        case Decimal():
            return _take_decimal(logical.scale)
        case List():
            return _take_list(_take(logical.item))
        case Struct():
            return _take_fields(logical.fields)
        case Map():
            return _take_map(_take(logical.key), _take(logical.value))
        case _:
            return _SIMPLE[type(logical)]


def _take_fixed(layout: str) -> Take:
    number = struct.Struct(layout)

    def take(data: bytes, at: int) -> tuple[Value, int]:
        cut, at = _cut(data, at, number.size)
        value: Value = number.unpack(cut)[0]
        return value, at

    return take


def _take_decimal(scale: int) -> Take:
    def take(data: bytes, at: int) -> tuple[Value, int]:
        cut, at = _cut(data, at, 32)
        unscaled = int.from_bytes(cut, "big", signed=True)
        return decimal.Decimal(unscaled).scaleb(-scale, EXACT), at

    return take


def _take_size(data: bytes, at: int) -> tuple[int, int]:
    cut, at = _cut(data, at, 4)
    return int.from_bytes(cut, "big"), at


def _take_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _take_size(data, at)
    return _cut(data, at, size)


def _take_string(data: bytes, at: int) -> tuple[Value, int]:
    cut, at = _take_bytes(data, at)
    try:
        return cut.decode(), at
    except UnicodeDecodeError as error:
        raise MalformedError(f"text that ends at byte {at} is no valid UTF-8") from error


def _take_instant(data: bytes, at: int) -> tuple[Value, int]:
    cut, at = _cut(data, at, 12)
    seconds, nanoseconds = struct.unpack(">qI", cut)
    return seconds * SECOND_NS + nanoseconds, at


def _take_list(item: Take) -> Take:
    def take(data: bytes, at: int) -> tuple[list[Value], int]:
        count, at = _take_size(data, at)
        items: list[Value] = []
        while len(items) < count:
            value, at = item(data, at)
            items.append(value)
        return items, at

    return take


def _take_map(key: Take, item: Take) -> Take:
    def take(data: bytes, at: int) -> tuple[list[Value], int]:
        count, at = _take_size(data, at)
        pairs: list[Value] = []
        while len(pairs) < count:
            name, at = key(data, at)
            value, at = item(data, at)
            pairs.append((name, value))
        return pairs, at

    return take


_SIMPLE: Final[Mapping[type, Take]] = {
    Null: _take_fixed(">0s"),
    Bool: _take_fixed(">?"),
    Int: _take_fixed(">q"),
    UInt: _take_fixed(">Q"),
    Float32: _take_fixed(">f"),
    Float64: _take_fixed(">d"),
    String: _take_string,
    Bytes: _take_bytes,
    Date: _take_fixed(">q"),
    Time: _take_fixed(">Q"),
    Timestamp: _take_instant,
    Duration: _take_instant,
}
