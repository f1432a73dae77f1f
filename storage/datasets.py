"""Files -> records in a fixed order, the same records however the files store them.

Errors count records from 1, file by file.

>>> dataset = open_dataset("data")  # doctest: +SKIP
>>> dataset.files[0]  # doctest: +SKIP
SourceFile(path='part-1.parquet', size=4096, sha256=…)
>>> next(dataset.records())  # doctest: +SKIP
{'id': 1, 'label': 'benign'}
"""

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

from provenance.batch import Batch
from provenance.errors import MalformedError, UnavailableError
from provenance.record import Record, Schema
from storage.batches import Slice
from storage.delimited import delimited
from storage.digests import Digests, SourceFile
from storage.files import File, Local, Store
from storage.fitting import differs
from storage.folder import FolderSource
from storage.jsonlines import JsonLinesSource
from storage.order import GIVEN, NATURAL, natural_key
from storage.reading import fail
from storage.retry import PATIENT, Retry
from storage.webdataset import ShardSource, shard_schema

__all__ = [
    "Dataset",
    "Options",
    "Source",
    "SourceFile",
    "from_stream",
    "natural_key",
    "open_dataset",
]


class CStream(Protocol):
    """Whatever hands out its rows by Arrow's C stream interface, each time it is asked."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a PyCapsule around an ArrowArrayStream."""
        ...


class Records(Protocol):
    """Records in a fixed order that can be read again and again."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def schema(self) -> Schema:
        """The logical schema that all its records fit."""
        ...

    @property
    def format(self) -> str:
        """All that decides which records they are, beside the bytes and the schema."""
        ...

    def count(self) -> int | None:
        """Return the number of records, if it is known without decoding them."""
        ...

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from number `start` on, up to number `stop`, in order."""
        ...


class Source(Records, Protocol):
    """Records with a name for what they are read from."""

    @property
    def identity(self) -> str:
        """The file, and what tells whether it is still the same; empty if there is no telling."""
        ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """Records of one schema, from one or more sources in order.

    Where each file is a source of its own, `sources` and `files` are in the same order.
    """

    name: str
    schema: Schema
    order: str
    sources: tuple[Source, ...] = field(repr=False)
    digests: Digests = field(repr=False)

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """The files, in order; they are digested when this is first asked for.

        Raises:
            MalformedError: A file has changed since the dataset was opened.
            UnavailableError: A file could not be read just now.
            VerificationError: A file is not the one that was expected.
        """
        return self.digests.all()

    @property
    def is_digested_by_reading(self) -> bool:
        """Whether reading the records digests the files as well, all of them in one source."""
        return self.digests.as_read

    @property
    def watched(self) -> Sequence[File]:
        """The files as they were when the dataset was opened."""
        return self.digests.files

    def count(self) -> int | None:
        """Return the number of records, if it is known without decoding them."""
        counts = [source.count() for source in self.sources]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """Yield the records from number `start` on, in order, in batches; each call reads anew.

        Raises:
            MalformedError: Bad content, a file that changed since it was opened, or no record.
            UnavailableError: A file could not be read just now.
        """
        left, is_empty = start, True
        for source in self.sources:
            skipped = min(left, source.count() or 0) if left else 0
            left, is_empty = left - skipped, is_empty and not skipped
            for batch in source.batches(skipped):
                if left < len(batch):
                    yield Slice(batch, left, len(batch)) if left else batch
                left, is_empty = max(left - len(batch), 0), False
        if is_empty:
            raise fail(self.name, "an empty dataset", "a commitment needs at least one record")

    def records(self) -> Iterator[Record]:
        """Yield all records in order; see `batches`."""
        for batch in self.batches():
            yield from batch.records()


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read, where their names do not say it.

    Attributes:
        format: `parquet`, `arrow`, `csv`, `jsonl` or `tar`, whatever the files are called.
        include: Pattern that a file's name must match; files of a folder that do not are left out.
        null: The CSV cell that stands for null; without it no cell is null.
        delimiter: Between CSV cells; by default a comma, or a tab in `.tsv`.
        retry: How often, and how patiently, a remote store is asked again.
    """

    format: str | None = None
    include: str = "*"
    null: str | None = None
    delimiter: str | None = None
    retry: Retry = PATIENT


Read = Callable[[File, Schema | None], Records]
DEFAULTS: Final = Options()
ROWS: Final = "rows"
FILES: Final = "files"
_FORMATS: Final = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".tar": "tar",
    ".tgz": "tar",
    ".tar.gz": "tar",
    ".tar.zst": "tar",
}
_SUFFIXES: Final = ", ".join(_FORMATS)


@dataclass(frozen=True, slots=True)
class Guarded:
    """The records of a file, which must stay the same while they are read."""

    file: File
    found: Records

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.file.name

    @property
    def schema(self) -> Schema:
        """The logical schema of its records."""
        return self.found.schema

    @property
    def format(self) -> str:
        """All that decides which records they are, beside the bytes and the schema."""
        return self.found.format

    @property
    def identity(self) -> str:
        """How it is read, the file, and what tells whether that is still the same."""
        return f"{self.format} {self.file.identity}"

    def count(self) -> int | None:
        """Return the number of records, if it is known without decoding them."""
        return self.found.count()

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from `start` on; raise MalformedError if the file changes meanwhile."""
        with self.file.unchanged():
            yield from self.found.batches(start, stop)


def from_stream(stream: CStream, *, name: str = "table") -> Dataset:
    """Return the rows of anything with `__arrow_c_stream__`: pyarrow, pandas, polars, datasets.

    Raises:
        MalformedError: A column that cannot be encoded exactly, or a reader that reads only once.
    """
    source = _needing_pyarrow("columnar").c_stream(stream, name)
    return Dataset(name, source.schema, GIVEN, (source,), Digests(()))


