"""Keys of an index in any order, more of them than fit into memory -> in order, each once.

Keys are gathered, sorted in runs, and each run is appended to one temporary file, which is gone
afterwards; then the runs are merged, a piece of each at a time. Keys that are few, or mostly the
same ones, never leave memory.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from provenance.errors import UnavailableError
from provenance.exclusion_arrays import ROW, Bytes, as_rows, distinct, texts
from storage.atomic import pending, told

RUN: Final = 2**19
"""Keys that are sorted at a time: 16 MB, and three times that while they are sorted."""
LEAST: Final = 64
"""Keys of a run that are read at a time, at least."""


@dataclass(slots=True, eq=False)
class _Run:
    """A sorted run of the temporary file: keys from `start` to before `stop`, some of them read."""

    start: int
    stop: int
    waiting: Bytes


class KeySorter:
    """Takes keys and gives them in order; its temporary file lies in `folder`, mode 0600."""

    def __init__(self, folder: Path, run: int = RUN) -> None:
        self._folder = folder
        self._gathered = np.empty((run, ROW), np.uint8)
        self._count = 0
        self._stack = ExitStack()
        self._descriptor: int | None = None
        self._runs: list[_Run] = []
        self._spilled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._descriptor = None
        with told(self._folder, "write to"):
            self._stack.close()

    def add(self, keys: Bytes) -> None:
        """Take keys, shape (keys, 31), in any order, known ones too.

        Raises:
            MalformedError: Another shape.
            UnavailableError: The disk is full or the folder cannot be written.
        """
        while len(keys):
            part = as_rows(keys[: len(self._gathered) - self._count])
            self._gathered[self._count : self._count + len(part)] = part
            self._count += len(part)
            keys = keys[len(part) :]
            if self._count == len(self._gathered):
                self._settle()

    def ordered(self) -> Iterator[Bytes]:
        """Yield the different keys in order, in blocks of rows of 32.

        Raises:
            UnavailableError: The temporary file cannot be read back.
        """
        last = distinct(self._gathered[: self._count])
        runs = [*self._runs, _Run(0, 0, last)]
        piece = max(len(self._gathered) // len(runs), LEAST)
        while runs:
            with told(self._folder, "read from"):
                for run in runs:
                    self._refill(run, piece)
            runs = [run for run in runs if len(run.waiting)]
            if block := _first(runs):
                yield distinct(np.concatenate(block), in_runs=True)

    def _settle(self) -> None:
        """Make room: drop what is there twice, and append the rest to the file if it is much."""
        rows = distinct(self._gathered)
        if len(rows) > len(self._gathered) // 2:
            self._spill(rows)
            rows = rows[:0]
        self._gathered[: len(rows)] = rows
        self._count = len(rows)

    def _spill(self, rows: Bytes) -> None:
        with told(self._folder, "write to"):
            if self._descriptor is None:
                file, _ = self._stack.enter_context(pending(self._folder, 0o600))
                self._descriptor = file.fileno()
            _write(self._descriptor, rows)
        start, self._spilled = self._spilled, self._spilled + len(rows)
        self._runs.append(_Run(start, self._spilled, np.empty((0, ROW), np.uint8)))

    def _refill(self, run: _Run, piece: int) -> None:
        wanted = min(piece - len(run.waiting), run.stop - run.start)
        if wanted <= 0:
            return
        assert self._descriptor is not None  # noqa: S101  # a run that is not empty was written
        data = os.pread(self._descriptor, wanted * ROW, run.start * ROW)
        if len(data) != wanted * ROW:
            raise UnavailableError(
                f"a temporary file in {self._folder} was cut off: run this again"
            )
        run.start += wanted
        run.waiting = np.concatenate((run.waiting, np.frombuffer(data, np.uint8).reshape(-1, ROW)))


def _first(runs: list[_Run]) -> list[Bytes]:
    """Take from each run the keys up to the first one beyond which a run has more on the disk."""
    ends = [run.waiting[-1].tobytes() for run in runs if run.start < run.stop]
    taken = []
    for run in runs:
        size = len(run.waiting)
        if ends:
            size = int(np.searchsorted(texts(run.waiting), np.bytes_(min(ends)), "right"))
        taken.append(run.waiting[:size])
        run.waiting = run.waiting[size:]
    return taken


def _write(descriptor: int, rows: Bytes) -> None:
    data = memoryview(rows.tobytes())
    while data:
        data = data[os.write(descriptor, data) :]
