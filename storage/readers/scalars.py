"""Text -> one value of a logical type, exactly or not at all; CSV cells and JSON strings share it.

>>> scalar(Timestamp(zoned=True))("1970-01-01T01:00:00.5+01:00")
500000000

Integers and decimals are exact; a float is the value nearest to its text (IEEE 754, ties to even),
never an infinity that was not written; bytes are base64; dates and times are ISO 8601.
"""

import base64
import binascii
import datetime as dt
import decimal
import re
import struct
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import inf, isinf, nan, nextafter
from typing import Final

from provenance.encoding import DAY_NS, SECOND_NS, Value
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
    LogicalType,
    Null,
    String,
    Time,
    Timestamp,
    UInt,
)
from provenance.schema import type_name

Parse = Callable[[str], Value]

MAX_NUMBER: Final = 2048
"""Characters of a number; the longest exact double needs fewer."""
NON_FINITE: Final = {
    "NaN": nan, "nan": nan, "inf": inf, "-inf": -inf, "Infinity": inf, "-Infinity": -inf,
}  # fmt: skip
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,19})")
_DECIMAL: Final = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?")
_TIMESTAMP: Final = re.compile(
    r"(?P<date>[0-9-]{10})[T ](?P<time>[0-9:.]{8,18})"
    r"(?P<zone>Z|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3])(:?(?P<minutes>[0-5][0-9]))?)?"
)
_DURATION: Final = re.compile(
    r"(-?)P(?:([0-9]{1,12})D)?(?:T(?:([0-9]{1,14})H)?(?:([0-9]{1,16})M)?"
    r"(?:([0-9]{1,19})(?:\.([0-9]{1,9}))?S)?)?"
)


def scalar(logical: LogicalType) -> Parse:
    """Return what reads text as a value of `logical`, raising MalformedError when it is none.

    Raises:
        MalformedError: `logical` is a list, struct or map: text does not hold one.
    """
    if isinstance(logical, Timestamp):
        return _instant if logical.zoned else _wall_clock
    try:
        return _SIMPLE[type(logical)]
    except KeyError as error:
        raise MalformedError(f"a {type_name(logical)} cannot be one cell; use JSONL") from error


def _wrong(expected: str, text: str) -> MalformedError:
    return MalformedError(f"expected {expected}, got {text[:40]!r}")


def _null(text: str) -> Value:
    raise _wrong("null", text)


def _bool(text: str) -> Value:
    try:
        return {"true": True, "false": False, "True": True, "False": False}[text]
    except KeyError as error:
        raise _wrong("true or false", text) from error


def _integer(text: str) -> Value:
    if not _INTEGER.fullmatch(text):
        raise _wrong("an integer", text)
    return int(text)


def _number(text: str, expected: str) -> str:
    if len(text) > MAX_NUMBER or not _DECIMAL.fullmatch(text):
        raise _wrong(expected, text)
    return text


def float64(text: str) -> float:
    """Return the double nearest to `text`."""
    if text in NON_FINITE:
        return NON_FINITE[text]
    found = float(_number(text, "a float"))
    if isinf(found):
        raise _wrong("a float of 64 bits", text)
    return found


def float32(text: str) -> float:
    """Return the float of 32 bits nearest to `text`, rounded once and not by way of a double."""
    if text in NON_FINITE:
        return NON_FINITE[text]
    double = float64(text)
    if double and _round32(double, text) != double:
        exact, rounded = Fraction(text), Fraction(double)
        if exact != rounded:  # a double may have been rounded on to a tie: step off it
            double = nextafter(double, inf if exact > rounded else -inf)
    return _round32(double, text)


def _round32(double: float, text: str) -> float:
    try:
        found: float = struct.unpack(">f", struct.pack(">f", double))[0]
    except OverflowError as error:
        raise _wrong("a float of 32 bits", text) from error
    return found


def exact_decimal(text: str) -> decimal.Decimal:
    """Return the decimal that `text` writes, every digit kept."""
    return decimal.Decimal(_number(text, "a decimal"))


def _text(text: str) -> Value:
    return text


def _bytes(text: str) -> Value:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong("base64", text) from error
    if base64.b64encode(found).decode() != text:
        raise _wrong("base64 without slack", text)
    return found


def _date(text: str) -> int:
    match = _DATE.fullmatch(text)
    try:
        year, month, day = map(int, match.groups()) if match else (0, 0, 0)
        return dt.date(year, month, day).toordinal() - _EPOCH
    except ValueError as error:
        raise _wrong("a date as 2026-01-31", text) from error


def _time(text: str) -> int:
    match = _TIME.fullmatch(text)
    if not match:
        raise _wrong("a time as 23:59:59.999999999", text)
    hours, minutes, seconds, fraction = match.groups()
    return _nanoseconds(int(hours) * 3600 + int(minutes) * 60 + int(seconds), fraction)


def _nanoseconds(seconds: int, fraction: str | None) -> int:
    return seconds * SECOND_NS + int((fraction or "").ljust(9, "0"))


def _instant(text: str) -> Value:
    match = _TIMESTAMP.fullmatch(text)
    if not match or not match["zone"]:
        raise _wrong("an instant as 2026-01-31T23:59:59Z, with its offset from UTC", text)
    offset = int(match["hours"] or 0) * 3600 + int(match["minutes"] or 0) * 60
    local = _date(match["date"]) * DAY_NS + _time(match["time"])
    return local - (-offset if match["sign"] == "-" else offset) * SECOND_NS


def _wall_clock(text: str) -> Value:
    match = _TIMESTAMP.fullmatch(text)
    if not match or match["zone"]:
        raise _wrong("date and time as 2026-01-31T23:59:59, without a zone", text)
    return _date(match["date"]) * DAY_NS + _time(match["time"])


def _duration(text: str) -> Value:
    match = _DURATION.fullmatch(text)
    if not match or text[-1] in "PT":
        raise _wrong("a duration as PT1.5S or P1DT2H", text)
    days, hours, minutes, seconds = (int(match[at] or 0) for at in range(2, 6))
    whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return _nanoseconds(whole, match[6]) * (-1 if match[1] else 1)


_SIMPLE: Final[Mapping[type, Parse]] = {
    Null: _null,
    Bool: _bool,
    Int: _integer,
    UInt: _integer,
    Float32: float32,
    Float64: float64,
    Decimal: exact_decimal,
    String: _text,
    Bytes: _bytes,
    Date: _date,
    Time: _time,
    Duration: _duration,
}
