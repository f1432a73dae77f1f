"""How large batches are, and batches without their first records.

A batch has at most 16,384 records and, unless one record is larger, about 4 MiB: enough to spread
the overhead of each, little enough that a few of them, read ahead, fit anywhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from provenance.batch import Batch, Encoded
from provenance.record import Record

RECORDS: Final = 16_384
BYTES: Final = 4 * 2**20


def paced(records: int, size: int) -> int:
    """Return how many records to take at once, where `records` of them have `size` bytes."""
    return max(1, min(RECORDS, BYTES * records // max(size, 1)))


@dataclass(frozen=True, slots=True)
class Rest:
    """A batch without its first `skipped` records."""

    whole: Batch = field(repr=False)
    skipped: int

    def __len__(self) -> int:
        return len(self.whole) - self.skipped

    def encoded(self) -> Encoded:
        """Return the canonical bytes of the rest."""
        found = self.whole.encoded()
        offsets = found.offsets[self.skipped :]
        return Encoded(found.data[offsets[0] :], offsets - offsets[0])

    def records(self) -> Sequence[Record]:
        """Return the rest as Python values."""
        return self.whole.records()[self.skipped :]


def after(batches: Iterable[Batch], start: int) -> Iterator[Batch]:
    """Yield what comes after the first `start` records, which are not encoded."""
    left = start
    for batch in batches:
        if left >= len(batch):
            left -= len(batch)
            continue
        yield Rest(batch, left) if left else batch
        left = 0
