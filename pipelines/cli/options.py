"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from provenance.errors import MalformedError

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Label = Annotated[str, typer.Argument(help="A dataset version, name@version.", metavar="NAME@V")]
Force = Annotated[bool, typer.Option(help="Replace a file that is there.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]


def pair(text: str, separator: str, what: str) -> tuple[str, str]:
    """Return the two sides of `text`, or raise MalformedError that says what was expected."""
    left, found, right = text.partition(separator)
    if not found or not left:
        raise MalformedError(f"{text!r}: expected {what}")
    return left, right
