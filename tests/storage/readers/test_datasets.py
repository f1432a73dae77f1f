"""One logical table, one sequence of encoded records, however it is stored."""

import base64
import datetime as dt
import decimal
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.record import (
    Bool,
    Bytes,
    Date,
    Decimal,
    Field,
    Float64,
    Int,
    List,
    Map,
    Record,
    Schema,
    String,
    Struct,
    Timestamp,
    Value,
    encode_record,
)
from storage.readers.datasets import Dataset, Options, from_stream, open_dataset

NULL = "\\N"
COMPRESSIONS: tuple[Literal["none", "snappy", "zstd"], ...] = ("none", "snappy", "zstd")
COLUMNS: dict[str, tuple[Any, pa.DataType]] = {
    "amount": (Decimal(20, 3), pa.decimal128(20, 3)),
    "at": (Timestamp(zoned=True), pa.timestamp("us", tz="Europe/Berlin")),
    "blob": (Bytes(), pa.binary()),
    "count": (Int(), pa.int64()),
    "day": (Date(), pa.date32()),
    "flag": (Bool(), pa.bool_()),
    "note": (String(), pa.string()),
    "ratio": (Float64(), pa.float64()),
}
FLAT = Schema.of(*(Field(name, logical) for name, (logical, _) in COLUMNS.items()))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=4)
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "amount": st.integers(-(10**20) + 1, 10**20 - 1).map(
        lambda unscaled: decimal.Decimal(f"{unscaled}E-3")
    ),
    "at": st.integers(-(2**50), 2**50).map(lambda microseconds: microseconds * 1000),
    "blob": st.binary(max_size=4),
    "count": st.integers(-(2**31), 2**31 - 1),
    "day": st.integers(-300_000, 2_000_000),
    "flag": st.booleans(),
    "note": TEXT.filter(lambda text: text != NULL and not text.startswith("\ufeff")),
    "ratio": st.floats(),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()}),
    min_size=1,
    max_size=6,
)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def encoded(dataset: Dataset) -> tuple[bytes, list[bytes]]:
    """Return the encodings, which must be those of the values."""
    found = [batch.encoded() for batch in dataset.batches()]
    rows = [each.one(at) for each in found for at in range(len(each))]
    assert rows == [encode_record(dataset.schema, record) for record in dataset.records()]
    return dataset.schema.digest, rows


