"""Files of UTF-8 text as blocks of whole lines, bounded; only a line feed ends a line.

A byte order mark at the beginning is left out. Nothing is ever held but one block and one line.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from storage import batches
from storage.files import Opened
from storage.reading import fail

MAX_LINE: Final = 64 * 2**20
_FEED: Final = ord("\n")


@dataclass(frozen=True, slots=True)
class Lines:
    """Consecutive lines of a file with their ends, which only the last of all may lack.

    Attributes:
        name: The file.
        first: Number of the first of them, counted from 1.
        count: Number of lines.
        data: Their bytes.
    """

    name: str
    first: int
    count: int
    data: bytes = field(repr=False)

    def split(self) -> list[bytes]:
        """Return the lines without their ends."""
        return self.data.split(b"\n")[: self.count]

    def text(self) -> str:
        """Return all lines as one text, or raise MalformedError naming the line to blame."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return "\n".join(decoded(line, self.name, n) for n, line in self.numbered())

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Yield the lines with their numbers."""
        return enumerate(self.split(), self.first)


def decoded(line: bytes, name: str, number: int) -> str:
    """Return a line as text, or raise MalformedError."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        problem = f"no valid UTF-8 at byte {error.start} of the line"
        raise fail(f"{name}, line {number}", problem, "write the file as UTF-8") from error


def read_lines(file: Opened, name: str) -> Iterator[Lines]:
    """Yield all lines of a file, in blocks no larger than a batch.

    Raises:
        MalformedError: A line is too long.
    """
    number, waiting = 1, b""
    while block := file.read(batches.BYTES):
        if number == 1 and not waiting:
            block = block.removeprefix(codecs.BOM_UTF8)
        data = waiting + block
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _FEED) + 1
        _check_lengths(np.diff(ends, prepend=0, append=len(data)), name, number)
        start = 0
        for at in range(0, len(ends), batches.RECORDS):
            found = ends[at : at + batches.RECORDS]
            yield Lines(name, number, len(found), data[start : found[-1]])
            start, number = int(found[-1]), number + len(found)
        waiting = data[start:]
    if waiting:
        yield Lines(name, number, 1, waiting)


def _check_lengths(
    lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]", name: str, first: int
) -> None:
    too_long = np.flatnonzero(lengths > MAX_LINE)
    if len(too_long):
        where = f"{name}, line {first + int(too_long[0])}"
        raise fail(where, f"longer than {MAX_LINE} bytes", "use Parquet")
