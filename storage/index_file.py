"""The index file of an exclusion index: its keys and nodes, from which proofs are made.

It is called `<index root>.index`, is never changed, and is secret:

    offset     bytes  is
    0          8      "RL-index"
    8          4      version, 1
    12         4      zeros
    16         8      n, the number of keys
    24         8      zeros
    32         32     index root
    64         32 n   the keys in order, each 32 bytes big-endian
    64 + 32 n  64 n   a row for each key: both inputs of the node that divides there, 32 bytes each

Integers are big-endian. Row 0 is zeros; see provenance.exclusion_tree for the rows.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError, RootMismatchError, UnavailableError, VerificationError
from provenance.exclusion_arrays import ROW, Bytes, Salter, Words, present
from provenance.exclusion_path import IndexProver, IndexRows
from provenance.exclusion_proof import MAX_KEYS, IndexEntry
from provenance.exclusion_tree import Block, build
from provenance.field import FieldElement
from provenance.leaf import DatasetKey

MAGIC: Final = b"RL-index"
VERSION: Final = 1
HEADER: Final = struct.Struct(">8sI4sQ8s32s")
SUFFIX: Final = ".index"


@dataclass(frozen=True, slots=True, eq=False)
class IndexFile:
    """An open index file. The header is checked; `verify` checks the rest.

    Attributes:
        path: Where it lies.
        root: Root of the index, as the header and the name say.
    """

    path: Path
    root: FieldElement
    _stored: IndexRows = field(repr=False)

    @property
    def count(self) -> int:
        """Number of keys."""
        return len(self._stored)

    def entry(self, normaliser: str, field: str, without: int) -> IndexEntry:
        """Return what a dataset commitment says about this index."""
        return IndexEntry(normaliser, field, (), self.root, self.count, without)

    @classmethod
    def find(cls, folder: Path, root: FieldElement) -> Self:
        """Return the index file of a root.

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
        """Return the index file at `path`, mapped into memory.

        Raises:
            UnavailableError: Missing, or it may not be read.
            MalformedError: Header and size of the file do not fit each other.
        """
        try:
            size = path.stat().st_size
            if size < HEADER.size:
                raise MalformedError(f"{path} is cut off: register the dataset again")
            mapped = np.memmap(path, dtype=np.uint8, mode="r")
        except OSError as error:
            reason = error.strerror or error
            raise UnavailableError(f"{path}: {reason}; register the dataset again") from error
        magic, version, gap, count, zeros, root = HEADER.unpack(mapped[: HEADER.size].tobytes())
        if (magic, version, gap, zeros) != (MAGIC, VERSION, bytes(4), bytes(8)):
            raise MalformedError(f"{path} is no index file of version {VERSION}")
        if count > MAX_KEYS or size != end(count):
            raise MalformedError(f"{path} has {size} bytes, which do not fit its header")
        if (root == bytes(32)) != (count == 0):
            raise MalformedError(f"{path}: the root is 0 exactly when there are no keys")
        middle = HEADER.size + ROW * count
        plain = mapped.view(np.ndarray)
        keys, rows = plain[HEADER.size : middle], plain[middle:]
        stored = IndexRows(keys.reshape(-1, ROW), rows.reshape(-1, 2 * ROW))
        return cls(path, FieldElement.decode(root), stored)

    def present(self, keys: Bytes) -> NDArray[np.bool_]:
        """Return which of many keys, shape (keys, 31), are in the index, in one pass over it."""
        return present(self._stored.keys, keys)

    def prover(self, dataset_key: DatasetKey) -> IndexProver:
        """Return what proves presence and absence, one key at a time or many."""
        return IndexProver(self._stored, dataset_key)

    def verify(self, dataset_key: DatasetKey, threads: int = 1) -> None:
        """Recompute everything from the keys.

        Raises:
            MalformedError: The keys do not ascend, or are no keys.
            VerificationError: The keys and their salts give other rows.
            RootMismatchError: They give another root.
        """
        keys, rows = self._stored.keys, self._stored.rows

        def read(start: int, stop: int) -> Bytes:
            if keys[start:stop, 0].any():
                raise MalformedError(f"{self.path}: a key is longer than 248 bits")
            return keys[start:stop]

        def compare(start: int, found: Words, made: NDArray[np.bool_]) -> None:
            stored = rows[start : start + len(found)][made]
            wrong = np.flatnonzero((stored != row_bytes(found[made])).any(axis=1))
            if len(wrong):
                number = start + int(np.flatnonzero(made)[wrong[0]])
                raise VerificationError(f"{self.path}: the keys give another row {number}")

        if rows[:1].any():
            raise MalformedError(f"{self.path}: row 0 divides nothing and is not 0")
        mapper = partial(mapped, threads=threads)
        root = build(read, self.count, Salter(dataset_key), compare, mapper=mapper)
        if root != self.root:
            raise RootMismatchError(root.hex, self.root.hex)


def end(count: int) -> int:
    """Return the size in bytes of the file of so many keys."""
    return HEADER.size + 3 * ROW * count


def row_bytes(rows: Words) -> Bytes:
    """Return rows as they are stored, shape (rows, 64)."""
    return rows[..., ::-1].astype(">u8").view(np.uint8).reshape(-1, 2 * ROW)


def mapped(work: Callable[[int], Block], items: Iterable[int], *, threads: int) -> Iterator[Block]:
    """Yield `work` of each item in order, with so many threads and few results waiting."""
    if threads <= 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Block]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
