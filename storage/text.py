"""Files of UTF-8 text, line by line and bounded, and batches of the records read from them.

A byte order mark at the beginning is left out. Nothing is ever held but one line and one batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, Final

from provenance.record import Record
from storage.reading import fail

MAX_LINE: Final = 64 * 2**20
BATCH_RECORDS: Final = 1024
BATCH_BYTES: Final = 16 * 2**20
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


def batched(sized: Iterable[tuple[Record, int]]) -> Iterator[Sequence[Record]]:
    """Yield records in batches, bounded in number and in the bytes that are given with each."""
    batch: list[Record] = []
    held = 0
    for record, size in sized:
        batch.append(record)
        held += size
        if len(batch) == BATCH_RECORDS or held >= BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
