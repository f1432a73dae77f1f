"""Keys in any order -> the index file over them, in memory that does not depend on their number.

The keys are sorted and written first, so that their count is known; then they are read back in
blocks, and the rows follow.
"""

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UnavailableError
from provenance.exclusion_arrays import ROW, Bytes, Salter, Words
from provenance.exclusion_tree import build
from provenance.leaf import DatasetKey
from storage.atomic import pending, publish, sweep, told
from storage.index_file import HEADER, MAGIC, SUFFIX, VERSION, IndexFile, end, mapped, row_bytes
from storage.index_keys import RUN, KeySorter


class IndexBuilder:
    """Builds an index file from keys that come in any order; nothing is left unless it is finished.

    with IndexBuilder(home.nodes, dataset_key) as builder:
        builder.add(exact_keys(contents))
        file = builder.finish()
    """

    def __init__(
        self, folder: Path, dataset_key: DatasetKey, *, threads: int = 1, run: int = RUN
    ) -> None:
        self._folder, self._salter, self._threads = folder, Salter(dataset_key), threads
        self._sorter = KeySorter(folder, run)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        sweep(self._folder)
        self._stack.enter_context(self._sorter)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    def add(self, keys: Bytes) -> None:
        """Take keys, shape (keys, 31), in any order, known ones too.

        Raises:
            MalformedError: Another shape.
            UnavailableError: The disk is full or the folder cannot be written.
        """
        self._sorter.add(keys)

    def finish(self) -> IndexFile:
        """Return the index file over the keys that were added; then the builder is spent.

        Raises:
            UnavailableError: The disk is full or the folder cannot be written.
        """
        with told(self._folder, "write to"), pending(self._folder, 0o600) as (file, temporary):
            count = self._write_keys(file)
            root = build(
                partial(_read_keys, file.fileno()),
                count,
                self._salter,
                partial(_write_rows, file, end(count) - 2 * ROW * count),
                mapper=partial(mapped, threads=self._threads),
            )
            file.seek(0)
            file.write(HEADER.pack(MAGIC, VERSION, bytes(4), count, bytes(8), root.encoded))
            path = self._folder / f"{root.hex}{SUFFIX}"
            publish(file, temporary, path)
        return IndexFile.open(path)

    def _write_keys(self, file: BinaryIO) -> int:
        """Write the keys in order, let go of the temporary file, and return how many there are."""
        file.write(bytes(HEADER.size))
        count = 0
        for rows in self._sorter.ordered():
            file.write(rows.tobytes())
            count += len(rows)
        file.flush()
        self._stack.close()
        return count


def _read_keys(descriptor: int, start: int, stop: int) -> Bytes:
    data = os.pread(descriptor, (stop - start) * ROW, HEADER.size + start * ROW)
    if len(data) != (stop - start) * ROW:
        raise UnavailableError("the index file was cut off while it was written: run this again")
    return np.frombuffer(data, np.uint8).reshape(-1, ROW)


def _write_rows(
    file: BinaryIO, begin: int, start: int, rows: Words, _made: NDArray[np.bool_]
) -> None:
    # What is not made yet is zeros, and is written over later.
    file.seek(begin + 2 * ROW * start)
    file.write(row_bytes(rows).tobytes())
