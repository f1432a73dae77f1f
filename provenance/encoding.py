"""A record -> canonical bytes: fields in name order, each a validity byte and its value.

Every logical type has one function that writes it, and a schema compiles to a list of them once.
The bytes depend on logical values alone, and every value has exactly one encoding: one NaN, no -0,
a map sorted by its encoded keys (docs/spec/record.md).
"""

import decimal
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeGuard

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

Value = (
    None | bool | int | float | decimal.Decimal | str | bytes | Sequence["Value"]
    | Mapping[str, "Value"]
)  # fmt: skip
"""Date: days since 1970. Time: ns since midnight. Timestamp: ns since 1970 (UTC if zoned).
Duration: ns. Map: sequence of pairs (key, value)."""
Record = Mapping[str, Value]
Put = Callable[[Value], bytes]

DAY_NS: Final = 86_400 * 10**9
SECOND_NS: Final = 10**9
MAX_SIZE: Final = 2**32 - 1
EXACT: Final = decimal.Context(
    prec=160, traps=[decimal.Inexact, decimal.InvalidOperation, decimal.Overflow]
)
"""Arithmetic that raises instead of rounding."""
_ABSENT: Final = b"\0"
_NAN32: Final = bytes.fromhex("017fc00000")
_NAN64: Final = bytes.fromhex("017ff8000000000000")
_FLOAT32: Final = struct.Struct(">Bf")
_FLOAT64: Final = struct.Struct(">Bd")
_TIME: Final = struct.Struct(">BQ")
_INSTANT: Final = struct.Struct(">BqI")
_SIZE: Final = struct.Struct(">BI")


@lru_cache(maxsize=64)
def encoder(schema: Schema) -> Callable[[Record], bytes]:
    """Return what writes a record of `schema`, compiled; it raises MalformedError on a misfit."""
    return _fields(schema.fields)


def _wrong(expected: str, value: object) -> MalformedError:
    if isinstance(value, int) and value.bit_length() > 256:  # Python refuses to print some
        shown = f"of {value.bit_length()} bits"
    else:
        shown = f"{value!r:.40}"
    return MalformedError(f"expected {expected}, got {type(value).__name__} {shown}")


def _fields(fields: Sequence[Field]) -> Callable[[Record], bytes]:
    """Return what encodes the members of a record or struct, without a validity byte."""
    puts = [(member.name, _put(member.type)) for member in fields]
    count = len(puts)

    def put(record: Record) -> bytes:
        name, parts = "", []
        try:
            for name, each in puts:
                parts.append(each(record[name]))
        except MalformedError as error:
            raise MalformedError(f"field {name!r}: {error}") from error
        except KeyError as error:
            raise MalformedError(f"field {name!r} is missing") from error
        except TypeError as error:
            raise _wrong("an object with named fields", record) from error
        if len(record) != count:
            unknown = min(str(name) for name in set(record) - {name for name, _ in puts})
            raise MalformedError(f"field {unknown[:80]!r} is not in the schema")
        return b"".join(parts)

    return put


def _put(logical: LogicalType) -> Put:
    """Return what writes a validity byte and a value of this type."""
    match logical:
        case Decimal():
            return _put_decimal(logical)
        case List():
            return _put_list(_put(logical.item))
        case Struct():
            return _put_struct(_fields(logical.fields))
        case Map():
            return _put_map(_put(logical.key), _put(logical.value))
        case _:
            return _SIMPLE[type(logical)]


def _put_null(value: Value) -> bytes:
    if value is not None:
        raise _wrong("null", value)
    return _ABSENT


