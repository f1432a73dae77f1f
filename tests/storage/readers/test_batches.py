"""Parts of what is read: from any record to any other, in every format, within bounds."""

import json
import tarfile
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.batch import Rows
from provenance.encoding import encoder
from provenance.record import Bytes, Field, Int, Record, Schema, String
from storage.readers.batches import BYTES, RECORDS, between, paced
from storage.readers.datasets import Dataset, Source, from_stream, open_dataset

COUNT = 36_000
SCHEMA = Schema.of(Field("n", Int()), Field("t", String()))
ROWS: list[Record] = [{"n": n, "t": str(n)} for n in range(COUNT)]
TABLE = pa.table({"n": list(range(COUNT)), "t": [str(n) for n in range(COUNT)]})


def parquet(folder: Path) -> Dataset:
    pq.write_table(TABLE, folder / "t.parquet", row_group_size=9_000)
    return open_dataset(folder / "t.parquet")


def arrow(folder: Path) -> Dataset:
    with pa.ipc.new_file(str(folder / "t.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=7_000)
    return open_dataset(folder / "t.arrow")


def stream(folder: Path) -> Dataset:
    with pa.ipc.new_stream(str(folder / "t.arrows"), TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=7_000)
    return open_dataset(folder / "t.arrows")


def memory(_: Path) -> Dataset:
    return from_stream(TABLE)


def csv(folder: Path) -> Dataset:
    rows = "".join(f"{n},{n}\n" for n in range(COUNT))
    (folder / "t.csv").write_text(f"n,t\n{rows}")
    return open_dataset(folder / "t.csv", schema=SCHEMA)


def jsonl(folder: Path) -> Dataset:
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return open_dataset(folder / "t.jsonl", schema=SCHEMA)


FORMATS = [parquet, arrow, stream, memory, csv, jsonl]
COUNTED = [parquet, arrow]


@pytest.fixture(scope="module", params=FORMATS, ids=lambda each: each.__name__)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    write: Callable[[Path], Dataset] = request.param
    return write(tmp_path_factory.mktemp("data")).sources[0]


def numbers(source: Source, start: int, stop: int | None) -> list[object]:
    """Return what is read between two records; the encodings must be those of the records."""
    found: list[object] = []
    for batch in source.batches(start, stop):
        assert 0 < len(batch) <= RECORDS
        records, encoded = batch.records(), batch.encoded()
        assert len(records) == len(encoded) == len(batch)
        for at in (0, len(batch) - 1):
            assert encoded.one(at) == encoder(SCHEMA)(records[at])
        found.extend(record["n"] for record in records)
    return found


ENDS = [0, 256, 7_000, 9_001, RECORDS + 1, COUNT - 1]


@pytest.mark.parametrize(
    "start",
    [
        start if start in {256, RECORDS + 1} else pytest.param(start, marks=pytest.mark.slow)
        for start in ENDS
    ],
)
def test_reading_begins_at_any_record(source: Source, start: int) -> None:
    assert numbers(source, start, None) == list(range(start, COUNT))


@pytest.mark.parametrize(("start", "stop"), [*pairwise(ENDS), (250, 20_000)])
def test_reading_ends_at_any_record(source: Source, start: int, stop: int) -> None:
    assert numbers(source, start, stop) == list(range(start, stop))


def test_beyond_the_end_there_is_nothing(source: Source) -> None:
    assert numbers(source, COUNT + 5, None) == numbers(source, COUNT, COUNT + 5) == []
    assert numbers(source, COUNT - 2, COUNT + 5) == [COUNT - 2, COUNT - 1]


@pytest.mark.parametrize("write", FORMATS, ids=lambda each: each.__name__)
def test_records_are_counted_where_the_format_tells(
    tmp_path: Path, write: Callable[[Path], Dataset]
) -> None:
    assert write(tmp_path).count() == (COUNT if write in COUNTED else None)


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), max_size=6), st.integers(0, 20), st.integers(0, 20))
def test_between_is_a_slice_of_all_batches(sizes: list[int], start: int, stop: int) -> None:
    whole = [{"n": n} for n in range(sum(sizes))]
    schema, at, given_batches = Schema.of(Field("n", Int())), 0, []
    for size in sizes:
        given_batches.append(Rows(schema, whole[at : at + size]))
        at += size
    for end in (stop, None):
        found = list(between(given_batches, start, end))
        assert [row for batch in found for row in batch.records()] == whole[start:end]
        assert all(len(batch) == len(batch.encoded()) == len(batch.records()) for batch in found)


