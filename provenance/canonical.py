"""JSON that is hashed or signed: one way to write it (RFC 8785), one strict way to read it.

Every such document is an object whose `kind` names its format and version, and its digest is the
plain SHA-256 of its bytes, the one that any tool computes over the file:

>>> encode({"kind": "rootline/example/v1", "count": 3})
b'{"count":3,"kind":"rootline/example/v1"}'

Integers beyond 2**53 - 1 are decimal strings. A payload that differs from its own RFC 8785 form is
refused, and so are duplicate keys, trailing bytes, unknown fields, deep nesting and numbers that
are no integers where an integer is meant (docs/spec/canonical.md).
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, TypeVar

import rfc8785

from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
JsonObject = Mapping[str, Json]
T = TypeVar("T")

MAX_BYTES: Final = 16 * 2**20
MAX_DEPTH: Final = 64
"""No value lies deeper below the outermost object; so no reader's stack decides what is valid."""
SAFE: Final = 2**53 - 1
_EXPONENT: Final = 1e21
"""From here on RFC 8785 writes a number with an exponent, so that it is read as no integer."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_DECIMAL: Final = re.compile(r"-?[1-9][0-9]{0,19}")


def encode(value: JsonObject) -> bytes:
    """Return `value` as RFC 8785 bytes.

    Raises:
        MalformedError: A number that RFC 8785 cannot write or that would be read back as another
            one, a string that is no valid Unicode, a value of another type, or too deep.
    """
    is_plain = _check_values(value)
    try:
        return _plain(value) if is_plain else rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"cannot be written as canonical JSON: {error}"[:200]) from error


def _plain(value: JsonObject) -> bytes:
    """Return the RFC 8785 bytes of what `_check_values` calls plain, many times as fast.

    They are those that Python's own writer gives: it sorts ASCII names alike, escapes as RFC 8785
    does, and only numbers with a fraction or an exponent are written in other ways.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def _check_values(value: Json) -> bool:
    """Return whether nothing is in `value` but objects, ASCII names, lists, texts and integers."""
    level: list[Json] = [value]
    is_plain = True
    for _ in range(MAX_DEPTH + 1):
        if any(isinstance(item, float) and SAFE < abs(item) < _EXPONENT for item in level):
            raise MalformedError("a number from 2**53 to 10**21 stands in JSON as a decimal string")
        is_plain = is_plain and all(map(_is_plain, level))
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return is_plain
    raise MalformedError(f"JSON nested deeper than {MAX_DEPTH}; flatten it")


def _is_plain(item: Json) -> bool:
    kind = type(item)
    if kind is str or item is None or kind is bool or kind is list:
        return True
    if isinstance(item, int):
        return kind is int and -SAFE <= item <= SAFE
    if not isinstance(item, dict):
        return False
    return kind is dict and all(type(name) is str and name.isascii() for name in item)


