"""Files -> records in a fixed order, the same records however the files store them.

Errors count records from 1, file by file.

>>> dataset = open_dataset(Path("data"))  # doctest: +SKIP
>>> dataset.files[0]  # doctest: +SKIP
SourceFile(path='part-1.parquet', size=4096, sha256=…)
>>> next(dataset.records())  # doctest: +SKIP
{'id': 1, 'label': 'benign'}
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final, Protocol

from provenance.batch import Batch
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from provenance.record import Record, Schema
from storage.delimited import delimited
from storage.fitting import differs
from storage.folder import FolderSource
from storage.jsonlines import JsonLinesSource
from storage.order import GIVEN, NATURAL, find_files, natural_key
from storage.reading import Watched, fail, reading

__all__ = ["Dataset", "Source", "SourceFile", "from_stream", "natural_key", "open_dataset"]


class CStream(Protocol):
    """Whatever hands out its rows by Arrow's C stream interface, each time it is asked."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a PyCapsule around an ArrowArrayStream."""
        ...


class Source(Protocol):
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
    def identity(self) -> str:
        """The file, and what tells whether it is still the same; empty if there is no telling."""
        ...

    def count(self) -> int | None:
        """Return the number of records, if it is known without reading them."""
        ...

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from number `start` on, up to number `stop`, in order."""
        ...


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when the dataset was opened; `path` is relative, with `/` between names."""

    path: str
    size: int
    sha256: Digest


