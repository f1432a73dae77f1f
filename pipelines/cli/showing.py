"""`rootline demo`."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import Exit, say

if TYPE_CHECKING:
    from provenance.findings import Outcome


def demo(
    home: Annotated[
        Path | None, typer.Option(help="Keep what the demo makes in this folder.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show the whole way on a real dataset: commit, prove, publish, audit, and refuse frauds."""
    from provenance.findings import Outcome

    if home is not None:
        outcome = _show(home.absolute(), quiet=json)
    else:
        with tempfile.TemporaryDirectory(prefix="rootline-demo-") as folder:
            outcome = _show(Path(folder), quiet=json)
    if json:
        say({"outcome": outcome, "kept in": home}, as_json=True)
    raise typer.Exit(Exit.DONE if outcome is Outcome.HOLDS else Exit.FAILS)


def _show(folder: Path, *, quiet: bool) -> "Outcome":
    from rich.console import Console

    from pipelines.demo.show import show
    from pipelines.flow.workspace import PASSPHRASE, Workspace

    folder.mkdir(parents=True, exist_ok=True)
    space = Workspace.create(folder / ".rootline", os.environ.get(PASSPHRASE))
    return show(space, Console(file=sys.stderr if quiet else None))


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(demo)