def _put_bool(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return b"\1\1" if value else b"\1\0"


def _put_integer(layout: str, expected: str) -> Put:
    pack = struct.Struct(layout).pack

    def put(value: Value) -> bytes:
        if value is None:
            return _ABSENT
        if not _is_integer(value):
            raise _wrong(expected, value)
        try:
            return pack(1, value)
        except struct.error as error:
            raise _wrong(expected, value) from error

    return put


def _is_integer(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _put_float32(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not isinstance(value, float):
        raise _wrong("a float", value)
    if math.isnan(value):
        return _NAN32
    try:
        encoded = _FLOAT32.pack(1, value + 0.0)  # + 0.0 turns -0 into 0
    except OverflowError as error:
        raise _wrong("a float of 32 bits", value) from error
    if _FLOAT32.unpack(encoded)[1] != value:
        raise _wrong("a float of 32 bits", value)
    return encoded


def _put_float64(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not isinstance(value, float):
        raise _wrong("a float", value)
    return _NAN64 if math.isnan(value) else _FLOAT64.pack(1, value + 0.0)


def _put_decimal(logical: Decimal) -> Put:
    limit = decimal.Decimal(10) ** logical.precision
    expected = f"a decimal({logical.precision}, {logical.scale}) exactly"

    def put(value: Value) -> bytes:
        if value is None:
            return _ABSENT
        if not isinstance(value, decimal.Decimal) or not value.is_finite():
            raise _wrong(expected, value)
        try:
            unscaled = value.scaleb(logical.scale, EXACT).to_integral_exact(context=EXACT)
        except decimal.DecimalException as error:
            raise _wrong(expected, value) from error
        if not -limit < unscaled < limit:
            raise _wrong(expected, value)
        return b"\1" + int(unscaled).to_bytes(32, "big", signed=True)

    return put


def _put_string(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not isinstance(value, str):
        raise _wrong("text", value)
    try:
        return _sized(value.encode())
    except UnicodeEncodeError as error:
        raise MalformedError("text with half a surrogate pair is no valid Unicode") from error


def _put_bytes(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not isinstance(value, bytes):
        raise _wrong("bytes", value)
    return _sized(value)


def _sized(data: bytes) -> bytes:
    return _head(len(data)) + data


def _head(size: int) -> bytes:
    if size > MAX_SIZE:
        raise MalformedError(f"a value of size {size}; at most {MAX_SIZE} can be written")
    return _SIZE.pack(1, size)


def _put_time(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not _is_integer(value) or not 0 <= value < DAY_NS:
        raise _wrong("nanoseconds within a day", value)
    return _TIME.pack(1, value)


def _put_instant(value: Value) -> bytes:
    if value is None:
        return _ABSENT
    if not _is_integer(value):
        raise _wrong("an integer of nanoseconds", value)
    try:
        return _INSTANT.pack(1, *divmod(value, SECOND_NS))
    except struct.error as error:
        raise _wrong("nanoseconds whose seconds fit 64 bits", value) from error


def _put_list(item: Put) -> Put:
    def put(value: Value) -> bytes:
        if value is None:
            return _ABSENT
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise _wrong("a list", value)
        return _head(len(value)) + b"".join([item(each) for each in value])

    return put


def _put_struct(members: Callable[[Record], bytes]) -> Put:
    def put(value: Value) -> bytes:
        if value is None:
            return _ABSENT
        if not isinstance(value, Mapping):
            raise _wrong("an object with named fields", value)
        return b"\1" + members(value)

    return put


def _put_map(key: Put, item: Put) -> Put:
    def pair(value: Value) -> tuple[bytes, bytes]:
        if not isinstance(value, tuple | list) or len(value) != 2:
            raise _wrong("a pair (key, value)", value)
        if value[0] is None:
            raise MalformedError("a map has a null key")
        return key(value[0]), item(value[1])

    def put(value: Value) -> bytes:
        if value is None:
            return _ABSENT
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise _wrong("a sequence of pairs (key, value)", value)
        pairs = dict(map(pair, value))
        if len(pairs) != len(value):
            raise MalformedError("a map has the same key twice")
        return _head(len(pairs)) + b"".join(
            [part for each in sorted(pairs.items()) for part in each]
        )

    return put


_SIMPLE: Final[Mapping[type, Put]] = {
    Null: _put_null,
    Bool: _put_bool,
    Int: _put_integer(">Bq", "an integer of 64 bits"),
    UInt: _put_integer(">BQ", "an integer of 64 bits without sign"),
    Float32: _put_float32,
    Float64: _put_float64,
    String: _put_string,
    Bytes: _put_bytes,
    Date: _put_integer(">Bq", "days of 64 bits"),
    Time: _put_time,
    Timestamp: _put_instant,
    Duration: _put_instant,
}
