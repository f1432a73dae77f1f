"""`rootline dataset …`: register versions, look at them, check them again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.options import AsJson, Label, pair
from pipelines.cli.output import open_space, say, say_table

if TYPE_CHECKING:
    from pipelines.flow.registering import IndexRequest
    from provenance.dataset import DatasetCommitment
    from provenance.features import FeatureSpec
    from provenance.schema import Schema

group = typer.Typer(help="Dataset versions: register, list, show, verify.", no_args_is_help=True)

Source = Annotated[Path, typer.Argument(help="A file, or a folder of files.")]
SchemaFile = Annotated[Path | None, typer.Option(help="Logical schema; CSV and JSONL need one.")]
Format = Annotated[str | None, typer.Option(help="parquet, arrow, csv or jsonl.")]
Null = Annotated[str | None, typer.Option(help="The CSV cell that stands for null.")]
Records = Annotated[str, typer.Option(help="`rows`, or `files`: each file is one record.")]
Index = Annotated[
    list[str] | None, typer.Option(help="An exclusion index: NORMALISER, or NORMALISER:FIELD.")
]
Features = Annotated[Path | None, typer.Option(help="Feature spec, as JSON.")]
Fact = Annotated[list[str] | None, typer.Option(help="A declared fact (L0): NAME=VALUE.")]


@group.command()
def register(
    path: Source,
    name: Annotated[str, typer.Option(help="The dataset's name.")],
    version: Annotated[str, typer.Option(help="This version's name.")],
    schema: SchemaFile = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    index: Index = None,
    features: Features = None,
    fact: Fact = None,
    publish: Annotated[bool, typer.Option(help="Post it at once.")] = True,
    json: AsJson = False,
) -> None:
    """Commit to every record of PATH, sign the commitment, and post it."""
    from pipelines.flow.publishing import publish as post
    from pipelines.flow.registering import Request
    from pipelines.flow.registering import register as commit
    from storage.datasets import Options, open_dataset

    space = open_space(quiet=json)
    options = Options(format=format, null=csv_null)
    dataset = open_dataset(path, schema=_schema(schema), records=records, options=options)
    request = Request(
        name,
        version,
        tuple(_index(text) for text in index or ()),
        _features(features),
        dict(pair(text, "=", "NAME=VALUE") for text in fact or ()),
    )
    made = commit(space, dataset, request)
    posted = post(space) if publish else ()
    document = _document(made.commitment)
    document["posted in block"] = posted[-1].receipt.height if posted else "not now"
    say(document, as_json=json)


@group.command("list")
def list_all(json: AsJson = False) -> None:
    """List the newest version of every dataset."""
    from pipelines.flow.indexing import synchronise

    rows = synchronise(open_space(quiet=json)).datasets()
    columns = ("dataset", "version", "records", "root", "block")
    table = ((r.name, r.version, r.records, r.root.hex, r.height or "waits") for r in rows)
    say_table("Datasets", columns, table, as_json=json)


@group.command()
def show(label: Label, json: AsJson = False) -> None:
    """Show what was committed to in a version; a name alone means its newest."""
    from pipelines.flow.catalogue import find_version

    say(_document(find_version(open_space(quiet=json), label).commitment), as_json=json)


@group.command()
def verify(
    label: Label,
    path: Annotated[Path | None, typer.Argument(help="The files, to be read anew.")] = None,
    schema: SchemaFile = None,
    format: Format = None,  # noqa: A002  # the option's name
    csv_null: Null = None,
    records: Records = "rows",
    json: AsJson = False,
) -> None:
    """Derive a version's root anew: from its stored leaves, and from PATH where it is given."""
    from pipelines.flow.catalogue import find_version, nodes_of
    from pipelines.flow.registering import Request, commit
    from storage.datasets import Options, open_dataset

    space = open_space(quiet=json)
    made = find_version(space, label).commitment
    nodes_of(space, made).verify()
    if path is not None:
        options = Options(format=format, null=csv_null)
        dataset = open_dataset(path, schema=_schema(schema), records=records, options=options)
        commit(space, dataset, Request(made.name, made.version, (), made.features))
    checked = "its leaves and its files" if path else "its stored leaves"
    words = f"{made.label}: {checked} give the committed root {made.root.hex}"
    say(
        {"dataset": made.label, "root": made.root.hex, "checked": checked},
        as_json=json,
        words=words,
    )


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

    facts = dict(pair(text, "=", "NAME=VALUE") for text in fact or ())
    indexes = tuple(_index(text) for text in index or ())
    entry = Watched(name, repo.absolute(), path, indexes, _features(features), facts)
    put(open_space(quiet=json).home, entry)
    say(dict(entry.json), as_json=json, words=f"{name} is watched; `rootline dev` runs the sensor")


@group.command()
def watched(json: AsJson = False) -> None:
    """List the watched datasets."""
    from pipelines.watching import watched as entries

    rows = ((e.name, e.repo, e.path) for e in entries(open_space(quiet=json).home))
    say_table("Watched", ("dataset", "repository", "path"), rows, as_json=json)


def _schema(path: Path | None) -> "Schema | None":
    from provenance.canonical import decode_loose
    from provenance.schema import Schema
    from storage.atomic import read_bounded

    return Schema.from_json(decode_loose(read_bounded(path, 2**24))) if path else None


def _features(path: Path | None) -> "FeatureSpec | None":
    from provenance.canonical import decode_loose
    from provenance.features import FeatureSpec
    from storage.atomic import read_bounded

    return FeatureSpec.from_json(decode_loose(read_bounded(path, 2**24))) if path else None


def _index(text: str) -> "IndexRequest":
    from pipelines.flow.registering import IndexRequest

    normaliser, _, field = text.partition(":")
    return IndexRequest(normaliser, field)


def _document(made: "DatasetCommitment") -> dict[str, object]:
    return {
        "dataset": made.label,
        "commitment": made.digest.hex(),
        "root": made.root.hex,
        "records": made.records,
        "chunks": made.chunks,
        "leaf": "features" if made.features else "plain",
        "order": made.order,
        "schema": {field.name: type(field.type).__name__.lower() for field in made.schema.fields},
        "indexes": [index.to_json() for index in made.indexes],
        "previous": made.previous.hex() if made.previous else None,
        "facts (L0, declared)": dict(made.facts),
    }


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(group, name="dataset")
