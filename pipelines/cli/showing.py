"""`rootline demo`."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import Exit


def demo(
    home: Annotated[
        Path | None, typer.Option(help="Keep what the demo makes in this folder.")
    ] = None,
) -> None:
    """Show the whole way on a real dataset: commit, prove, publish, audit, and refuse frauds."""
    if home is not None:
        raise typer.Exit(_show(home.absolute()))
    with tempfile.TemporaryDirectory(prefix="rootline-demo-") as folder:
        code = _show(Path(folder))
    raise typer.Exit(code)


def _show(folder: Path) -> Exit:
    from rich.console import Console

    from pipelines.demo.show import show
    from pipelines.flow.workspace import Workspace
    from provenance.findings import Outcome

    folder.mkdir(parents=True, exist_ok=True)
    space = Workspace.create(folder / ".rootline", os.environ.get("ROOTLINE_PASSPHRASE"))
    outcome = show(space, Console())
    return Exit.DONE if outcome is Outcome.HOLDS else Exit.FAILS


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(demo)
