"""Sources that are Arrow already, or become it; and Arrow's C stream interface.

Whoever reads only decodes; whoever asks a batch for its bytes validates it in full first: offsets,
UTF-8, dates, dictionary indices.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import pyarrow as pa

from provenance.batch import Batch, Encoded
from provenance.errors import MalformedError
from provenance.record import Record, Schema
from storage.readers.arrow import logical_schema, records
from storage.readers.arrow_columns import encode
from storage.readers.batches import between, paced
from storage.readers.files import File, LocalFile
from storage.readers.fitting import differs, fits
from storage.readers.reading import fail, first_line, read_errors, reading

STREAM: Final = "hand over a table with plain columns"

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


@contextmanager
def as_native(file: File) -> Iterator[pa.NativeFile]:
    """Open a file as pyarrow reads it best; a map of memory would kill us if it were cut off."""
    if isinstance(file, LocalFile):
        with pa.OSFile(file.name, "r") as native:
            yield native
    else:
        with file.open() as opened, pa.PythonFile(cast("Any", opened), "r") as native:
            yield native


def c_stream(stream: object, name: str) -> ColumnarSource:
    """Return the rows of anything with `__arrow_c_stream__` that can be read more than once."""
    if isinstance(stream, pa.RecordBatchReader):
        raise fail(name, "a reader that is used up by reading", "hand over reader.read_all()")

    @contextmanager
    def opened(_: int) -> Iterator[tuple[pa.Schema, int, Found]]:
        with closing(pa.RecordBatchReader.from_stream(stream)) as reader:  # type: ignore[arg-type]  # or it raises
            yield reader.schema, 0, iter(reader)

    return columnar(name, opened, STREAM, None)
