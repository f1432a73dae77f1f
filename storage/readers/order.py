"""Which files a folder holds, and in which order: rule `natural/1` (docs/spec/order.md).

>>> sorted(["part-10", "part-2", "part-02", "a/z", "a.b"], key=natural_key)
['a/z', 'a.b', 'part-02', 'part-2', 'part-10']

Path components are compared from left to right, runs of the digits 0-9 by value, everything else
bytewise; paths that are equal so far are compared bytewise as a whole.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from provenance.errors import MalformedError, UnavailableError

NATURAL: Final = "natural/1"
GIVEN: Final = "given"
MAX_FILES: Final = 2**20
_RUN: Final = re.compile(rb"[0-9]+")

NaturalKey = tuple[tuple[bytes, ...], bytes]


def natural_key(path: str) -> NaturalKey:
    """Return what sorts `path` (components joined by `/`) under `natural/1`."""
    raw = path.encode()
    return tuple(_RUN.sub(_run, raw).split(b"/")), raw


def _run(match: re.Match[bytes]) -> bytes:
    """Return a run of digits as bytes that sort by its value, and where "0" would."""
    value = match[0].lstrip(b"0")
    return b"0%010d%b" % (len(value), value)


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
    return chosen(str(folder), _walk(str(folder), "", hidden=hidden), include)


def chosen(folder: str, paths: Iterable[str], include: str) -> list[str]:
    """Return the paths below `folder` that match `include`, in order; else raise MalformedError."""
    matching = (path for path in paths if include == "*" or PurePosixPath(path).match(include))
    try:
        found = sorted(matching, key=natural_key)
    except UnicodeEncodeError as error:
        problem = "a file's name must be UTF-8; rename it"
        raise MalformedError(f"{folder}/{error.object!r}: {problem}") from error
    if not found:
        raise MalformedError(f"{folder}: no files in this folder match {include!r}")
    if len(found) > MAX_FILES:
        raise MalformedError(f"{folder}: more than {MAX_FILES} files; pack them into fewer")
    return found


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is left out where rows are read."""
    return name.startswith((".", "_"))


def _walk(folder: str, above: str, *, hidden: bool) -> Iterator[str]:
    """Yield the paths of the files in a folder and below; `above` is its own, with `/` after it."""
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError as error:
        raise UnavailableError(f"{folder}: cannot list this folder: {error.strerror}") from error
    for entry in entries:
        if not hidden and is_hidden(entry.name):
            continue
        if entry.is_file():
            yield above + entry.name
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{above}{entry.name}/", hidden=hidden)
        elif entry.is_dir():
            problem = "a link to a folder is not followed; name the folder itself"
            raise MalformedError(f"{entry.path}: {problem}")
        else:
            problem = "neither a file nor a folder; remove it or leave it out"
            raise MalformedError(f"{entry.path}: {problem}")
