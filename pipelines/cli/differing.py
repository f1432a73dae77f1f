"""`rootline dataset diff`: which records differ between two versions, and the proof of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson, Force
from pipelines.cli.output import open_space, say, say_table, write_new

if TYPE_CHECKING:
    from pipelines.flow.differing import Changes

Before = Annotated[str, typer.Argument(help="The earlier version.", metavar="NAME@A")]
After = Annotated[str, typer.Argument(help="The later version.", metavar="NAME@B")]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Write the verifiable difference here.")
]
Limit = Annotated[int, typer.Option(min=0, help="How many records of each kind are listed.")]


def diff(
    before: Before,
    after: After,
    out: Out = None,
    limit: Limit = 20,
    force: Force = False,
    json: AsJson = False,
) -> None:
    """Count and list the records that went, came and changed, by number; no file is read."""
    from pipelines.flow.catalogue import nodes_of
    from pipelines.flow.differing import compare, document, find_pair
    from provenance.difference import MAX_BYTES, changed, size_bytes

    space = open_space(quiet=json)
    pair = find_pair(space, before, after)
    one, two = (nodes_of(space, version.commitment) for version in pair)
    found = compare(one, two)
    size = size_bytes(one.chunks, two.chunks)
    chunks = (
        f"{len(changed(one.chunks, two.chunks))} of {len(one.chunks)} before, "
        f"{len(changed(two.chunks, one.chunks))} of {len(two.chunks)} after"
    )
    title = f"{pair[0].commitment.label}..{pair[1].commitment.label}"
    rest: dict[str, object] = {
        "chunks changed": chunks,
        "document": f"{size} bytes" + ("" if size <= MAX_BYTES else f", more than {MAX_BYTES}"),
    }
    written: dict[str, str] = {}
    if not json:
        say_table(title, ("records", "count", "numbers"), _rows(found, limit), as_json=False)
        say(rest, as_json=False)
    if out is not None:
        write_new(out, document(space, *pair).encoded, force=force)
        written = {"written": str(out)}
    if json:
        say({"difference": title, **_listed(found, limit), **rest, **written}, as_json=True)
    elif written:
        say(written, as_json=False)


def _rows(found: "Changes", limit: int) -> list[tuple[str, int, str]]:
    pairs = [f"{old} → {new}" for old, new in found.changed[:limit]]
    return [
        ("kept", found.kept, ""),
        ("changed", len(found.changed), _some(pairs, len(found.changed))),
        ("removed", len(found.removed), _some(found.removed[:limit], len(found.removed))),
        ("added", len(found.added), _some(found.added[:limit], len(found.added))),
    ]


def _some(shown: Sequence[object], count: int) -> str:
    more = ["…"] if len(shown) < count else []
    return ", ".join([*map(str, shown), *more])


def _listed(found: "Changes", limit: int) -> dict[str, object]:
    return {
        "records": {
            "kept": found.kept,
            "changed": len(found.changed),
            "removed": len(found.removed),
            "added": len(found.added),
        },
        "changed": found.changed[:limit],
        "removed": found.removed[:limit],
        "added": found.added[:limit],
    }
