"""JSONL with a declared schema: one object a line, read exactly.

    {"id":1,"tags":["a","b"],"at":"2026-01-31T12:00:00Z"}
    {"id":9007199254740993,"at":null}

A missing member is null, an unknown or repeated one is refused. Numbers keep all their digits until
a field's type says what they are: 1.0 is no int. Floats that JSON cannot write are the strings
"NaN", "Infinity" and "-Infinity"; bytes are base64; dates and times ISO 8601; a map is an array of
pairs, or an object when its keys are strings.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np

from provenance.batch import Batch, Encoded
from provenance.encoding import encoder
from provenance.errors import MalformedError
from provenance.record import Field, Record, Schema, String
from storage.readers.batches import between
from storage.readers.files import File
from storage.readers.json_values import Parsed, check_members, members, parse, reader, string, wrong
from storage.readers.reading import fail, reading
from storage.readers.text import Lines, decoded, read_lines

REMEDY: Final = "correct the file, or the declared schema"
FIELD: Final = "x"
TEXT: Final = struct.Struct(">BI")
"""How a string begins: that it is not null, and its length."""


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


@lru_cache(maxsize=64)
def writer(schema: Schema) -> Callable[[Parsed, bytearray], None]:
    """Return what appends the encoding of a parsed line: the same bytes as by way of a record.

    Text, which is most of most lines, is neither looked at twice nor copied more than need be.
    """
    puts = [(member.name, _put(member)) for member in schema.fields]
    known = frozenset(name for name, _ in puts)

    def write(value: Parsed, out: bytearray) -> None:
        if not isinstance(value, dict):
            raise wrong("an object", value)
        check_members(value, known)
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
    convert, encode = reader(member.type), encoder(Schema.of(Field(FIELD, member.type)))

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
        data = string(value).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("text with half a surrogate pair is no valid Unicode") from error
    out += TEXT.pack(1, len(data))
    out += data