@dataclass(frozen=True)
class Dataset:
    """Records of one schema, from one or more sources in order."""

    name: str
    schema: Schema
    order: str
    sources: tuple[Source, ...] = field(repr=False)
    watched: tuple[tuple[str, Watched], ...] = field(default=(), repr=False)

    @cached_property
    def files(self) -> tuple[SourceFile, ...]:
        """The files, in order; their digests are computed when this is first asked for.

        Raises:
            MalformedError: A file changed since the dataset was opened.
            UnavailableError: A file could not be read just now.
        """
        with ThreadPoolExecutor(DIGESTING, thread_name_prefix="digest") as pool:
            return tuple(pool.map(self._digested, self.watched))

    @property
    def is_digested_by_reading(self) -> bool:
        """Whether reading the records computes the files' digests as well."""
        return any(isinstance(source, FolderSource) for source in self.sources)

    def count(self) -> int | None:
        """Return the number of records, if it is known without reading them."""
        counts = [source.count() for source in self.sources]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def batches(self) -> Iterator[Batch]:
        """Yield all records in order, in batches; each call reads anew.

        Raises:
            MalformedError: Bad content, a file that changed since it was opened, or no record.
            UnavailableError: A file could not be read just now.
        """
        empty = True
        for source in self.sources:
            for batch in source.batches():
                empty = empty and not len(batch)
                yield batch
        if empty:
            raise fail(self.name, "an empty dataset", "a commitment needs at least one record")

    def records(self) -> Iterator[Record]:
        """Yield all records in order; see `batches`."""
        for batch in self.batches():
            yield from batch.records()

    def _digested(self, file: tuple[str, Watched]) -> SourceFile:
        name, watched = file
        for source in self.sources:
            if isinstance(source, FolderSource) and name in source.digests:
                return SourceFile(name, watched.size, source.digests[name])
        told = reading(watched.name, "check the file")
        with watched.unchanged(), told, watched.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").digest()
        return SourceFile(name, watched.size, Digest(digest))


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read, where their names do not say it.

    Attributes:
        format: `parquet`, `arrow`, `csv` or `jsonl`, whatever the files are called.
        include: Pattern that a file's name must match; files of a folder that do not are left out.
        null: The CSV cell that stands for null; without it no cell is null.
        delimiter: Between CSV cells; by default a comma, or a tab in `.tsv`.
    """

    format: str | None = None
    include: str = "*"
    null: str | None = None
    delimiter: str | None = None


Read = Callable[[Path, str, Schema | None], Source]
DEFAULTS: Final = Options()
DIGESTING: Final = 2
"""Files digested at once: digesting is one of several things that are done meanwhile."""
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
}
_SUFFIXES: Final = ", ".join(_FORMATS)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A source whose file is watched while it is read."""

    source: Source
    watched: Watched

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.source.name

    @property
    def schema(self) -> Schema:
        """The logical schema of its records."""
        return self.source.schema

    @property
    def identity(self) -> str:
        """The file, and what tells whether it is still the same."""
        return self.watched.identity

    def count(self) -> int | None:
        """Return the number of records, if it is known without reading them."""
        return self.source.count()

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from `start` on; raise MalformedError if the file changes meanwhile."""
        with self.watched.unchanged():
            yield from self.source.batches(start, stop)


def from_stream(stream: CStream, *, name: str = "table") -> Dataset:
    """Return the rows of anything with `__arrow_c_stream__`: pyarrow, pandas, polars, datasets.

    Raises:
        MalformedError: A column that cannot be encoded exactly, or a reader that reads only once.
    """
    source = _columnar().c_stream(stream, name)
    return Dataset(name, source.schema, GIVEN, (source,))


def open_dataset(
    path: Path | Sequence[Path],
    *,
    schema: Schema | None = None,
    order: str = NATURAL,
    records: str = ROWS,
    options: Options = DEFAULTS,
) -> Dataset:
    """Return the records of a file, of a folder's files, or of several files.

    Args:
        path: A file, a folder (searched to the bottom), or files one by one.
        schema: Needed for CSV and JSONL. For others it must be what the files hold, but for columns
            of Arrow type null, which fit any type.
        order: `natural/1`, or `given` for several files in the order in which they are named.
        records: `rows`, or `files`: every file of a folder is one record, its path and its bytes.
        options: What the files' names do not say.

    Raises:
        MalformedError: No files, an unknown format, files whose schemas differ.
        UnavailableError: A file or folder could not be read just now.
    """
    if order not in (NATURAL, GIVEN):
        raise MalformedError(f"unknown order {order!r}; choose {NATURAL!r} or {GIVEN!r}")
    if records not in (ROWS, FILES):
        raise MalformedError(f"unknown kind of records {records!r}; choose {ROWS!r} or {FILES!r}")
    name = str(path if isinstance(path, Path) else f"{len(path)} files")
    root, names = _files(path, order, options, hidden=records == FILES)
    watched = tuple((each, Watched.of(root / each)) for each in names)
    if records == FILES:
        source = FolderSource(str(root), watched)
        return Dataset(name, source.schema, order, (source,), watched)
    sources = tuple(Guarded(_rows(each.path, schema, options), each) for _, each in watched)
    return Dataset(name, _agreed(sources), order, sources, watched)


def _files(
    path: Path | Sequence[Path], order: str, options: Options, *, hidden: bool
) -> tuple[Path, list[str]]:
    """Return a folder and the paths below it of all files, in order."""
    if isinstance(path, Path):
        if not path.is_dir():
            return path.parent, [path.name]
        if order == GIVEN:
            raise fail(str(path), "a folder gives no order", f"name the files, or use {NATURAL!r}")
        return path, find_files(path, options.include, hidden=hidden)
    return _listed(path, order)


def _listed(paths: Sequence[Path], order: str) -> tuple[Path, list[str]]:
    if not paths:
        raise MalformedError("an empty list of files; name at least one")
    absolute = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  # follows no link
    root = Path(os.path.commonpath([path.parent for path in absolute]))
    found = [path.relative_to(root).as_posix() for path in absolute]
    if len(set(found)) != len(found):
        raise MalformedError("the same file is named twice; name each once")
    return root, found if order == GIVEN else sorted(found, key=natural_key)


def _rows(path: Path, schema: Schema | None, options: Options) -> Source:
    """Return the source of one file of rows."""
    name, suffix = str(path), path.suffix.lower()
    match options.format or _FORMATS.get(suffix):
        case "parquet" | "arrow" as found:
            columnar = _columnar()
            read: Read = columnar.parquet if found == "parquet" else columnar.ipc
            return read(path, name, schema)
        case "csv" if schema:
            delimiter = options.delimiter or ("\t" if suffix == ".tsv" else ",")
            return delimited(path, name, schema, null=options.null, delimiter=delimiter)
        case "jsonl" if schema:
            return JsonLinesSource(name, path, schema)
        case "csv" | "jsonl":
            raise fail(name, "CSV and JSONL do not say what their values mean", "declare a schema")
        case _:
            raise fail(name, "a file of unknown format", f"leave it out, or name it {_SUFFIXES}")


def _columnar() -> ModuleType:
    """Return storage/columnar.py, whose pyarrow is neither installed nor needed everywhere."""
    try:
        return import_module("storage.columnar")
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
