"""Node files that are being written, and what an earlier run or version spares the next one.

A draft is `<job>.draft` and `<job>.draft.inner`, laid out as the node file and the inner nodes that
they will be, and `<job>.draft.log`, a line (storage/parts.py) for each part whose leaves were
written and for each finished chunk. A run that is killed leaves them, and the next run of the same
job finds in them what still fits. A finished node file `<root>.nodes` has these lines in
`<root>.parts`, for the next version. All files are 0600.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.field import Digest
from provenance.poseidon import words_from_bytes
from provenance.tree import ChunkTree, Words
from storage.atomic import publish, replacing, sweep, told
from storage.nodes import (
    HEADER,
    INNER,
    LEAF,
    SUFFIX,
    NodeFile,
    complete,
    complete_inner,
    inner_size,
    stored,
)
from storage.parts import Closed, Entry, Part, entries, line

DRAFT: Final = ".draft"
NODES: Final = ".draft.inner"
LOG: Final = ".draft.log"
PARTS: Final = ".parts"
EARLIER: Final = ".earlier"

Stored = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a known chunk's leaves and inner nodes begin."""

    closed: Closed
    row: int
    inner: int


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Leaves that were stored before, what they were made from, and the chunks over them."""

    leaves: Stored
    inner: Stored
    parts: dict[str, list[tuple[Part, int]]]
    chunks: dict[bytes, list[_Place]]

    @classmethod
    def of(cls, leaves: Stored, inner: Stored, found: Iterable[Entry]) -> Self:
        """Return what `found`, in the order of the leaves, says of them, as far as they reach."""
        parts: dict[str, list[tuple[Part, int]]] = defaultdict(list)
        chunks: dict[bytes, list[_Place]] = defaultdict(list)
        row = closed = place = 0
        for entry in found:
            if isinstance(entry, Part):
                parts[entry.source].append((entry, row))
                row += entry.count
            elif closed + entry.chunk.count <= len(leaves):
                chunks[leaves[closed].tobytes()].append(_Place(entry, closed, place))
                closed += entry.chunk.count
                place += inner_size(entry.chunk.count)
        return cls(leaves, inner, parts, chunks)

    def parts_of(self, source: str) -> Iterator[tuple[Part, Words]]:
        """Yield the parts from a source's beginning on, without a gap, with their leaves.

        Leaves that are not those that the part speaks of end it: the rest is read anew.
        """
        count = 0
        for part, row in self.parts.get(source, ()):
            stored = self.leaves[row : row + part.count]
            is_next = part.start == count and len(stored) == part.count
            if not is_next or sha256(stored.tobytes()).digest() != part.leaves:
                return
            yield part, words_from_bytes(np.asarray(stored))
            count += part.count
            if part.last:
                return

    def chunk(self, leaves: Words) -> ChunkTree | None:
        """Return the chunk over just these leaves with its nodes, if all of it is known."""
        written = stored(leaves)
        for place in self.chunks.get(written[0].tobytes(), ()):
            chunk, size = place.closed.chunk, inner_size(place.closed.chunk.count)
            if not np.array_equal(written, self.leaves[place.row : place.row + chunk.count]):
                continue
            inner = self.inner[place.inner : place.inner + size]
            if sha256(inner.tobytes()).digest() == place.closed.inner:
                return ChunkTree(chunk, words_from_bytes(np.asarray(inner)))
        return None


_NONE: Final = np.empty((0, LEAF), np.uint8)
NOTHING: Final = Known(_NONE, _NONE, {}, {})


def of_version(nodes: NodeFile, rules: str) -> Known:
    """Return what a finished version spares a later one: only chunks if its rules were others."""
    path = nodes.path.with_suffix(PARTS)
    try:
        with path.open("rb") as file:
            is_same = file.readline(256) == f"{rules}\n".encode()
            found = [each for each in entries(file) if is_same or isinstance(each, Closed)]
    except OSError:
        return NOTHING
    return Known.of(nodes.leaves, nodes.inner, found)


@dataclass(slots=True)
class Draft:
    """A node file under way; `earlier` is what a run that was killed has left."""

    folder: Path
    job: str
    earlier: Known
    _file: BinaryIO
    _inner: BinaryIO
    _log: BinaryIO
    _entries: list[Entry] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, job: str) -> Iterator[Self]:
        """Give the draft of a job, to fill and finish; unfinished, it stays for the next run.

        The caller holds the job's lock.

        Raises:
            UnavailableError: The disk is full or the folder cannot be written.
        """
        files = [folder / f"{job}{suffix}" for suffix in (DRAFT, NODES, LOG)]
        sweep(folder)
        with told(folder, "write to"):
            _set_aside(files)
            earlier = _read(*map(_earlier, files))
            with ExitStack() as stack:
                file, inner, log = (stack.enter_context(_created(path)) for path in files)
                file.write(bytes(HEADER.size))
                inner.write(bytes(HEADER.size))
                draft = cls(folder, job, earlier, file, inner, log)
                try:
                    yield draft
                finally:
                    if not draft._entries:  # nothing that the next run could use
                        for path in files:
                            path.unlink(missing_ok=True)

    def write(self, leaves: Words) -> bytes:
        """Append leaves; return them as they are stored."""
        written = stored(leaves).tobytes()
        self._file.write(written)
        return written

    def note(self, part: Part) -> None:
        """Note a part whose leaves were all written."""
        self._file.flush()
        self._add(part)

    def close(self, tree: ChunkTree) -> None:
        """Append the next finished chunk's nodes, and note it."""
        written = stored(tree.inner).tobytes()
        self._inner.write(written)
        self._inner.flush()
        self._add(Closed(tree.chunk, Digest(sha256(written).digest())))

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._log.write(line(entry))
        self._log.flush()

    def finish(self, rules: str, sources: dict[str, str]) -> NodeFile:
        """Return the node file, with its inner nodes and parts beside it; the draft is gone.

        Args:
            rules: Under which the leaves were made.
            sources: What each part's source is called from now on; others have no name.
        """
        table = [each.chunk for each in self._entries if isinstance(each, Closed)]
        root = complete(self._file, table)
        path = self.folder / f"{root.hex}{SUFFIX}"
        with replacing(path.with_suffix(PARTS), 0o600) as file:
            file.write(f"{rules}\n".encode())
            file.writelines(line(_renamed(each, sources)) for each in self._entries)
        complete_inner(self._inner, table, root)
        draft, inner, log = (self.folder / f"{self.job}{each}" for each in (DRAFT, NODES, LOG))
        publish(self._file, draft, path)  # first: it needs no inner nodes
        publish(self._inner, inner, path.with_suffix(INNER))
        for left in (log, *map(_earlier, (log, draft, inner))):
            left.unlink(missing_ok=True)
        return NodeFile.open(path)


