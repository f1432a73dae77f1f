"""Records -> node file, at the speed of the machine: reading, hashing and writing overlap.

Batches are read in order by the calling thread; workers make their leaves, and the roots of the
chunks that close; both come back in order. Nothing is held but a few batches and chunks. What an
earlier version or a killed run has made already is not made again: a file's leaves are taken over
as long as the file is the same, a chunk's root as long as its leaves are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, Protocol, TypeVar

import numpy as np

from pipelines.flow.working import Worked
from provenance.chunk import NOTHING, Cutter
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.tree import Chunk, ChunkTree, Words, chunk_tree
from storage.drafts import Known
from storage.parts import Part

PART: Final = 2**17
"""Records after which a part is noted: what a killed run has to do again at most, in one file."""


class Named(Protocol):
    """A source of records, with a name for what it was read from."""

    @property
    def identity(self) -> str:
        """The file, and what tells whether it is still the same; empty if there is no telling."""
        ...


T = TypeVar("T")
Source = TypeVar("Source", bound=Named)
Task = Callable[[], Worked]
"""Makes leaves of a run of records; workers call it, in threads or elsewhere."""
Reuse = Callable[[Source], Iterable[tuple[Part, Words]]]
"""Gives the parts of a source whose leaves are known, from its beginning on."""
Plan = Callable[[Source, int], Iterable[Task]]
"""Divides a source, from a record on, into tasks in order."""


class Sink(Protocol):
    """Where leaves, parts and chunks go, in order."""

    def write(self, leaves: Words) -> bytes:
        """Take leaves; return them as they are stored."""
        ...

    def note(self, part: Part) -> None:
        """Take a part whose leaves were all written."""
        ...

    def close(self, tree: ChunkTree) -> None:
        """Take the next chunk."""
        ...


@dataclass(slots=True)
class Table:
    """Keeps the chunk table and nothing else: for looking whether records are still the same."""

    chunks: list[Chunk] = field(default_factory=list)

    def write(self, leaves: Words) -> bytes:  # noqa: ARG002  # the protocol's
        """Store nothing."""
        return b""

    def note(self, part: Part) -> None:
        """Note nothing."""

    def close(self, tree: ChunkTree) -> None:
        """Keep a chunk."""
        self.chunks.append(tree.chunk)


@dataclass(slots=True)
class Assembly:
    """Leaves in order -> sink: cuts them, and has chunk roots made by workers."""

    sink: Sink
    pool: Executor
    known: Sequence[Known]
    ahead: int
    _cutter: Cutter = field(default_factory=Cutter)
    _open: list[Words] = field(default_factory=list)
    _closing: deque[ChunkTree | Future[ChunkTree]] = field(default_factory=deque)

    def take(self, run: Worked) -> bytes:
        """Take the leaves of the next records; return them as they are stored."""
        stored = self.sink.write(run.words)
        start, waiting = 0, self._cutter.open
        for length in self._cutter.feed(run.marks):
            end = start + length - waiting
            made = None if waiting else run.chunks.get(start)
            if made is not None and made.chunk.count == length:
                self._settled(made)
            else:
                self._close(np.concatenate([*self._open, run.words[start:end]]))
            start, waiting = end, 0
            self._open = []
        self._open.append(run.words[start:])
        return stored

    def finish(self) -> None:
        """Close the last chunk and note all that are still worked on."""
        if self._cutter.open:
            self._close(np.concatenate(self._open))
        while self._closing:
            self._settle()

    def _close(self, leaves: Words) -> None:
        found = next(filter(None, (known.chunk(leaves) for known in self.known)), None)
        self._settled(found or self.pool.submit(chunk_tree, leaves))

    def _settled(self, tree: ChunkTree | Future[ChunkTree]) -> None:
        self._closing.append(tree)
        while self._is_due():
            self._settle()

    def _is_due(self) -> bool:
        first = self._closing[0] if self._closing else None
        is_done = isinstance(first, ChunkTree) or (first is not None and first.done())
        return is_done or len(self._closing) > self.ahead

    def _settle(self) -> None:
        first = self._closing.popleft()
        self.sink.close(first if isinstance(first, ChunkTree) else first.result())


def commit_sources(
    assembly: Assembly,
    sources: Iterable[Source],
    plan: Plan[Source],
    absorb: Callable[[Worked], None],
    reuse: Reuse[Source],
) -> None:
    """Commit to the records of all sources, in order.

    Args:
        assembly: Where the leaves go.
        sources: What to read.
        plan: Divides what is to be read of a source.
        absorb: Called in order with what each task made.
        reuse: Gives what need not be read; nothing, if `absorb` has to see all records.

    Raises:
        MalformedError: A record that cannot be committed exactly, or there is none at all.
        UnavailableError: A file could not be read, or the disk is full.
    """
    is_empty = True
    for source in sources:
        count, is_whole = 0, False
        for part, words in reuse(source):
            assembly.take(Worked(words, part.marks))
            assembly.sink.note(replace(part, source=source.identity))
            count, is_whole = count + part.count, part.last
        if not is_whole:
            tasks = in_order(assembly.pool, plan(source, count), assembly.ahead)
            count += _take_all(assembly, source.identity, count, _seen(tasks, absorb))
        is_empty = is_empty and not count
    if is_empty:
        raise MalformedError("the dataset is empty: there is nothing to commit to")
    assembly.finish()


def _seen(runs: Iterable[Worked], absorb: Callable[[Worked], None]) -> Iterator[Worked]:
    for run in runs:
        absorb(run)
        yield run


def _take_all(assembly: Assembly, source: str, start: int, runs: Iterable[Worked]) -> int:
    """Take the leaves of a source from record `start` on, and note them part by part."""
    marks, digest, at = NOTHING, sha256(), start
    for run in runs:
        if marks.count >= PART:
            assembly.sink.note(Part(source, at, marks, Digest(digest.digest()), last=False))
            at, marks, digest = at + marks.count, NOTHING, sha256()
        digest.update(assembly.take(run))
        marks = marks.join(run.marks)
    if marks.count:
        assembly.sink.note(Part(source, at, marks, Digest(digest.digest()), last=True))
    return at + marks.count - start


def in_order(pool: Executor, tasks: Iterable[Callable[[], T]], ahead: int) -> Iterator[T]:
    """Yield what workers make of tasks, in order, with at most `ahead` more of them handed out."""
    waiting: deque[Future[T]] = deque()
    for task in tasks:
        waiting.append(pool.submit(task))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
