"""Batches of consecutive records, as canonical bytes: the narrow waist between files and leaves.

Whatever reads records says how they are encoded, for a whole batch at once, and gives them as
Python values only where these are asked for: features and indexes of text need them, plain leaves
do not. `Rows` is the slow, obvious batch that all others must equal.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from provenance.encoding import Record, encoder
from provenance.errors import MalformedError
from provenance.schema import Schema


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The canonical bytes of consecutive records, one after the other.

    Attributes:
        data: All bytes.
        offsets: Where each record begins and the last one ends, shape (records + 1,).
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Raise MalformedError unless the offsets lead from the first byte to the last."""
        ends = self.offsets
        if ends.ndim != 1 or not len(ends) or ends[0] != 0 or ends[-1] != len(self.data):
            raise MalformedError("encoded records: the offsets do not fit the bytes")
        if (ends[1:] <= ends[:-1]).any():
            raise MalformedError("encoded records: a record without bytes, or one that overlaps")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, records: Iterable[bytes]) -> Self:
        """Return records that were encoded one by one."""
        parts = list(records)
        offsets = np.zeros(len(parts) + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return cls(np.frombuffer(b"".join(parts), np.uint8), offsets)

    def one(self, number: int) -> bytes:
        """Return the bytes of one record."""
        return self.data[self.offsets[number] : self.offsets[number + 1]].tobytes()


class Batch(Protocol):
    """Consecutive records of one schema."""

    def __len__(self) -> int:
        """Return the number of records."""
        ...

    def encoded(self) -> Encoded:
        """Return their canonical bytes, or raise MalformedError naming the record to blame."""
        ...

    def records(self) -> Sequence[Record]:
        """Return them as Python values."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch of records that are Python values already."""

    schema: Schema
    rows: Sequence[Record] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def encoded(self) -> Encoded:
        """Return the canonical bytes, record by record."""
        return Encoded.of(map(encoder(self.schema), self.rows))

    def records(self) -> Sequence[Record]:
        """Return the records as they are."""
        return self.rows