def table(rows: list[Record]) -> pa.Table:
    """Make the rows a table without help from the code under test; times go through integers."""
    arrays = {}
    for name, (_, kind) in COLUMNS.items():
        cells: list[Any] = [row[name] for row in rows]
        if name == "at":
            whole = [None if cell is None else cell // 1000 for cell in cells]
            arrays[name] = pa.array(whole, pa.int64()).cast(kind)
        elif name == "day":
            arrays[name] = pa.array(cells, pa.int32()).cast(kind)
        else:
            arrays[name] = pa.array(cells, kind)
    return pa.table(arrays)


def moment(nanoseconds: int) -> str:
    return (EPOCH + dt.timedelta(microseconds=nanoseconds // 1000)).isoformat()


def cell(name: str, value: Any) -> str:
    """Write a value as CSV and JSON strings hold it."""
    match name:
        case "at":
            return moment(value)
        case "blob":
            return base64.b64encode(value).decode()
        case "day":
            return (EPOCH.date() + dt.timedelta(days=value)).isoformat()
        case "flag":
            return "true" if value else "false"
        case "ratio":
            return "NaN" if math.isnan(value) else repr(value)
        case _:
            return str(value)


def write_csv(path: Path, rows: list[Record]) -> Dataset:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    names = sorted(COLUMNS, reverse=True)
    lines = [",".join(names)] + [
        ",".join(NULL if row[n] is None else quoted(cell(n, row[n])) for n in names) for row in rows
    ]
    path.write_text("".join(line + "\r\n" for line in lines), encoding="utf-8", newline="")
    return open_dataset(path, schema=FLAT, options=Options(null=NULL))


def member(name: str, value: Any) -> Any:
    if isinstance(value, bool | int) and name in ("count", "flag"):
        return value
    if name == "ratio" and math.isfinite(value):
        return value
    if name == "ratio" and not math.isnan(value):
        return "Infinity" if value > 0 else "-Infinity"
    return cell(name, value)


def write_jsonl(path: Path, rows: list[Record]) -> Dataset:
    objects = [{n: member(n, v) for n, v in row.items() if v is not None} for row in rows]
    path.write_text("".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
    return open_dataset(path, schema=FLAT)


def physical_variants(given: pa.Table) -> Iterator[pa.Table]:
    """Yield tables of the same logical values in other physical types and column orders."""

    def cast(**kinds: pa.DataType) -> pa.Table:
        fields = [pa.field(f.name, kinds.get(f.name, f.type)) for f in given.schema]
        return given.cast(pa.schema(fields))

    yield given.select(sorted(given.column_names, reverse=True))
    yield cast(count=pa.int32(), note=pa.large_string(), at=pa.timestamp("us", tz="UTC"))
    yield cast(note=pa.string_view(), blob=pa.large_binary(), amount=pa.decimal256(20, 3))
    note = given["note"].dictionary_encode()
    yield given.set_column(given.column_names.index("note"), "note", note)
    yield given.replace_schema_metadata({"written": "by somebody else"})


def write_columnar(folder: Path, given: pa.Table) -> Iterator[Dataset]:
    """Yield the table as Parquet and Arrow files of every kind that must not matter."""
    for at, variant in enumerate(physical_variants(given)):
        compression = COMPRESSIONS[at % 3]
        path = folder / f"{at}.parquet"
        pq.write_table(variant, path, compression=compression, row_group_size=(2, 1000)[at % 2])
        yield open_dataset(path)
        path = folder / f"{at}.arrow"
        with pa.ipc.new_file(str(path), variant.schema) as writer:
            writer.write_table(variant.unify_dictionaries(), max_chunksize=(1, 1000)[at % 2])
        yield open_dataset(path)
        path = folder / f"{at}.arrows"
        with pa.ipc.new_stream(str(path), variant.schema) as stream:
            stream.write_table(variant, max_chunksize=(1000, 1)[at % 2])
        yield open_dataset(path)
        yield from_stream(variant)


@settings(deadline=None, max_examples=25)
@given(ROWS)
def test_the_same_values_encode_alike_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Record]
) -> None:
    folder = tmp_path_factory.mktemp("table")
    expected = FLAT.digest, [encode_record(FLAT, row) for row in rows]
    for dataset in write_columnar(folder, table(rows)):
        assert encoded(dataset) == expected
    assert encoded(write_csv(folder / "t.csv", rows)) == expected
    assert encoded(write_jsonl(folder / "t.jsonl", rows)) == expected


@settings(deadline=None, max_examples=25)
@given(ROWS, st.data())
def test_a_changed_cell_changes_its_record(rows: list[Record], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    other = data.draw(st.none() | CELLS[name])
    before, after = rows[at][name], other
    same = before == after or (before != before and after != after)  # noqa: PLR0124  # NaN
    changed = [*rows[:at], {**rows[at], name: other}, *rows[at + 1 :]]
    one, two = encoded(from_stream(table(rows))), encoded(from_stream(table(changed)))
    assert (one == two) == same


def test_row_order_counts() -> None:
    given = pa.table({"x": [1, 2]})
    one, two = encoded(from_stream(given)), encoded(from_stream(given.take([1, 0])))
    assert one[1] == two[1][::-1] != two[1]


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"y": [1]}),
        pa.table({"x": pa.array([1], pa.uint8())}),
        pa.table({"x": [1.0]}),
        pa.table({"x": pa.array([1], pa.duration("s"))}),
    ],
)
def test_another_name_or_logical_type_is_another_schema(other: pa.Table) -> None:
    assert from_stream(other).schema.digest != from_stream(pa.table({"x": [1]})).schema.digest


TREE = Schema.of(
    Field("map", Map(String(), List(Int()))),
    Field(
        "struct", Struct.of(Field("a", Int()), Field("b", List(Struct.of(Field("c", String())))))
    ),
)
NESTED: list[dict[str, Value]] = [
    {"map": [("k", [1, None]), ("l", None)], "struct": {"a": 1, "b": [{"c": "x"}, None]}},
    {"map": None, "struct": None},
    {"map": [], "struct": {"a": None, "b": []}},
    {"map": [("é", [])], "struct": {"a": 4, "b": None}},
]


def nested_table(listed: Callable[[pa.DataType], pa.DataType]) -> pa.Table:
    struct = pa.struct([("b", listed(pa.struct([("c", pa.string())]))), ("a", pa.int16())])
    cells = {name: [row[name] for row in NESTED] for name in ("struct", "map")}
    kinds = {"struct": struct, "map": pa.map_(pa.string(), listed(pa.int8()))}
    return pa.table({name: pa.array(cells[name], kinds[name]) for name in cells})


@pytest.mark.parametrize("listed", [pa.list_, pa.large_list, pa.list_view, pa.large_list_view])
def test_nested_values_encode_alike_from_every_format(
    tmp_path: Path, listed: Callable[[pa.DataType], pa.DataType]
) -> None:
    given = nested_table(listed)
    expected = TREE.digest, [encode_record(TREE, row) for row in NESTED]
    assert encoded(from_stream(given)) == expected
    assert encoded(from_stream(pa.concat_tables([given.slice(0, 1), given.slice(1)]))) == expected
    with pa.ipc.new_file(str(tmp_path / "t.arrow"), given.schema) as writer:
        writer.write_table(given)
    assert encoded(open_dataset(tmp_path / "t.arrow")) == expected
    if listed in (pa.list_, pa.large_list):
        pq.write_table(given, tmp_path / "t.parquet", row_group_size=1)
        assert encoded(open_dataset(tmp_path / "t.parquet")) == expected


