"""Files as a dataset holds them: where the bytes are, and what tells whether they are the same.

>>> LocalFile.of("data", "part-1.csv").identity  # doctest: +SKIP
'/home/ada/data/part-1.csv 7340037 4096 1767225600000000000 1767225600000000000'
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from provenance.errors import MalformedError
from storage.readers.order import find_files
from storage.readers.reading import fail, reading


class Opened(Protocol):
    """An open file's bytes, from wherever they come."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next `size` bytes, or all; fewer only at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        ...

    def tell(self) -> int:
        """Return the place."""
        ...

    def __enter__(self) -> Self:
        """Return the same, to be closed at the end of a block."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Close it."""
        ...


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

    def open(self) -> Opened:
        """Return its bytes, to be read from any place; they may come from far away."""
        ...

    def read(self) -> bytes:
        """Return all its bytes, of an object that has not changed; raises as `unchanged`."""
        ...

    def unchanged(self) -> AbstractContextManager[None]:
        """Check before and after a block that it is the same; else raise MalformedError."""
        ...


class Store(Protocol):
    """Where files lie; places are written with `/`."""

    def is_folder(self, place: str) -> bool:
        """Return whether there is a folder."""
        ...

    def find(self, folder: str, include: str, *, hidden: bool) -> list[str]:
        """Return the paths of the files below a folder, as `order.find_files` does."""
        ...

    def absolute(self, place: str) -> str:
        """Return the same place, whatever folder this process is in."""
        ...

    def files(self, root: str, paths: Sequence[str]) -> tuple[File, ...]:
        """Return the files at `paths` below `root` as they are now."""
        ...


Stamp = tuple[int, int, int, int]
"""Inode, size, and times of the last change of a file's bytes and of anything about it, in
nanoseconds. The last can be set by nobody, so bytes put back in place do not pass; what
a process writes through a mapping into memory may pass, if the file is mapped already."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on a disk: its place in the dataset, where it is, and what it was."""

    path: str
    name: str
    stamp: Stamp

    @classmethod
    def of(cls, root: str, path: str) -> Self:
        """Return the file at `path` below `root` as it is now.

        Raises:
            MalformedError: There is none, or it may not be read.
            UnavailableError: The system could not say.
        """
        name = path if root in ("", ".") else f"{root}/{path}"
        try:
            now = os.stat(name)  # noqa: PTH116  # a Path takes longer than the call
            if S_ISDIR(now.st_mode):
                raise IsADirectoryError
        except OSError:
            with reading(name, "check the path"):
                raise
        return cls(path, name, stamp(now))

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.stamp[1]

    @property
    def identity(self) -> str:
        """Path and stamp."""
        place = os.path.abspath(self.name)  # noqa: PTH100  # follows no link
        return " ".join((place, *map(str, self.stamp)))

    def open(self) -> BinaryIO:
        """Return the open file."""
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

    def read(self) -> bytes:
        """Return all its bytes.

        Asked once, afterwards, the open file itself tells whether anything happened since the
        dataset was opened: it would be another file, or have another time of change.

        Raises:
            MalformedError: It has changed.
            OSError: It could not be read.
        """
        descriptor = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            content = os.read(descriptor, self.size + 1)
            while len(content) < self.size and (more := os.read(descriptor, self.size)):
                content += more
            if len(content) != self.size or stamp(os.fstat(descriptor)) != self.stamp:
                raise changed(self.name)
        finally:
            os.close(descriptor)
        return content


class Local:
    """The disks of this machine."""

    def is_folder(self, place: str) -> bool:
        """Return whether there is a folder."""
        return Path(place).is_dir()

    def find(self, folder: str, include: str, *, hidden: bool) -> list[str]:
        """Return the paths of the files below a folder, in order; raises as `find_files`."""
        return find_files(Path(folder), include, hidden=hidden)

    def absolute(self, place: str) -> str:
        """Return the same place, whatever folder this process is in."""
        return os.path.abspath(place)  # noqa: PTH100  # follows no link

    def files(self, root: str, paths: Sequence[str]) -> tuple[File, ...]:
        """Return the files at `paths` below `root` as they are now; raises as `LocalFile.of`."""
        return tuple(LocalFile.of(root, path) for path in paths)


def stamp(found: os.stat_result) -> Stamp:
    """Return what changes with a file, as far as the system tells."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def changed(name: str) -> MalformedError:
    """Return the error for a file that is not what it was."""
    return fail(name, "changed while it was read", "register again")
