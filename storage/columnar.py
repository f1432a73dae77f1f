"""Sources that are Arrow already, or become it: Parquet, Arrow IPC, and Arrow's C stream interface.

Every batch is validated in full before a value of it is read: offsets, UTF-8, dates, dictionary
indices. A stream file must end with its end marker, or a truncated one would read as a shorter one.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.encoding import encoder
from provenance.errors import MalformedError
from provenance.record import Record, Schema
from storage.arrow import logical_schema, records
from storage.fitting import differs, fits, has_map
from storage.int96 import exact, int96_columns
from storage.reading import fail, first_line, read_errors, reading

BATCH: Final = 2048
"""Records in a batch: enough to spread pyarrow's overhead, few enough to hold long texts."""
PARQUET: Final = "write the Parquet file anew"
IPC: Final = "write the Arrow file anew"
STREAM: Final = "hand over a table with plain columns"

Open = Callable[[], AbstractContextManager[tuple[pa.Schema, Iterator[pa.RecordBatch]]]]


@dataclass(frozen=True, slots=True)
class ColumnarSource:
    """Records that pyarrow reads, batch by batch, anew for each `batches()`."""

    name: str
    schema: Schema
    open: Open
    remedy: str

    def batches(self) -> Iterator[Sequence[Record]]:
        """Yield the records in order.

        Raises:
            MalformedError: Content that is corrupt or cannot be encoded exactly.
            UnavailableError: The system could not read it.
        """
        first = 1
        with reading(self.name, self.remedy), self.open() as (arrow_schema, found):
            if not fits(logical_schema(arrow_schema), self.schema):
                raise fail(self.name, "has another schema than before", "open it again")
            for batch in found:
                yield from self._slices(batch, first)
                first += batch.num_rows

    def _slices(self, batch: pa.RecordBatch, first: int) -> Iterator[Sequence[Record]]:
        try:
            batch.validate(full=True)
            for at in range(0, batch.num_rows, BATCH):
                yield _exact(batch.slice(at, BATCH), self.schema)
        except read_errors(MalformedError) as error:
            number = first + _first_bad(batch, self.schema)
            raise fail(f"{self.name}, record {number}", first_line(error), self.remedy) from error


def _exact(batch: pa.RecordBatch, schema: Schema) -> Sequence[Record]:
    found = records(batch)
    if has_map(schema):  # Arrow lets a map hold a key twice; the encoding does not
        write = encoder(schema)
        for record in found:
            write(record)
    return found


def _first_bad(batch: pa.RecordBatch, schema: Schema) -> int:
    """Return the place of the first record to blame in a batch that was refused, by halving."""
    low, high = 0, batch.num_rows
    while high - low > 1:
        middle = (low + high) // 2
        try:
            half = batch.slice(low, middle - low)
            half.validate(full=True)
            _exact(half, schema)
        except read_errors(MalformedError):
            high = middle
        else:
            low = middle
    return low


def columnar(name: str, opened: Open, remedy: str, declared: Schema | None) -> ColumnarSource:
    """Return the source that `opened` reads, with the logical schema that it has.

    Raises:
        MalformedError: It cannot be opened, has a column that cannot be encoded exactly, or does
            not fit the `declared` schema.
    """
    with reading(name, remedy), opened() as (arrow_schema, _):
        try:
            schema = logical_schema(arrow_schema)
        except MalformedError as error:
            raise MalformedError(f"{name}: {error}") from error
    if declared and not fits(schema, declared):
        problem = f"{differs(schema, declared)} as declared"
        raise fail(name, problem, "correct the declared schema, or write the file anew")
    return ColumnarSource(name, declared or schema, opened, remedy)


def parquet(path: Path, name: str, declared: Schema | None = None) -> ColumnarSource:
    """Return the records of a Parquet file."""

    @contextmanager
    def opened() -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        with _parquet_file(path) as file:
            found = file.iter_batches(batch_size=BATCH)
            old = int96_columns(file, name)
            if not old:
                yield file.schema_arrow, found
                return
            with _parquet_file(path, "s") as again:
                seconds = again.iter_batches(batch_size=BATCH, columns=old)
                yield file.schema_arrow, exact(found, seconds, old, name)

    return columnar(name, opened, PARQUET, declared)


def _parquet_file(path: Path, int96_unit: str = "ns") -> pq.ParquetFile:
    return pq.ParquetFile(  # type: ignore[call-arg]  # the stubs lag behind
        path,
        pre_buffer=False,  # or a whole row group is in memory
        page_checksum_verification=True,
        arrow_extensions_enabled=True,  # else some would pass for their storage type
        coerce_int96_timestamp_unit=int96_unit,
    )


def ipc(path: Path, name: str, declared: Schema | None = None) -> ColumnarSource:
    """Return the records of an Arrow IPC file or stream."""

    @contextmanager
    def opened() -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        with pa.OSFile(str(path), "r") as file:
            if file.read(6) == b"ARROW1":
                reader = pa.ipc.open_file(file)
                found = (reader.get_batch(at) for at in range(reader.num_record_batches))
                yield reader.schema, found
            else:
                file.seek(0)
                with pa.ipc.open_stream(file) as stream:
                    yield stream.schema, _until_marker(stream, file, name)

    return columnar(name, opened, IPC, declared)


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
    def opened() -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        with closing(pa.RecordBatchReader.from_stream(stream)) as reader:  # type: ignore[arg-type]  # or it raises
            yield reader.schema, iter(reader)

    return columnar(name, opened, STREAM, None)
