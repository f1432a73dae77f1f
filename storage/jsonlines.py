"""JSONL with a declared schema: one object a line, read exactly.

    {"id":1,"tags":["a","b"],"at":"2026-01-31T12:00:00Z"}
    {"id":9007199254740993,"at":null}

A missing member is null, an unknown or repeated one is refused. Numbers keep all their digits until
a field's type says what they are: 1.0 is no int. Floats that JSON cannot write are the strings
"NaN", "Infinity" and "-Infinity"; bytes are base64; dates and times ISO 8601; a map is an array of
pairs, or an object when its keys are strings.
"""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, cast

import numpy as np

from provenance.batch import Batch, Encoded
from provenance.encoding import Value, encoder
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
    Record,
    Schema,
    String,
    Struct,
    UInt,
)
from storage.batches import between
from storage.files import File
from storage.reading import fail, reading
from storage.scalars import NON_FINITE, Parse, scalar
from storage.text import Lines, decoded, read_lines

REMEDY: Final = "correct the file, or the declared schema"
FIELD: Final = "x"
TEXT: Final = struct.Struct(">BI")
"""How a string begins: that it is not null, and its length."""


class Number(str):
    """A JSON number, as it is written."""

    __slots__ = ()


Parsed = None | bool | Number | str | list["Parsed"] | dict[str, "Parsed"]
Convert = Callable[[Parsed], Value]


@dataclass(frozen=True, slots=True)
class JsonLines:
    """Consecutive lines of a JSONL file, each a record; parsed when they are asked for."""

    schema: Schema
    lines: Lines

    def __len__(self) -> int:
        return self.lines.count

    def encoded(self) -> Encoded:
        """Return the canonical bytes.

        Raises:
            MalformedError: A line that is no JSON object, or does not fit the schema.
        """
        put, out, offsets = writer(self.schema), bytearray(), [0]

        def take(text: str) -> None:
            put(parse(text), out)
            offsets.append(len(out))

        self._each(take)
        return Encoded(np.frombuffer(out, np.uint8), np.array(offsets))

    def records(self) -> Sequence[Record]:
        """Return the records as Python values; raises as `encoded` does."""
        read, check, found = members(self.schema.fields), encoder(self.schema), list[Record]()

        def take(text: str) -> None:
            record = read(parse(text))
            check(record)
            found.append(record)

        self._each(take)
        return found

    def _each(self, take: Callable[[str], None]) -> None:
        """Give the lines one by one; name the record that is refused."""
        for number, line in self.lines.numbered():
            text = decoded(line, self.lines.name, number)
            try:
                take(text)
            except MalformedError as error:
                raise fail(f"{self.lines.name}, record {number}", str(error), REMEDY) from error


@dataclass(frozen=True, slots=True)
class JsonLinesSource:
    """The lines of one JSONL file."""

    file: File
    schema: Schema
    format: str = field(default="jsonl", init=False)

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.file.name

    def count(self) -> int | None:
        """Return None: only reading tells."""
        return None

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: A line is too long.
            UnavailableError: The system could not read the file.
        """
        with reading(self.name, REMEDY), self.file.open() as opened:
            found = (JsonLines(self.schema, lines) for lines in read_lines(opened, self.name))
            yield from between(found, start, stop)


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


def _wrong(expected: str, value: Parsed) -> MalformedError:
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
    readers = {member.name: _reader(member.type) for member in fields}
    known, pairs = readers.keys(), list(readers.items())

    def read(value: Parsed) -> dict[str, Value]:
        if not isinstance(value, dict):
            raise _wrong("an object", value)
        _check_members(value, known)
        record: dict[str, Value] = {}
        name = ""
        try:
            for name, convert in pairs:
                record[name] = convert(value.get(name))
        except MalformedError as error:
            raise MalformedError(f"field {name!r}: {error}") from error
        return record

    return read


def _reader(logical: LogicalType) -> Convert:
    """Return what reads a value of `logical`, or null."""
    if isinstance(logical, String):
        return _text
    convert = _converter(logical)
    return lambda value: None if value is None else convert(value)


@lru_cache(maxsize=64)
def writer(schema: Schema) -> Callable[[Parsed, bytearray], None]:
    """Return what appends the encoding of a parsed line: the same bytes as by way of a record.

    Text, which is most of most lines, is neither looked at twice nor copied more than need be.
    """
    puts = [(member.name, _put(member)) for member in schema.fields]
    known = frozenset(name for name, _ in puts)

    def write(value: Parsed, out: bytearray) -> None:
        if not isinstance(value, dict):
            raise _wrong("an object", value)
        _check_members(value, known)
        name = ""
        try:
            for name, put in puts:
                put(value.get(name), out)
        except MalformedError as error:
            raise MalformedError(f"field {name!r}: {error}") from error

    return write


def _put(member: Field) -> Callable[[Parsed, bytearray], None]:
    """Return what appends the encoding of one member's value."""
    if isinstance(member.type, String):
        return _put_text
    convert, encode = _reader(member.type), encoder(Schema.of(Field(FIELD, member.type)))

    def put(value: Parsed, out: bytearray) -> None:
        converted = convert(value)
        try:
            out += encode({FIELD: converted})
        except MalformedError as error:
            raise MalformedError(str(error).removeprefix(f"field {FIELD!r}: ")) from error

    return put


def _put_text(value: Parsed, out: bytearray) -> None:
    if value is None:
        out.append(0)
        return
    try:
        data = _string(value).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("text with half a surrogate pair is no valid Unicode") from error
    out += TEXT.pack(1, len(data))
    out += data


def _string(value: Parsed) -> str:
    if not isinstance(value, str) or isinstance(value, Number):
        raise _wrong("a string", value)
    return value


def _text(value: Parsed) -> Value:
    return None if value is None else _string(value)


def _check_members(value: dict[str, Parsed], known: AbstractSet[str]) -> None:
    if not value.keys() <= known:
        unknown = min(value.keys() - known)
        raise MalformedError(f"member {unknown[:80]!r} is not in the declared schema")


def _converter(logical: LogicalType) -> Convert:
    match logical:
        case List():
            return _list(_reader(logical.item))
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
            raise _wrong("an array", value)
        return [item(each) for each in value]

    return convert


def _map(logical: Map) -> Convert:
    key, item = _reader(logical.key), _reader(logical.value)
    named = isinstance(logical.key, String)

    def convert(value: Parsed) -> Value:
        if named and isinstance(value, dict):
            return [(name, item(each)) for name, each in value.items()]
        if not isinstance(value, list):
            raise _wrong("an array of pairs", value)
        return [pair(each) for each in value]

    def pair(value: Parsed) -> tuple[Value, Value]:
        if not isinstance(value, list) or len(value) != 2:
            raise _wrong("a pair [key, value]", value)
        return key(value[0]), item(value[1])

    return convert


def _bool(value: Parsed) -> Value:
    if not isinstance(value, bool):
        raise _wrong("true or false", value)
    return value


def _number(logical: LogicalType) -> Convert:
    read = scalar(logical)
    is_float, is_decimal = isinstance(logical, Float32 | Float64), isinstance(logical, Decimal)

    def convert(value: Parsed) -> Value:
        if isinstance(value, Number) or (isinstance(value, str) and is_decimal):
            return read(value)
        if isinstance(value, str) and is_float and value in NON_FINITE:
            return NON_FINITE[value]
        raise _wrong("a number", value)

    return convert


def _scalar(read: Parse) -> Convert:
    return lambda value: read(_string(value))
