"""`rootline ledger follow`: the monitor, for months or for one round."""

import json as documents
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson
from pipelines.cli.output import Exit, exit_code, open_space
from provenance.errors import ProvenanceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.flow.following import Event, Monitor


def follow(
    log: Annotated[
        str | None,
        typer.Option(help="The log's id; by default this home's, or the first that is found."),
    ] = None,
    issuer: Annotated[
        list[str] | None,
        typer.Option(help="A key that signs the log, in hex; several, the first one first."),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Where the log is posted; by default the first key's.")
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The block to begin at, not above the log; with the home's anchor renewed after a "
            "long outage, name the one from before, and the reading goes on where it was.",
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where checkpoints go; by default monitor/ in the home.")
    ] = None,
    every: Annotated[
        int, typer.Option(min=0, help="Sign after so many blocks even without a new batch.")
    ] = 0,
    pause: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks at the ledger's head.")
    ] = 6.0,
    once: Annotated[bool, typer.Option(help="Read to the head, sign, and end.")] = False,
    json: AsJson = False,
) -> None:
    """Read the log as it grows, and sign a checkpoint for as long as nothing is wrong."""
    import time

    from pipelines.flow.following import follow as go_on
    from pipelines.flow.watches import monitoring, own_log, watch_of
    from provenance.field import Digest

    space = open_space(quiet=json)
    watch = watch_of(space, issuer or [], namespace, first)
    tell = _teller(as_json=json)
    wanted = own_log(space, issuer or []) if log is None else Digest.parse(log)
    with monitoring(space, watch, wanted, folder, every, tell) as monitor:
        if once:
            raise typer.Exit(_once(monitor))
        try:
            go_on(monitor, time.sleep, pause)
        except ProvenanceError as error:
            raise typer.Exit(exit_code(error)) from error


def _once(monitor: "Monitor") -> Exit:
    from pipelines.flow.following import told, unread

    for height, problem in monitor.problems():
        monitor.tell(told(height, problem))
    try:
        monitor.catch_up()
    except ProvenanceError as error:
        monitor.tell(unread(error, monitor.scan.place.height))
        return Exit.FAILS if monitor.problems() else exit_code(error)
    if monitor.problems():
        return Exit.FAILS
    return Exit.DONE if monitor.is_current else Exit.UNKNOWN


def _teller(*, as_json: bool) -> "Callable[[Event], None]":
    from provenance.findings import harmless

    def tell(event: "Event") -> None:
        document = {"event": event.kind, "words": event.words, **event.values}
        # An issuer chooses names; in a terminal they must not draw lines of their own.
        line = documents.dumps(document) if as_json else harmless(f"{event.kind:<11} {event.words}")
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return tell