def test_a_dataset_is_read_from_any_record_across_its_files(tmp_path: Path) -> None:
    for at, name in enumerate(("1.jsonl", "2.jsonl", "3.jsonl")):
        lines = (json.dumps({"n": at * 3 + n, "t": ""}) + "\n" for n in range(3))
        (tmp_path / name).write_text("".join(lines))
    pq.write_table(pa.table({"n": [9, 10], "t": ["", ""]}), tmp_path / "4.parquet")
    pq.write_table(pa.table({"n": [11], "t": [""]}), tmp_path / "5.parquet")
    dataset = open_dataset(tmp_path, schema=SCHEMA)
    for start in range(14):
        found = [row["n"] for batch in dataset.batches(start) for row in batch.records()]
        assert found == list(range(start, 12))


def test_an_arrow_file_of_texts_alone_is_read_from_any_record(tmp_path: Path) -> None:
    path, given_table = tmp_path / "t.arrow", TABLE.select(["t"]).slice(0, 20)
    with pa.ipc.new_file(str(path), given_table.schema) as writer:
        writer.write_table(given_table, max_chunksize=7)
    dataset = open_dataset(path)
    assert dataset.count() is None
    found = [row["t"] for batch in dataset.sources[0].batches(8, 15) for row in batch.records()]
    assert found == [str(n) for n in range(8, 15)]


def test_a_batch_has_few_bytes_or_a_single_record() -> None:
    assert paced(100, 100) == RECORDS
    assert paced(1000, 1000 * BYTES // 10) == 10
    assert paced(3, 30 * BYTES) == 1
    assert paced(0, 0) == 1


def test_a_text_that_repeats_in_a_parquet_file_is_not_decoded_a_thousand_times(
    tmp_path: Path,
) -> None:
    texts = [letter * 100_000 for letter in "abc"]
    repeated = pa.table({"t": [texts[n % 3] for n in range(3_000)]})
    pq.write_table(repeated, tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < BYTES
    dataset = open_dataset(tmp_path / "t.parquet")
    before = pa.default_memory_pool().bytes_allocated()
    for batch in dataset.batches():
        assert len(batch) * 100_000 <= BYTES
        assert pa.default_memory_pool().bytes_allocated() - before < 20 * BYTES
    assert dataset.count() == 3_000


def test_a_column_of_a_parquet_file_is_never_held_whole(tmp_path: Path) -> None:
    column = pa.array([f"{n:>4096}" for n in range(20_000)])
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"t": column}), path, use_dictionary=False, compression="none")
    size = path.stat().st_size
    assert pq.read_metadata(path).num_row_groups == 1
    del column
    before = pa.default_memory_pool().bytes_allocated()
    most = max(
        pa.default_memory_pool().bytes_allocated() - before for _ in open_dataset(path).batches()
    )
    assert most < size // 3


def test_large_samples_and_files_make_small_batches(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(bytes(BYTES * 2 // 5))
    found = open_dataset(tmp_path, records="files").batches()
    assert [len(batch) for batch in found] == [2, 1]
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for name in "abc":
            info = tarfile.TarInfo(f"{name}.bin")
            info.size = BYTES * 2 // 5
            archive.addfile(info, BytesIO(bytes(info.size)))
    assert [len(batch) for batch in open_dataset(tmp_path / "t.tar").batches()] == [2, 1]
    schema = Schema.of(Field("__key__", String()), Field("bin", Bytes()))
    assert open_dataset(tmp_path / "t.tar").schema == schema
