"""Parquet, row group by row group, with memory that does not grow with the file.

Whole row groups are left out where reading begins later, columns are read through small buffers,
and batches are sized by what records turn out to be.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from provenance.record import Schema
from storage.readers.batches import paced
from storage.readers.columnar import ColumnarSource, Found, as_native, columnar
from storage.readers.files import File, LocalFile
from storage.readers.int96 import exact, int96_columns

REMEDY: Final = "write the Parquet file anew"
FIRST: Final = 256
"""Records that are decoded at first, to see how large they are."""
BUFFERS: Final = 2**25
"""Bytes of a file, not yet decoded, that are held for all columns together."""


def parquet(file: File, declared: Schema | None = None) -> ColumnarSource:
    """Return the records of a Parquet file."""
    counts: list[int] = []

    @contextmanager
    def opened(start: int) -> Iterator[tuple[pa.Schema, int, Found]]:
        with _parquet_file(file) as rows:
            counts[:] = [int(rows.metadata.num_rows)]
            old = int96_columns(rows, file.name)
            if not old:
                yield rows.schema_arrow, start, _rows(_Groups(rows, file.name), start)
                return
            with _parquet_file(file, "s") as seconds:
                groups = _Groups(rows, file.name, seconds, old)
                yield rows.schema_arrow, start, _rows(groups, start)

    return columnar(file.name, opened, REMEDY, declared, lambda: counts[0], "parquet")


@contextmanager
def _parquet_file(file: File, int96_unit: str = "ns") -> Iterator[pq.ParquetFile]:
    with as_native(file) as native:
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
