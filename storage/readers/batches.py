"""How large batches are, and batches of which only a part is wanted.

A batch has at most 16,384 records and, unless one record is larger, about 4 MiB: enough to spread
the overhead of each, little enough that a few of them, read ahead, fit anywhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from provenance.batch import Batch, Encoded
from provenance.record import Record

RECORDS: Final = 2**14
BYTES: Final = 2**22


def paced(records: int, size: int) -> int:
    """Return how many records make a batch, where `records` of them have `size` bytes."""
    return max(1, min(RECORDS, BYTES * records // max(size, 1)))


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of a batch from number `start` on, up to number `stop`."""

    whole: Batch = field(repr=False)
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def encoded(self) -> Encoded:
        """Return their canonical bytes."""
        found = self.whole.encoded()
        offsets = found.offsets[self.start : self.stop + 1]
        return Encoded(found.data[offsets[0] : offsets[-1]], offsets - offsets[0])

    def records(self) -> Sequence[Record]:
        """Return them as Python values."""
        return self.whole.records()[self.start : self.stop]


def between(batches: Iterable[Batch], start: int, stop: int | None) -> Iterator[Batch]:
    """Yield the records from number `start` on, up to number `stop`; others are not encoded."""
    at = 0
    if stop is not None and stop <= start:
        return
    for batch in batches:
        first, at = at, at + len(batch)
        if start <= first and (stop is None or at <= stop):
            yield batch
        elif at > start:
            last = at if stop is None else min(at, stop)
            yield Slice(batch, max(start - first, 0), last - first)
        if stop is not None and at >= stop:
            return
