"""CSV with a declared schema: a header row, cells read exactly, one declared cell for null.

    id,price,note
    1,9.90,"fine, or so"
    2,NA,fine                  with null="NA" the price is null

A cell is null when its content is the declared token, quoted or not; without a token, no cell is.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import chain, islice
from typing import Final

from provenance.batch import Batch, Encoded
from provenance.encoding import Value, encoder
from provenance.errors import MalformedError
from provenance.record import Record, Schema
from storage.readers.batches import BYTES, RECORDS, between
from storage.readers.files import File, Opened
from storage.readers.reading import fail, reading
from storage.readers.scalars import Parse, scalar
from storage.readers.text import MAX_LINE, read_lines

REMEDY: Final = "correct the file, or the declared schema"
CELLS: Final = 2**17
"""Cells in a batch: as Python objects they may be far larger than the text is."""

STEP: Final = 256
"""Rows that are read between two looks at how much was read."""

Columns = Sequence[tuple[str, Parse]]
Row = list[str]


@dataclass(frozen=True, slots=True)
class CellBatch:
    """Consecutive rows, whose cells are read when they are asked for.

    Attributes:
        source: The file.
        first: Number of the first record, counted from 1.
        line: Number of the line that the row before it ends on.
        rows: Cells, row by row.
    """

    source: "DelimitedSource"
    first: int
    line: int
    rows: Sequence[Row] = field(repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def encoded(self) -> Encoded:
        """Return the canonical bytes.

        Raises:
            MalformedError: A row with another number of cells, or a cell that is no such value.
        """
        return Encoded.of([data for _, data in self._parsed()])

    def records(self) -> Sequence[Record]:
        """Return the records as Python values; raises as `encoded` does."""
        return [record for record, _ in self._parsed()]

    def _parsed(self) -> Iterator[tuple[Record, bytes]]:
        write, read = encoder(self.source.schema), self.source.record
        for at, row in enumerate(self.rows):
            try:
                record = read(row)
                yield record, write(record)
            except MalformedError as error:
                where = f"{self.source.name}, record {self.first + at} (line {self._line(at)})"
                raise fail(where, str(error), REMEDY) from error

    def _line(self, at: int) -> int:
        """Return the number of the line that a row ends on."""
        return self.line + sum(
            1 + sum(cell.count("\n") for cell in row) for row in self.rows[: at + 1]
        )


@dataclass(frozen=True, slots=True)
class DelimitedSource:
    """The rows of one CSV file; `columns` holds name and parser of each, in the file's order."""

    file: File
    schema: Schema
    null: str | None
    delimiter: str
    columns: Columns = field(repr=False)

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.file.name

    @property
    def format(self) -> str:
        """CSV, and how its cells are read."""
        return f"csv {self.delimiter!r} {self.null!r}"

    def count(self) -> int | None:
        """Return None: only reading tells."""
        return None

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Batch]:
        """Yield the records from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: Text that is no CSV.
            UnavailableError: The system could not read the file.
        """
        with reading(self.name, REMEDY), self.file.open() as opened:
            yield from between(self._batches(opened), start, stop)

    def _batches(self, opened: Opened) -> Iterator[CellBatch]:
        rows = _Rows(opened, self.name, self.delimiter)
        rows.take(1)
        first, most = 1, max(1, min(RECORDS, CELLS // len(self.columns)))
        while found := rows.take(most):
            yield CellBatch(self, first, rows.before, found)
            first += len(found)

    def record(self, row: Sequence[str]) -> Record:
        """Return a row as a record, or raise MalformedError."""
        if len(row) != len(self.columns):
            raise MalformedError(f"{len(row)} cells under a header of {len(self.columns)}")
        record: dict[str, Value] = {}
        for (name, parse), cell in zip(self.columns, row, strict=True):
            try:
                record[name] = None if cell == self.null else parse(cell)
            except MalformedError as error:
                hint = "" if self.null is not None or cell else " (declare which cell is null)"
                raise MalformedError(f"field {name!r}: {error}{hint}") from error
        return record


def delimited(file: File, schema: Schema, *, null: str | None, delimiter: str) -> DelimitedSource:
    """Return the rows of a CSV file, whose header must name the fields of `schema`.

    Raises:
        MalformedError: No header, a name twice, other names, or a type that no cell can hold.
        UnavailableError: The system could not read the file.
    """
    name = file.name
    parsers = _parsers(name, schema)
    with reading(name, REMEDY), file.open() as opened:
        header = next(iter(_Rows(opened, name, delimiter).take(1)), [])
    if not header:
        raise fail(name, "no header row", "begin the file with the fields' names")
    if len(set(header)) != len(header):
        twice = next(column for column in header if header.count(column) > 1)
        raise fail(name, f"the header names {twice[:80]!r} twice", "rename one column")
    for missing in sorted(parsers.keys() - set(header)):
        raise fail(name, f"the header lacks the field {missing!r}", REMEDY)
    for unknown in sorted(set(header) - parsers.keys()):
        raise fail(name, f"column {unknown[:80]!r} is not in the declared schema", REMEDY)
    columns = tuple((column, parsers[column]) for column in header)
    return DelimitedSource(file, schema, null, delimiter, columns)


def _parsers(name: str, schema: Schema) -> dict[str, Parse]:
    try:
        return {member.name: scalar(member.type) for member in schema.fields}
    except MalformedError as error:
        raise MalformedError(f"{name}: {error}") from error


class _Rows:
    """A file's rows; `before` is the number of the line before those that were taken last."""

    def __init__(self, opened: Opened, name: str, delimiter: str) -> None:
        # A limit of the whole process, 128 KiB by default: too little for texts. Never lowered.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
        self._opened, self._name, self._given, self.before = opened, name, 0, 0
        lines = chain.from_iterable(self._blocks())
        self._rows = csv.reader(lines, delimiter=delimiter, strict=True)

    def take(self, most: int) -> list[Row]:
        """Return the next rows, at most so many or about as many bytes as a batch may have.

        Raises:
            MalformedError: Text that is no CSV.
        """
        self.before, began, found = self._rows.line_num, self._given, list[Row]()
        try:
            while len(found) < most and self._given - began <= BYTES:
                more = list(islice(self._rows, min(STEP, most - len(found))))
                if not more:
                    break
                found += more
        except csv.Error as error:
            where = f"{self._name}, line {self._rows.line_num}"
            raise fail(where, f"not CSV: {error}", REMEDY) from error
        return found

    def _blocks(self) -> Iterator[StringIO]:
        for block in read_lines(self._opened, self._name):
            self._given += block.stop - block.start
            yield StringIO(block.text(), newline="\n")
