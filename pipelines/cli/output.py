"""What commands say: a table for people, one JSON document for machines, one line for an error.

Exit codes: 0 done or holds, 1 fails, 2 wrong usage or unusable input, 3 unknown or unavailable.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.errors import MalformedError, ProvenanceError, UnavailableError

if TYPE_CHECKING:
    from pipelines.flow.workspace import Workspace


class Exit(IntEnum):
    """How a command ends."""

    DONE = 0
    FAILS = 1
    UNUSABLE = 2
    UNKNOWN = 3


def exit_code(error: ProvenanceError) -> Exit:
    """Return how a command ends that met `error`."""
    if isinstance(error, MalformedError):
        return Exit.UNUSABLE
    return Exit.UNKNOWN if isinstance(error, UnavailableError) else Exit.FAILS


def say_error(error: ProvenanceError, *, as_json: bool) -> None:
    """Write an error as one line on standard error, and as a document where one is asked for."""
    words = " ".join(str(error).split())
    sys.stderr.write(f"rootline: {words}\n")
    if as_json:
        with suppress(OSError):  # standard output may be what the error is about
            sys.stdout.write(json.dumps({"error": words, "kind": type(error).__name__}) + "\n")
            sys.stdout.flush()


def say(document: Mapping[str, object], *, as_json: bool, words: str = "") -> None:
    """Write a result: the document as JSON, or `words`, or the document's members as lines."""
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
    elif words:
        sys.stdout.write(words + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(document)))


def _lines(document: Mapping[str, object], indent: str = "") -> Iterator[str]:
    """Yield a document's members as lines for people, what lies inside indented."""
    width = max(map(len, document), default=0)
    for name, value in document.items():
        if isinstance(value, Mapping) and value:
            yield f"{indent}{name}"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, Sequence) and not isinstance(value, str) and value:
            yield f"{indent}{name}"
            for item in value:
                words = ", ".join(_lines(item)) if isinstance(item, Mapping) else str(item)
                yield f"{indent}  - {words}"
        else:
            yield f"{indent}{name:<{width}}  {_words(value)}"


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value in ({}, [], ()) else str(value)


def say_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    as_json: bool,
) -> None:
    """Write rows as a table, or as a JSON list of objects."""
    found = [tuple(row) for row in rows]
    if as_json:
        documents = [dict(zip(columns, row, strict=True)) for row in found]
        sys.stdout.write(json.dumps(documents, indent=2, default=str) + "\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title)
    for row in found:
        table.add_row(*(Text(str(value), overflow="fold") for value in row))  # no markup in names
    console = Console()
    with console.capture() as text:  # a closed pipe would end the process inside rich
        console.print(table)
    sys.stdout.write(text.get())


def write_new(path: Path, data: bytes, *, force: bool, mode: int = 0o644) -> None:
    """Put a file at `path`; one that is there stays, unless it is to be replaced.

    Raises:
        MalformedError: There is one.
        UnavailableError: It cannot be written.
    """
    from storage.atomic import create_atomic, write_atomic

    if force:
        write_atomic(path, data, mode)
    elif not create_atomic(path, data, mode):
        raise MalformedError(f"{path} is there already: name another file, or give --force")


def read_passphrase(path: Path) -> str:
    """Return the first line of a file, without its end.

    Raises:
        MalformedError: No such file, or its first line is empty or no text.
    """
    from storage.atomic import read_bounded

    try:
        lines = read_bounded(path, 4096).decode().splitlines()
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}: a passphrase is text in UTF-8") from error
    if not lines or not lines[0]:
        raise MalformedError(f"{path}: its first line is the passphrase, and it is empty")
    return lines[0]


def given_token(path: Path | None) -> str | None:
    """Return a node's token: the one in a file, else that of ROOTLINE_LEDGER_TOKEN, else None.

    It is never an option's value: other users see a command's words.

    Raises:
        MalformedError: No such file, or no token in it.
    """
    from storage.atomic import read_bounded
    from storage.ledger_settings import TOKEN, parse_token

    if path is not None:
        return parse_token(read_bounded(path, 4096), str(path))
    given = os.environ.get(TOKEN)
    return parse_token(given.encode(), TOKEN) if given else None


def open_space(*, quiet: bool = False) -> "Workspace":
    """Return the workspace of the home that is found from here.

    Raises:
        UnavailableError: There is no home.
    """
    from pipelines.flow.workspace import Workspace
    from pipelines.progress import Shown, Silent

    shown = Silent() if quiet or not sys.stderr.isatty() else Shown()
    return Workspace.find(Path.cwd(), os.environ, shown)
