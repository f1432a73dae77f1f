"""What goes wrong while a file is read, as one line that names the file and says what to do."""

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from provenance.errors import MalformedError, ProvenanceError, UnavailableError

_BUILT_IN = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    EOFError,
    zlib.error,
)


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
