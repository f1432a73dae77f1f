"""One at a time: whoever makes a key or a proof lets others wait for it instead of making it too.

The lock is the system's, on the open file, so it ends with its holder, killed or not. The file is
removed by its holder: a waiter that gets the lock of a removed file tries again.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Final

from circuits.proving.worker import Progress, silent
from provenance.errors import UnavailableError

POLL_SECONDS: Final = 0.1


@contextmanager
def locked(path: Path, progress: Progress = silent, cancel: Event | None = None) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; not reentrant.

    Args:
        path: Made if it is not there, removed at the end.
        progress: Told `wait` if another one holds it.
        cancel: Once it is set, waiting ends.

    Raises:
        UnavailableError: Cancelled while waiting.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stop, told = cancel or Event(), False
    while (held := _try(path)) is None:
        if not told:
            progress("wait")
            told = True
        if stop.wait(POLL_SECONDS):
            raise UnavailableError("cancelled while another process was at the same work")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(held)


def _try(path: Path) -> int | None:
    """Return the open and locked file, or None if another one holds it or has removed it."""
    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(opened), path.stat()):
            return opened
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(opened)
    return None
