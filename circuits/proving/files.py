"""Files written whole or not at all, readable by this user only."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from provenance.errors import UnavailableError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        UnavailableError: The disk is full, or the folder cannot be written to.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Tell the system's errors on a path in one line, as UnavailableError."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}; make room or another home") from error
