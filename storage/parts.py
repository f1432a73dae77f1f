"""Parts: consecutive records whose leaves are stored, so that no later run needs to read them.

A part says what its records were read from, and what cutting needs to know of them. It stands in
the log of a draft (storage/drafts.py), or beside a finished node file, as one line:

    {"part": {…}} <first 16 hex digits of SHA-256 of the object before it>

Parts are secret: they hold digests of source files, and values that decide where chunks are cut. A
line that is damaged, and all after it, count as not there: what they tell is then read anew.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.canonical import Fields, JsonObject
from provenance.chunk import CHUNK, Marks
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.tree import MAX_CHUNKS, Chunk

MAX_RECORDS: Final = MAX_CHUNKS * CHUNK
MAX_LINE: Final = 2**24
_SUM: Final = 16


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive records of one source.

    Attributes:
        source: What they were read from: path and identity of a file in a draft; in a finished
            version the SHA-256 of the file.
        start: Number of the first of them in the source.
        marks: What cutting needs to know of them.
        leaves: SHA-256 of their leaves as they are stored.
        last: Whether the source ends with them.
    """

    source: str
    start: int
    marks: Marks
    leaves: Digest
    last: bool

    @property
    def count(self) -> int:
        """Number of records."""
        return self.marks.count

    def to_json(self) -> JsonObject:
        """Return the part as a line holds it."""
        return {
            "count": self.count,
            "head": self.marks.head.astype("<u8").tobytes().hex(),
            "last": self.last,
            "leaves": self.leaves.hex(),
            "places": self.marks.places.astype("<u8").tobytes().hex(),
            "source": self.source,
            "start": self.start,
            "tail": self.marks.tail.astype("<u8").tobytes().hex(),
        }

    @classmethod
    def from_json(cls, fields: Fields) -> Self:
        """Return the part that a line holds, or raise MalformedError."""
        count = fields.integer("count", 1, MAX_RECORDS)
        head, tail, places = (_numbers(fields, name) for name in ("head", "tail", "places"))
        part = cls(
            fields.text("source", most=2**16),
            fields.integer("start", 0, MAX_RECORDS),
            Marks(count, head, tail, places.astype(np.int64)),
            fields.digest("leaves"),
            fields.boolean("last"),
        )
        fields.done()
        return part


@dataclass(frozen=True, slots=True)
class Closed:
    """A finished chunk, and the SHA-256 of its inner nodes as they are stored."""

    chunk: Chunk
    inner: Digest

    def to_json(self) -> JsonObject:
        """Return the chunk as a line holds it."""
        return {"count": self.chunk.count, "inner": self.inner.hex(), "root": self.chunk.root.hex}

    @classmethod
    def from_json(cls, fields: Fields) -> Self:
        """Return the chunk that a line holds, or raise MalformedError."""
        closed = cls(
            Chunk(fields.element("root"), fields.integer("count", 1, CHUNK)), fields.digest("inner")
        )
        fields.done()
        return closed


Entry = Part | Closed


def line(entry: Entry) -> bytes:
    """Return the line that stands for a part or a finished chunk."""
    kind = "part" if isinstance(entry, Part) else "chunk"
    text = json.dumps({kind: entry.to_json()}, separators=(",", ":"))
    return f"{text} {_sum(text)}\n".encode()


def entries(lines: Iterable[bytes]) -> Iterator[Entry]:
    """Yield what lines stand for, up to the first that is damaged or cut off."""
    for each in lines:
        if len(each) > MAX_LINE or not each.endswith(b"\n"):
            return
        text, _, found = each[:-1].decode(errors="replace").rpartition(" ")
        if found != _sum(text):
            return
        try:
            fields = Fields.of(json.loads(text), "line")
            yield _entry(fields)
        except (MalformedError, ValueError, RecursionError):
            return


def _entry(fields: Fields) -> Entry:
    if "part" in fields.members:
        return Part.from_json(fields.inner("part"))
    return Closed.from_json(fields.inner("chunk"))


def _sum(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_SUM]


def _numbers(fields: Fields, name: str) -> NDArray[np.uint64]:
    text = fields.text(name, most=MAX_LINE)
    if len(text) % 16:
        raise fields.error(name, "64-bit words in hex")
    return np.frombuffer(bytes.fromhex(text), "<u8").astype(np.uint64)
