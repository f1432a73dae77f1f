"""Numbers, dates and instants of a whole column -> canonical bytes, big-endian, one row a value.

Vectorised forms of what encoding.py writes value by value (docs/spec/record.md, "Encoding"). Each
function returns an array of shape (count, width). Values under a null may be anything: they are
neither checked nor do they disturb others.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError

Octets = NDArray[np.uint8]
Integers = NDArray[np.signedinteger[Any]]

DAY_SECONDS: Final = 86_400
DAY_MS: Final = 86_400_000
SECOND_NS: Final = 10**9
_INSTANT: Final = np.dtype([("seconds", ">i8"), ("nanoseconds", ">u4")])


def booleans(values: Octets) -> Octets:
    """Return 1 byte each, for values 0 or 1."""
    return _rows(values, 1)


def integers(values: Integers) -> Octets:
    """Return 8 bytes each, in two's complement: integers with sign, days."""
    return _rows(values.astype(">i8"), 8)


def unsigned(values: NDArray[np.unsignedinteger[Any]]) -> Octets:
    """Return 8 bytes each."""
    return _rows(values.astype(">u8"), 8)


def floats32(values: NDArray[np.float16] | NDArray[np.float32]) -> Octets:
    """Return 4 bytes each: one NaN, no -0."""
    return _rows(_one_spelling(values, np.dtype(np.float32)).astype(">f4"), 4)


def floats64(values: NDArray[np.float64]) -> Octets:
    """Return 8 bytes each: one NaN, no -0."""
    return _rows(_one_spelling(values, np.dtype(np.float64)).astype(">f8"), 8)


def _one_spelling(values: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):  # a signalling NaN
        found: NDArray[Any] = np.add(values, 0, dtype=kind)  # turns -0 into 0
    if np.isnan(found.max(initial=0)):  # one pass; a maximum with a NaN is a NaN
        found[np.isnan(found)] = np.nan
    return found


def instants(values: NDArray[np.int64], per_second: int) -> Octets:
    """Return 12 bytes each: seconds, rounded down, and nanoseconds.

    Args:
        values: Timestamps or durations in a unit of which a second has `per_second`.
        per_second: 1, 10**3, 10**6 or 10**9.
    """
    rows = np.empty(len(values), _INSTANT)
    seconds = values // per_second
    rows["seconds"] = seconds
    rows["nanoseconds"] = (values - seconds * per_second) * (SECOND_NS // per_second)
    return _rows(rows, 12)


def times(values: Integers, valid: Octets | None, per_second: int) -> Octets:
    """Return 8 bytes each: nanoseconds since midnight.

    Raises:
        MalformedError: A time outside the day.
    """
    outside = (values < 0) | (values >= DAY_SECONDS * per_second)
    if _any(outside, valid):
        raise MalformedError("expected nanoseconds within a day, got a time outside the day")
    return integers(values.astype(np.int64) * (SECOND_NS // per_second))


def days(milliseconds: NDArray[np.int64], valid: Octets | None) -> Octets:
    """Return 8 bytes each: days since 1970, from milliseconds.

    Raises:
        MalformedError: A part of a day.
    """
    found = milliseconds // DAY_MS
    if _any(found * DAY_MS != milliseconds, valid):
        raise MalformedError("a date64 holds a part of a day; cast it to a timestamp or to date32")
    return integers(found)


def decimals(words: NDArray[np.uint64], valid: Octets | None, precision: int, scale: int) -> Octets:
    """Return 32 bytes each, in two's complement: integers of so many units of 10**-scale.

    Args:
        words: The integers in two's complement, lowest word first, shape (count, 1 to 4).
        valid: Which of them are not null.
        precision: How many decimal digits they may have.
        scale: Named in errors only.

    Raises:
        MalformedError: One that has more digits than `precision`.
    """
    rows = np.empty((len(words), 4), ">u8")
    rows[:] = (words[:, -1].view(np.int64) >> 63).view(np.uint64)[:, None]
    rows[:, 4 - words.shape[1] :] = words[:, ::-1]
    limit = 10**precision
    if _any(~(_below(rows, limit) & ~_below(rows, 1 - limit)), valid):
        raise MalformedError(
            f"expected a decimal({precision}, {scale}) exactly, got one of more digits"
        )
    return rows.view(np.uint8)


def _below(rows: NDArray[np.uint64], limit: int) -> NDArray[np.bool_]:
    """Return which integers of 256 bits, highest word first, are below `limit`."""
    bound = np.frombuffer(limit.to_bytes(32, "big", signed=True), ">u8")
    below = rows[:, 3] < bound[3]
    for at in (2, 1):
        below = (rows[:, at] < bound[at]) | ((rows[:, at] == bound[at]) & below)
    top, end = rows[:, 0].astype(np.int64), bound[0].astype(np.int64)
    found: NDArray[np.bool_] = (top < end) | ((top == end) & below)
    return found


def _any(found: NDArray[np.bool_], valid: Octets | None) -> bool:
    """Return whether any valid value was found."""
    return bool((found if valid is None else found & valid.view(np.bool_)).any())


def _rows(values: NDArray[Any], width: int) -> Octets:
    return np.ascontiguousarray(values).view(np.uint8).reshape(-1, width)
