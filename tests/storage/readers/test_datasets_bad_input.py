"""Bad input: one line that names the file, the record where there is one, and a remedy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, ProvenanceError, UnavailableError
from provenance.record import Bool, Field, Float64, Int, List, Map, Schema, String, Struct
from storage.readers import folder, order, text
from storage.readers.datasets import Dataset, Options, from_stream, open_dataset
from storage.readers.order import find_files
from storage.readers.reading import reading

ROOT = Path(__file__).parents[3]
XY = Schema.of(Field("x", Int()), Field("y", String()))


def refusal(read: Callable[[], Any]) -> str:
    """Return the one line with which reading everything is refused."""
    with pytest.raises(MalformedError) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


def refused(path: Path, schema: Schema | None = None, **options: Any) -> str:
    """Return how reading is refused, which is the same for values and for their encodings."""

    def opened() -> Dataset:
        return open_dataset(path, schema=schema, options=Options(**options))

    message = refusal(lambda: list(opened().records()))
    assert refusal(lambda: [batch.encoded() for batch in opened().batches()]) == message
    return message


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": list(range(1000)), "y": ["text"] * 1000}), path)
    return path


@pytest.fixture(params=["arrow", "arrows"])
def arrow(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"t.{request.param}"
    given = pa.table({"x": list(range(1000)), "y": ["text"] * 1000})
    new = pa.ipc.new_file if request.param == "arrow" else pa.ipc.new_stream
    with new(str(path), given.schema) as writer:
        writer.write_table(given, max_chunksize=100)
    return path


def test_a_missing_file_is_named() -> None:
    assert refused(Path("no/such.parquet")) == "no/such.parquet: no such file; check the path"


def test_a_folder_where_a_file_is_meant_is_named(tmp_path: Path) -> None:
    message = refusal(lambda: open_dataset([tmp_path]))
    assert message == f"{tmp_path}: a folder, not a file; name a file"


def test_a_file_without_permission_is_named() -> None:
    def denied() -> None:
        with reading("t.csv", "-"):
            raise PermissionError(13, "Permission denied")

    assert refusal(denied) == "t.csv: may not be read; check its permissions"


def test_a_failing_disk_says_nothing_about_the_data() -> None:
    with pytest.raises(UnavailableError, match=r"^t\.csv: cannot be read: "), reading("t.csv", "-"):
        raise OSError(5, "Input/output error")


def test_a_folder_that_cannot_be_listed_says_nothing_about_the_data(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot list"):
        find_files(tmp_path / "gone", "*", hidden=False)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    assert "no files" in refused(tmp_path)
    written(tmp_path / "t.csv", "x,y\n")
    assert "match '*.parquet'" in refused(tmp_path, include="*.parquet")


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe.csv: neither a file nor a folder" in refused(tmp_path, XY)
    (tmp_path / "pipe.csv").unlink()
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    assert "gone.csv: neither a file nor a folder" in refused(tmp_path, XY)


def test_a_link_to_a_folder_is_refused_rather_than_left_out(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/link").symlink_to(tmp_path)
    assert "link: a link to a folder is not followed" in refused(tmp_path / "here", XY)


def test_a_file_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv")).touch()
    assert "must be UTF-8; rename it" in refused(tmp_path, XY)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    assert "README.md: a file of unknown format" in refused(written(tmp_path / "README.md", ""))
    assert "unknown format" in refused(written(tmp_path / "t.csv", ""), format="excel")


def test_order_and_records_are_known_words(tmp_path: Path) -> None:
    assert "unknown order" in refusal(lambda: open_dataset(tmp_path, order="natural/2"))
    assert "unknown kind" in refusal(lambda: open_dataset(tmp_path, records="lines"))
    assert "a folder gives no order" in refusal(lambda: open_dataset(tmp_path, order="given"))
    assert "empty list" in refusal(lambda: open_dataset([]))
    path = written(tmp_path / "t.csv", "x\n")
    assert "named twice" in refusal(lambda: open_dataset([path, path]))


def test_text_without_a_schema_is_refused(tmp_path: Path) -> None:
    for name in ("t.csv", "t.tsv", "t.jsonl", "t.ndjson"):
        assert f"{name}: " in refused(written(tmp_path / name, "x\n"))
        assert "declare a schema" in refused(tmp_path / name)


@pytest.mark.parametrize("empty", ["t.jsonl", "t.csv", "t.parquet", "t.arrow"])
def test_an_empty_dataset_is_refused(tmp_path: Path, empty: str) -> None:
    path = tmp_path / empty
    schema = pa.table({"x": [1], "y": ["a"]}).schema
    if empty == "t.parquet":
        pq.write_table(schema.empty_table(), path)
    elif empty == "t.arrow":
        pa.ipc.new_file(str(path), schema).close()
    else:
        written(path, "x,y\n" if empty == "t.csv" else "")
    message = f"{path}: an empty dataset; a commitment needs at least one record"
    assert refused(path, XY) == message


def test_files_of_other_schemas_are_refused_by_name_and_column(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1], "y": ["a"]}), tmp_path / "1.parquet")
    others: dict[str, dict[str, list[Any]]] = {
        "column 'x' is float64, not int": {"x": [1.0], "y": ["a"]},
        "lacks the column 'y'": {"x": [1]},
        "has a column 'z', not": {"x": [1], "y": ["a"], "z": [1]},
        "column 'y' is null, not string": {"x": [1], "y": [None]},
    }
    for problem, columns in others.items():
        pq.write_table(pa.table(columns), tmp_path / "2.parquet")
        message = refused(tmp_path)
        assert message.startswith(f"{tmp_path}/2.parquet: {problem} as in {tmp_path}/1.parquet; ")
    listed = pa.table({"x": pa.array([[1]], pa.list_(pa.int8())), "y": ["a"]})
    pq.write_table(listed, tmp_path / "1.parquet")
    pq.write_table(pa.table({"x": [["a"]], "y": ["a"]}), tmp_path / "2.parquet")
    assert "column 'x' is another list, List(item=String())" in refused(tmp_path)


def test_a_declared_schema_fills_in_what_columns_of_nulls_do_not_say(tmp_path: Path) -> None:
    schema = Schema.of(
        Field("list", List(Int())),
        Field("map", Map(String(), Int())),
        Field("x", Struct.of(Field("a", Int()), Field("b", List(String())))),
    )
    whole = {
        "list": pa.array([[1]], pa.list_(pa.int8())),
        "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        "x": pa.array([{"a": 1, "b": ["c"]}]),
    }
    holes = {
        "list": pa.array([[None]], pa.list_(pa.null())),
        "map": pa.array([[("k", None)]], pa.map_(pa.string(), pa.null())),
        "x": pa.array([{"a": None, "b": [None]}]),
    }
    for name, columns in (("1", whole), ("2", holes)):
        path = str(tmp_path / f"{name}.arrow")
        given = pa.table(columns)
        with pa.ipc.new_file(path, given.schema) as writer:
            writer.write_table(given)
    found = list(open_dataset(tmp_path, schema=schema).records())
    assert found[1] == {"list": [None], "map": [("k", None)], "x": {"a": None, "b": [None]}}
    assert "is another list" in refused(tmp_path)


def test_a_declared_schema_that_the_file_does_not_have_is_refused(parquet: Path) -> None:
    other = Schema.of(Field("x", Float64()), Field("y", String()))
    assert f"{parquet}: column 'x' is int, not float64 as declared" in refused(parquet, other)
    other = Schema.of(Field("x", Int()))
    assert "has a column 'y', not as declared" in refused(parquet, other)


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -8, -200])
def test_a_truncated_parquet_file_is_refused(parquet: Path, cut: int) -> None:
    parquet.write_bytes(parquet.read_bytes()[:cut])
    assert refused(parquet).startswith(f"{parquet}: ")


@pytest.mark.parametrize("cut", [0, 3, 100, -1, -8, -9, -200, -1500])
def test_a_truncated_arrow_file_is_refused(arrow: Path, cut: int) -> None:
    arrow.write_bytes(arrow.read_bytes()[:cut])
    assert refused(arrow).startswith(f"{arrow}")


def test_two_streams_in_one_file_are_refused_rather_than_half_read(tmp_path: Path) -> None:
    path = tmp_path / "t.arrows"
    given = pa.table({"x": [1]})
    with pa.ipc.new_stream(str(path), given.schema) as writer:
        writer.write_table(given)
    path.write_bytes(path.read_bytes() * 2)
    assert "truncated, or several in one" in refused(path)


def test_a_corrupt_file_never_escapes_as_another_error(parquet: Path, arrow: Path) -> None:
    for path in (parquet, arrow):
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 150)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
            try:
                list(open_dataset(path).records())
            except ProvenanceError as error:
                assert str(path) in str(error)  # noqa: PT017  # most flips are refused, not all


def test_a_corrupt_value_is_named_by_its_record() -> None:
    offsets = pa.py_buffer(b"".join(at.to_bytes(4, "little") for at in (0, 1, 2, 3)))
    strings = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"a\xffc")])
    days = pa.array([0, 86_400_000, 1]).view(pa.date64())
    maps = pa.array([[("a", 1)], [], [("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int8()))
    for column, record in ((strings, 2), (days, 3), (maps, 3)):
        message = refusal(lambda c=column: list(from_stream(pa.table({"x": c})).records()))  # type: ignore[misc]  # a default that binds the loop's value
        assert message.startswith(f"table, record {record}: ")


def test_a_reader_that_reads_once_is_refused() -> None:
    reader = pa.table({"x": [1]}).to_reader()
    assert "hand over reader.read_all()" in refusal(lambda: from_stream(reader))


def test_what_hands_out_no_stream_is_refused() -> None:
    class Broken:
        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            raise ValueError("mixed types\nin a column")

    message = refusal(lambda: from_stream(Broken(), name="frame"))
    assert message == "frame: mixed types; hand over a table with plain columns"


@pytest.mark.parametrize(
    ("content", "where", "problem"),
    [
        ("", "", "no header row"),
        ("\n", "", "no header row"),
        ("x,x\n1,2\n", "", "names 'x' twice"),
        ("x\n1\n", "", "lacks the field 'y'"),
        ("x,y,z\n1,a,2\n", "", "column 'z' is not in the declared schema"),
        ("x,y\n1,a\n2\n", ", record 2 (line 3)", "1 cells under a header of 2"),
        ("x,y\n1,a\n2,b,c\n", ", record 2 (line 3)", "3 cells under a header of 2"),
        ("x,y\n1,a\n\n", ", record 2 (line 3)", "0 cells under a header of 2"),
        ('x,y\n1,"a\nb"\n1.5,c\n', ", record 2 (line 4)", "field 'x': expected an integer"),
        ("x,y\n,a\n", ", record 1 (line 2)", "declare which cell is null"),
        ("x,y\n9223372036854775808,a\n", ", record 1 (line 2)", "an integer of 64 bits"),
        ('x,y\n1,"a\n', ", line 2", "not CSV: unexpected end of data"),
        ('x,y\n1,"a"b\n', ", line 2", "not CSV: ',' expected after '\"'"),
        (b"x,y\n1,\xff\n", ", line 2", "no valid UTF-8 at byte 2 of the line"),
    ],
)
def test_bad_csv_is_named_by_record_and_line(
    tmp_path: Path, content: str | bytes, where: str, problem: str
) -> None:
    path = written(tmp_path / "t.csv", content)
    message = refused(path, XY)
    assert message.startswith(f"{path}{where}: ")
    assert problem in message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "not JSON: "),
        ('{"x":1', "not JSON: "),
        ('{"x":1} {"x":2}', "not JSON: Extra data"),
        ("\n", "not JSON: "),
        ("[1]", "expected an object, got an array"),
        ('{"x":1,"x":1}', "an object names 'x' twice"),
        ('{"x":1,"z":2}', "member 'z' is not in the declared schema"),
        ('{"x":1.0}', "field 'x': expected an integer, got '1.0'"),
        ('{"x":1e3}', "field 'x': expected an integer"),
        ('{"x":"1"}', "field 'x': expected a number"),
        ('{"x":true}', "field 'x': expected a number"),
        ('{"x":NaN}', "NaN is no JSON number"),
        ('{"x":9223372036854775808}', "field 'x': expected an integer of 64 bits"),
        ('{"x":' + "1" * 5000 + "}", "field 'x': expected an integer"),
        ('{"y":1}', "field 'y': expected a string"),
        ('{"y":"\\ud800"}', "field 'y': text with half a surrogate pair"),
        ('{"y":' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ],
)
def test_bad_jsonl_is_named_by_record(tmp_path: Path, content: str, problem: str) -> None:
    path = written(tmp_path / "t.jsonl", '{"x":1}\n' + content + "\n")
    message = refused(path, XY)
    assert message.startswith(f"{path}, record 2: ")
    assert problem in message


@pytest.mark.parametrize(
    ("schema", "content", "problem"),
    [
        (List(Int()), '{"x":{}}', "expected an array, got an object"),
        (List(Int()), '{"x":["a"]}', "expected a number"),
        (Map(String(), Int()), '{"x":1}', "expected an array of pairs"),
        (Map(String(), Int()), '{"x":[["a"]]}', "expected a pair"),
        (Map(String(), Int()), '{"x":[["a",1],["a",2]]}', "the same key twice"),
        (Map(String(), Int()), '{"x":[[null,1]]}', "a null key"),
        (Map(Int(), Int()), '{"x":{"1":1}}', "expected an array of pairs"),
        (Bool(), '{"x":1}', "expected true or false"),
        (Float64(), '{"x":"nano"}', "expected a number"),
    ],
)
def test_bad_values_in_jsonl_are_refused(
    tmp_path: Path, schema: Any, content: str, problem: str
) -> None:
    path = written(tmp_path / "t.jsonl", content)
    assert problem in refused(path, Schema.of(Field("x", schema)))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3), max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_a_bad_row_is_named_by_the_line_that_it_ends_on(
    tmp_path_factory: pytest.TempPathFactory, breaks: list[int], end: str
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    rows = [f'{n},"a{end * count}"' for n, count in enumerate(breaks)] + [f'no,"a{end}"']
    written(path, end.join(["x,y", *rows, "3,b", ""]))
    record, line = len(rows), 1 + len(rows) + sum(breaks) + 1
    assert refused(path, XY).startswith(f"{path}, record {record} (line {line}): ")


def test_a_nested_type_cannot_be_a_csv_cell(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "x\n1\n")
    message = refused(path, Schema.of(Field("x", List(Int()))))
    assert message == f"{path}: a list cannot be one cell; use JSONL"


def test_a_line_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE", 100)
    path = written(tmp_path / "t.jsonl", '{"y":"' + "a" * 200 + '"}')
    assert refused(path, XY) == f"{path}, line 1: longer than 100 bytes; use Parquet"


def test_a_file_too_large_to_be_a_value_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MAX_SIZE", 3)
    path = written(tmp_path / "a", "four")
    dataset = open_dataset(tmp_path, records="files")
    assert refusal(lambda: list(dataset.records())) == f"{path}: larger than 3 bytes; split it"


def test_a_file_that_vanishes_after_it_was_digested_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a", "four")
    dataset = open_dataset(tmp_path, records="files")
    path.unlink()
    assert refusal(lambda: list(dataset.records())) == f"{path}: no such file; check the path"


def test_a_column_that_cannot_be_encoded_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": pa.array([b"a" * 16], pa.uuid())}), path)
    assert refused(path).startswith(f"{path}: column 'x': Arrow type extension<arrow.uuid> ")
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    pq.write_table(twice, path)
    assert refused(path) == f"{path}: two fields are named 'x'; rename one"


def test_a_column_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    given = pa.table({"somename": [1]})
    with pa.ipc.new_file(str(path), given.schema) as writer:
        writer.write_table(given)
    path.write_bytes(path.read_bytes().replace(b"somename", b"some\xffame"))
    assert refused(path) == f"{path}: a column's name is no valid UTF-8; rename it"


def test_a_stream_that_changes_its_schema_is_refused() -> None:
    class Changing:
        def __init__(self) -> None:
            self.tables = [pa.table({"x": ["a"]}), pa.table({"x": [1]})]

        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            return self.tables.pop().__arrow_c_stream__()  # type: ignore[no-untyped-call]  # pyarrow's stubs

    dataset = from_stream(Changing())
    assert refusal(lambda: list(dataset.records())).startswith("table: has another schema")


def test_files_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "MAX_FILES", 1)
    for name in ("1.jsonl", "2.jsonl"):
        written(tmp_path / name, '{"x":1}')
    assert "more than 1 files; pack them into fewer" in refused(tmp_path, XY)


def test_without_pyarrow_text_is_read_and_the_rest_says_what_to_install(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl", '{"x":1}')
    written(tmp_path / "t.parquet", "PAR1")
    script = f"""
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from provenance.errors import UnavailableError
from provenance.record import Field, Int, Schema
from storage.readers.datasets import open_dataset
schema = Schema.of(Field("x", Int()))
assert list(open_dataset(Path({str(path)!r}), schema=schema).records()) == [{{"x": 1}}]
try:
    open_dataset(Path({str(tmp_path / "t.parquet")!r}))
except UnavailableError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, cwd=ROOT
    )
    assert found.stdout == "pyarrow is not installed; install rootline-provenance[data]\n"
