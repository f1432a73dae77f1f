"""`rootline dataset …`: register versions, look at them, check them again."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.differing import diff
from pipelines.cli.options import AsJson, Label
from pipelines.cli.output import open_space, say, say_table
from pipelines.cli.reading import (
    Fact,
    Features,
    Format,
    Index,
    Null,
    Order,
    Reading,
    Records,
    SchemaFile,
    Sources,
    read_facts,
    read_features,
    read_indexes,
)

if TYPE_CHECKING:
    from pipelines.flow.catalogue import Version
    from pipelines.flow.workspace import Workspace

group = typer.Typer(
    help="Dataset versions: register, list, show, diff, verify.", no_args_is_help=True
)

Revision = Annotated[
    str | None, typer.Option(help="Take what DVC tracked at this git revision, not the files.")
]


@group.command()
def register(
    paths: Sources,
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    version: Annotated[str, typer.Option(help="This version's name.")],
    schema: SchemaFile = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    order: Order = "natural/1",
    dvc_rev: Revision = None,
    index: Index = None,
    features: Features = None,
    fact: Fact = None,
    publish: Annotated[bool, typer.Option(help="Post it at once.")] = True,
    workers: Annotated[
        str, typer.Option(help="threads[:N], processes[:N] or ray[:ADDRESS].")
    ] = "threads",
    json: AsJson = False,
) -> None:
    """Commit to every record of PATHS, sign the commitment, and post it."""
    from pipelines.flow.crews import Crew
    from pipelines.flow.publishing import publish as post
    from pipelines.flow.registering import Request
    from pipelines.flow.registering import register as commit

    space = open_space(quiet=json)
    space.crew = Crew.of(workers)
    how = Reading(schema, format, csv_null, records, order)
    wanted = (read_indexes(index), read_features(features), read_facts(fact))
    request = Request(name, version, *wanted)
    reopen = partial(how.of, space.home, paths, dvc_rev)
    made = commit(space, reopen(), request, reopen)
    if publish:
        post(space)
    say(_document(space, made), as_json=json)


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List the newest version of every dataset."""
    from pipelines.flow.looking import newest

    columns = ("dataset", "version", "records", "root", "block")
    rows = newest(open_space(quiet=json))
    table = ((r.name, r.version, r.records, r.root.hex, r.height or "waits") for r in rows)
    say_table("Datasets", columns, table, as_json=json)


@group.command()
def show(label: Label, json: AsJson = False) -> None:
    """Show what was committed to in a version; a name alone means its newest."""
    from pipelines.flow.catalogue import find_version, versions
    from pipelines.flow.looking import runs_on

    space = open_space(quiet=json)
    version = find_version(space, label)
    made, document = version.commitment, _document(space, version)
    document["versions"] = [v.commitment.version for v in versions(space, made.name)]
    document["runs"] = [start.name for start in runs_on(space, made.digest)]
    say(document, as_json=json)


@group.command()
def verify(
    label: Label,
    paths: Annotated[
        list[str] | None, typer.Argument(help="The version's files, to be read anew.")
    ] = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    dvc_rev: Revision = None,
    json: AsJson = False,
) -> None:
    """Derive a version's root anew: from its stored leaves, and from PATHS where they are given."""
    from pipelines.flow.catalogue import find_version, nodes_of
    from pipelines.flow.registering import recompute
    from provenance.errors import VerificationError

    space = open_space(quiet=json)
    made = find_version(space, label).commitment
    nodes_of(space, made).verify()
    if paths:
        how = Reading(made.schema, format, csv_null, records, made.order)
        found = recompute(space, how.of(space.home, paths, dvc_rev), made)
        if found != made.root:
            raise VerificationError(
                f"{paths[0]} is not what {made.label} was registered from: root {found.hex[:16]}…, "
                f"committed is {made.root.hex[:16]}…"
            )
    checked = "stored leaves and files" if paths else "stored leaves"
    document = {"dataset": made.label, "root": made.root.hex, "checked": checked}
    words = f"{made.label}: {checked} give the committed root {made.root.hex}"
    say(document, as_json=json, words=words)


@group.command()
def watch(
    name: Annotated[str, typer.Argument(help="The dataset's name.")],
    repo: Annotated[Path, typer.Option(help="A git repository with DVC in it.")],
    path: Annotated[str, typer.Option(help="What DVC tracks, relative to the repository.")],
    index: Index = None,
    features: Features = None,
    fact: Fact = None,
    json: AsJson = False,
) -> None:
    """Have the Dagster sensor attest every new DVC revision of a dataset."""
    from pipelines.watching import Watched
    from pipelines.watching import watch as put

    wanted = (read_indexes(index), read_features(features), read_facts(fact))
    entry = Watched(name, repo.absolute(), path, *wanted)
    space = open_space(quiet=json)
    entry.source("HEAD").fingerprint()
    put(space.home, entry)
    say(dict(entry.json), as_json=json, words=f"{name} is watched; `rootline dev` runs the sensor")


@group.command()
def watched(json: AsJson = False) -> None:
    """List the watched datasets."""
    from pipelines.watching import watched as entries

    rows = ((e.name, e.repo, e.path) for e in entries(open_space(quiet=json).home))
    say_table("Watched", ("dataset", "repository", "path"), rows, as_json=json)


def _document(space: "Workspace", version: "Version") -> dict[str, object]:
    from pipelines.flow.catalogue import attested
    from pipelines.flow.looking import height_of
    from provenance.schema import type_name

    made = version.commitment
    return {
        "dataset": made.label,
        "commitment": made.digest.hex(),
        "root": made.root.hex,
        "records": made.records,
        "chunks": made.chunks,
        "leaf": "features" if made.features else "plain",
        "order": made.order,
        "schema": {field.name: type_name(field.type) for field in made.schema.fields},
        "indexes": [index.to_json() for index in made.indexes],
        "previous": made.previous.hex() if made.previous else None,
        "facts (L0, declared)": dict(made.facts),
        "envelope": str(attested(space, version.attestation.digest)),
        "block": height_of(space, version.attestation) or "waits: `rootline publish` posts it",
    }


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file, and `diff`."""
    group.command()(diff)
    app.add_typer(group, name="dataset")
