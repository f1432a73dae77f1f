"""`rootline run …`: training runs that this home announced, finished or not."""

from typing import Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import open_space, say, say_table
from provenance.errors import UnavailableError

group = typer.Typer(help="Training runs: list, show.", no_args_is_help=True)


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List all runs; one that was announced and never registered is unfinished."""
    from pipelines.flow.indexing import synchronise

    rows = (
        (
            r.name,
            r.start.hex()[:16],
            "registered" if r.commitment else "unfinished",
            r.steps or "",
            r.ended_at or "",
            r.height or "",
        )
        for r in synchronise(open_space(quiet=json)).runs()
    )
    columns = ("run", "start", "state", "steps", "ended", "block")
    say_table("Runs", columns, rows, as_json=json)


@group.command()
def show(
    name: Annotated[str, typer.Argument(help="The run's name.")], json: AsJson = False
) -> None:
    """Show what was announced and registered of the runs called NAME."""
    from pipelines.flow.catalogue import attestations
    from provenance.training import Run, RunStart

    found = [item.commitment for item in attestations(open_space(quiet=json))]
    starts = {c.digest: c for c in found if isinstance(c, RunStart) and c.name == name}
    if not starts:
        raise UnavailableError(f"no run {name!r} here: `rootline run list` shows all")
    runs = {c.start: c for c in found if isinstance(c, Run)}
    for digest, start in starts.items():
        run = runs.get(digest)
        state = "registered" if run else "unfinished: announced and never registered"
        say({"state": state, "start": start.json, "run": run.json if run else None}, as_json=json)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="run")
