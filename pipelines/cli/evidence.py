"""`rootline publish`, `export` and `inspect`: towards the ledger, and towards an auditor."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson, Force, Output, pair
from pipelines.cli.output import open_space, say, say_table, write_new
from pipelines.cli.reading import Format, Null, Reading, Records
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)

if TYPE_CHECKING:
    from pipelines.flow.publishing import Posted
    from pipelines.flow.workspace import Workspace
    from storage.readers.datasets import Dataset

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Versions whose chunk tables go in; all, if none is named."),
]
Opened = Annotated[
    list[str] | None, typer.Option("--open", help="A record in the clear: NAME@V:NUMBER.")
]
FilesOf = Annotated[
    list[str] | None, typer.Option("--files", help="A version's files: NAME@V=PATH.")
]
MAX_DOCUMENT = 2**24
KINDS = (MalformedError, VerificationError, UnavailableError)
POSTED = ("batch", "statements", "block", "blobs", "bytes", "attempts", "receipt")


def publish(json: AsJson = False) -> None:
    """Post everything that waits, and verify every receipt before it is stored.

    Ctrl-C, a lost answer or a kill lose nothing: what waits goes on waiting, and what may have been
    taken is looked for on the ledger before it is posted again.
    """
    from pipelines.flow.publishing import publishing

    space = open_space(quiet=json)
    rows: list[tuple[object, ...]] = []
    try:
        with publishing(space) as posted:
            rows.extend(map(_posted, posted))
    except (ProvenanceError, KeyboardInterrupt) as error:
        if rows and not json:
            _say_posted(space, rows)
        if isinstance(error, ProvenanceError):
            kind = next((kind for kind in KINDS if isinstance(error, kind)), UnavailableError)
            raise kind(f"{error} ({_left(space, len(rows))})") from error
        raise
    _say_posted(space, rows, as_json=json)


def _posted(posted: "Posted") -> tuple[object, ...]:
    receipt = posted.receipt
    told = f"{receipt.ledger}, {len(receipt.encoded)} bytes, verified"
    if posted.again is not None:
        told += (
            f"; stands in block {posted.again} once more, which the node caused and harms nobody"
        )
    place = (posted.header.sequence, posted.statements, receipt.height)
    return (*place, posted.blobs, posted.size, posted.attempts, told)


def _say_posted(
    space: "Workspace", rows: list[tuple[object, ...]], *, as_json: bool = False
) -> None:
    title = "Nothing waited"
    if rows:
        ledger, price = space.ledger, _price(space)
        title = f"Posted to {ledger.kind} {ledger.chain}{price and f', {price}'}"
    say_table(title, POSTED, rows, as_json=as_json)


def _price(space: "Workspace") -> str:
    """Return what is known of what a submission costs; an embedded ledger costs nothing."""
    if space.settings is None or space.ledger.kind != "celestia":
        return ""
    fees = space.settings.fees
    price = "the node's choice" if fees.gas_price is None else f"{fees.gas_price} utia"
    cap = "" if fees.max_gas_price is None else f", at most {fees.max_gas_price}"
    return f"gas price {price}{cap}"


def _left(space: "Workspace", posted: int) -> str:
    """Return what was posted before an error, and the states of what waits."""
    from pipelines.flow.publishing import outbox
    from pipelines.flow.queueing import waiting

    states = Counter(entry.state for entry in outbox(space).waiting())
    batches = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return (
        f"batches posted before: {posted}; batches that wait: {batches or 'none'}; "
        f"statements in no batch yet: {len(waiting(space))}"
    )


def export(
    output: Output,
    names: Names = None,
    files: FilesOf = None,
    opened: Opened = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="Show a run's challenged steps, records and weights IN THE CLEAR; needs --files."
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many steps of each run.")] = 5,
    exclusion: Annotated[
        list[Path] | None, typer.Option(help="A document of `prove exclusion`.")
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help="Show a value that a claim says is absent; else only its key is told."),
    ] = None,
    diff: Annotated[
        list[str] | None, typer.Option(help="The difference of two versions: NAME@A:NAME@B.")
    ] = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="A monitor's checkpoint.")] = None,
    above: Annotated[
        int | None, typer.Option(help="The auditor's anchor, where it is below the receipts.")
    ] = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Write all that an auditor needs into one file: log, receipts, proofs, opened records."""
    from pipelines.flow.bundling import Wanted, bundle
    from pipelines.flow.differing import find_pair
    from pipelines.flow.queueing import waiting
    from storage.atomic import read_bounded

    space = open_space(quiet=json)
    how = Reading(None, format, csv_null, records)
    wanted = Wanted(
        names=tuple(names or ()),
        files=_files(space, how, _pairs(files, "=", "NAME@V=PATH")),
        records=[(label, _number(n)) for label, n in _pairs(opened, ":", "NAME@V:NUMBER")],
        runs=tuple(run or ()),
        samples=samples,
        exclusions=[read_bounded(path, MAX_DOCUMENT) for path in exclusion or ()],
        values=tuple(value or ()),
        checkpoints=[read_bounded(path, MAX_DOCUMENT) for path in checkpoint or ()],
        above=above,
    )
    made = bundle(space, wanted)
    for before, after in _pairs(diff, ":", "NAME@A:NAME@B"):
        made.add_difference(*find_pair(space, before, after))
    data = made.seal()
    write_new(output, data, force=force)
    document: dict[str, object] = {
        "written": str(output),
        "bytes": len(data),
        "members": len(made.members),
        "records in the clear": len(made.shown),
    }
    if waits := len(waiting(space)):
        document["not posted yet"] = f"{waits} statements: `rootline publish`, then export again"
    say(document, as_json=json)


