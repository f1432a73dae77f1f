"""What goes wrong while a file is read, as one line that names the file and says what to do."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provenance.errors import MalformedError, ProvenanceError, UnavailableError

_BUILT_IN = (OSError, ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError)


def read_errors(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """Return `more` and what decoders raise: Python's own classes, pyarrow's if it is loaded."""
    pyarrow = sys.modules.get("pyarrow")
    return (*more, *_BUILT_IN, *([pyarrow.ArrowException] if pyarrow else []))


def fail(where: str, problem: str, remedy: str) -> MalformedError:
    """Return the error for `where`, a file with a record or line where that applies."""
    return MalformedError(f"{where}: {problem}; {remedy}")


def first_line(error: BaseException) -> str:
    """Return what `error` says, cut to one line that fits a terminal."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def reading(where: str, remedy: str) -> Iterator[None]:
    """Turn what pyarrow, the system or a decoder raises inside into errors that name `where`.

    Raises:
        MalformedError: No file, no permission, or content that is not what it should be.
        UnavailableError: The system could not read it just now.
    """
    try:
        yield
    except ProvenanceError:
        raise
    except FileNotFoundError as error:
        raise fail(where, "no such file", "check the path") from error
    except PermissionError as error:
        raise fail(where, "may not be read", "check its permissions") from error
    except IsADirectoryError as error:
        raise fail(where, "a folder, not a file", "name a file") from error
    except read_errors() as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UnavailableError(f"{where}: cannot be read: {error.strerror}") from error
        raise fail(where, first_line(error), remedy) from error


@dataclass(frozen=True, slots=True)
class Watched:
    """A file that must stay what it was when the dataset was opened.

    Attributes:
        path: The file.
        before: Inode, size, and times of the last change of its bytes and of anything about it, in
            nanoseconds. The last can be set by nobody, so bytes put back in place do not pass.
    """

    path: Path
    before: tuple[int, int, int, int]

    @classmethod
    def of(cls, path: Path) -> "Watched":
        """Return the file at `path` as it is now.

        Raises:
            MalformedError: There is none, or it may not be read.
        """
        with reading(str(path), "check the file"):
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # it may be read, or this raises
            return cls(path, _identity(found))

    @property
    def name(self) -> str:
        """What errors call it."""
        return str(self.path)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return self.before[1]

    @property
    def identity(self) -> str:
        """The file, and what tells whether it is still the same."""
        return " ".join((self.name, *map(str, self.before)))

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Check before and after the block that the file is the same; else raise MalformedError."""
        self._check()
        yield
        self._check()

    def _check(self) -> None:
        with reading(self.name, "check the file"):
            now = self.path.stat()
        self.check(now)

    def check(self, now: os.stat_result) -> None:
        """Raise MalformedError if the file is not what it was."""
        if _identity(now) != self.before:
            raise self.changed()

    def changed(self) -> MalformedError:
        """Return the error that says so."""
        return fail(self.name, "changed since the dataset was opened", "open it again")


def _identity(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
