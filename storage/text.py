"""Files of UTF-8 text, line by line and bounded, and batches of the records read from them.

A byte order mark at the beginning is left out. Nothing is ever held but one line and one batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from provenance.batch import Encoded
from provenance.record import Record
from storage.reading import fail

MAX_LINE: Final = 64 * 2**20
BATCH_RECORDS: Final = 2**14
BATCH_BYTES: Final = 2**22
_MARK: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"


def lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Yield the lines of `file` with their ends; only a line feed ends one.

    Raises:
        MalformedError: A line that is too long or no UTF-8.
    """
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise fail(f"{name}, line {number}", f"longer than {MAX_LINE} bytes", "use Parquet")
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            problem = f"no valid UTF-8 at byte {error.start} of the line"
            raise fail(f"{name}, line {number}", problem, "write the file as UTF-8") from error
        yield text.removeprefix(_MARK) if number == 1 else text


@dataclass(frozen=True, slots=True)
class Parsed:
    """A batch whose records were encoded while they were read, to know that they fit."""

    rows: Sequence[Record] = field(repr=False)
    parts: Sequence[bytes] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def encoded(self) -> Encoded:
        """Return their canonical bytes."""
        return Encoded.of(self.parts)

    def records(self) -> Sequence[Record]:
        """Return them as Python values."""
        return self.rows


def batched(encoded: Iterable[tuple[Record, bytes]]) -> Iterator[Parsed]:
    """Yield records in batches, bounded in number and in bytes."""
    rows, parts, held = list[Record](), list[bytes](), 0
    for record, data in encoded:
        rows.append(record)
        parts.append(data)
        held += len(data)
        if len(rows) == BATCH_RECORDS or held >= BATCH_BYTES:
            yield Parsed(rows, parts)
            rows, parts, held = [], [], 0
    if rows:
        yield Parsed(rows, parts)