def inspect(
    file: Annotated[Path, typer.Argument(help="An evidence bundle.")],
    members: Annotated[bool, typer.Option(help="List every member.")] = False,
    json: AsJson = False,
) -> None:
    """Show what a bundle says that it holds; nothing is believed, only its form is checked."""
    from provenance.archive import MAX_ARCHIVE
    from provenance.evidence import read
    from storage.atomic import read_bounded

    bundle = read(read_bounded(file, MAX_ARCHIVE))
    kinds = Counter(path.partition("/")[0] for path in bundle.members)
    sizes: Counter[str] = Counter()
    for path, data in bundle.members.items():
        sizes[path.partition("/")[0]] += len(data)
    document: dict[str, object] = {
        "file": str(file),
        "verified": "nothing: `rootline audit` does that, under a policy",
        "members": {kind: f"{kinds[kind]}, {sizes[kind]} bytes" for kind in sorted(kinds)},
        "claims to speak of": sorted(map(_claimed, bundle.under("attestations").values())),
    }
    if members:
        document["paths"] = {path: len(data) for path, data in sorted(bundle.members.items())}
    say(document, as_json=json)


def _claimed(data: bytes) -> str:
    from provenance.envelope import parse
    from provenance.errors import ProvenanceError
    from provenance.statement import parse as statement

    try:
        found = statement(parse(data).payload)
    except ProvenanceError as error:
        return f"unreadable: {error}"
    return f"{found.kind} {found.name}"


def _files(space: "Workspace", how: Reading, named: list[tuple[str, str]]) -> "dict[str, Dataset]":
    from dataclasses import replace

    from pipelines.flow.catalogue import find_version

    found: dict[str, Dataset] = {}
    for label, path in named:
        made = find_version(space, label).commitment
        read = replace(how, schema=made.schema, order=made.order)
        found[made.label] = read.open([Path(path)])
    return found


def _pairs(texts: list[str] | None, separator: str, what: str) -> list[tuple[str, str]]:
    return [pair(text, separator, what) for text in texts or ()]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise MalformedError(f"{text!r:.80} is no record number: they count from 0")
    return int(text)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(publish)
    app.command()(export)
    app.command()(inspect)
