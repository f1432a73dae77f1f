"""Datasets in S3, served by moto on this machine; and stores that fail, change and come back."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.record import Field, Int, Schema, String
from storage.readers.datasets import Options, open_dataset
from storage.readers.digests import Digests
from storage.readers.ipc import ipc
from storage.readers.jsonlines import JsonLinesSource
from storage.readers.parquet import parquet as parquet_records
from storage.readers.remote import RemoteFile, RemoteStore
from storage.readers.retry import Retry

SCHEMA = Schema.of(Field("x", Int()), Field("y", String()))
TABLE = pa.table({"x": list(range(5000)), "y": [str(n) for n in range(5000)]})
NO_WAIT = Retry((0.0, 0.0), lambda _: None)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Give the URL of an S3 server, in a process of its own."""
    pytest.importorskip("moto.server", reason="moto is not installed: uv sync, or make .venv/ready")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as server:
        try:
            assert server.stderr is not None
            while b"Running on" not in (line := server.stderr.readline()):
                assert line, "moto did not start"
            Thread(target=server.stderr.read, daemon=True).start()  # or the pipe fills up
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> fs.S3FileSystem:
    """Return an empty S3, which the environment leads to."""
    for word, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(word, value)
    for word in ("AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_NO_SIGN_REQUEST"):
        monkeypatch.delenv(word, raising=False)
    request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")  # noqa: S310  # loopback
    urllib.request.urlopen(request).close()  # noqa: S310
    filesystem = fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True)
    filesystem.create_dir("bucket")
    return filesystem


def put(filesystem: fs.FileSystem, path: str, content: bytes) -> None:
    with filesystem.open_output_stream(path) as stream:
        stream.write(content)


def columns(table: pa.Table, write: Callable[[pa.Table, Any], None]) -> bytes:
    out = BytesIO()
    write(table, out)
    return out.getvalue()


def arrow(table: pa.Table, out: Any) -> None:
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def arrows(table: pa.Table, out: Any) -> None:
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def parquet(table: pa.Table, out: Any) -> None:
    pq.write_table(table, out, row_group_size=900)


def jsonl(table: pa.Table) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in table.to_pylist()).encode()


def csv(table: pa.Table) -> bytes:
    rows = "".join(f"{row['x']},{row['y']}\n" for row in table.to_pylist())
    return f"x,y\n{rows}".encode()


