"""CSV with a declared schema: a header row, cells read exactly, one declared cell for null.

    id,price,note
    1,9.90,"fine, or so"
    2,NA,fine                  with null="NA" the price is null

A cell is null when its content is the declared token, quoted or not; without a token, no cell is.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from provenance.encoding import Value, encoder
from provenance.errors import MalformedError
from provenance.record import Record, Schema
from storage.reading import fail, reading
from storage.scalars import Parse, scalar
from storage.text import MAX_LINE, Parsed, batched, lines

REMEDY: Final = "correct the file, or the declared schema"


@dataclass(frozen=True, slots=True)
class DelimitedSource:
    """The rows of one CSV file; `columns` holds name and parser of each, in the file's order."""

    name: str
    path: Path
    schema: Schema
    null: str | None
    delimiter: str
    columns: tuple[tuple[str, Parse], ...] = field(repr=False)
    identity: str = ""

    def count(self) -> int | None:
        """Return None: only reading tells."""
        return None

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[Parsed]:
        """Yield the records from number `start` on, up to number `stop`, in order.

        Raises:
            MalformedError: A row with another number of cells, or a cell that is no such value.
            UnavailableError: The system could not read the file.
        """
        with reading(self.name, REMEDY), self.path.open("rb") as file:
            yield from batched(self._records(file, start, stop))

    def _records(
        self, file: BinaryIO, start: int, stop: int | None
    ) -> Iterator[tuple[Record, bytes]]:
        write = encoder(self.schema)
        rows = _rows(file, self.name, self.delimiter)
        next(rows)
        for number, (line, row) in enumerate(islice(rows, start, stop), start + 1):
            try:
                record = self._record(row)
                encoded = write(record)
            except MalformedError as error:
                where = f"{self.name}, record {number} (line {line})"
                raise fail(where, str(error), REMEDY) from error
            yield record, encoded

    def _record(self, row: Sequence[str]) -> Record:
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


def delimited(
    path: Path,
    name: str,
    schema: Schema,
    *,
    null: str | None,
    delimiter: str,
    identity: str = "",
) -> DelimitedSource:
    """Return the rows of the CSV file at `path`, whose header must name the fields of `schema`.

    Raises:
        MalformedError: No header, a name twice, other names, or a type that no cell can hold.
        UnavailableError: The system could not read the file.
    """
    parsers = _parsers(name, schema)
    with reading(name, REMEDY), path.open("rb") as file:
        _, header = next(_rows(file, name, delimiter), (0, []))
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
    return DelimitedSource(name, path, schema, null, delimiter, columns, identity)


def _parsers(name: str, schema: Schema) -> dict[str, Callable[[str], Value]]:
    try:
        return {member.name: scalar(member.type) for member in schema.fields}
    except MalformedError as error:
        raise MalformedError(f"{name}: {error}") from error


def _rows(file: BinaryIO, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line that it ends on."""
    # A limit of the whole process, 128 KiB by default: too little for texts. Never lowered here.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    rows = csv.reader(lines(file, name), delimiter=delimiter, strict=True)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error as error:
        raise fail(f"{name}, line {rows.line_num}", f"not CSV: {error}", REMEDY) from error
