"""Where a run of records is cut into chunks: by content, under a secret key, never by position.

    g = SipHash-2-4(cut key, content digest)
    h = 2 h + g mod 2**64, over the records in order: the last 64 records decide
    a record is marked when the top 12 bits of h are 0; a dataset's first 63 never are
    a mark cuts after its record if none of the 2,047 records before it is marked (a natural cut)
    a chunk is cut when it holds 2**14 records; what is left at the end is a chunk

Natural cuts are local: 2,110 records before a range decide all that lie in it. So ranges are cut
apart from each other and stitched afterwards. The rule is the issuer's convention, not a claim:
another cutting of the same records verifies as well, and gains nothing.
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.leaf import DatasetKey
from provenance.siphash import siphash_many

CHUNK: Final = 2**14
WINDOW: Final = 64
QUIET: Final = 2047
"""A mark cuts if none of this many records before it is marked."""
LEAD: Final = QUIET + WINDOW - 1
"""Records before a range that decide which of its marks cut."""

Digests = Sequence[Digest] | NDArray[np.uint8]
Positions = NDArray[np.int64]
_MARK: Final = np.uint64(64 - 12)
_BLOCK: Final = 2**16


def cut_key(key: DatasetKey) -> bytes:
    """Return the 16 bytes under which a dataset is cut."""
    return hmac.digest(key, b"cut", "sha256")[:16]


class Cutter:
    """Cuts a stream of records; its state is a few numbers, however long a chunk stays open."""

    __slots__ = ("_finder", "_open")

    def __init__(self, cut_key: bytes) -> None:
        self._finder = _Finder(cut_key)
        self._open = 0

    def feed(self, digests: Digests) -> tuple[int, ...]:
        """Return the record counts of the chunks that end within the next records.

        Args:
            digests: Content digests in order, or the same as an array (records, 32 bytes).
        """
        lengths: list[int] = []
        rows = _rows(digests)
        start = 0
        for end in self._finder.feed(rows):
            lengths += _split(self._open + int(end) - start)
            start, self._open = int(end), 0
        full, self._open = divmod(self._open + len(rows) - start, CHUNK)
        return (*lengths, *[CHUNK] * full)

    def finish(self) -> int | None:
        """Return the record count of the last chunk, or None if nothing is left."""
        rest, self._open = self._open, 0
        return rest or None


def natural_cuts(cut_key: bytes, digests: Digests, lead: int) -> Positions:
    """Return after how many records of a range a natural cut falls: a worker's view.

    Args:
        cut_key: From `cut_key`.
        digests: Content digests of `lead` records before the range, then of the range.
        lead: Records before the range: LEAD, or all there are if the dataset has fewer.

    Raises:
        MalformedError: `lead` is not from 0 to LEAD, or there are fewer digests than that.
    """
    rows = _rows(digests)
    if not 0 <= lead <= min(LEAD, len(rows)):
        raise MalformedError(f"a lead of {lead} records; there are 0 to {min(LEAD, len(rows))}")
    ends = _Finder(cut_key).feed(rows)
    return ends[ends > lead] - lead


def stitch(ranges: Iterable[tuple[int, Positions]]) -> Iterator[int]:
    """Yield the chunks' record counts of ranges that follow each other.

    Args:
        ranges: The record count and the `natural_cuts` of each range, in order.
    """
    left = 0
    for count, ends in ranges:
        start = 0
        for end in ends:
            yield from _split(left + int(end) - start)
            start, left = int(end), 0
        full, left = divmod(left + count - start, CHUNK)
        yield from [CHUNK] * full
    if left:
        yield left


class _Finder:
    """Natural cuts of a stream; the state is h, the distance to the last mark, and the start."""

    __slots__ = ("_hash", "_key", "_quiet", "_seen")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._hash = np.uint64(0)
        self._seen = 0  # records so far, at most WINDOW - 1: the first ones are never marked
        self._quiet = QUIET  # records since the last mark, at most QUIET

    def feed(self, rows: NDArray[np.uint8]) -> Positions:
        """Return after how many of `rows` natural cuts fall."""
        starts = range(0, len(rows), _BLOCK)
        blocks = (self._block(rows[start : start + _BLOCK]) + start for start in starts)
        return np.concatenate((np.empty(0, np.int64), *blocks))

    def _block(self, rows: NDArray[np.uint8]) -> Positions:
        hashes = rolling_hash(siphash_many(self._key, rows), self._hash)
        marks = np.flatnonzero(hashes >> _MARK == 0)
        marks = marks[marks >= WINDOW - 1 - self._seen]
        distances = np.diff(marks, prepend=-1 - self._quiet)
        last = int(marks[-1]) if len(marks) else -1 - self._quiet
        self._hash = hashes[-1]
        self._seen = min(self._seen + len(rows), WINDOW - 1)
        self._quiet = min(len(rows) - 1 - last, QUIET)
        return (marks[distances > QUIET] + 1).astype(np.int64)


def rolling_hash(values: NDArray[np.uint64], before: np.uint64) -> NDArray[np.uint64]:
    """Return h after each of `values`, where h was `before` in front of them.

    A value leaves h after 64 steps, so six doublings make h from the values themselves.
    """
    hashes = values.copy()
    hashes[:1] += before << np.uint64(1)
    for bits in (1, 2, 4, 8, 16, 32):
        hashes[bits:] += hashes[:-bits] << np.uint64(bits)
    return hashes


def _split(count: int) -> list[int]:
    full, rest = divmod(count, CHUNK)
    return [CHUNK] * full + [rest] * (rest > 0)


def _rows(digests: Digests) -> NDArray[np.uint8]:
    if isinstance(digests, np.ndarray):
        return digests
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