def test_nested_jsonl_takes_maps_as_pairs_or_as_objects(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    first = {**NESTED[0], "map": {"k": [1, None], "l": None}}
    path.write_text("".join(json.dumps(each) + "\n" for each in [first, *NESTED[1:]]))
    expected = TREE.digest, [encode_record(TREE, row) for row in NESTED]
    assert encoded(open_dataset(path, schema=TREE)) == expected


def test_data_frames_are_read_by_the_c_stream_interface() -> None:
    cells: dict[str, list[Any]] = {"id": [1, 2, 3], "text": ["a", None, "c"]}
    expected = encoded(from_stream(pa.table(cells)))
    assert encoded(from_stream(pl.DataFrame(cells))) == expected
    assert encoded(from_stream(pd.DataFrame(cells))) == expected


def test_a_dataset_can_be_read_again(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": list(range(5000))}), tmp_path / "t.parquet")
    dataset = open_dataset(tmp_path)
    assert [record["x"] for record in dataset.records()] == list(range(5000))
    assert list(dataset.records()) == list(dataset.records())
    assert [len(batch) for batch in dataset.batches()] == [256, 4744]


def test_text_is_read_in_batches_bounded_in_number_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    schema = Schema.of(Field("x", String()))
    path.write_text('{"x":"a"}\n' * 35_000)
    found = open_dataset(path, schema=schema).batches()
    assert [len(batch) for batch in found] == [2**14, 2**14, 35_000 - 2**15]
    path.write_text(('{"x":"' + "a" * 3 * 2**20 + '"}\n') * 3)
    assert [len(batch) for batch in open_dataset(path, schema=schema).batches()] == [1, 1, 1]


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    schema = Schema.of(Field("x", Int()))
    (tmp_path / "t.csv").write_text("\ufeffx\n1\n", encoding="utf-8")
    (tmp_path / "t.jsonl").write_text('\ufeff{"x":1}', encoding="utf-8")
    for name in ("t.csv", "t.jsonl"):
        assert list(open_dataset(tmp_path / name, schema=schema).records()) == [{"x": 1}]


def test_jsonl_writes_floats_without_digits_as_strings(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"x":"Infinity"}\n{"x":"-Infinity"}\n{"x":"NaN"}\n{"x":1}\n{}\n')
    dataset = open_dataset(path, schema=Schema.of(Field("x", Float64())))
    assert repr([record["x"] for record in dataset.records()]) == "[inf, -inf, nan, 1.0, None]"


def test_tabs_and_other_delimiters_are_declared(tmp_path: Path) -> None:
    schema = Schema.of(Field("x", Int()), Field("y", String()))
    (tmp_path / "t.tsv").write_text("y\tx\na,b\t1\n")
    (tmp_path / "t.csv").write_text("y;x\na,b;1\n")
    for name, options in (("t.tsv", Options()), ("t.csv", Options(delimiter=";"))):
        dataset = open_dataset(tmp_path / name, schema=schema, options=options)
        assert list(dataset.records()) == [{"x": 1, "y": "a,b"}]


def test_several_files_are_one_sequence_in_natural_order(tmp_path: Path) -> None:
    for at in (1, 2, 10):
        pq.write_table(pa.table({"x": [at]}), tmp_path / f"part-{at}.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/x.csv").touch()
    dataset = open_dataset(tmp_path)
    assert [each.path for each in dataset.files] == [f"part-{at}.parquet" for at in (1, 2, 10)]
    assert [record["x"] for record in dataset.records()] == [1, 2, 10]
    assert (dataset.name, dataset.order) == (str(tmp_path), "natural/1")
    named = [tmp_path / f"part-{at}.parquet" for at in (10, 1)]
    dataset = open_dataset(named, order="given")
    assert [each.path for each in dataset.files] == ["part-10.parquet", "part-1.parquet"]
    assert open_dataset(named).files == dataset.files[::-1]


def test_one_large_file_and_its_parts_give_the_same_records(tmp_path: Path) -> None:
    whole = pa.table({"x": list(range(100))})
    (tmp_path / "parts").mkdir()
    for at in range(0, 100, 30):
        pq.write_table(whole.slice(at, 30), tmp_path / f"parts/{at}.parquet")
    pq.write_table(whole, tmp_path / "whole.parquet")
    assert encoded(open_dataset(tmp_path / "parts")) == encoded(
        open_dataset(tmp_path / "whole.parquet")
    )


def test_a_folder_of_files_is_a_record_a_file(tmp_path: Path) -> None:
    for name in ("b/10.png", "b/9.png", ".a", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    dataset = open_dataset(tmp_path, records="files")
    names = [".a", "b/9.png", "b/10.png", "c"]
    assert list(dataset.records()) == [{"bytes": name.encode(), "path": name} for name in names]
    assert [each.path for each in dataset.files] == names
    found = open_dataset(tmp_path, records="files", options=Options(include="*.png"))
    assert [each.path for each in found.files] == ["b/9.png", "b/10.png"]


def test_a_file_that_changes_after_it_was_digested_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"x":1}\n')
    rows = open_dataset(path, schema=Schema.of(Field("x", Int())))
    files = open_dataset(tmp_path, records="files")
    path.write_text('{"x":21}\n')
    for dataset in (rows, files):
        with pytest.raises(MalformedError, match=r"t\.jsonl: changed while .*; register again"):
            list(dataset.records())
