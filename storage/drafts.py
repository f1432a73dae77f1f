"""Node files that are being written, and what an earlier run or version spares the next one.

A draft is `<job>.draft`, laid out as the node file that it will be, and `<job>.draft.log`, a line
(storage/parts.py) for each part whose leaves are in it and for each finished chunk. A run that is
killed leaves both; the next run of the same job finds in them what still fits. A finished node file
`<root>.nodes` has its parts in `<root>.parts`, for the next version. All files are 0600.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.errors import ProvenanceError
from provenance.poseidon import words_from_bytes, words_to_bytes
from provenance.tree import Chunk, Words
from storage.atomic import publish, replacing, told
from storage.nodes import HEADER, LEAF, SUFFIX, NodeFile, complete
from storage.parts import Entry, Part, entries, line

DRAFT: Final = ".draft"
LOG: Final = ".draft.log"
PARTS: Final = ".parts"
_EARLIER: Final = ".earlier"

Stored = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Leaves that were stored before, what they were made from, and the chunks over them."""

    leaves: Stored
    parts: dict[str, list[tuple[Part, int]]]
    chunks: dict[bytes, list[tuple[int, Chunk]]]

    @classmethod
    def of(cls, leaves: Stored, found: Iterable[Entry]) -> Self:
        """Return what `found`, in the order of the leaves, says of them, as far as they reach."""
        parts: dict[str, list[tuple[Part, int]]] = defaultdict(list)
        chunks: dict[bytes, list[tuple[int, Chunk]]] = defaultdict(list)
        row = closed = 0
        for entry in found:
            if isinstance(entry, Part):
                parts[entry.source].append((entry, row))
                row += entry.count
            elif closed + entry.count <= len(leaves):
                chunks[leaves[closed].tobytes()].append((closed, entry))
                closed += entry.count
        return cls(leaves, parts, chunks)

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

    def chunk(self, leaves: Words) -> Chunk | None:
        """Return the chunk over just these leaves, if it is known."""
        first = words_to_bytes(leaves[:1]).tobytes()
        for row, chunk in self.chunks.get(first, ()):
            stored = self.leaves[row : row + chunk.count]
            if chunk.count == len(leaves) and np.array_equal(words_to_bytes(leaves), stored):
                return chunk
        return None


NOTHING: Final = Known(np.empty((0, LEAF), np.uint8), {}, {})


def of_version(nodes: NodeFile, rules: str) -> Known:
    """Return what a finished version spares a later one; nothing if its rules were others."""
    path = nodes.path.with_suffix(PARTS)
    try:
        with path.open("rb") as file:
            if file.readline(256) != f"{rules}\n".encode():
                return Known.of(nodes.leaves, nodes.chunks)
            return Known.of(nodes.leaves, [*entries(file), *nodes.chunks])
    except OSError:
        return Known.of(nodes.leaves, nodes.chunks)


@dataclass(slots=True)
class Draft:
    """A node file under way; `earlier` is what a run that was killed has left."""

    folder: Path
    job: str
    earlier: Known
    _file: BinaryIO
    _log: BinaryIO
    _table: list[Chunk] = field(default_factory=list)
    _parts: list[Part] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, job: str) -> Iterator[Self]:
        """Give the draft of a job, to fill and finish; unfinished, it stays for the next run.

        The caller holds the job's lock.

        Raises:
            UnavailableError: The disk is full or the folder cannot be written.
        """
        path, log = folder / f"{job}{DRAFT}", folder / f"{job}{LOG}"
        with told(path, "write"):
            _set_aside(path, log)
            earlier = _read(*_earlier(path, log))
            with _created(path) as file, _created(log) as lines:
                file.write(bytes(HEADER.size))
                yield cls(folder, job, earlier, file, lines)

    def write(self, leaves: Words) -> bytes:
        """Append leaves; return them as they are stored."""
        stored = words_to_bytes(leaves).tobytes()
        self._file.write(stored)
        return stored

    def add(self, entry: Entry) -> None:
        """Note a part whose leaves were all written, or the next finished chunk."""
        if isinstance(entry, Part):
            self._file.flush()
            self._parts.append(entry)
        else:
            self._table.append(entry)
        self._log.write(line(entry))
        self._log.flush()

    def finish(self, rules: str, sources: dict[str, str]) -> NodeFile:
        """Return the node file, with its parts beside it; the draft is gone.

        Args:
            rules: Under which the leaves were made.
            sources: What each part's source is called from now on; others have no name.
        """
        root = complete(self._file, self._table)
        path = self.folder / f"{root.hex}{SUFFIX}"
        with replacing(path.with_suffix(PARTS), 0o600) as file:
            file.write(f"{rules}\n".encode())
            for part in self._parts:
                file.write(line(_renamed(part, sources)))
        draft = self.folder / f"{self.job}{DRAFT}"
        publish(self._file, draft, path)
        log = self.folder / f"{self.job}{LOG}"
        for left in (log, *_earlier(draft, log)):
            left.unlink(missing_ok=True)
        return NodeFile.open(path)

    @property
    def table(self) -> Sequence[Chunk]:
        """The chunks that were noted."""
        return self._table


def _renamed(part: Part, sources: dict[str, str]) -> Part:
    return Part(sources.get(part.source, ""), part.start, part.marks, part.leaves, part.last)


def _earlier(path: Path, log: Path) -> tuple[Path, Path]:
    return path.with_suffix(_EARLIER), log.with_suffix(f".log{_EARLIER}")


def _set_aside(path: Path, log: Path) -> None:
    """Keep a killed run's draft apart, if it holds more than one that was set aside before."""
    kept, kept_log = _earlier(path, log)
    if not (path.exists() and log.exists()):
        return
    if not kept_log.exists() or log.stat().st_size >= kept_log.stat().st_size:
        kept_log.unlink(missing_ok=True)  # first, so that a log never stands beside other leaves
        path.replace(kept)
        log.replace(kept_log)


def _read(path: Path, log: Path) -> Known:
    try:
        rows = max(path.stat().st_size - HEADER.size, 0) // LEAF
        if not rows:
            return NOTHING
        leaves = np.memmap(path, np.uint8, "r", HEADER.size, (rows, LEAF))
        with log.open("rb") as file:
            return Known.of(leaves, entries(file))
    except (FileNotFoundError, ProvenanceError):
        return NOTHING


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    path.unlink(missing_ok=True)
    path.touch(0o600)
    with path.open("r+b") as file:
        yield file
