"""The protobuf encoding of CometBFT's hashes, and times exact to the nanosecond.

Only what headers, validators and votes need: integers, fixed integers, bytes, messages. Zero and
empty values are left out, but for messages that the schema says are never null.
"""

import re
from datetime import UTC, date, datetime
from typing import Final

from provenance.errors import MalformedError

SECOND: Final = 10**9
_TIME: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{0,8}[1-9]))?Z", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def varint(value: int) -> bytes:
    """Return a protobuf varint; negative values take ten bytes."""
    value &= 2**64 - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    """Return an integer field, or nothing for 0."""
    return varint(number << 3) + varint(value) if value else b""


def fixed(number: int, value: int) -> bytes:
    """Return an sfixed64 field, or nothing for 0."""
    return varint(number << 3 | 1) + value.to_bytes(8, "little", signed=True) if value else b""


def octets(number: int, value: bytes) -> bytes:
    """Return a bytes or string field, or nothing if empty."""
    return message(number, value) if value else b""


def message(number: int, value: bytes) -> bytes:
    """Return a message field that is never left out."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def timestamp(nanoseconds: int) -> bytes:
    """Return a google.protobuf.Timestamp of nanoseconds since 1970."""
    seconds, rest = divmod(nanoseconds, SECOND)
    return integer(1, seconds) + integer(2, rest)


def parse_time(text: str) -> int:
    """Return nanoseconds since 1970, UTC, or raise MalformedError.

    >>> parse_time("1970-01-01T00:00:01.5Z")
    1500000000
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise MalformedError(f"not a time in UTC to the nanosecond: {text[:40]!r}")
    *calendar, fraction = match.groups()
    year, month, day, hour, minute, second = map(int, calendar)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise MalformedError(f"no such time: {text!r}: {error}") from error
    since = moment - _EPOCH
    return (since.days * 86400 + since.seconds) * SECOND + int((fraction or "0").ljust(9, "0"))


def format_time(nanoseconds: int) -> str:
    """Return the time as Go writes it: a fraction without trailing zeros, if any.

    >>> format_time(1500000000)
    '1970-01-01T00:00:01.5Z'
    """
    seconds, rest = divmod(nanoseconds, SECOND)
    days, within = divmod(seconds, 86400)
    try:
        day = date.fromordinal(_EPOCH.toordinal() + days).isoformat()
    except (ValueError, OverflowError) as error:
        raise MalformedError(f"{nanoseconds} ns is outside the years 1 to 9999") from error
    clock = f"{within // 3600:02}:{within // 60 % 60:02}:{within % 60:02}"
    fraction = f".{rest:09}".rstrip("0") if rest else ""
    return f"{day}T{clock}{fraction}Z"
