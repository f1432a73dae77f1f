"""INT96 timestamps are read exactly, where pyarrow's own nanoseconds wrap around."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance.errors import MalformedError
from storage.readers.datasets import from_stream, open_dataset
from storage.readers.int96 import exact

YEAR_1500 = -14_831_769_600 * 10**6
YEAR_3000 = 32_503_680_000 * 10**6


def int96(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    return path


@pytest.mark.parametrize(
    "microseconds",
    [
        [0, -1, None, 1_577_840_523_456_789],
        [YEAR_1500 + 1, None, YEAR_3000 - 1, 5],
        [None, None],
        [(2**63 - 1) // 1000, -(2**63) // 1000],
    ],
)
def test_old_timestamps_read_as_new_ones(tmp_path: Path, microseconds: list[int | None]) -> None:
    when = pa.array(microseconds, pa.int64()).view(pa.timestamp("us"))
    table = pa.table({"at": when, "id": pa.array(range(len(microseconds)))})
    old = open_dataset(int96(tmp_path / "old.parquet", table))
    assert old.schema == from_stream(table).schema
    assert list(old.records()) == list(from_stream(table).records())


def test_nested_ones_are_refused(tmp_path: Path) -> None:
    table = pa.table({"at": pa.array([[dt.datetime(2026, 1, 1)]], pa.list_(pa.timestamp("us")))})  # noqa: DTZ001  # a wall clock's
    path = int96(tmp_path / "t.parquet", table)
    with pytest.raises(MalformedError, match=r"t\.parquet: .*nested INT96"):
        open_dataset(path)


def test_nanoseconds_far_away_are_refused() -> None:
    def batch(value: int, unit: Any) -> pa.RecordBatch:
        return pa.record_batch([pa.array([value], pa.int64()).view(pa.timestamp(unit))], ["at"])

    far = YEAR_3000 * 1000 + 1
    batches = (
        iter([batch((far + 2**63) % 2**64 - 2**63, "ns")]),
        iter([batch(YEAR_3000 // 10**6, "s")]),
    )
    with pytest.raises(MalformedError, match="nanoseconds beyond the years 1677 to 2262"):
        list(exact(*batches, ["at"], "t"))
