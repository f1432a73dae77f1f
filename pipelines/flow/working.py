"""What workers do: records -> leaves, marks and index keys, by the batch or by the range.

The same functions run in threads, in processes, and on the machines of a Ray cluster. They depend
on their arguments alone, so work that was lost is simply done again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Batch
from provenance.chunk import Marks
from provenance.errors import MalformedError
from provenance.exclusion import record_keys
from provenance.exclusion_arrays import exact_keys
from provenance.leaves import LeafMaker, Leaves
from provenance.tree import ChunkTree, Words, chunk_tree
from storage.readers.datasets import Dataset, Source

EXACT: Final = "exact/1"
RANGE: Final = 2**17
"""Records in a task of workers who read for themselves."""
Keys = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """An exclusion index to build: a normaliser, and the path of the field that gives the keys."""

    normaliser: str
    field: str = ""

    def keys(self, batch: Batch, leaves: Leaves) -> tuple[Keys, int]:
        """Return the keys of a batch, shape (keys, 31), and how many records have none."""
        if self.normaliser == EXACT:
            return exact_keys(leaves.contents), 0
        found = [record_keys(self.normaliser, self.field, record) for record in batch.records()]
        data = b"".join(key for keys in found for key in keys)
        return np.frombuffer(data, np.uint8).reshape(-1, 31), sum(not keys for keys in found)


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be made of records."""

    maker: LeafMaker
    indexes: tuple[IndexRequest, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Worked:
    """What a run of records became.

    Attributes:
        words: Their leaves, shape (records, 4).
        marks: What cutting needs to know of them.
        keys: For each index: keys, and the number of records without one.
        chunks: Chunks that lie within the run whatever came before it, by where they start.
    """

    words: Words
    marks: Marks
    keys: tuple[tuple[Keys, int], ...] = ()
    chunks: dict[int, ChunkTree] = field(default_factory=dict)


def work_batch(orders: Orders, batch: Batch) -> Worked:
    """Return what a batch becomes.

    Raises:
        MalformedError: A record that cannot be committed exactly.
    """
    leaves = orders.maker.leaves(batch)
    keys = tuple(index.keys(batch, leaves) for index in orders.indexes)
    return Worked(leaves.words, Marks.of(leaves.values), keys)


@dataclass(frozen=True, slots=True)
class Range:
    """Consecutive records of one source of a dataset that every worker can open.

    Attributes:
        open: Opens the dataset; the same wherever it is called.
        source: Number of the source.
        identity: What the source must still be.
        start: Number of its first record.
        stop: Number of the record after the last, or None for the end.
    """

    open: Callable[[], Dataset]
    source: int
    identity: str
    start: int
    stop: int | None


def work_range(orders: Orders, span: Range) -> Worked:
    """Return what a range of records becomes, the roots of its certain chunks included.

    Raises:
        MalformedError: A record that cannot be committed exactly, or the file is another one.
        UnavailableError: The file could not be read.
    """
    sources = span.open().sources
    source = sources[span.source] if span.source < len(sources) else None
    if source is None or source.identity != span.identity or source.schema != orders.maker.schema:
        raise MalformedError(f"{span.identity}: a worker finds another file there; register again")
    parts = [work_batch(orders, batch) for batch in source.batches(span.start, span.stop)]
    return join(parts, len(orders.indexes))


@dataclass(frozen=True, slots=True)
class Divided:
    """How a dataset is divided among workers who read for themselves.

    Sources whose number of records is not known beforehand cannot be divided: they are read here,
    so that no worker has to hold all their leaves.
    """

    orders: Orders
    dataset: Dataset
    open: Callable[[], Dataset]

    def __call__(self, source: Source, start: int) -> Iterator[Callable[[], Worked]]:
        """Yield the tasks of a source from record `start` on."""
        number, count = self.dataset.sources.index(source), source.count()
        if count is None:
            yield from by_batch(self.orders)(source, start)
            return
        for at in range(start, count, RANGE):
            stop = min(at + RANGE, count)
            span = Range(self.open, number, source.identity, at, stop)
            yield partial(work_range, self.orders, span)


def by_batch(orders: Orders) -> Callable[[Source, int], Iterator[Callable[[], Worked]]]:
    """Return the plan by which one thread reads batches, and workers make leaves of them."""

    def plan(source: Source, start: int) -> Iterator[Callable[[], Worked]]:
        return (partial(work_batch, orders, batch) for batch in source.batches(start))

    return plan


def join(parts: Sequence[Worked], indexes: int) -> Worked:
    """Return what consecutive runs became as one, with the roots of its certain chunks."""
    words = np.concatenate([np.empty((0, 4), np.uint64), *(part.words for part in parts)])
    marks = Marks.of(np.empty(0, np.uint64))
    for part in parts:
        marks = marks.join(part.marks)
    keys = tuple(
        (
            np.concatenate([np.empty((0, 31), np.uint8), *(part.keys[n][0] for part in parts)]),
            sum(part.keys[n][1] for part in parts),
        )
        for n in range(indexes)
    )
    chunks = {start: chunk_tree(words[start : start + count]) for start, count in marks.certain()}
    return Worked(words, marks, keys, chunks)
