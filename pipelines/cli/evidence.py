"""`rootline publish`, `export` and `inspect`: towards the ledger, and towards an auditor."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import AsJson, Output, pair
from pipelines.cli.output import open_space, say, say_table
from provenance.errors import MalformedError

Opened = Annotated[
    list[str] | None, typer.Option("--open", help="A record in the clear: NAME@V:NUMBER.")
]
FilesOf = Annotated[
    list[str] | None, typer.Option("--files", help="A version's files: NAME@V=PATH.")
]


def publish(json: AsJson = False) -> None:
    """Post everything that waits, and verify every receipt before it is stored."""
    from pipelines.flow.publishing import publish as post

    posted = post(open_space(quiet=json))
    rows = ((p.header.sequence, p.header.entries, p.receipt.height) for p in posted)
    say_table("Posted", ("batch", "entries", "block"), rows, as_json=json)


def export(
    output: Output,
    files: FilesOf = None,
    opened: Opened = None,
    run: Annotated[
        list[str] | None, typer.Option(help="Open a run's challenged steps; needs --files.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many steps of each run.")] = 5,
    exclusion: Annotated[
        list[Path] | None, typer.Option(help="A document of `prove exclusion`.")
    ] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="A monitor's checkpoint.")] = None,
    above: Annotated[
        int | None, typer.Option(help="The auditor's anchor, where it is below the receipts.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write all that an auditor needs into one file: log, receipts, proofs, opened records."""
    from pipelines.flow.bundling import Wanted, bundle
    from storage.atomic import read_bounded, write_atomic

    space = open_space(quiet=json)
    wanted = Wanted(
        files={label: Path(path) for label, path in _pairs(files, "=", "NAME@V=PATH")},
        records=[(label, _number(n)) for label, n in _pairs(opened, ":", "NAME@V:NUMBER")],
        runs=tuple(run or ()),
        samples=samples,
        exclusions=[read_bounded(path, 2**24) for path in exclusion or ()],
        checkpoints=[read_bounded(path, 2**24) for path in checkpoint or ()],
        above=above,
    )
    made = bundle(space, wanted)
    data = made.seal()
    write_atomic(output, data)
    say({"written": str(output), "bytes": len(data), "members": len(made.members)}, as_json=json)


def inspect(
    file: Annotated[Path, typer.Argument(help="An evidence bundle.")], json: AsJson = False
) -> None:
    """Show what is in a bundle; nothing of it is checked but its form."""
    from provenance.archive import MAX_ARCHIVE
    from provenance.evidence import read
    from storage.atomic import read_bounded

    bundle = read(read_bounded(file, MAX_ARCHIVE))
    rows = ((path, len(data)) for path, data in sorted(bundle.members.items()))
    say_table(f"{file.name}: not verified", ("member", "bytes"), rows, as_json=json)


def _pairs(texts: list[str] | None, separator: str, what: str) -> list[tuple[str, str]]:
    return [pair(text, separator, what) for text in texts or ()]


def _number(text: str) -> int:
    if not text.isdecimal():
        raise MalformedError(f"{text!r} is no record number: they count from 0")
    return int(text)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(publish)
    app.command()(export)
    app.command()(inspect)