CONTENTS = {
    "t.parquet": columns(TABLE, parquet),
    "t.arrow": columns(TABLE, arrow),
    "t.arrows": columns(TABLE, arrows),
    "t.jsonl": jsonl(TABLE),
    "t.csv": csv(TABLE),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_every_format_is_read_from_s3(s3: fs.S3FileSystem, name: str) -> None:
    content = CONTENTS[name]
    put(s3, f"bucket/data/{name}", content)
    dataset = open_dataset(f"s3://bucket/data/{name}", schema=SCHEMA)
    assert list(dataset.records()) == TABLE.to_pylist()
    (file,) = dataset.files
    assert (file.path, file.size, file.sha256) == (name, len(content), sha256(content).digest())
    found = [row["x"] for batch in dataset.batches(4321) for row in batch.records()]
    assert found == list(range(4321, 5000))
    assert dataset.count() == (5000 if name == "t.parquet" else None)


def test_a_folder_in_s3_is_read_in_natural_order(s3: fs.S3FileSystem) -> None:
    for at in (10, 9, 1):
        put(s3, f"bucket/a/part-{at}.jsonl", b'{"x":%d}\n' % at)
    for name in ("a/_SUCCESS", "a/.hidden/x.jsonl", "ab.jsonl"):
        put(s3, f"bucket/{name}", b"")
    s3.create_dir("bucket/a/empty")
    for url in ("s3://bucket/a", "s3://bucket/a/"):
        dataset = open_dataset(url, schema=SCHEMA)
        assert [row["x"] for row in dataset.records()] == [1, 9, 10]
        assert [file.path for file in dataset.files] == [f"part-{n}.jsonl" for n in (1, 9, 10)]
    some = open_dataset("s3://bucket/a", schema=SCHEMA, options=Options(include="*-1*"))
    assert [row["x"] for row in some.records()] == [1, 10]
    listed = ["s3://bucket/a/part-10.jsonl", "s3://bucket/a/part-9.jsonl"]
    given = open_dataset(listed, schema=SCHEMA, order="given")
    assert [row["x"] for row in given.records()] == [10, 9]
    assert open_dataset(listed, schema=SCHEMA).files == given.files[::-1]


def test_objects_are_records_as_files_are(s3: fs.S3FileSystem, tmp_path: Path) -> None:
    for name in ("a/10.png", "a/9.png", ".b"):
        put(s3, f"bucket/d/{name}", name.encode())
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    here, there = (open_dataset(at, records="files") for at in (tmp_path, "s3://bucket/d"))
    assert list(there.records()) == list(here.records())
    assert there.files == here.files


def test_an_object_that_changes_is_refused(s3: fs.S3FileSystem) -> None:
    put(s3, "bucket/t.jsonl", b'{"x":1}\n')
    dataset = open_dataset("s3://bucket/t.jsonl", schema=SCHEMA)
    identity = dataset.sources[0].identity
    assert identity == open_dataset("s3://bucket/t.jsonl", schema=SCHEMA).sources[0].identity
    put(s3, "bucket/t.jsonl", b'{"x":2}\n')
    for read in (lambda: list(dataset.records()), lambda: dataset.files):
        with pytest.raises(MalformedError, match=r"^s3://bucket/t\.jsonl: changed while it was"):
            read()
    assert identity != open_dataset("s3://bucket/t.jsonl", schema=SCHEMA).sources[0].identity


def test_an_object_that_changes_while_it_is_read_is_refused(s3: fs.S3FileSystem) -> None:
    put(s3, "bucket/t.csv", CONTENTS["t.csv"])
    batches = open_dataset("s3://bucket/t.csv", schema=SCHEMA).batches()
    next(batches)
    put(s3, "bucket/t.csv", CONTENTS["t.csv"] + b"5000,5000\n")
    with pytest.raises(MalformedError, match="changed while it was read; register again"):
        list(batches)


def test_a_digest_that_is_known_beforehand_must_come_out(s3: fs.S3FileSystem) -> None:
    put(s3, "bucket/t.csv", b"x,y\n1,a\n")
    for content, right in ((b"x,y\n1,a\n", True), (b"x,y\n1,b\n", False)):
        expected = {"t.csv": sha256(content).digest()}
        dataset = open_dataset("s3://bucket/t.csv", schema=SCHEMA, expected=expected)
        if right:
            assert dataset.files[0].sha256 == expected["t.csv"]
        else:
            with pytest.raises(VerificationError, match=r"t\.csv: its SHA-256 is .* as expected"):
                _ = dataset.files


@pytest.mark.parametrize("url", ["s3://bucket/gone.csv", "s3://nowhere/x.csv", "s3://bucket/a/"])
def test_what_is_not_there_is_named(s3: fs.S3FileSystem, url: str) -> None:
    assert s3.type_name == "s3"
    with pytest.raises(MalformedError, match="no such file; check the"):
        open_dataset(url, schema=SCHEMA)


def test_stores_are_not_mixed(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="take one or the other"):
        open_dataset(["s3://a/b.csv", tmp_path / "b.csv"], schema=SCHEMA)
    with pytest.raises(MalformedError, match="take one store at a time"):
        open_dataset(["s3://a/b.csv", "gs://a/b.csv"], schema=SCHEMA)
    with pytest.raises(MalformedError, match=r"^nonsense://a: .*; check the URL"):
        open_dataset("nonsense://a", schema=SCHEMA)


def test_a_store_that_is_down_is_asked_again_and_then_named(
    s3: fs.S3FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert s3.type_name == "s3"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    waits: list[float] = []
    options = Options(retry=Retry((1.0, 2.0), waits.append))
    with pytest.raises(UnavailableError, match=r"^s3://bucket/t\.csv: .* after 3 tries: .*again"):
        open_dataset("s3://bucket/t.csv", schema=SCHEMA, options=options)
    assert waits == [1.0, 2.0]


def test_what_fsspec_knows_is_read_as_well() -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/rootline-test/1.csv", b"x,y\n1,a\n")
    memory.pipe("/rootline-test/2.csv", b"x,y\n2,a\n")
    try:
        dataset = open_dataset("fsspec+memory:///rootline-test", schema=SCHEMA)
        assert [row["x"] for row in dataset.records()] == [1, 2]
        assert [file.path for file in dataset.files] == ["1.csv", "2.csv"]
    finally:
        memory.rm("/rootline-test", recursive=True)


@dataclass
class Held:
    """An object of which reading fails as often as it is told to; `asked` counts all readings."""

    content: bytes
    failures: int = 0
    asked: int = 0

    def open(self, _: str) -> pa.NativeFile:
        return pa.PythonFile(Flaky(self), "r")  # type: ignore[arg-type]  # reads, seeks and tells


class Flaky:
    def __init__(self, held: Held) -> None:
        self.held, self.file, self.closed = held, BytesIO(held.content), False
        self.seek, self.tell = self.file.seek, self.file.tell

    def read(self, size: int = -1) -> bytes:
        self.held.asked += 1
        if self.held.failures:
            self.held.failures -= 1
            raise OSError("AWS Error SLOW_DOWN during GetObject operation:\nReduce your rate")
        return self.file.read(size)

    def close(self) -> None:
        self.closed = True


def flaky(name: str, failures: int) -> tuple[Held, RemoteFile]:
    """Return a file in a store whose first readings fail."""
    held = Held(CONTENTS[name])
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe(f"/flaky/{name}", held.content)
    handler = fs.FSSpecHandler(memory)  # type: ignore[abstract]  # the stubs call it that
    handler.open_input_file = held.open  # type: ignore[method-assign,assignment]
    store = RemoteStore(fs.PyFileSystem(handler), "memory://", NO_WAIT)
    found = RemoteFile.of(store, "/flaky", name)
    held.failures = failures
    return held, found


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.arrows"])
def test_a_range_that_fails_is_asked_for_again(name: str) -> None:
    held, file = flaky(name, 2)
    read = parquet_records if name == "t.parquet" else ipc
    rows = [row for batch in read(file, None).batches() for row in batch.records()]
    assert rows == TABLE.to_pylist()
    assert held.failures == 0


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.arrows"])
def test_an_object_that_cannot_be_read_is_named(name: str) -> None:
    held, file = flaky(name, 0)
    read = parquet_records if name == "t.parquet" else ipc
    source = read(file, None)
    held.failures, held.asked = 1000, 0
    message = rf"^memory:///flaky/{name}: cannot be read after 3 tries: AWS Error SLOW_DOWN .*"
    with pytest.raises(UnavailableError, match=message) as caught:
        list(source.batches())
    assert "\n" not in str(caught.value)
    assert held.asked == 3


def test_text_and_digests_ask_again_as_well() -> None:
    _, file = flaky("t.jsonl", 2)
    source = JsonLinesSource(file, SCHEMA)
    assert [row for batch in source.batches() for row in batch.records()] == TABLE.to_pylist()
    held, file = flaky("t.csv", 2)
    assert Digests((file,)).all()[0].sha256 == sha256(CONTENTS["t.csv"]).digest()
    held.failures = 3
    with pytest.raises(UnavailableError, match="run it again to go on where it stopped"):
        Digests((file,)).all()


def test_an_object_that_is_shorter_than_it_was_is_refused() -> None:
    held, file = flaky("t.csv", 0)
    held.content = held.content[:100]
    with file.open() as opened, pytest.raises(MalformedError, match="changed while it was read"):
        opened.read()


@given(st.lists(st.tuples(st.sampled_from(["read", "set", "move", "end"]), st.integers(-9, 30))))
def test_ranges_read_as_a_file_does(steps: list[tuple[str, int]]) -> None:
    _, remote_file = flaky("t.csv", 0)
    content = CONTENTS["t.csv"]
    with remote_file.open() as opened:
        here = BytesIO(content)
        for step, number in steps:
            if step == "read":
                assert opened.read(max(number, -1)) == here.read(max(number, -1))
            else:
                whence = {"set": os.SEEK_SET, "move": os.SEEK_CUR, "end": os.SEEK_END}[step]
                base = {"set": 0, "move": here.tell(), "end": len(content)}[step]
                assert opened.seek(number, whence) == here.seek(max(base + number, 0))
            assert opened.tell() == here.tell()


def test_what_is_gone_is_not_asked_for_again() -> None:
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        NO_WAIT("s3://a/b", ask)
    assert len(asked) == 1


@pytest.mark.parametrize(("failures", "waited"), [(0, []), (1, [1.0]), (2, [1.0, 2.0])])
def test_each_wait_is_longer_until_it_comes(failures: int, waited: list[float]) -> None:
    left, waits = [failures], list[float]()

    def ask() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise OSError("no")
        return "here"

    assert Retry((1.0, 2.0), waits.append)("s3://a/b", ask) == "here"
    assert waits == waited


def test_an_object_of_which_only_the_size_is_told_is_never_taken_for_the_same() -> None:
    _, first = flaky("t.arrow", 0)
    _, second = flaky("t.arrow", 0)
    assert first.stamp == second.stamp
    assert first.identity != second.identity