Place = Path | str
"""A path, or a URL such as `s3://bucket/folder`, which is a string."""


def open_dataset(
    path: Place | Sequence[Place],
    *,
    schema: Schema | None = None,
    order: str = NATURAL,
    records: str = ROWS,
    options: Options = DEFAULTS,
    expected: Mapping[str, bytes] | None = None,
) -> Dataset:
    """Return the records of a file, of a folder's files, or of several files.

    Args:
        path: A file, a folder (searched to the bottom), or files one by one; each may be a URL.
        schema: Needed for CSV and JSONL. For others it must be what the files hold, but for columns
            of Arrow type null, which fit any type, and for parts that a tar archive lacks.
        order: `natural/1`, or `given` for several files in the order in which they are named.
        records: `rows`, or `files`: every file of a folder is one record, its path and its bytes.
        options: What the files' names do not say.
        expected: SHA-256 of files by their paths in the dataset, where it is known beforehand.

    Raises:
        MalformedError: No files, an unknown format, files whose schemas differ.
        UnavailableError: A file or folder could not be read just now.
    """
    if order not in (NATURAL, GIVEN):
        raise MalformedError(f"unknown order {order!r}; choose {NATURAL!r} or {GIVEN!r}")
    if records not in (ROWS, FILES):
        raise MalformedError(f"unknown kind of records {records!r}; choose {ROWS!r} or {FILES!r}")
    name = str(path) if isinstance(path, Place) else f"{len(path)} files"
    files = _files(path, order, options, hidden=records == FILES)
    digests = Digests(files, expected or {}, as_read=records == FILES)
    if records == FILES:
        source = FolderSource(name, digests)
        return Dataset(name, source.schema, order, (source,), digests)
    sources = _sources(files, schema, options)
    return Dataset(name, _agreed(sources), order, sources, digests)


def _files(
    path: Place | Sequence[Place], order: str, options: Options, *, hidden: bool
) -> tuple[File, ...]:
    """Return all files, in order."""
    places: Sequence[Place] = [path] if isinstance(path, Place) else path
    if not places:
        raise MalformedError("an empty list of files; name at least one")
    urls = [place for place in places if isinstance(place, str) and "://" in place]
    if urls and len(urls) != len(places):
        raise MalformedError("files here and in a remote store in one list; take one or the other")
    store: Store = _needing_pyarrow("remote").store_of(urls, options.retry) if urls else Local()
    if not isinstance(path, Place):
        root, names = _listed([store.absolute(str(place)) for place in places])
        names = names if order == GIVEN else sorted(names, key=natural_key)
    elif not store.is_folder(str(path)):
        root, name = posixpath.split(str(path))
        names = [name]
    elif order == GIVEN:
        raise fail(str(path), "a folder gives no order", f"name the files, or use {NATURAL!r}")
    else:
        root, names = str(path), store.find(str(path), options.include, hidden=hidden)
    return store.files(root, names)


def _listed(paths: Sequence[str]) -> tuple[str, list[str]]:
    root = posixpath.commonpath([posixpath.dirname(path) for path in paths])
    found = [posixpath.relpath(path, root) for path in paths]
    if len(set(found)) != len(found):
        raise MalformedError("the same file is named twice; name each once")
    return root, found


def _sources(files: Sequence[File], schema: Schema | None, options: Options) -> tuple[Guarded, ...]:
    """Return the source of each file of rows."""
    formats = [options.format or _format(file.path) for file in files]
    shards = [file for file, form in zip(files, formats, strict=True) if form == "tar"]
    parts = schema or (shard_schema(shards) if shards else None)
    return tuple(
        Guarded(file, _rows(file, form, parts if form == "tar" else schema, options))
        for file, form in zip(files, formats, strict=True)
    )


def _format(path: str) -> str | None:
    name = path.lower()
    return next((form for suffix, form in _FORMATS.items() if name.endswith(suffix)), None)


def _rows(file: File, form: str | None, schema: Schema | None, options: Options) -> Records:
    """Return the records of one file of rows."""
    match form:
        case "parquet" | "arrow":
            columnar = _needing_pyarrow("columnar")
            read: Read = columnar.parquet if form == "parquet" else columnar.ipc
            return read(file, schema)
        case "csv" if schema:
            delimiter = options.delimiter or ("\t" if file.path.lower().endswith(".tsv") else ",")
            return delimited(file, schema, null=options.null, delimiter=delimiter)
        case "jsonl" if schema:
            return JsonLinesSource(file, schema)
        case "tar" if schema:
            return ShardSource(file, schema)
        case "csv" | "jsonl":
            raise fail(
                file.name, "CSV and JSONL do not say what their values mean", "declare a schema"
            )
        case _:
            raise fail(
                file.name, "a file of unknown format", f"leave it out, or name it {_SUFFIXES}"
            )


def _needing_pyarrow(name: str) -> ModuleType:
    """Return a module of storage whose pyarrow is neither installed nor needed everywhere."""
    try:
        return import_module(f"storage.{name}")
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"{error.name} is not installed; install rootline-provenance[data]"
        ) from error


def _agreed(sources: Sequence[Source]) -> Schema:
    """Return the schema that all sources have, or raise MalformedError naming what differs."""
    first = sources[0]
    for source in sources[1:]:
        if source.schema != first.schema:
            problem = f"{differs(source.schema, first.schema)} as in {first.name}"
            raise fail(source.name, problem, "write the files alike, or declare the schema")
    return first.schema