def _renamed(entry: Entry, sources: dict[str, str]) -> Entry:
    if isinstance(entry, Part):
        return replace(entry, source=sources.get(entry.source, ""))
    return entry


def _earlier(path: Path) -> Path:
    return path.with_name(f"{path.name}{EARLIER}")


def _set_aside(files: Sequence[Path]) -> None:
    """Keep a killed run's draft apart, if it holds more than one that was set aside before."""
    *data, log = files
    if not all(path.exists() for path in files):
        return
    kept = _earlier(log)
    if not kept.exists() or log.stat().st_size >= kept.stat().st_size:
        kept.unlink(missing_ok=True)  # first, so that a log never stands beside other leaves
        for path in (*data, log):
            path.replace(_earlier(path))


def _read(path: Path, inner: Path, log: Path) -> Known:
    try:
        with log.open("rb") as file:
            return Known.of(_rows(path), _rows(inner), entries(file))
    except FileNotFoundError:
        return NOTHING


def _rows(path: Path) -> Stored:
    rows = max(path.stat().st_size - HEADER.size, 0) // LEAF
    return np.memmap(path, np.uint8, "r", HEADER.size, (rows, LEAF)) if rows else _NONE


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    path.unlink(missing_ok=True)
    path.touch(0o600)
    with path.open("r+b") as file:
        yield file
