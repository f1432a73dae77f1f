"""Records -> node file, at the speed of the machine: reading, hashing and writing overlap.

Batches are read in order by the calling thread; workers make their leaves, and the roots of the
chunks that close; both come back in order. Nothing is held but a few batches and chunks. What an
earlier version or a killed run has made already is not made again: a file's leaves are taken over
as long as the file is the same, a chunk's root as long as its leaves are.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Protocol

import numpy as np

from provenance.batch import Batch
from provenance.chunk import NOTHING, Cutter, Marks
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.leaves import LeafMaker, Leaves
from provenance.tree import Chunk, Words, chunk_root
from storage.drafts import Known
from storage.parts import Entry, Part

PART: Final = 2**17
"""Records after which a part is noted: what a killed run has to do again at most, in one file."""

Watch = Callable[[Batch, Leaves], None]


class Readable(Protocol):
    """A source of records, with a name for what it was read from."""

    @property
    def identity(self) -> str:
        """The file, and what tells whether it is still the same; empty if there is no telling."""
        ...

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the records from number `start` on."""
        ...


class Sink(Protocol):
    """Where leaves, parts and chunks go, in order."""

    def write(self, leaves: Words) -> bytes:
        """Take leaves; return them as they are stored."""
        ...

    def add(self, entry: Entry) -> None:
        """Take a part whose leaves were all written, or the next chunk."""
        ...


@dataclass(slots=True)
class Table:
    """Keeps the chunk table and nothing else: for looking whether records are still the same."""

    chunks: list[Chunk] = field(default_factory=list)

    def write(self, leaves: Words) -> bytes:  # noqa: ARG002  # the protocol's
        """Store nothing."""
        return b""

    def add(self, entry: Entry) -> None:
        """Keep a chunk."""
        if isinstance(entry, Chunk):
            self.chunks.append(entry)


@dataclass(slots=True)
class Assembly:
    """Leaves in order -> sink: cuts them, and has chunk roots made by workers."""

    sink: Sink
    pool: Executor
    known: Sequence[Known]
    ahead: int
    _cutter: Cutter = field(default_factory=Cutter)
    _open: list[Words] = field(default_factory=list)
    _closing: deque[Chunk | Future[Chunk]] = field(default_factory=deque)

    def take(self, words: Words, marks: Marks) -> bytes:
        """Take the leaves of the next records; return them as they are stored."""
        stored = self.sink.write(words)
        start, waiting = 0, self._cutter.open
        for length in self._cutter.feed(marks):
            end = start + length - waiting
            self._close([*self._open, words[start:end]])
            start, waiting = end, 0
            self._open = []
        self._open.append(words[start:])
        return stored

    def finish(self) -> None:
        """Close the last chunk and note all that are still worked on."""
        if self._cutter.open:
            self._close(self._open)
        while self._closing:
            self._settle()

    def _close(self, parts: list[Words]) -> None:
        leaves = np.concatenate(parts)
        found = next(filter(None, (known.chunk(leaves) for known in self.known)), None)
        self._closing.append(found or self.pool.submit(chunk_root, leaves))
        while self._is_due():
            self._settle()

    def _is_due(self) -> bool:
        first = self._closing[0] if self._closing else None
        is_done = isinstance(first, Chunk) or (first is not None and first.done())
        return is_done or len(self._closing) > self.ahead

    def _settle(self) -> None:
        first = self._closing.popleft()
        self.sink.add(first if isinstance(first, Chunk) else first.result())


def commit_sources(
    assembly: Assembly,
    sources: Iterable[Readable],
    maker: LeafMaker,
    watch: Watch | None,
    reuse: Callable[[Readable], Iterable[tuple[Part, Words]]],
) -> None:
    """Commit to the records of all sources, in order.

    Args:
        assembly: Where the leaves go.
        sources: What to read.
        maker: Makes the leaves.
        watch: Called in order with each batch that was read and its leaves; then nothing may be
            taken over, so `reuse` gives nothing.
        reuse: Gives the parts of a source whose leaves are known, from its beginning on.

    Raises:
        MalformedError: A record that cannot be committed exactly, or there is none at all.
        UnavailableError: A file could not be read, or the disk is full.
    """
    is_empty = True
    for source in sources:
        count, is_whole = 0, False
        for part, words in reuse(source):
            assembly.take(words, part.marks)
            assembly.sink.add(Part(source.identity, count, part.marks, part.leaves, part.last))
            count, is_whole = count + part.count, part.last
        if not is_whole:
            count += _read(assembly, source, count, maker, watch)
        is_empty = is_empty and not count
    if is_empty:
        raise MalformedError("the dataset is empty: there is nothing to commit to")
    assembly.finish()


def _read(
    assembly: Assembly, source: Readable, start: int, maker: LeafMaker, watch: Watch | None
) -> int:
    """Commit to the records of a source from `start` on; return how many there were."""
    marks, digest, count = NOTHING, sha256(), 0
    work = in_order(assembly.pool, maker.leaves, source.batches(start), assembly.ahead)
    for batch, leaves in work:
        if watch is not None:
            watch(batch, leaves)
        if marks.count >= PART:
            part = Part(source.identity, start + count, marks, Digest(digest.digest()), last=False)
            assembly.sink.add(part)
            count, marks, digest = count + marks.count, NOTHING, sha256()
        found = Marks.of(leaves.values)
        digest.update(assembly.take(leaves.words, found))
        marks = marks.join(found)
    if marks.count:
        part = Part(source.identity, start + count, marks, Digest(digest.digest()), last=True)
        assembly.sink.add(part)
    return count + marks.count


def in_order(
    pool: Executor, work: Callable[[Any], Any], items: Iterable[Any], ahead: int
) -> Iterator[tuple[Any, Any]]:
    """Yield each item with what workers make of it, in order, at most `ahead` items read ahead."""
    waiting: deque[tuple[Any, Future[Any]]] = deque()
    for item in items:
        waiting.append((item, pool.submit(work, item)))
        if len(waiting) > ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    for first, future in waiting:
        yield first, future.result()


@contextmanager
def workers(threads: int | None = None) -> Iterator[tuple[Executor, int]]:
    """Give a pool of threads, one a core, and how much work may lie ahead of it."""
    count = threads or len(os.sched_getaffinity(0))
    pool = ThreadPoolExecutor(count, thread_name_prefix="commit")
    try:
        yield pool, 2 * count
    finally:
        pool.shutdown(cancel_futures=True)
