"""Sources that are Arrow already, or become it: Parquet, Arrow IPC, and Arrow's C stream interface.

Whoever reads only decodes; whoever asks a batch for its bytes validates it in full first: offsets,
UTF-8, dates, dictionary indices. A stream file must end with its end marker, or a truncated one
would read as a shorter one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.batch import Batch, Encoded
from provenance.errors import MalformedError
from provenance.record import Record, Schema
from storage.arrow import logical_schema, records
from storage.arrow_columns import encode
from storage.batches import between, paced
from storage.files import File, LocalFile
from storage.fitting import differs, fits
from storage.int96 import exact, int96_columns
from storage.reading import fail, first_line, read_errors, reading

PARQUET: Final = "write the Parquet file anew"
IPC: Final = "write the Arrow file anew"
STREAM: Final = "hand over a table with plain columns"
FIRST: Final = 256
"""Records that are decoded at first, to see how large they are."""
BUFFERS: Final = 2**25
"""Bytes of a Parquet file, not yet decoded, that are held for all columns together."""

Found = Iterator[pa.RecordBatch]
Open = Callable[[int], AbstractContextManager[tuple[pa.Schema, int, Found]]]
"""Opens a source to be read from a record on: gives the schema, how many records before it are left
out already, and the batches."""
Count = Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class ArrowBatch:
    """Consecutive records as Arrow holds them, from record `first` on, counted from 1."""

    source: "ColumnarSource"
    first: int
    batch: pa.RecordBatch

    def __len__(self) -> int:
        return self.batch.num_rows

    def encoded(self) -> Encoded:
        """Return the canonical bytes.

        Raises:
            MalformedError: Content that is corrupt or cannot be encoded exactly.
        """
        try:
            return _encoded(self.batch, self.source.schema)
        except read_errors(MalformedError) as error:
            number = self.first + _first_bad(self.batch, self.source.schema)
            where = f"{self.source.name}, record {number}"
            raise fail(where, first_line(error), self.source.remedy) from error

    def records(self) -> Sequence[Record]:
        """Return the records as Python values; raises as `encoded` does."""
        self.encoded()  # Arrow lets a map hold a key twice
        return records(self.batch)


def _encoded(batch: pa.RecordBatch, schema: Schema) -> Encoded:
    batch.validate(full=True)
    return encode(batch, schema)


def _first_bad(batch: pa.RecordBatch, schema: Schema) -> int:
    """Return the place of the first record to blame in a batch that was refused, by halving."""
    low, high = 0, batch.num_rows
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _encoded(batch.slice(low, middle - low), schema)
        except read_errors(MalformedError):
            high = middle
        else:
            low = middle
    return low


@dataclass(frozen=True, slots=True)
class ColumnarSource:
    """Records that pyarrow reads, batch by batch, anew for each `batches()`."""

    name: str
    schema: Schema
    open: Open
    remedy: str
    counted: Count
    format: str
    identity: str = ""

    def count(self) -> int | None:
        """Return the number of records, if the file's metadata says it."""
        with reading(self.name, self.remedy):
            return self.counted()

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: Content that is corrupt.
            UnavailableError: The system could not read it.
        """
        with reading(self.name, self.remedy), self.open(start) as (schema, skipped, found):
            if not fits(logical_schema(schema), self.schema):
                raise fail(self.name, "has another schema than before", "open it again")
            pieces = self._pieces(found, skipped + 1)
            yield from between(pieces, start - skipped, None if stop is None else stop - skipped)

    def _pieces(self, found: Found, first: int) -> Iterator[ArrowBatch]:
        for batch in found:
            step = paced(batch.num_rows, batch.nbytes)
            for at in range(0, batch.num_rows, step):
                yield ArrowBatch(self, first + at, batch.slice(at, step))
            first += batch.num_rows


def columnar(
    name: str,
    opened: Open,
    remedy: str,
    declared: Schema | None,
    counted: Count = lambda: None,
    form: str = "arrow",
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
    return ColumnarSource(name, declared or schema, opened, remedy, counted, form)


def parquet(file: File, declared: Schema | None = None) -> ColumnarSource:
    """Return the records of a Parquet file."""

    @contextmanager
    def opened(start: int) -> Iterator[tuple[pa.Schema, int, Found]]:
        with _parquet_file(file) as rows:
            old = int96_columns(rows, file.name)
            if not old:
                yield rows.schema_arrow, start, _rows(_Groups(rows, file.name), start)
                return
            with _parquet_file(file, "s") as seconds:
                groups = _Groups(rows, file.name, seconds, old)
                yield rows.schema_arrow, start, _rows(groups, start)

    def counted() -> int:
        with _parquet_file(file) as rows:
            return int(rows.metadata.num_rows)

    return columnar(file.name, opened, PARQUET, declared, counted, "parquet")


@contextmanager
def _native(file: File) -> Iterator[pa.NativeFile]:
    """Open a file as pyarrow reads it best; a map of memory would kill us if it were cut off."""
    if isinstance(file, LocalFile):
        with pa.OSFile(file.name, "r") as native:
            yield native
    else:
        with file.open() as opened, pa.PythonFile(cast("Any", opened), "r") as native:
            yield native


@contextmanager
def _parquet_file(file: File, int96_unit: str = "ns") -> Iterator[pq.ParquetFile]:
    with _native(file) as native:
        columns = max(1, pq.read_metadata(native).num_columns)
        most = 2**20 if isinstance(file, LocalFile) else 2**23  # a range from far away takes long
        with pq.ParquetFile(  # type: ignore[call-arg]  # the stubs lag behind
            native,
            pre_buffer=False,  # or a whole row group is in memory
            buffer_size=min(most, max(2**14, BUFFERS // columns)),  # or a whole column of it is
            page_checksum_verification=True,
            arrow_extensions_enabled=True,  # else some would pass for their storage type
            coerce_int96_timestamp_unit=int96_unit,
        ) as opened:
            yield opened


@dataclass(frozen=True, slots=True)
class _Groups:
    """The row groups of a Parquet file, with its INT96 columns read twice."""

    rows: pq.ParquetFile
    name: str
    seconds: pq.ParquetFile | None = None
    old: Sequence[str] = ()

    def batches(self, start: int, size: int) -> Found:
        """Yield the records from number `start` on, by `size`; whole row groups are left out."""
        metadata, first, before = self.rows.metadata, 0, 0
        while first < metadata.num_row_groups:
            records = metadata.row_group(first).num_rows
            if before + records > start:
                break
            first, before = first + 1, before + records
        groups = list(range(first, metadata.num_row_groups))
        if not groups:
            return
        found = self.rows.iter_batches(batch_size=size, row_groups=groups)
        if self.seconds is not None:
            again = self.seconds.iter_batches(size, groups, columns=list(self.old))
            found = exact(found, again, self.old, self.name)
        for batch in found:
            skipped = min(start - before, batch.num_rows)
            before += skipped
            if skipped < batch.num_rows:
                yield batch.slice(skipped)


def _rows(groups: _Groups, start: int) -> Found:
    """Yield the records from number `start` on, in batches as large as they should be.

    What metadata says of sizes misleads where values repeat: a page may hold one text a thousand
    times. So a few records are decoded, measured, and reading begins anew with more at a time; or
    with less, whenever batches turn out far too large.
    """
    at, size, has_more = start, FIRST, True
    while has_more:
        has_more = False
        for batch in groups.batches(at, size):
            yield batch
            at += batch.num_rows
            better = paced(batch.num_rows, batch.nbytes)
            if better < size // 4 or (size == FIRST and better > size):
                size, has_more = better, True
                break


def ipc(file: File, declared: Schema | None = None) -> ColumnarSource:
    """Return the records of an Arrow IPC file or stream."""

    @contextmanager
    def opened(start: int) -> Iterator[tuple[pa.Schema, int, Found]]:
        with _native(file) as native:
            if native.read(6) == b"ARROW1":
                first, skipped = _whole_batches(native, start)
                reader = pa.ipc.open_file(native)
                found = map(reader.get_batch, range(first, reader.num_record_batches))
                yield reader.schema, skipped, found
            else:
                native.seek(0)
                with pa.ipc.open_stream(native) as stream:
                    yield stream.schema, 0, _until_marker(stream, native, file.name)

    def counted() -> int | None:
        with _native(file) as native:
            if native.read(6) != b"ARROW1":
                return None
            lengths = _lengths(native)
            return None if lengths is None else sum(lengths)

    return columnar(file.name, opened, IPC, declared, counted)


def _lengths(native: pa.NativeFile) -> Iterator[int] | None:
    """Return the lengths of a file's record batches, read from a column of little weight."""
    for at, kind in enumerate(pa.ipc.open_file(native).schema.types):
        if pa.types.is_primitive(kind):
            options = pa.ipc.IpcReadOptions(included_fields=[at])
            reader = pa.ipc.open_file(native, options=options)
            return (reader.get_batch(n).num_rows for n in range(reader.num_record_batches))
    return None


def _whole_batches(native: pa.NativeFile, start: int) -> tuple[int, int]:
    """Return how many record batches end at or before record `start`, and their records."""
    count = skipped = 0
    for length in (_lengths(native) or ()) if start else ():
        if skipped + length > start:
            break
        count, skipped = count + 1, skipped + length
    return count, skipped


def _until_marker(stream: pa.RecordBatchReader, file: pa.NativeFile, name: str) -> Found:
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
    def opened(_: int) -> Iterator[tuple[pa.Schema, int, Found]]:
        with closing(pa.RecordBatchReader.from_stream(stream)) as reader:  # type: ignore[arg-type]  # or it raises
            yield reader.schema, 0, iter(reader)

    return columnar(name, opened, STREAM, None)
