"""One writer at a time: a lock file that says who holds it.

    process 4711 since 2026-11-24T06:30:00+00:00: rootline dataset register data --name flights

The lock is the system's, on the open file, so it ends with its process, killed or not; the text is
only for whoever waits. The file stays when the lock is released.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from provenance.errors import UnavailableError
from storage.atomic import told

PATIENCE: Final = 30.0
"""Seconds that a writer waits for another one unless told otherwise."""


@contextmanager
def locked(path: Path, *, wait: float = PATIENCE) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; not reentrant.

    Raises:
        UnavailableError: Another process or thread held it for `wait` seconds, the file cannot be
            written, or filelock is not installed.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError as error:
        raise UnavailableError("filelock is not installed: install the extra `registry`") from error
    lock = FileLock(path, timeout=wait, mode=0o600)
    with told(path, "lock"):
        try:
            lock.acquire()
        except Timeout as error:
            raise UnavailableError(_held(path, wait)) from error
    try:
        with told(path, "lock"):
            path.write_text(_holder())
        yield
    finally:
        lock.release()


def _holder() -> str:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return f"process {os.getpid()} since {since}: {shlex.join(sys.argv)[:200]}\n"


def _held(path: Path, wait: float) -> str:
    holder = ""
    with suppress(OSError):
        holder = path.read_text(errors="replace").strip()
    return f"{path} is locked by {holder or 'another process'}; waited {wait:g} s: try again later"
