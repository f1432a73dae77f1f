"""What a node's answers are made of: integers as numbers or strings, bytes in base64.

Members that are not known are passed over: a newer node may say more, and nothing is believed.
"""

import base64
import binascii
import re
from typing import Final

from provenance.canonical import SAFE, Fields, Json
from provenance.errors import MalformedError

_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})")


def integer(value: Json, where: str, low: int = 0, high: int = SAFE) -> int:
    """Return an integer from `low` to `high`, written as a number or as a string."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(f"{where}: expected an integer from {low} to {high}")
    return value


def member(fields: Fields, name: str, low: int = 0, high: int = SAFE) -> int:
    """Return the integer member `name`; one that is missing is 0, which a node leaves out."""
    return integer(fields.members.get(name, 0), f"{fields.where}.{name}", low, high)


def text(value: Json, where: str, most: int = 4096) -> str:
    """Return a string of at most `most` characters."""
    if not isinstance(value, str) or len(value) > most:
        raise MalformedError(f"{where}: expected a string of at most {most} characters")
    return value


def boolean(value: Json) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise MalformedError("expected true or false")
    return value


def nothing(value: Json) -> None:
    """Check that a method that answers nothing answered null."""
    if value is not None:
        raise MalformedError("expected null")


def octets(value: Json, where: str, least: int, most: int) -> bytes:
    """Return `least` to `most` bytes in base64."""
    if not isinstance(value, str) or len(value) > -(-most // 3) * 4:
        raise MalformedError(f"{where}: expected base64 of at most {most} bytes")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{where}: not base64: {error}") from error
    if not least <= len(data) <= most:
        raise MalformedError(f"{where}: expected {least} to {most} bytes, got {len(data)}")
    return data


def items(value: Json, where: str, most: int) -> list[Json]:
    """Return the elements of an array of at most `most`; null is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise MalformedError(f"{where}: expected an array of at most {most} elements")
    return value
