"""What the members of a claim are read and bounded by."""

import re
from collections.abc import Sequence
from typing import Final

from provenance import canonical
from provenance.canonical import SAFE, Fields, Json, JsonObject
from provenance.errors import MalformedError

MAX_PARTS: Final = 2**10
MAX_KEYS: Final = 2**12
MAX_RECORDS: Final = 2**14
"""A part's context is hashed over all of them: what is larger is claimed in several claims."""
MAX_INDEX: Final = 2**32 - 1
"""Highest index of a record: chunk * 2**14 + position."""
MAX_STEPS: Final = 2**32
MAX_WIDTH: Final = 2**12
"""Values in one row."""
MAX_VALUE: Final = 2**125
"""No circuit gives a value beyond, on either side."""

_DECIMAL: Final = re.compile("-?[1-9][0-9]{0,37}")

Rows = tuple[tuple[int, ...], ...]


def texts(fields: Fields, name: str, most: int) -> tuple[str, ...]:
    """Return an array of at most `most` strings, or raise MalformedError."""
    items = fields.items(name, most)
    found = tuple(item for item in items if isinstance(item, str))
    if len(found) != len(items):
        raise fields.error(name, "an array of strings")
    return found


def integers(value: Json, most: int, low: int, high: int) -> tuple[int, ...]:
    """Return 1 to `most` integers from `low` to `high`, or raise MalformedError."""
    items = value if isinstance(value, list) else ()
    found = tuple(number for number in map(_integer, items) if number is not None)
    if not 1 <= len(items) <= most or len(found) != len(items):
        raise MalformedError(f"claim: 1 to {most} integers were expected")
    if not all(low <= number <= high for number in found):
        raise MalformedError(f"claim: integers from {low} to {high} were expected")
    return found


def _integer(value: Json) -> int | None:
    """Return the integer that JSON holds, as a decimal string if it is beyond 2**53 - 1."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= SAFE:
        return value
    if isinstance(value, str) and _DECIMAL.fullmatch(value) and abs(int(value)) > SAFE:
        return int(value)
    return None


def read_rows(fields: Fields, name: str, most: int) -> Rows:
    """Return an array of at most `most` rows of integers, or raise MalformedError."""
    return tuple(
        integers(row, MAX_WIDTH, -MAX_VALUE, MAX_VALUE) for row in fields.items(name, most)
    )


def named(name: str, rows: Rows) -> JsonObject:
    """Return rows as a member of this name."""
    return {name: [[canonical.integer(value) for value in row] for row in rows]}


def check_rows(name: str, rows: Rows, most: int) -> None:
    """Check that there are 1 to `most` rows of integers, none of them beyond 2**125."""
    check_range(name, len(rows), 1, most)
    for row in rows:
        check_range(f"width of {name}", len(row), 1, MAX_WIDTH)
        for value in row:
            check_range(name, value, -MAX_VALUE, MAX_VALUE)


def check_many(name: str, items: Sequence[object], most: int) -> None:
    """Check that there are 1 to `most` things, all different."""
    if not 1 <= len(items) <= most:
        raise MalformedError(f"claim: 1 to {most} {name}, not {len(items)}")
    if len(set(items)) != len(items):
        raise MalformedError(f"claim: one of its {name} is named twice")


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Check that a number lies within its bounds, or raise MalformedError."""
    if not low <= value <= high:
        raise MalformedError(f"claim: {name} must be {low} to {high}, not {value}")
