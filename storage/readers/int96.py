"""Parquet's old INT96 timestamps, which pyarrow turns into nanoseconds that silently wrap.

Spark and Impala wrote them for years. Outside 1677 to 2262 an int64 of nanoseconds wraps around, so
such a column is read a second time in seconds, which cannot: both together give the exact instant.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.readers.arrow import Column, values
from storage.readers.reading import fail

REMEDY: Final = "write it as an INT64 timestamp"
SAFE_SECONDS: Final = (2**63 - 1) // 10**9 - 1
"""Seconds from 1970, either way, within which nanoseconds fit an int64."""


def int96_columns(file: pq.ParquetFile, where: str) -> list[str]:
    """Return the names of the file's INT96 columns.

    Raises:
        MalformedError: One of them stands inside a list, struct or map.
    """
    leaves = [file.schema.column(at) for at in range(len(file.schema))]
    paths = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    for path in paths:
        if path not in file.schema_arrow.names:
            raise fail(where, f"column {path!r} is a nested INT96", REMEDY)
    return paths


def exact(
    batches: Iterator[pa.RecordBatch],
    seconds: Iterator[pa.RecordBatch],
    names: Sequence[str],
    where: str,
) -> Iterator[pa.RecordBatch]:
    """Yield `batches` with the INT96 columns `names` corrected by the same rows in `seconds`.

    Raises:
        MalformedError: An instant outside 1677 to 2262 with less than whole microseconds.
    """
    for batch, coarse in zip(batches, seconds, strict=True):
        fixed = batch
        for name in names:
            at = batch.schema.get_field_index(name)
            column = _corrected(batch.column(at), coarse.column(name))
            if column is None:
                problem = f"column {name!r} has nanoseconds beyond the years 1677 to 2262"
                raise fail(where, problem, REMEDY)
            fixed = fixed.set_column(at, name, column)
        yield fixed


def _corrected(wrapped: Column, coarse: Column) -> Column | None:
    """Return `wrapped`, or microseconds where nanoseconds do not fit, or None if neither does."""
    span: Any = pc.min_max(coarse.view(pa.int64())).as_py()
    if span["min"] is None or (span["min"] > -SAFE_SECONDS and span["max"] < SAFE_SECONDS):
        return wrapped
    pairs = zip(values(wrapped), values(coarse), strict=True)
    found = [None if one is None else _instant(one, other) for one, other in pairs]  # type: ignore[arg-type]  # both are integers where one is
    if any(each is not None and each % 1000 for each in found):
        return None
    whole = pa.array([None if each is None else each // 1000 for each in found], pa.int64())
    return whole.view(pa.timestamp("us"))


def _instant(wrapped: int, near: int) -> int:
    """Return the one integer that is `wrapped` modulo 2**64 and less than 2**63 from `near`."""
    return near + (wrapped - near + 2**63) % 2**64 - 2**63
