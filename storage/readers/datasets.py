"""Files -> records in a fixed order, the same records however the files store them.

Errors count records from 1, file by file.

>>> dataset = open_dataset("data")  # doctest: +SKIP
>>> dataset.files[0]  # doctest: +SKIP
SourceFile(path='part-1.parquet', size=4096, sha256=…)
>>> next(dataset.records())  # doctest: +SKIP
{'id': 1, 'label': 'benign'}
"""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

from provenance.errors import MalformedError, UnavailableError
from provenance.record import Schema
from storage.readers.delimited import delimited
from storage.readers.digests import Digests, SourceFile
from storage.readers.files import File, Local, LocalFile, Store
from storage.readers.fitting import differs
from storage.readers.folder import THREADS, FolderSource
from storage.readers.jsonlines import JsonLinesSource
from storage.readers.order import GIVEN, NATURAL, natural_key
from storage.readers.reading import fail
from storage.readers.retry import PATIENT, Retry
from storage.readers.sources import Dataset, Guarded, Records, Source
from storage.readers.webdataset import ShardSource, shard_schema

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

    def source(file: File, form: str | None) -> Guarded:
        return Guarded(file, _rows(file, form, parts if form == "tar" else schema, options))

    if isinstance(files[0], LocalFile):
        return tuple(map(source, files, formats))
    with ThreadPoolExecutor(THREADS) as pool:
        return tuple(pool.map(source, files, formats))


def _format(path: str) -> str | None:
    name = path.lower()
    return next((form for suffix, form in _FORMATS.items() if name.endswith(suffix)), None)


def _rows(file: File, form: str | None, schema: Schema | None, options: Options) -> Records:
    """Return the records of one file of rows."""
    match form:
        case "parquet":
            read: Read = _needing_pyarrow("parquet").parquet
            return read(file, schema)
        case "arrow":
            read = _needing_pyarrow("ipc").ipc
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
        return import_module(f"storage.readers.{name}")
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
