"""Sources that are Arrow already, or become it: Parquet, Arrow IPC, and Arrow's C stream interface.

The reading thread only decodes; whoever asks a batch for its bytes validates it in full first:
offsets, UTF-8, dates, dictionary indices. A stream file must end with its end marker, or a
truncated one would read as a shorter one.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.batch import Encoded
from provenance.errors import MalformedError
from provenance.record import Record, Schema
from storage.arrow import logical_schema, records
from storage.arrow_columns import encode
from storage.fitting import differs, fits
from storage.int96 import exact, int96_columns
from storage.reading import fail, first_line, read_errors, reading

RECORDS: Final = 2**14
"""Records in a batch, at most."""
BYTES: Final = 2**22
"""Bytes in a batch, about, unless one record has more."""
PARQUET: Final = "write the Parquet file anew"
IPC: Final = "write the Arrow file anew"
STREAM: Final = "hand over a table with plain columns"

Found = tuple[pa.Schema, int | None, Iterator[pa.RecordBatch]]
"""Schema, number of all records if it is known beforehand, and the batches."""
Open = Callable[[int], AbstractContextManager[Found]]
"""Opens a source at a record: leaves out all before it, or some of them and says how many."""


@dataclass(frozen=True, slots=True)
class ArrowBatch:
    """Consecutive records in Arrow's form, from record number `first` on, counted from 1."""

    batch: pa.RecordBatch
    schema: Schema
    name: str
    first: int
    remedy: str

    def __len__(self) -> int:
        return self.batch.num_rows

    def encoded(self) -> Encoded:
        """Return the canonical bytes.

        Raises:
            MalformedError: Content that is corrupt or cannot be encoded exactly.
        """
        try:
            self.batch.validate(full=True)
            return encode(self.batch, self.schema)
        except read_errors(MalformedError) as error:
            raise self._located(error) from error

    def records(self) -> Sequence[Record]:
        """Return the records as Python values; raises as `encoded` does."""
        try:
            self.batch.validate(full=True)
            encode(self.batch, self.schema)  # Arrow lets a map hold a key twice
            return records(self.batch)
        except read_errors(MalformedError) as error:
            raise self._located(error) from error

    def _located(self, error: Exception) -> MalformedError:
        number = self.first + _first_bad(self.batch, self.schema)
        return fail(f"{self.name}, record {number}", first_line(error), self.remedy)


@dataclass(frozen=True, slots=True)
class ColumnarSource:
    """Records that pyarrow reads, batch by batch, anew for each `batches()`."""

    name: str
    schema: Schema
    open: Open
    remedy: str
    identity: str = ""

    def count(self) -> int | None:
        """Return the number of records, if the format tells it beforehand."""
        with reading(self.name, self.remedy), self.open(0) as (_, found, _):
            return found

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[ArrowBatch]:
        """Yield the records from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: Content that is corrupt.
            UnavailableError: The system could not read it.
        """
        at, end = start, sys.maxsize if stop is None else stop
        with reading(self.name, self.remedy), self.open(start) as (arrow_schema, _, found):
            if not fits(logical_schema(arrow_schema), self.schema):
                raise fail(self.name, "has another schema than before", "open it again")
            for batch in chain.from_iterable(map(_pieces, found)):
                if at >= end:
                    return
                part = batch.slice(0, end - at)
                yield ArrowBatch(part, self.schema, self.name, at + 1, self.remedy)
                at += part.num_rows


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    rows = _rows(batch.nbytes, batch.num_rows)
    for at in range(0, batch.num_rows, rows):
        yield batch.slice(at, rows)


