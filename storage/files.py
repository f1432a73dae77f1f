"""Files as a dataset holds them: where the bytes are, and what tells whether they are the same.

>>> LocalFile.of("data", "part-1.csv").identity  # doctest: +SKIP
'/home/ada/data/part-1.csv 7340037 4096 1767225600000000000 1767225600000000000'
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from storage.reading import fail, reading


class File(Protocol):
    """A file that must stay what it was when the dataset was opened."""

    @property
    def path(self) -> str:
        """Its place in the dataset, with `/` between names."""
        ...

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    @property
    def identity(self) -> str:
        """Where it is, and what is different once it has changed."""
        ...

    def open(self) -> BinaryIO:
        """Return its bytes, to be read from any place."""
        ...

    def unchanged(self) -> AbstractContextManager[None]:
        """Check before and after a block that it is the same; else raise MalformedError."""
        ...


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on a disk; `stamp` is its inode, size, and times of modification and change in ns."""

    path: str
    name: str
    size: int
    stamp: str

    @classmethod
    def of(cls, root: str, path: str) -> Self:
        """Return the file at `path` below `root` as it is now.

        Raises:
            MalformedError: There is none, or it may not be read.
            UnavailableError: The system could not say.
        """
        name = os.path.normpath(f"{root}/{path}")
        with reading(name, "check the path"):
            now = os.stat(name)  # noqa: PTH116  # a Path takes longer than the call
        return cls(path, name, now.st_size, stamp(now))

    @property
    def identity(self) -> str:
        """Path and stamp."""
        return f"{os.path.abspath(self.name)} {self.stamp}"  # noqa: PTH100  # follows no link

    def open(self) -> BinaryIO:
        """Return the open file."""
        with reading(self.name, "check the file"):
            return Path(self.name).open("rb")

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Check before and after the block that the file is the same; else raise MalformedError."""
        self._check()
        yield
        self._check()

    def _check(self) -> None:
        with reading(self.name, "check the file"):
            now = os.stat(self.name)  # noqa: PTH116
        if stamp(now) != self.stamp:
            raise changed(self.name)


def stamp(found: os.stat_result) -> str:
    """Return what changes with a file, as far as the system tells."""
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def changed(name: str) -> Exception:
    """Return the error for a file that is not what it was."""
    return fail(name, "changed while it was read", "register again once nobody writes to it")
