"""The program `rootline`: its command groups."""

import typer

from pipelines.cli import (
    auditing,
    circuits,
    datasets,
    evidence,
    home,
    keys,
    ledger,
    proofs,
    runs,
    showing,
)
from pipelines.cli.program import Program

app = typer.Typer(
    cls=Program,
    help="Commit to training data and runs, prove things about them, and let anybody check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (home, datasets, runs, proofs, evidence, auditing, ledger, circuits, keys, showing):
    group.add_to(app)


def run() -> None:
    """Run the program with the arguments of this process, and exit with its code."""
    app()