def _rows(size: int, rows: int) -> int:
    """Return how many records make a batch, where `rows` of them have `size` bytes."""
    return max(1, min(RECORDS, BYTES * rows // max(size, 1)))


def _skip(batches: Iterator[pa.RecordBatch], count: int) -> Iterator[pa.RecordBatch]:
    """Leave out the first `count` records."""
    for batch in batches:
        if count < batch.num_rows:
            yield batch.slice(count)
        count = max(count - batch.num_rows, 0)


def _first_bad(batch: pa.RecordBatch, schema: Schema) -> int:
    """Return the place of the first record to blame in a batch that was refused, by halving."""
    low, high = 0, batch.num_rows
    while high - low > 1:
        middle = (low + high) // 2
        try:
            half = batch.slice(low, middle - low)
            half.validate(full=True)
            encode(half, schema)
        except read_errors(MalformedError):
            high = middle
        else:
            low = middle
    return low


def columnar(
    name: str, opened: Open, remedy: str, declared: Schema | None, identity: str = ""
) -> ColumnarSource:
    """Return the source that `opened` reads, with the logical schema that it has.

    Raises:
        MalformedError: It cannot be opened, has a column that cannot be encoded exactly, or does
            not fit the `declared` schema.
    """
    with reading(name, remedy), opened(0) as (arrow_schema, _, _):
        try:
            schema = logical_schema(arrow_schema)
        except MalformedError as error:
            raise MalformedError(f"{name}: {error}") from error
    if declared and not fits(schema, declared):
        problem = f"{differs(schema, declared)} as declared"
        raise fail(name, problem, "correct the declared schema, or write the file anew")
    return ColumnarSource(name, declared or schema, opened, remedy, identity)


def parquet(
    path: Path, name: str, declared: Schema | None = None, identity: str = ""
) -> ColumnarSource:
    """Return the records of a Parquet file."""

    @contextmanager
    def opened(start: int) -> Iterator[Found]:
        with _parquet_file(path) as file:
            groups, skipped = _groups(file, start)
            rows = _batch_rows(file)
            found = file.iter_batches(batch_size=rows, row_groups=groups)
            old, count = int96_columns(file, name), file.metadata.num_rows
            if not old:
                yield file.schema_arrow, count, _skip(found, start - skipped)
                return
            with _parquet_file(path, "s") as again:
                seconds = again.iter_batches(batch_size=rows, row_groups=groups, columns=old)
                both = exact(found, seconds, old, name)
                yield file.schema_arrow, count, _skip(both, start - skipped)

    return columnar(name, opened, PARQUET, declared, identity)


def _groups(file: pq.ParquetFile, start: int) -> tuple[list[int], int]:
    """Return the row groups that hold records from `start` on, and the records before them."""
    meta, skipped, first = file.metadata, 0, 0
    while first < meta.num_row_groups and skipped + meta.row_group(first).num_rows <= start:
        skipped += meta.row_group(first).num_rows
        first += 1
    return list(range(first, meta.num_row_groups)), skipped


def _batch_rows(file: pq.ParquetFile) -> int:
    meta = file.metadata
    size = sum(meta.row_group(at).total_byte_size for at in range(meta.num_row_groups))
    return _rows(size, meta.num_rows)


def _parquet_file(path: Path, int96_unit: str = "ns") -> pq.ParquetFile:
    return pq.ParquetFile(  # type: ignore[call-arg]  # the stubs lag behind
        path,
        pre_buffer=False,  # or a whole row group is in memory
        page_checksum_verification=True,
        arrow_extensions_enabled=True,  # else some would pass for their storage type
        coerce_int96_timestamp_unit=int96_unit,
    )


def ipc(
    path: Path, name: str, declared: Schema | None = None, identity: str = ""
) -> ColumnarSource:
    """Return the records of an Arrow IPC file or stream."""

    @contextmanager
    def opened(start: int) -> Iterator[Found]:
        with pa.OSFile(str(path), "r") as file:
            if file.read(6) == b"ARROW1":
                reader = pa.ipc.open_file(file)
                found = (reader.get_batch(at) for at in range(reader.num_record_batches))
                yield reader.schema, None, _skip(found, start)
            else:
                file.seek(0)
                with pa.ipc.open_stream(file) as stream:
                    yield stream.schema, None, _skip(_until_marker(stream, file, name), start)

    return columnar(name, opened, IPC, declared, identity)


def _until_marker(
    stream: pa.RecordBatchReader, file: pa.NativeFile, name: str
) -> Iterator[pa.RecordBatch]:
    yield from stream
    end = file.tell()
    file.seek(max(end - 8, 0))
    if file.read(8) != b"\xff\xff\xff\xff\0\0\0\0" or file.size() != end:
        raise fail(name, "does not end with its end marker: truncated, or several in one", IPC)


def c_stream(stream: object, name: str) -> ColumnarSource:
    """Return the rows of anything with `__arrow_c_stream__` that can be read more than once."""
    if isinstance(stream, pa.RecordBatchReader):
        raise fail(name, "a reader that is used up by reading", "hand over reader.read_all()")

    @contextmanager
    def opened(start: int) -> Iterator[Found]:
        with closing(pa.RecordBatchReader.from_stream(stream)) as reader:  # type: ignore[arg-type]  # or it raises
            yield reader.schema, None, _skip(iter(reader), start)

    return columnar(name, opened, STREAM, None)
