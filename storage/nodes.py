"""The node file of a dataset version: all its leaves, from which inclusion proofs are made.

It is called `<record root>.nodes` and is never changed:

    offset     bytes  is
    0          8      "RL-nodes"
    8          4      version, 1
    12         4      c, the number of chunks, 1 to 2**18
    16         8      n, the number of records
    24         8      zeros
    32         32     record root
    64         32 n   the leaves in order, each 32 bytes big-endian
    64 + 32 n  40 c   the chunk table: root (32 bytes) and count (8 bytes) of each chunk

Integers are big-endian. The table comes last, so that a writer needs no second pass. Beside it lies
`<record root>.inner`, from which a proof is read instead of hashed:

    0          64     the header, with "RL-inner" in front
    64         32 m   for each chunk the nodes between its leaves and its root, level by level
    64 + 32 m  32 t   the top tree's nodes below the record root, from its leaves on
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.chunk import CHUNK
from provenance.errors import MalformedError, RootMismatchError, UnavailableError, VerificationError
from provenance.field import FieldElement
from provenance.leaves import LeafChunk
from provenance.poseidon import words_from_bytes, words_to_bytes
from provenance.tree import (
    DEPTH,
    MAX_CHUNKS,
    Chunk,
    InclusionProof,
    Words,
    chunk_tree,
    level_sizes,
    prove_inclusion,
    record_root,
    sibling_places,
    top_depth,
    top_nodes,
    zero_root,
)
from storage.atomic import pending, publish, sweep, told

MAGIC: Final = b"RL-nodes"
VERSION: Final = 1
HEADER: Final = struct.Struct(">8sIIQ8s32s")
LEAF: Final = 32
ROW: Final = np.dtype([("root", "u1", (32,)), ("count", ">u8")])
SUFFIX: Final = ".nodes"
INNER: Final = ".inner"
INNER_MAGIC: Final = b"RL-inner"


Rows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class NodeFile:
    """An open node file. Header and table are checked; `verify` checks the leaves.

    Attributes:
        path: Where it lies.
        root: Record root, as the header and the name say.
        chunks: The chunk table.
        leaves: All leaves as they are stored, shape (records, 32), mapped from the file.
        inner: All inner nodes likewise; none if their file is missing or of another length.
    """

    path: Path
    root: FieldElement
    chunks: tuple[Chunk, ...]
    leaves: Rows = field(repr=False)
    inner: Rows = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)
    _inner_starts: tuple[int, ...] = field(repr=False)

    @property
    def records(self) -> int:
        """Number of records."""
        return self._starts[-1]

    @classmethod
    def find(cls, folder: Path, root: FieldElement) -> Self:
        """Return the node file of a record root.

        Raises:
            UnavailableError: It is not in `folder`.
            MalformedError: It is damaged.
        """
        found = cls.open(folder / f"{root.hex}{SUFFIX}")
        if found.root != root:
            raise MalformedError(f"{found.path} is for {found.root.hex}: another file was put here")
        return found

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the node file at `path`, mapped into memory.

        Raises:
            UnavailableError: Missing, or it may not be read.
            MalformedError: Header, table and size of the file do not fit each other.
        """
        try:
            size = path.stat().st_size
            if size < HEADER.size:
                raise MalformedError(f"{path} is cut off: register the dataset again")
            mapped = np.memmap(path, dtype=np.uint8, mode="r")
        except OSError as error:
            reason = error.strerror or error
            raise UnavailableError(f"{path}: {reason}; register the dataset again") from error
        header = mapped[: HEADER.size].tobytes()
        magic, version, chunks, records, zeros, root = HEADER.unpack(header)
        if (magic, version, zeros) != (MAGIC, VERSION, bytes(8)):
            raise MalformedError(f"{path} is no node file of version {VERSION}")
        if not 1 <= chunks <= MAX_CHUNKS or not chunks <= records <= chunks * CHUNK:
            raise MalformedError(f"{path}: {records} records do not fit {chunks} chunks")
        end = HEADER.size + LEAF * records
        if size != end + ROW.itemsize * chunks:
            raise MalformedError(f"{path} has {size} bytes, which do not fit its header")
        table = _table(path, np.frombuffer(mapped, ROW, offset=end))
        starts = tuple(np.cumsum([0, *(chunk.count for chunk in table)]).tolist())
        if starts[-1] != records:
            raise MalformedError(f"{path}: the table counts {starts[-1]} records, not {records}")
        leaves = mapped[HEADER.size : end].reshape(-1, LEAF)
        sizes = [inner_size(chunk.count) for chunk in table]
        places = tuple(np.cumsum([0, *sizes]).tolist())
        inner = _inner(path, INNER_MAGIC + header[8:], places[-1] + top_size(chunks))
        return cls(path, FieldElement.decode(root), table, leaves, inner, starts, places)

    def leaves_of(self, chunk: int) -> Words:
        """Return the leaves of a chunk as Poseidon words, shape (count, 4).

        Raises:
            MalformedError: There is no such chunk, or a leaf is no field element.
        """
        if not 0 <= chunk < len(self.chunks):
            raise MalformedError(f"no chunk {chunk} among {len(self.chunks)}")
        return words_from_bytes(
            np.asarray(self.leaves[self._starts[chunk] : self._starts[chunk + 1]])
        )

    def prove(self, chunk: int, position: int) -> InclusionProof:
        """Return the proof that a record stands under the root: read, not hashed, if it can be.

        Raises:
            MalformedError: There is no such record, or what is read is no field element.
        """
        if not len(self.inner):
            return self.prove_by_hashing(chunk, position)
        if not 0 <= chunk < len(self.chunks) or not 0 <= position < self.chunks[chunk].count:
            raise MalformedError(f"{self.path}: no record {position} in chunk {chunk}")
        count, depth = self.chunks[chunk].count, top_depth(len(self.chunks))
        first, inner = self._starts[chunk], self._inner_starts[chunk]
        nodes = (
            self.leaves[first : first + count],
            self.inner[inner : self._inner_starts[chunk + 1]],
        )
        path = _siblings(sibling_places(count, DEPTH, position), *nodes)
        top = (self.leaves[:0], self.inner[self._inner_starts[-1] :])
        above = _siblings(sibling_places(len(self.chunks), depth, chunk), *top)
        return InclusionProof(chunk, position, count, path, above)

    def prove_by_hashing(self, chunk: int, position: int) -> InclusionProof:
        """Return the same proof from the leaves alone; raises as `prove`."""
        return prove_inclusion(self.leaves_of(chunk), position, self.chunks, chunk)

    def verify(self) -> None:
        """Recompute everything from the leaves.

        Raises:
            MalformedError: A leaf is zero, or no field element.
            VerificationError: The leaves of a chunk do not give its root.
            RootMismatchError: The table does not give the record root.
        """
        for number, chunk in enumerate(self.chunks):
            tree = chunk_tree(self.leaves_of(number))
            if tree.chunk != chunk:
                raise VerificationError(
                    f"{self.path}: the leaves of chunk {number} give another root"
                )
            self._same(stored(tree.inner), self._inner_starts[number], f"chunk {number}")
        self._same(stored(top_nodes(self.chunks)), self._inner_starts[-1], "the top tree")
        if (computed := record_root(self.chunks)) != self.root:
            raise RootMismatchError(computed.hex, self.root.hex)

    def _same(self, nodes: Rows, start: int, what: str) -> None:
        found = self.inner[start : start + len(nodes)]
        if len(self.inner) and not np.array_equal(found, nodes):
            name = self.path.with_suffix(INNER)
            raise VerificationError(f"{name}: the leaves give other nodes in {what}; delete it")


