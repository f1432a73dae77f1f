"""`rootline demo`."""

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.choosing import choose_ledger, read_fees
from pipelines.cli.options import AsJson
from pipelines.cli.output import Exit, given_token, say

if TYPE_CHECKING:
    from provenance.findings import Outcome


def demo(
    home: Annotated[
        Path | None, typer.Option(help="Keep what the demo makes in this folder.")
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(help="Post to this node; its token is in ROOTLINE_LEDGER_TOKEN."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show the whole way on a real dataset: commit, prove, publish, audit, and refuse frauds."""
    from provenance.findings import Outcome

    if home is not None:
        outcome = _show(home.absolute(), ledger, quiet=json)
    else:
        with tempfile.TemporaryDirectory(prefix="rootline-demo-") as folder:
            outcome = _show(Path(folder), ledger, quiet=json)
    if json:
        say({"outcome": outcome, "kept in": home}, as_json=True)
    raise typer.Exit(Exit.DONE if outcome is Outcome.HOLDS else Exit.FAILS)


def _show(folder: Path, ledger: str | None, *, quiet: bool) -> "Outcome":
    from rich.console import Console

    from pipelines.demo.show import show
    from pipelines.flow.workspace import PASSPHRASE, Workspace

    folder.mkdir(parents=True, exist_ok=True)
    home = folder / ".rootline"
    make = partial(Workspace.create, home, os.environ.get(PASSPHRASE))
    console = Console(file=sys.stderr if quiet else None)
    if ledger is not None:
        fees = read_fees(None, None, None, None)
        space, told = choose_ledger(home, make, ledger, given_token(None), fees, None)
        for name, value in told.items():
            console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
    else:
        space = make()
    return show(space, console)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(demo)
