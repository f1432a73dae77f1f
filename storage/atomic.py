"""Files and folders that are there whole or not at all.

A file or folder is written under a temporary name beside its place (`.xxxx.tmp`), flushed to
the disk, and renamed. The writer holds a lock on the temporary name until then, so `sweep` can tell
what a killed process left behind from what another is still writing.
"""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from provenance.errors import MalformedError, UnavailableError

SUFFIX: Final = ".tmp"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_atomic(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put a file of `data` at `path`, whole or not at all; it replaces what was there.

    Raises:
        UnavailableError: The disk is full, the folder cannot be written, …
    """
    with replacing(path, mode) as file:
        file.write(data)


def create_atomic(path: Path, data: bytes, mode: int = 0o644) -> bool:
    """Put a file of `data` at `path` unless something is there; return whether this call did it.

    Raises:
        UnavailableError: As for `write_atomic`.
    """
    with told(path, "write"), pending(path.parent, mode) as (file, temporary):
        file.write(data)
        _flush(file)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        _sync_folder(path.parent)
    return True


@contextmanager
def replacing(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Give a file to write, which takes the place of `path` when the block ends without error.

    Raises:
        UnavailableError: As for `write_atomic`.
    """
    with told(path, "write"), pending(path.parent, mode) as (file, temporary):
        yield file
        publish(file, temporary, path)


@contextmanager
def pending(folder: Path, mode: int = 0o644) -> Iterator[tuple[BinaryIO, Path]]:
    """Give a new file in `folder` and its temporary path; it is gone at the end if not published.

    For a file whose name is known only when it is written; else see `replacing`.
    """
    descriptor, temporary = _new_file(folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            yield file, temporary
    finally:
        temporary.unlink(missing_ok=True)


def publish(file: BinaryIO, temporary: Path, path: Path) -> None:
    """Put a pending file at `path`, once its bytes are on the disk."""
    _flush(file)
    temporary.replace(path)
    _sync_folder(path.parent)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder to fill, which becomes `path` when the block ends without error.

    Raises:
        FileExistsError: Something is at `path` already; it stays as it was.
        UnavailableError: As for `write_atomic`.
    """
    with told(path, "write"):
        held, temporary = _new_folder(path.parent)
    try:
        with told(path, "write"):
            yield temporary
            os.fsync(held)
            is_taken = not _rename_new(temporary, path)
            _sync_folder(path.parent)
        if is_taken:
            raise FileExistsError(errno.EEXIST, "is there already", str(path))
    finally:
        os.close(held)
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(path: Path, mode: int = 0o700) -> None:
    """Make the folder `path` in an existing one, if it is not there, so that it stays."""
    with told(path, "make"):
        path.mkdir(mode=mode, exist_ok=True)
        _sync_folder(path.parent)


def sweep(folder: Path) -> int:
    """Remove what killed writers left in `folder`; return how many files and folders that were."""
    removed = 0
    for path in folder.glob(f".*{SUFFIX}"):
        with suppress(FileNotFoundError, BlockingIOError):
            held = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
            finally:
                os.close(held)
    return removed


def read_bounded(path: Path, limit: int) -> bytes:
    """Return what the file at `path` holds, at most `limit` bytes.

    Raises:
        MalformedError: Missing, unreadable, no regular file, or longer.
        UnavailableError: The disk failed.
    """
    try:
        data = _read(path, limit + 1)
    except FileNotFoundError as error:
        raise MalformedError(f"{path} is missing: check the name") from error
    except PermissionError as error:
        raise MalformedError(f"{path} may not be read by you: check its permissions") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > limit:
        raise _too_long(path, limit)
    return data


def _read(path: Path, size: int) -> bytes:
    # O_NONBLOCK: opening a pipe would otherwise wait for whoever writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise MalformedError(f"{path} is no regular file: name a file")
        if about.st_size >= size:
            raise _too_long(path, size - 1)
        size = min(size, about.st_size + 1)  # allocate no more than there is
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(size)
    finally:
        os.close(descriptor)


def _too_long(path: Path, limit: int) -> MalformedError:
    return MalformedError(f"{path} holds more than {limit} bytes, the most that is read here")


@contextmanager
def told(path: Path, verb: str) -> Iterator[None]:
    """Turn an OSError about `path` or its folder into an UnavailableError that names the remedy.

    A failed write names no file. What names a file elsewhere, such as a source that the block
    reads, is passed on as it is.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not _is_beside(error.filename, path):
            raise
        raise UnavailableError(f"cannot {verb} {path}: {_remedy(error)}") from error


def _is_beside(name: str | bytes | int, path: Path) -> bool:
    return isinstance(name, str) and Path(name).absolute().is_relative_to(path.absolute().parent)


def _remedy(error: OSError) -> str:
    if error.errno in _FULL:
        return "the disk, quota or size limit is full; free space and run this again"
    if error.errno in _FORBIDDEN:
        return "no permission; check who owns the folder and whether it may be written"
    if error.errno == errno.ENOENT:
        return "its folder is missing; was it deleted? `rootline init` makes it again"
    return error.strerror or str(error)


def _new_file(folder: Path) -> tuple[int, Path]:
    """Return a new locked file in `folder`: its descriptor, which holds the lock, and its path."""
    while True:
        descriptor, name = tempfile.mkstemp(SUFFIX, ".", folder)
        if _is_held(descriptor):
            return descriptor, Path(name)
        os.close(descriptor)


def _new_folder(folder: Path) -> tuple[int, Path]:
    """Return a new locked folder in `folder`: a descriptor that holds the lock, and its path."""
    while True:
        temporary = Path(tempfile.mkdtemp(SUFFIX, ".", folder))
        with suppress(FileNotFoundError):
            descriptor = os.open(temporary, os.O_RDONLY)
            if _is_held(descriptor):
                return descriptor, temporary
            os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    """Lock a new temporary name; False if `sweep` came first and removed it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename_new(temporary: Path, path: Path) -> bool:
    """Rename a folder unless something is at `path`; return whether nothing was."""
    try:
        temporary.rename(path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True