def _inside(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def digest(data: bytes) -> Digest:
    """Return the plain SHA-256 of a document's bytes."""
    return Digest(sha256(data).digest())


def integer(value: int) -> int | str:
    """Return `value` as canonical JSON holds it: beyond 2**53 - 1 as a decimal string."""
    return value if -SAFE <= value <= SAFE else str(value)


def decode(data: bytes, *, limit: int = MAX_BYTES) -> dict[str, Json]:
    """Return the object that `data` writes in canonical form.

    Raises:
        MalformedError: Too long, no JSON object, too deep, duplicate keys, trailing bytes, or
            another spelling than RFC 8785's.
    """
    value = _load(data, limit)
    if encode(value) != data:
        raise MalformedError("not in canonical form (RFC 8785): other spelling, order or spaces")
    return value


def decode_loose(data: bytes, *, limit: int = MAX_BYTES) -> dict[str, Json]:
    """Return the object that `data` writes in any spelling, as people do in files of their own.

    Raises:
        MalformedError: Too long, no JSON object, too deep, duplicate keys, trailing bytes, or a
            value that canonical JSON cannot hold.
    """
    value = _load(data, limit)
    encode(value)
    return value


def _load(data: bytes, limit: int) -> dict[str, Json]:
    if len(data) > limit:
        raise MalformedError(f"a document of {len(data)} bytes; at most {limit} are read")
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise MalformedError(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedError("the outermost JSON value must be an object")
    return value


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("an object names a member twice")
    return found


def _refuse(text: str) -> Json:
    raise MalformedError(f"{text} is not JSON")


def is_name(text: str) -> bool:
    """Return whether `text` is a name or version: 1 to 128 of a-z 0-9 . _ -, first a-z or 0-9."""
    return _NAME.fullmatch(text) is not None


@dataclass(slots=True)
class Fields:
    """The members of one object, each taken once and checked; `done` refuses what is left over."""

    where: str
    members: dict[str, Json] = field(repr=False)

    @classmethod
    def parse(cls, data: bytes, kind: str, *, limit: int = MAX_BYTES) -> "Fields":
        """Return the members of the canonical document `data`, whose kind must be `kind`."""
        fields = cls.of(decode(data, limit=limit), kind)
        fields.constant("kind", kind)
        return fields

    @classmethod
    def of(cls, value: Json, where: str) -> "Fields":
        """Return the members of the object `value`, or raise MalformedError."""
        if not isinstance(value, dict):
            raise MalformedError(f"{where}: expected an object")
        return cls(where, dict(value))

    def take(self, name: str) -> Json:
        """Return the member `name` and cross it off, or raise MalformedError if it is missing."""
        if name not in self.members:
            raise MalformedError(f"{self.where}: member {name!r} is missing")
        return self.members.pop(name)

    def done(self) -> None:
        """Raise MalformedError if a member was not taken."""
        if self.members:
            raise MalformedError(f"{self.where}: unknown member {min(self.members)[:80]!r}")

    def error(self, name: str, expected: str) -> MalformedError:
        """Return the error that says that `name` is not what was `expected`."""
        return MalformedError(f"{self.where}: {name!r} must be {expected}")

    def constant(self, name: str, expected: str) -> None:
        """Check that the member `name` is the text `expected`."""
        if self.take(name) != expected:
            raise self.error(name, repr(expected))

    def text(self, name: str, *, most: int = 4096) -> str:
        """Return a string of at most `most` characters."""
        value = self.take(name)
        if not isinstance(value, str) or len(value) > most:
            raise self.error(name, f"a string of at most {most} characters")
        return value

    def name(self, name: str) -> str:
        """Return a name or version; see `is_name`."""
        value = self.take(name)
        if not isinstance(value, str) or not is_name(value):
            raise self.error(name, "1 to 128 characters a-z 0-9 . _ -, beginning with a-z or 0-9")
        return value

    def boolean(self, name: str) -> bool:
        """Return a boolean."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise self.error(name, "true or false")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """Return an integer from `low` to `high`; beyond 2**53 - 1 it is a decimal string."""
        value = self.take(name)
        if isinstance(value, str) and _DECIMAL.fullmatch(value) and abs(int(value)) > SAFE:
            value = int(value)
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > SAFE:
            raise self.error(name, "a decimal string, being beyond 2**53 - 1")
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(name, f"an integer from {low} to {high}")
        return value

    def digest(self, name: str) -> Digest:
        """Return a digest in lower-case hex."""
        return self._located(name, Digest.parse)

    def element(self, name: str) -> FieldElement:
        """Return a field element in lower-case hex, below r."""
        return self._located(name, FieldElement.parse)

    def hexed(self, name: str, size: int) -> bytes:
        """Return `size` bytes in lower-case hex."""
        value = self.text(name, most=2 * size)
        if len(value) != 2 * size or value.strip("0123456789abcdef"):
            raise self.error(name, f"{2 * size} lower-case hex digits")
        return bytes.fromhex(value)

    def inner(self, name: str) -> "Fields":
        """Return the members of an object inside."""
        return Fields.of(self.take(name), f"{self.where}.{name}")

    def items(self, name: str, most: int) -> tuple[Json, ...]:
        """Return the elements of an array of at most `most`."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > most:
            raise self.error(name, f"an array of at most {most} elements")
        return tuple(value)

    def objects(self, name: str, most: int) -> tuple["Fields", ...]:
        """Return the elements of an array of objects of at most `most`."""
        items = self.items(name, most)
        return tuple(Fields.of(item, f"{self.where}.{name}[{i}]") for i, item in enumerate(items))

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Return None if the member `name` is null, else what `read` makes of it."""
        if name in self.members and self.members[name] is None:
            del self.members[name]
            return None
        return read(name)

    def _located(self, name: str, parse: Callable[[str], T]) -> T:
        value = self.text(name, most=64)
        try:
            return parse(value)
        except MalformedError as error:
            raise MalformedError(f"{self.where}: {name!r}: {error}") from error
