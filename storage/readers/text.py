"""Files of UTF-8 text as blocks of whole lines, bounded; only a line feed ends a line.

A byte order mark at the beginning is left out. Nothing is ever held but one block and one line.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from storage.readers import batches
from storage.readers.files import Opened
from storage.readers.reading import fail

MAX_LINE: Final = 64 * 2**20
BLOCK: Final = 2**20
"""Bytes that are read at once: what fits a processor's caches."""
_FEED: Final = ord("\n")


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive lines of a file with their ends, which only the last of all may lack.

    Attributes:
        name: The file.
        first: Number of the first of them, counted from 1.
        count: Number of lines.
        block: The bytes that they are part of.
        start: Where the first begins.
        stop: Where the last ends.
    """

    name: str
    first: int
    count: int
    block: bytes = field(repr=False)
    start: int
    stop: int

    def text(self) -> str:
        """Return all lines as one text, or raise MalformedError naming the line to blame."""
        try:
            return str(memoryview(self.block)[self.start : self.stop], "utf-8")
        except UnicodeDecodeError:
            return "\n".join(decoded(line, self.name, n) for n, line in self.numbered())

    def numbered(self) -> Iterator[tuple[int, memoryview]]:
        """Yield each line, without its end, with its number."""
        whole, at = memoryview(self.block), self.start
        for number in range(self.first, self.first + self.count):
            end = self.block.find(b"\n", at, self.stop)
            yield number, whole[at : end if end >= 0 else self.stop]
            at = end + 1


def decoded(line: memoryview, name: str, number: int) -> str:
    """Return a line as text, or raise MalformedError."""
    try:
        return str(line, "utf-8")
    except UnicodeDecodeError as error:
        problem = f"no valid UTF-8 at byte {error.start} of the line"
        raise fail(f"{name}, line {number}", problem, "write the file as UTF-8") from error


def read_lines(file: Opened, name: str) -> Iterator[Lines]:
    """Yield all lines of a file, in blocks no larger than a batch.

    Raises:
        MalformedError: A line is too long.
    """
    number, waiting = 1, b""
    while block := file.read(BLOCK):
        if number == 1 and not waiting:
            block = block.removeprefix(codecs.BOM_UTF8)
        data = waiting + block
        if len(data) > MAX_LINE:
            _check_lengths(data, name, number)
        lines = Lines(name, number, data.count(b"\n"), data, 0, data.rfind(b"\n") + 1)
        yield from _divided(lines)
        number, waiting = number + lines.count, data[lines.stop :]
    if waiting:
        yield Lines(name, number, 1, waiting, 0, len(waiting))


def _divided(lines: Lines) -> Iterator[Lines]:
    """Yield lines in batches of as many as there may be."""
    if lines.count <= batches.RECORDS:
        if lines.count:
            yield lines
        return
    ends = np.flatnonzero(np.frombuffer(lines.block, np.uint8) == _FEED) + 1
    start = 0
    for at in range(0, len(ends), batches.RECORDS):
        found = ends[at : at + batches.RECORDS]
        stop = int(found[-1])
        yield Lines(lines.name, lines.first + at, len(found), lines.block, start, stop)
        start = stop


def _check_lengths(data: bytes, name: str, first: int) -> None:
    for number, line in enumerate(data.split(b"\n"), first):
        if len(line) > MAX_LINE:
            raise fail(f"{name}, line {number}", f"longer than {MAX_LINE} bytes", "use Parquet")
