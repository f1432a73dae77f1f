"""Which files a folder holds, and in which order: rule `natural/1` (docs/spec/order.md).

>>> sorted(["part-10", "part-2", "part-02", "a/z", "a.b"], key=natural_key)
['a/z', 'a.b', 'part-02', 'part-2', 'part-10']

Path components are compared from left to right, runs of the digits 0-9 by value, everything else
bytewise; paths that are equal so far are compared bytewise as a whole.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from provenance.errors import MalformedError, UnavailableError

NATURAL: Final = "natural/1"
GIVEN: Final = "given"
MAX_FILES: Final = 2**20
_TOKEN: Final = re.compile(rb"([0-9]+)|([^0-9])", re.DOTALL)

Token = tuple[int, int, bytes]
NaturalKey = tuple[tuple[tuple[Token, ...], ...], bytes]


def natural_key(path: str) -> NaturalKey:
    """Return what sorts `path` (components joined by `/`) under `natural/1`."""
    raw = path.encode()
    return tuple(_tokens(component) for component in raw.split(b"/")), raw


def _tokens(component: bytes) -> tuple[Token, ...]:
    """Return a token for each run of digits and each other byte; a run sorts where "0" would."""
    found: list[Token] = []
    for digits, other in _TOKEN.findall(component):
        if digits:
            value = digits.lstrip(b"0")  # compared by length first, so no size is too large
            found.append((0x30, len(value), value))
        else:
            found.append((other[0], 0, b""))
    return tuple(found)


def find_files(folder: Path, include: str, *, hidden: bool) -> list[str]:
    """Return the paths of the regular files below `folder`, under `natural/1`.

    Args:
        folder: Where to look.
        include: A pattern for the file's path, as of `Path.match`; `*` takes all.
        hidden: Whether names that begin with `.` or `_` count.

    Raises:
        MalformedError: No file, too many, a name that is no UTF-8, a link to a folder, or something
            that is neither file nor folder.
        UnavailableError: A folder cannot be listed.
    """
    found = sorted(
        (path for path in _walk(folder, hidden=hidden) if Path(path).match(include)),
        key=natural_key,
    )
    if not found:
        raise MalformedError(f"{folder}: no files in this folder match {include!r}")
    if len(found) > MAX_FILES:
        raise MalformedError(f"{folder}: more than {MAX_FILES} files; pack them into fewer")
    return found


def _walk(folder: Path, *, hidden: bool) -> Iterator[str]:
    for where, folders, files in os.walk(folder, onerror=_unlisted):
        folders[:] = [name for name in folders if hidden or name[0] not in "._"]
        for name in folders:
            if Path(where, name).is_symlink():
                raise MalformedError(
                    f"{where}/{name}: a link to a folder is not followed; name the folder itself"
                )
        for name in files:
            if hidden or name[0] not in "._":
                yield _checked(Path(where, name), folder)


def _checked(path: Path, folder: Path) -> str:
    if not path.is_file():
        raise MalformedError(f"{path}: neither a file nor a folder; remove it or leave it out")
    relative = path.relative_to(folder).as_posix()
    try:
        relative.encode()
    except UnicodeEncodeError as error:
        raise MalformedError(f"{relative!r}: a file's name must be UTF-8; rename it") from error
    return relative


def _unlisted(error: OSError) -> None:
    raise UnavailableError(f"{error.filename}: cannot list this folder: {error.strerror}")
