"""How evidence is spelt: Celestia's JSON with one spelling for every value.

Integers are decimal strings, hashes upper-case hex, nodes and signatures base64, as in a node's
answers; nothing is left out, and nothing that no hash or signature covers is kept.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

from provenance.canonical import Fields, Json
from provenance.errors import MalformedError

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_HEX: Final = re.compile(r"([0-9A-F]{2})*")


def decimal(fields: Fields, name: str, low: int, high: int) -> int:
    """Return an integer from `low` to `high` that is written as a decimal string."""
    text = fields.text(name, most=19)
    if not _DECIMAL.fullmatch(text) or not low <= int(text) <= high:
        raise fields.error(name, f"a decimal string from {low} to {high}")
    return int(text)


def hexed(fields: Fields, name: str, *sizes: int) -> bytes:
    """Return bytes in upper-case hex, as many as one of `sizes`."""
    text = fields.text(name, most=2 * max(sizes))
    if not _HEX.fullmatch(text) or len(text) // 2 not in sizes:
        raise fields.error(name, f"{' or '.join(map(str, sizes))} bytes in upper-case hex")
    return bytes.fromhex(text)


def based(fields: Fields, name: str, *sizes: int) -> bytes:
    """Return bytes in base64, as many as one of `sizes`."""
    return _unbase(fields.text(name, most=2 * max(sizes)), sizes, f"{fields.where}.{name}")


def all_based(fields: Fields, name: str, most: int, size: int) -> tuple[bytes, ...]:
    """Return an array of at most `most` values of `size` bytes, each in base64."""
    where = f"{fields.where}.{name}"
    return tuple(_unbase(item, (size,), where) for item in fields.items(name, most))


def base(data: bytes) -> str:
    """Return `data` in base64."""
    return base64.b64encode(data).decode()


def bases(values: Sequence[bytes]) -> list[Json]:
    """Return each value in base64."""
    return [base(value) for value in values]


def upper(data: bytes) -> str:
    """Return `data` in upper-case hex."""
    return data.hex().upper()


def _unbase(text: Json, sizes: tuple[int, ...], where: str) -> bytes:
    if not isinstance(text, str) or len(text) > 2 * max(sizes):
        raise MalformedError(f"{where}: expected base64 of {sizes[0]} bytes")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{where}: not base64: {error}") from error
    if len(data) not in sizes or base(data) != text:
        raise MalformedError(f"{where}: expected {' or '.join(map(str, sizes))} bytes in base64")
    return data
