"""The program `rootline`: its command groups, and what happens to errors."""

import sys

import typer

from pipelines.cli import auditing, showing
from pipelines.cli.output import Exit, exit_code, say_error
from provenance.errors import ProvenanceError

app = typer.Typer(
    help="Commit to training data and runs, prove things about them, and let anybody check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
showing.add_to(app)
auditing.add_to(app)


def run() -> None:
    """Run the program, and exit with its code; an error is one line and no traceback."""
    as_json = "--json" in sys.argv
    try:
        app()
    except ProvenanceError as error:
        say_error(error, as_json=as_json)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.stderr.write("rootline: interrupted; run the command again to go on\n")
        sys.exit(Exit.UNKNOWN)
