"""Files that only their owner reads, plain or sealed under a passphrase."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from provenance.errors import MalformedError, UnavailableError
from storage.atomic import read_bounded
from storage.sealed import Sealed

MAX_FILE: Final = 4096
T = TypeVar("T")


def read_private(path: Path) -> bytes:
    """Return what a key's file holds.

    Raises:
        MalformedError: Others can read it, or it is too long for a key.
        UnavailableError: There is none.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        message = f"no key at {path}: restore it with `rootline keys restore`"
        raise UnavailableError(message) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MalformedError(f"{path} may be read by others: run `chmod 600` on it, or rotate")
    return read_bounded(path, MAX_FILE)


def sealed_file(path: Path, data: bytes, label: str, more: int = 0) -> Sealed:
    """Return what `data` seals, whose label must be `label` and `more` characters after it.

    Raises:
        MalformedError: Not sealed, or as something else.
    """
    sealed = located(path, lambda: Sealed.parse(data))
    if not sealed.label.startswith(label) or len(sealed.label) != len(label) + more:
        raise MalformedError(f"{path} is sealed as {sealed.label[:80]!r}: it belongs elsewhere")
    return sealed


def needed(path: Path, passphrase: str | None) -> str:
    """Return `passphrase`, or raise UnavailableError if there is none."""
    if passphrase is None:
        raise UnavailableError(f"{path} is sealed: give its passphrase")
    return passphrase


def located(path: Path, read: Callable[[], T]) -> T:
    """Return what `read` returns; a MalformedError of its names `path`."""
    try:
        return read()
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error
