"""Where a run of records is cut into chunks: by content, under a secret key, never by position.

    g = SipHash-2-4(cut key, content digest)
    h = 2 h + g mod 2**64, over the records in order: the last 64 records decide
    a record is marked when the top 12 bits of h are 0; a dataset's first 63 never are
    a mark cuts after its record if none of the 2,047 records before it is marked (a natural cut)
    a chunk is cut when it holds 2**14 records; what is left at the end is a chunk

Whether a record is marked depends on 64 records alone. So runs of records are looked at apart from
each other, by threads, processes or machines, and all that cutting needs of a run, however long, is
its `Marks`: they are joined in order afterwards. The rule is the issuer's convention, not a claim:
another cutting of the same records verifies as well, and gains nothing.
"""

import hmac
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.leaf import DatasetKey

CHUNK: Final = 2**14
WINDOW: Final = 64
QUIET: Final = 2047
"""A mark cuts if none of this many records before it is marked."""

Values = NDArray[np.uint64]
Places = NDArray[np.int64]
_MARK: Final = np.uint64(64 - 12)
_BLOCK: Final = 2**14
_EDGE: Final = WINDOW - 1


def cut_key(key: DatasetKey) -> bytes:
    """Return the 16 bytes under which a dataset is cut."""
    return hmac.digest(key, b"cut", "sha256")[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What cutting needs to know of a run of records. Secret, as the values are.

    Attributes:
        count: Records in the run.
        head: The values g of its first 63 records, or of all if there are fewer.
        tail: The values of its last 63 records, likewise.
        places: Which of its records from the 64th on are marked, counted from 0, ascending.
    """

    count: int
    head: Values
    tail: Values
    places: Places

    def __post_init__(self) -> None:
        """Raise MalformedError where the parts contradict each other."""
        edge = min(self.count, _EDGE)
        if self.count < 0 or len(self.head) != edge or len(self.tail) != edge:
            raise MalformedError(f"marks of {self.count} records have two edges of {edge} values")
        bounds = np.concatenate(([_EDGE - 1], self.places, [max(self.count, _EDGE)]))
        if (np.diff(bounds) <= 0).any():
            raise MalformedError("marks: the places do not ascend within the run")

    @classmethod
    def of(cls, values: Values) -> Self:
        """Return the marks of a run with these values g, shape (records,)."""
        edge = min(len(values), _EDGE)
        head, tail = values[:edge].copy(), values[len(values) - edge :].copy()
        return cls(len(values), head, tail, _marked(values))

    def certain(self) -> tuple[tuple[int, int], ...]:
        """Return start and record count of the chunks within the run, whatever came before it.

        Its first natural cut decides all later ones; a mark is one for certain if none of the 2,047
        records before it can be marked, and of the first 63 that cannot be told.
        """
        distances = np.diff(self.places, prepend=_EDGE - 1)
        cuts = (self.places[distances > QUIET] + 1).tolist()
        found = []
        for start, end in pairwise([*cuts, self.count] if cuts else []):
            lengths = _split(end - start)
            for length in lengths if end in cuts else lengths[: (end - start) // CHUNK]:
                found.append((start, length))
                start += length  # noqa: PLW2901  # where the next one starts
        return tuple(found)

    def join(self, after: "Marks") -> "Marks":
        """Return the marks of this run and the one after it; joining is associative."""
        values = np.concatenate((self.tail, after.head))
        between = _marked(values) + (self.count - len(self.tail))
        places = (self.places, between, after.places + self.count)
        head, tail = (
            np.concatenate((self.head, after.head)),
            np.concatenate((self.tail, after.tail)),
        )
        count = self.count + after.count
        return Marks(count, head[:_EDGE], tail[-_EDGE:], np.concatenate(places))


NOTHING: Final = Marks(0, np.empty(0, np.uint64), np.empty(0, np.uint64), np.empty(0, np.int64))


class Cutter:
    """Cuts a stream of records; its state is a few numbers, however long a chunk stays open.

    Attributes:
        open: Records in the chunk that is open.
        quiet: Records since the last mark, at most QUIET.
        tail: The values of the last 63 records.
    """

    __slots__ = ("open", "quiet", "tail")

    def __init__(self) -> None:
        self.open = 0
        self.quiet = QUIET
        self.tail = NOTHING.tail

    def feed(self, run: Marks) -> tuple[int, ...]:
        """Return the record counts of the chunks that end within the next records."""
        start, lengths = 0, list[int]()
        for end in map(int, self._natural_cuts(run)):
            lengths += _split(self.open + end - start)
            start, self.open = end, 0
        full, self.open = divmod(self.open + run.count - start, CHUNK)
        return (*lengths, *[CHUNK] * full)

    def _natural_cuts(self, run: Marks) -> Places:
        """Return after how many records of the run natural cuts fall."""
        early = _marked(np.concatenate((self.tail, run.head))) - len(self.tail)
        self.tail = np.concatenate((self.tail, run.tail))[-_EDGE:]
        marks = np.concatenate((early, run.places))
        distances = np.diff(marks, prepend=-1 - self.quiet)
        last = int(marks[-1]) if len(marks) else -1 - self.quiet
        self.quiet = min(run.count - 1 - last, QUIET)
        return marks[distances > QUIET] + 1


def _marked(values: Values) -> Places:
    """Return which of `values` are marked: none of the first 63, for want of a whole window."""
    found = [np.empty(0, np.int64)]
    for start in range(_EDGE, len(values), _BLOCK):
        hashes = _windowed(values[start - _EDGE : start + _BLOCK])[_EDGE:]
        found.append(np.flatnonzero(hashes >> _MARK == 0) + start)
    return np.concatenate(found)


def _windowed(values: Values) -> Values:
    """Return h after each of `values`; a value leaves h after 64 steps, so six doublings do it."""
    hashes = values.copy()
    for bits in (1, 2, 4, 8, 16, 32):
        hashes[bits:] += hashes[:-bits] << np.uint64(bits)
    return hashes


def _split(count: int) -> list[int]:
    full, rest = divmod(count, CHUNK)
    return [CHUNK] * full + [rest] * (rest > 0)
