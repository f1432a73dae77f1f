"""Digests of files: when they are computed, from which bytes, and what a change does to them."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.encoding import encoder
from provenance.errors import MalformedError, VerificationError
from provenance.record import Field, Int, Schema
from storage.readers.datasets import Dataset, Options, open_dataset
from storage.readers.digests import Digests
from storage.readers.files import LocalFile, Opened

SCHEMA = Schema.of(Field("x", Int()))


def digest(content: bytes) -> bytes:
    return sha256(content).digest()


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    for name in ("1.jsonl", "2.jsonl"):
        (tmp_path / name).write_bytes(b'{"x":%b}\n' % name[:1].encode())
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note which files are opened."""
    names: list[str] = []
    real_open, real_read = LocalFile.open, LocalFile.read

    def noted_open(self: LocalFile) -> Opened:
        names.append(self.path)
        return real_open(self)

    def noted_read(self: LocalFile) -> bytes:
        names.append(self.path)
        return real_read(self)

    monkeypatch.setattr(LocalFile, "open", noted_open)
    monkeypatch.setattr(LocalFile, "read", noted_read)
    return names


def test_opening_a_dataset_reads_no_file(lines: Path, opened: list[str]) -> None:
    dataset = open_dataset(lines, schema=SCHEMA)
    assert opened == []
    assert not dataset.is_digested_by_reading
    for number in (1, 2):
        content = b'{"x":%d}\n' % number
        file = dataset.files[number - 1]
        assert (file.path, file.size) == (f"{number}.jsonl", len(content))
        assert file.sha256 == digest(content)
    assert sorted(opened) == ["1.jsonl", "2.jsonl"]
    found = os.stat(lines / "1.jsonl")  # noqa: PTH116
    stamp = f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
    assert dataset.files[0].identity == f"{lines}/1.jsonl {stamp}"


def test_files_that_are_records_are_read_once(lines: Path, opened: list[str]) -> None:
    dataset = open_dataset(lines, records="files")
    assert dataset.is_digested_by_reading
    assert dataset.count() == 2
    for batch in dataset.batches():
        encoded = batch.encoded()
        records = batch.records()
        assert [encoded.one(at) for at in range(2)] == list(map(encoder(dataset.schema), records))
    assert opened == ["1.jsonl", "2.jsonl"]
    assert [file.sha256 for file in dataset.files] == [digest(b'{"x":1}\n'), digest(b'{"x":2}\n')]
    assert opened == ["1.jsonl", "2.jsonl"]
    unread = open_dataset(lines, records="files")
    assert unread.files == dataset.files


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5), st.integers(1, 3))
def test_digests_are_those_of_the_bytes(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], threads: int
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for at, content in enumerate(contents):
        (folder / str(at)).write_bytes(content)
    files = [LocalFile.of(str(folder), str(at)) for at in range(len(contents))]
    found = Digests(files).all(threads)
    assert [file.sha256 for file in found] == [digest(content) for content in contents]
    assert [file.read() for file in files] == contents


def test_a_file_that_comes_in_pieces_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    file, read = LocalFile.of(str(tmp_path), "a"), os.read
    monkeypatch.setattr(os, "read", lambda descriptor, count: read(descriptor, min(count, 3)))
    assert file.read() == b"0123456789"


def replace(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def restore_times(path: Path) -> None:
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def truncate(path: Path) -> None:
    os.truncate(path, 3)


CHANGES = [replace, restore_times, append, truncate]
READINGS: list[Callable[[Dataset], Any]] = [
    lambda dataset: list(dataset.records()),
    lambda dataset: [batch.encoded() for batch in dataset.batches()],
    lambda dataset: dataset.files,
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("records", ["rows", "files"])
def test_a_file_that_changes_is_named(
    lines: Path, change: Callable[[Path], None], read: Callable[[Dataset], Any], records: str
) -> None:
    schema = SCHEMA if records == "rows" else None
    dataset = open_dataset(lines, schema=schema, records=records, options=Options(include="*l"))
    identities = [source.identity for source in dataset.sources]
    change(lines / "2.jsonl")
    message = r"2\.jsonl: changed while it was read; register again$"
    with pytest.raises(MalformedError, match=message):
        read(dataset)
    again = open_dataset(lines, schema=schema, records=records, options=Options(include="*l"))
    assert [source.identity for source in again.sources] != identities


def test_a_file_that_changes_between_its_batches_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"x":1}\n' * 40_000)
    batches = open_dataset(path, schema=SCHEMA).batches()
    next(batches)
    with path.open("a") as file:
        file.write('{"x":2}\n')
    with pytest.raises(MalformedError, match="changed while it was read; register again"):
        list(batches)


@pytest.mark.parametrize("read", READINGS[1:])
@pytest.mark.parametrize("records", ["rows", "files"])
def test_another_digest_than_expected_is_refused(
    lines: Path, read: Callable[[Dataset], Any], records: str
) -> None:
    schema = SCHEMA if records == "rows" else None
    right = {f"{n}.jsonl": digest(b'{"x":%d}\n' % n) for n in (1, 2)}
    assert open_dataset(lines, schema=schema, records=records, expected=right).files
    wrong = {"2.jsonl": digest(b"other")}
    dataset = open_dataset(lines, schema=schema, records=records, expected=wrong)
    if records == "files" or read is READINGS[2]:
        with pytest.raises(VerificationError, match=r"2\.jsonl: its SHA-256 is [0-9a-f]{64}, not"):
            read(dataset)


def test_how_a_file_is_read_is_part_of_its_identity(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x\n1\n")
    found = {
        open_dataset(path, schema=SCHEMA, options=options).sources[0].identity
        for options in (Options(), Options(null="1"), Options(delimiter=";"))
    }
    assert len(found) == 3


def test_a_folder_of_files_is_itself_as_long_as_its_files_are(lines: Path) -> None:
    one, two = (open_dataset(lines, records="files").sources[0].identity for _ in range(2))
    assert one == two
    (lines / "3").touch()
    assert open_dataset(lines, records="files").sources[0].identity != one
