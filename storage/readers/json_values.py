"""JSON values of a declared type: text -> parsed, nothing lost -> values, or why they are none.

Numbers keep all their digits until a field's type says what they are.
"""

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Final, cast

from provenance.encoding import Value
from provenance.errors import MalformedError
from provenance.record import (
    Bool,
    Decimal,
    Field,
    Float32,
    Float64,
    Int,
    List,
    LogicalType,
    Map,
    String,
    Struct,
    UInt,
)
from storage.readers.scalars import NON_FINITE, Parse, scalar


class Number(str):
    """A JSON number, as it is written."""

    __slots__ = ()


Parsed = None | bool | Number | str | list["Parsed"] | dict[str, "Parsed"]
Convert = Callable[[Parsed], Value]


def parse(text: str) -> Parsed:
    """Return the JSON value that `text` writes, its numbers as they are written.

    Raises:
        MalformedError: No JSON, a member twice, NaN or Infinity as a number, or nested too deeply.
    """
    text = text.strip(" \t\r")
    try:
        found, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error.msg} at column {error.colno}") from error
    except RecursionError as error:
        raise MalformedError("JSON nested too deeply") from error
    if end != len(text):
        raise MalformedError(f"not JSON: Extra data at column {end + 1}")
    return cast("Parsed", found)


def _unique(pairs: list[tuple[str, Parsed]]) -> dict[str, Parsed]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedError(f"an object names {twice[:80]!r} twice")
    return found


def _refused(text: str) -> Parsed:
    raise MalformedError(f"{text} is no JSON number; write it as a string")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_refused
)


def wrong(expected: str, value: Parsed) -> MalformedError:
    """Return the error for a value that is of another kind."""
    return MalformedError(f"expected {expected}, got {_shown(value)}")


def _shown(value: Parsed) -> str:
    match value:
        case Number():
            return str(value)[:40]
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return json.dumps(value)[:40]


@lru_cache(maxsize=64)
def members(fields: tuple[Field, ...]) -> Callable[[Parsed], dict[str, Value]]:
    """Return what reads an object with these members, those that are missing as null."""
    readers = {member.name: reader(member.type) for member in fields}
    known, pairs = readers.keys(), list(readers.items())

    def read(value: Parsed) -> dict[str, Value]:
        if not isinstance(value, dict):
            raise wrong("an object", value)
        check_members(value, known)
        record: dict[str, Value] = {}
        name = ""
        try:
            for name, convert in pairs:
                record[name] = convert(value.get(name))
        except MalformedError as error:
            raise MalformedError(f"field {name!r}: {error}") from error
        return record

    return read


def reader(logical: LogicalType) -> Convert:
    """Return what reads a value of `logical`, or null."""
    if isinstance(logical, String):
        return _text
    convert = _converter(logical)
    return lambda value: None if value is None else convert(value)


def string(value: Parsed) -> str:
    """Return a value that is a string, and no number; else raise MalformedError."""
    if not isinstance(value, str) or isinstance(value, Number):
        raise wrong("a string", value)
    return value


def _text(value: Parsed) -> Value:
    return None if value is None else string(value)


def check_members(value: dict[str, Parsed], known: AbstractSet[str]) -> None:
    """Raise MalformedError if an object has a member that is not known."""
    if not value.keys() <= known:
        unknown = min(value.keys() - known)
        raise MalformedError(f"member {unknown[:80]!r} is not in the declared schema")


def _converter(logical: LogicalType) -> Convert:
    match logical:
        case List():
            return _list(reader(logical.item))
        case Struct():
            return members(logical.fields)
        case Map():
            return _map(logical)
        case Bool():
            return _bool
        case Int() | UInt() | Float32() | Float64() | Decimal():
            return _number(logical)
        case _:
            return _scalar(scalar(logical))


def _list(item: Convert) -> Convert:
    def convert(value: Parsed) -> Value:
        if not isinstance(value, list):
            raise wrong("an array", value)
        return [item(each) for each in value]

    return convert


def _map(logical: Map) -> Convert:
    key, item = reader(logical.key), reader(logical.value)
    named = isinstance(logical.key, String)

    def convert(value: Parsed) -> Value:
        if named and isinstance(value, dict):
            return [(name, item(each)) for name, each in value.items()]
        if not isinstance(value, list):
            raise wrong("an array of pairs", value)
        return [pair(each) for each in value]

    def pair(value: Parsed) -> tuple[Value, Value]:
        if not isinstance(value, list) or len(value) != 2:
            raise wrong("a pair [key, value]", value)
        return key(value[0]), item(value[1])

    return convert


def _bool(value: Parsed) -> Value:
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def _number(logical: LogicalType) -> Convert:
    read = scalar(logical)
    is_float, is_decimal = isinstance(logical, Float32 | Float64), isinstance(logical, Decimal)

    def convert(value: Parsed) -> Value:
        if isinstance(value, Number) or (isinstance(value, str) and is_decimal):
            return read(value)
        if isinstance(value, str) and is_float and value in NON_FINITE:
            return NON_FINITE[value]
        raise wrong("a number", value)

    return convert


def _scalar(read: Parse) -> Convert:
    return lambda value: read(string(value))