def write_nodes(folder: Path, chunks: Iterable[LeafChunk]) -> NodeFile:
    """Return the node file of `chunks`, written to `folder` as they come, one in memory at a time.

    Args:
        folder: A home's `nodes`.
        chunks: In order, from `provenance.dataset.chunks_of`.

    Raises:
        MalformedError: There is none, or what the iterable raises.
        UnavailableError: The disk is full or the folder cannot be written; nothing stays behind.
    """
    sweep(folder)
    table: list[Chunk] = []
    with told(folder, "write to"), pending(folder, 0o600) as (file, temporary):
        file.write(bytes(HEADER.size))
        for item in chunks:
            if len(item.leaves) != item.chunk.count:
                raise MalformedError(f"{len(item.leaves)} leaves for {item.chunk.count} records")
            file.write(words_to_bytes(item.leaves).tobytes())
            table.append(item.chunk)
        path = folder / f"{complete(file, table).hex}{SUFFIX}"
        publish(file, temporary, path)
    return NodeFile.open(path)


def complete(file: BinaryIO, table: Sequence[Chunk]) -> FieldElement:
    """Write the table after the leaves, then the header; return the record root."""
    root = record_root(table)
    file.seek(0, 2)
    file.writelines(chunk.root.encoded + chunk.count.to_bytes(8, "big") for chunk in table)
    records = sum(chunk.count for chunk in table)
    file.seek(0)
    file.write(HEADER.pack(MAGIC, VERSION, len(table), records, bytes(8), root.encoded))
    return root


def complete_inner(file: BinaryIO, table: Sequence[Chunk], root: FieldElement) -> None:
    """Write the top tree's nodes after those of the chunks, then the header."""
    file.seek(0, 2)
    file.write(stored(top_nodes(table)).tobytes())
    records = sum(chunk.count for chunk in table)
    file.seek(0)
    file.write(HEADER.pack(INNER_MAGIC, VERSION, len(table), records, bytes(8), root.encoded))


def inner_size(count: int) -> int:
    """Return the number of nodes between the leaves and the root of a chunk of `count` records."""
    return sum(level_sizes(count, DEPTH)[1:])


def top_size(chunks: int) -> int:
    """Return the number of nodes below the record root of a tree over so many chunks."""
    return sum(level_sizes(chunks, top_depth(chunks)))


def stored(words: Words) -> Rows:
    """Return elements of shape (elements, 4) as they are stored, shape (elements, 32)."""
    return words[:, ::-1].astype(">u8").view(np.uint8).reshape(-1, LEAF)


def _inner(path: Path, header: bytes, size: int) -> Rows:
    """Return the inner nodes beside a node file, or none: they only make proofs faster."""
    try:
        mapped = np.memmap(path.with_suffix(INNER), dtype=np.uint8, mode="r")
    except (OSError, ValueError):
        return np.empty((0, LEAF), np.uint8)
    if len(mapped) != HEADER.size + LEAF * size or mapped[: HEADER.size].tobytes() != header:
        return np.empty((0, LEAF), np.uint8)
    return mapped[HEADER.size :].reshape(-1, LEAF)


def _siblings(places: Sequence[int | None], leaves: Rows, inner: Rows) -> tuple[FieldElement, ...]:
    found = []
    for level, place in enumerate(places):
        if place is None:
            found.append(zero_root(level))
        else:
            row = leaves[place] if place < len(leaves) else inner[place - len(leaves)]
            found.append(FieldElement.decode(row.tobytes()))
    return tuple(found)


def _table(path: Path, rows: NDArray[np.void]) -> tuple[Chunk, ...]:
    try:
        return tuple(
            Chunk(FieldElement.decode(row["root"].tobytes()), int(row["count"])) for row in rows
        )
    except MalformedError as error:
        raise MalformedError(f"{path}: in the chunk table: {error}") from error
