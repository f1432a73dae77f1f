"""Options that say how files are read; several commands share them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from pipelines.cli.options import pair
from provenance.errors import MalformedError

if TYPE_CHECKING:
    from pipelines.flow.working import IndexRequest
    from provenance.canonical import Json
    from provenance.features import FeatureSpec
    from provenance.schema import Schema
    from storage.home import Home
    from storage.readers.datasets import Dataset

Sources = Annotated[
    list[str],
    typer.Argument(help="A file, a folder, or files one by one; from disk, or s3://… of a store."),
]
SchemaFile = Annotated[
    Path | None, typer.Option("--schema", help="Logical schema as JSON; CSV and JSONL need one.")
]
Format = Annotated[str | None, typer.Option("--format", help="parquet, arrow, csv, jsonl or tar.")]
Null = Annotated[str | None, typer.Option("--csv-null", help="The CSV cell that stands for null.")]
Records = Annotated[
    str, typer.Option("--records", help="`rows`, or `files`: each file is one record.")
]
Order = Annotated[
    str, typer.Option("--order", help="`natural/1`, or `given`: as the files are named.")
]
Index = Annotated[
    list[str] | None, typer.Option(help="An exclusion index: NORMALISER, or NORMALISER:FIELD.")
]
Features = Annotated[Path | None, typer.Option(help="Feature spec as JSON.")]
Fact = Annotated[list[str] | None, typer.Option(help="A declared fact (L0): NAME=VALUE.")]

MAX_DOCUMENT = 2**24
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """How files become records."""

    schema: "Path | Schema | None" = None
    format: str | None = None
    csv_null: str | None = None
    records: str = "rows"
    order: str = "natural/1"

    def open(self, paths: "Sequence[Path | str]") -> "Dataset":
        """Return the records of files.

        Raises:
            MalformedError: No such files, or they cannot be read as these options say.
        """
        from storage.readers.datasets import Options, open_dataset

        options = Options(format=self.format, null=self.csv_null)
        schema = read_schema(self.schema) if isinstance(self.schema, Path) else self.schema
        return open_dataset(
            paths[0] if len(paths) == 1 else tuple(paths),
            schema=None if self.records == "files" else schema,
            order=self.order,
            records=self.records,
            options=options,
        )

    def of(self, home: "Home", paths: Sequence[str], revision: str | None) -> "Dataset":
        """Return the records of files, or of what DVC tracked there at a git revision."""
        if revision is None:
            return self.open(paths)
        if len(paths) != 1:
            raise MalformedError("--dvc-rev takes one path: a file or folder that DVC tracks")
        return self.open([_snapshot(home, Path(paths[0]), revision)])


def _snapshot(home: "Home", path: Path, revision: str) -> Path:
    """Return a copy of what DVC tracked at `path`, made once for each commit."""
    from storage.atomic import make_folder
    from storage.dvc import DvcSource
    from storage.git import top_folder

    nearest = next(folder for folder in path.absolute().parents if folder.is_dir())
    top = top_folder(nearest)
    inside = path.absolute().resolve().relative_to(top.resolve()).as_posix()
    source = DvcSource(top, inside, revision)
    make_folder(home.cache / "revisions")
    folder = (
        home.cache / "revisions" / f"{source.commit}-{sha256(inside.encode()).hexdigest()[:32]}"
    )
    if folder.is_dir():
        return folder / Path(inside).name
    return source.snapshot(folder, home.cache / "dvc")


def read_schema(path: Path) -> "Schema":
    """Return the schema in a file of a person's own, or raise MalformedError."""
    from provenance.schema import Schema

    return _located(path, Schema.from_json)


def read_features(path: Path | None) -> "FeatureSpec | None":
    """Return the feature spec in a file, or raise MalformedError."""
    from provenance.features import FeatureSpec

    return _located(path, FeatureSpec.from_json) if path else None


def read_indexes(texts: Sequence[str] | None) -> "tuple[IndexRequest, ...]":
    """Return the indexes that options ask for, or raise MalformedError."""
    from pipelines.flow.working import IndexRequest
    from provenance.normalise import NORMALISERS

    found = [text.partition(":") for text in texts or ()]
    for normaliser, _, _ in found:
        if normaliser not in NORMALISERS:
            raise MalformedError(f"no normaliser {normaliser!r:.60}: {', '.join(NORMALISERS)}")
    return tuple(IndexRequest(normaliser, field) for normaliser, _, field in found)


def read_facts(texts: Sequence[str] | None) -> dict[str, str]:
    """Return the declared facts that options give, or raise MalformedError."""
    pairs = [pair(text, "=", "NAME=VALUE") for text in texts or ()]
    if len(dict(pairs)) != len(pairs):
        raise MalformedError("--fact: one name is given twice")
    return dict(pairs)


def _located(path: Path, parse: Callable[["Json"], T]) -> T:
    """Return what `parse` makes of the JSON in a file; an error names the file."""
    from provenance.canonical import decode_loose
    from storage.atomic import read_bounded

    data = read_bounded(path, MAX_DOCUMENT)
    try:
        return parse(decode_loose(data))
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error
