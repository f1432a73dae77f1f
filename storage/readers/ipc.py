"""Arrow IPC files and streams, record batch by record batch.

A stream must end with its end marker, or a truncated one would read as a shorter one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pyarrow as pa

from provenance.record import Schema
from storage.readers.columnar import ColumnarSource, Found, as_native, columnar
from storage.readers.files import File, LocalFile
from storage.readers.reading import fail

REMEDY: Final = "write the Arrow file anew"


def ipc(file: File, declared: Schema | None = None) -> ColumnarSource:
    """Return the records of an Arrow IPC file or stream."""

    @contextmanager
    def opened(start: int) -> Iterator[tuple[pa.Schema, int, Found]]:
        with as_native(file) as native:
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
        if not isinstance(file, LocalFile):  # each record batch would have to be asked about
            return None
        with as_native(file) as native:
            if native.read(6) != b"ARROW1":
                return None
            lengths = _lengths(native)
            return None if lengths is None else sum(lengths)

    return columnar(file.name, opened, REMEDY, declared, counted)


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
        raise fail(name, "does not end with its end marker: truncated, or several in one", REMEDY)
