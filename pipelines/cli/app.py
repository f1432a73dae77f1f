"""The program `rootline`: its command groups, and what happens to errors."""

import os
import sys

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
from pipelines.cli.output import Exit, exit_code, say_error
from provenance.errors import ProvenanceError, UnavailableError

app = typer.Typer(
    help="Commit to training data and runs, prove things about them, and let anybody check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (home, datasets, runs, proofs, evidence, auditing, ledger, circuits, keys, showing):
    group.add_to(app)


def run() -> None:
    """Run the program, and exit with its code; an error is one line and no traceback."""
    as_json = "--json" in sys.argv
    try:
        app()
    except ProvenanceError as error:
        say_error(error, as_json=as_json)
        sys.exit(exit_code(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.DONE)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        say_error(UnavailableError(f"{place}{reason}: mend it and run this again"), as_json=as_json)
        sys.exit(Exit.UNKNOWN)
    except KeyboardInterrupt:
        sys.stderr.write("rootline: interrupted; run the command again to go on\n")
        sys.exit(Exit.UNKNOWN)
