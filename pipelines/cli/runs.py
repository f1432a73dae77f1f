"""`rootline run …`: training runs, finished or not, and a run around any command.

rootline run --name cells-forest --train cells@v2 --out model.bin -- python train.py
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipelines.cli.options import AsJson, pair
from pipelines.cli.output import Exit, open_space, say, say_table
from provenance.errors import MalformedError, UnavailableError

COMMAND = "record"


class _Runs(TyperGroup):
    """`run … -- COMMAND` means `run record … -- COMMAND`."""

    def parse_args(  # type: ignore[explicit-override]  # Python 3.11 has no override
        self,
        ctx: Any,  # noqa: ANN401  # its type has moved from package to package
        args: list[str],
    ) -> list[str]:
        if "--" in args and args[0] not in self.commands:
            args = [COMMAND, *args]
        return super().parse_args(ctx, args)


group = typer.Typer(
    cls=_Runs,
    help="Training runs: list, show, or `run --name N --train D@V -- COMMAND` around a script.",
    no_args_is_help=True,
)


@group.command(COMMAND)
def record(
    command: Annotated[list[str], typer.Argument(help="After `--`: the command and its words.")],
    name: Annotated[str, typer.Option(help="The run's name.")],
    train: Annotated[str, typer.Option(help="The dataset version it trains on, name@version.")],
    out: Annotated[
        list[Path] | None, typer.Option(help="A file that the command writes: the final state.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A hyperparameter, published: NAME=VALUE.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Announce a run, run COMMAND, and register what it wrote; its steps stay unseen (L1)."""
    from pipelines.flow.recording import EXTERNAL, Run

    declared = dict(pair(text, "=", "NAME=VALUE") for text in param or ())
    outputs = out or []
    space = open_space(quiet=json)
    with Run(
        name,
        train=train,
        hyperparameters=declared,
        space=space,
        sampler=EXTERNAL,
        optimiser=EXTERNAL,
        initial=EXTERNAL,
    ) as run:
        run.begin(b"")
        code = _call(command, run.seed.hex(), quiet=json)
        if code:
            sys.stderr.write(f"rootline: the command ended with {code}: run {name} is unfinished\n")
            raise typer.Exit(Exit.FAILS)
        run.step((), {str(path): _digest(path) for path in outputs})
        made = run.finish(outputs[0] if len(outputs) == 1 else None, {})
    document = {
        "run": name,
        "start": run.start.digest.hex(),
        "state": "registered",
        "outputs": {str(path): _digest(path).hex() for path in outputs},
        "model": made.model.hex() if made.model else None,
        "level": "L1: announced before, registered after; no step was recorded or can be replayed",
    }
    say(document, as_json=json)


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List all runs; one that was announced and never registered is unfinished."""
    from pipelines.flow.looking import all_runs
    from pipelines.flow.recorded import recorded_steps

    space = open_space(quiet=json)
    rows = (
        (
            r.name,
            r.start.hex()[:16],
            _state(registered=r.commitment is not None, posted=r.height is not None),
            r.steps if r.steps is not None else recorded_steps(space, r.start),
            r.ended_at or "",
            r.height or "",
        )
        for r in all_runs(space)
    )
    columns = ("run", "start", "state", "steps", "ended", "block")
    say_table("Runs", columns, rows, as_json=json)


@group.command()
def show(
    name: Annotated[str, typer.Argument(help="The run's name, or its start's first digits.")],
    json: AsJson = False,
) -> None:
    """Show what was announced and registered of the runs called NAME."""
    from pipelines.flow.catalogue import runs
    from pipelines.flow.recorded import recorded_steps

    space = open_space(quiet=json)
    found = [
        {
            "start": start.digest.hex(),
            "state": _state(registered=run is not None, posted=True),
            "recorded steps": recorded_steps(space, start.digest),
            "announced": start.json,
            "registered": run.json if run else None,
        }
        for start, run in runs(space)
        if start.name == name or (len(name) >= 8 and start.digest.hex().startswith(name))
    ]
    if not found:
        raise UnavailableError(f"no run {name!r:.80} here: `rootline run list` shows all")
    if json:
        say({"runs": found}, as_json=True)
    for item in () if json else found:
        say(item, as_json=False)


def _state(*, registered: bool, posted: bool) -> str:
    if not registered:
        return "unfinished"
    return "registered" if posted else "waits for `rootline publish`"


def _call(command: Sequence[str], seed: str, *, quiet: bool) -> int:
    environ = {**os.environ, "ROOTLINE_RUN_SEED": seed}
    output = 2 if quiet else None  # standard error: the document stands alone
    try:
        done = subprocess.run(command, env=environ, stdout=output, check=False)  # noqa: S603  # it is what the user asked for
    except OSError as error:
        reason = error.strerror or str(error)
        raise MalformedError(f"cannot run {command[0]}: {reason}; the run is unfinished") from error
    return done.returncode


def _digest(path: Path) -> bytes:
    from hashlib import file_digest

    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").digest()
    except OSError as error:
        message = f"{path}: {error.strerror}: the command did not write it; the run is unfinished"
        raise MalformedError(message) from error


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="run")
