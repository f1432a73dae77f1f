"""`rootline audit`: a verdict on a bundle, under a policy."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.output import Exit


def audit(
    file: Annotated[Path, typer.Argument(help="An evidence bundle.")],
    policy: Annotated[Path, typer.Option(help="Whom you trust, and what must hold.")],
    report: Annotated[Path | None, typer.Option(help="Write the verdict as one HTML page.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check a bundle offline: every claim, its level, what it rests on, what it does not prove."""
    from pipelines.flow.auditing import audit_file
    from pipelines.verdicts import as_json, as_text
    from provenance.findings import Outcome

    verdict = audit_file(file, policy)
    typer.echo(as_json(verdict) if json else as_text(verdict))
    codes = {Outcome.HOLDS: Exit.DONE, Outcome.FAILS: Exit.FAILS, Outcome.UNKNOWN: Exit.UNKNOWN}
    raise typer.Exit(codes[verdict.outcome])


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(audit)
