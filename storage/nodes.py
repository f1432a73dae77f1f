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

Integers are big-endian. The table comes last, so that a writer needs no second pass.
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
from provenance.tree import MAX_CHUNKS, Chunk, Words, chunk_root, record_root
from storage.atomic import pending, publish, sweep, told

MAGIC: Final = b"RL-nodes"
VERSION: Final = 1
HEADER: Final = struct.Struct(">8sIIQ8s32s")
LEAF: Final = 32
ROW: Final = np.dtype([("root", "u1", (32,)), ("count", ">u8")])
SUFFIX: Final = ".nodes"


@dataclass(frozen=True, slots=True, eq=False)
class NodeFile:
    """An open node file. Header and table are checked; `verify` checks the leaves.

    Attributes:
        path: Where it lies.
        root: Record root, as the header and the name say.
        chunks: The chunk table.
    """

    path: Path
    root: FieldElement
    chunks: tuple[Chunk, ...]
    _leaves: NDArray[np.uint8] = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)

    @property
    def records(self) -> int:
        """Number of records."""
        return self._starts[-1]

    @property
    def leaves(self) -> NDArray[np.uint8]:
        """All leaves as they are stored, shape (records, 32), mapped from the file."""
        return self._leaves

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
        magic, version, chunks, records, zeros, root = HEADER.unpack(
            mapped[: HEADER.size].tobytes()
        )
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
        return cls(path, FieldElement.decode(root), table, leaves, starts)

    def leaves_of(self, chunk: int) -> Words:
        """Return the leaves of a chunk as Poseidon words, shape (count, 4).

        Raises:
            MalformedError: There is no such chunk, or a leaf is no field element.
        """
        if not 0 <= chunk < len(self.chunks):
            raise MalformedError(f"no chunk {chunk} among {len(self.chunks)}")
        return words_from_bytes(
            np.asarray(self._leaves[self._starts[chunk] : self._starts[chunk + 1]])
        )

    def verify(self) -> None:
        """Recompute everything from the leaves.

        Raises:
            MalformedError: A leaf is zero, or no field element.
            VerificationError: The leaves of a chunk do not give its root.
            RootMismatchError: The table does not give the record root.
        """
        for number, chunk in enumerate(self.chunks):
            if chunk_root(self.leaves_of(number)) != chunk:
                raise VerificationError(
                    f"{self.path}: the leaves of chunk {number} give another root"
                )
        if (computed := record_root(self.chunks)) != self.root:
            raise RootMismatchError(computed.hex, self.root.hex)


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


def _table(path: Path, rows: NDArray[np.void]) -> tuple[Chunk, ...]:
    try:
        return tuple(
            Chunk(FieldElement.decode(row["root"].tobytes()), int(row["count"])) for row in rows
        )
    except MalformedError as error:
        raise MalformedError(f"{path}: in the chunk table: {error}") from error
