"""An archive has one spelling; whatever else a ZIP file can be is refused."""

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import archive
from provenance.errors import MalformedError

MEMBERS = {"b.json": b"{}", "a/one.bin": bytes(range(256)), "manifest.json": b""}
HEADER = 30
PATHS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=128)


def zipped(write: Callable[[zipfile.ZipFile], None], comment: bytes = b"") -> bytes:
    """Return what another program writes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        write(file)
        file.comment = comment
    return buffer.getvalue()


def info(path: str, **values: object) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(path)
    found.create_system, found.external_attr = 3, 0o644 << 16
    for name, value in values.items():
        setattr(found, name, value)
    return found


@settings(deadline=None)
@given(st.dictionaries(PATHS, st.binary(max_size=64), min_size=1, max_size=6))
def test_members_come_back_and_any_unzip_reads_them(members: dict[str, bytes]) -> None:
    data = archive.write(members)
    assert archive.read(data) == members
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert {path: file.read(path) for path in file.namelist()} == members
        assert file.testzip() is None


def test_it_is_what_pythons_zipfile_writes() -> None:
    def write(file: zipfile.ZipFile) -> None:
        for path, data in sorted(MEMBERS.items()):
            file.writestr(info(path), data)

    assert zipped(write) == archive.write(MEMBERS)


@settings(deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=80).map(lambda rest: b"PK\3\4" + rest))
def test_other_bytes_are_refused_and_nothing_else_escapes(data: bytes) -> None:
    with pytest.raises(MalformedError):
        archive.read(data)


def test_every_truncation_is_refused() -> None:
    data = archive.write(MEMBERS)
    for size in range(len(data)):
        with pytest.raises(MalformedError):
            archive.read(data[:size])


def test_every_changed_byte_is_refused() -> None:
    """Or, inside a member's bytes under its checksum, at least noticed."""
    data = archive.write(MEMBERS)
    for place in range(len(data)):
        for bit in (1, 128):
            changed = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
            with pytest.raises(MalformedError):
                archive.read(changed)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"\0",
        lambda data: data + data,
        lambda data: b"\0" + data,
        lambda data: b"#!/bin/sh\n" + data,
        lambda data: data[:-2] + b"\3\0abc",
    ],
    ids=["trailing byte", "twice", "leading byte", "script in front", "comment"],
)
def test_bytes_around_the_archive_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedError):
        archive.read(spoil(archive.write(MEMBERS)))


def deflated(file: zipfile.ZipFile) -> None:
    file.writestr(info("a"), bytes(10**7), zipfile.ZIP_DEFLATED)


def with_extra(file: zipfile.ZipFile) -> None:
    file.writestr(info("a", extra=b"\1\0\2\0xy"), b"")


def out_of_order(file: zipfile.ZipFile) -> None:
    file.writestr(info("b"), b"1")
    file.writestr(info("a"), b"2")


def executable(file: zipfile.ZipFile) -> None:
    file.writestr(info("a", external_attr=0o755 << 16), b"")


def symbolic_link(file: zipfile.ZipFile) -> None:
    file.writestr(info("a", external_attr=0o120777 << 16), b"/etc/passwd")


def dated(file: zipfile.ZipFile) -> None:
    file.writestr(info("a", date_time=(2026, 1, 1, 0, 0, 0)), b"")


def commented(file: zipfile.ZipFile) -> None:
    file.writestr(info("a", comment=b"hello"), b"")


def twice(file: zipfile.ZipFile) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the writer of this attack warns of itself
        file.writestr(info("a"), b"1")
        file.writestr(info("a"), b"2")


def not_ascii(file: zipfile.ZipFile) -> None:
    file.writestr(info("ä"), b"")


def folder(file: zipfile.ZipFile) -> None:
    file.writestr(info("a/", external_attr=0o040755 << 16 | 0x10), b"")


@pytest.mark.parametrize(
    "write",
    [
        deflated,
        with_extra,
        out_of_order,
        executable,
        symbolic_link,
        dated,
        commented,
        twice,
        not_ascii,
        folder,
        lambda _: None,
    ],
)
def test_other_spellings_are_refused(write: Callable[[zipfile.ZipFile], None]) -> None:
    with pytest.raises(MalformedError):
        archive.read(zipped(write))


def patched(data: bytes, at: int, layout: str, value: int) -> bytes:
    return data[:at] + struct.pack(layout, value) + data[at + struct.calcsize(layout) :]


@pytest.mark.parametrize(
    ("at", "layout", "value", "words"),
    [
        (6, "<H", 1, "encrypted"),
        (6, "<H", 8, "encrypted"),
        (8, "<H", 8, "compressed"),
        (18, "<I", 2**32 - 1, "compressed"),
        (28, "<H", 4, "extra fields"),
        (26, "<H", 60_000, "truncated within a member"),
        (14, "<I", 0, "not in its one form"),
    ],
)
def test_a_local_header_that_says_something_else_is_refused(
    at: int, layout: str, value: int, words: str
) -> None:
    data = patched(archive.write(MEMBERS), at, layout, value)
    with pytest.raises(MalformedError, match=words):
        archive.read(data)


def test_sizes_beyond_the_file_are_refused_before_anything_is_made() -> None:
    data = archive.write(MEMBERS)
    for size in (2**31, 2**32 - 1):
        bomb = patched(patched(data, 18, "<I", size), 22, "<I", size)
        with pytest.raises(MalformedError, match="truncated within a member"):
            archive.read(bomb)


def test_a_directory_that_disagrees_with_the_members_is_refused() -> None:
    """Programs that read the directory would see other members than those that stream."""
    data = archive.write(MEMBERS)
    directory = data.index(b"PK\1\2")
    for at, value in ((24, 7), (42, 0), (42, 2**32 - 1), (20, 9)):
        old = struct.unpack_from("<I", data, directory + at)[0]
        if value != old:
            with pytest.raises(MalformedError, match="not in its one form"):
                archive.read(patched(data, directory + at, "<I", value))
    hidden = data[:directory] + archive.write({"c": b""})[31:]
    with pytest.raises(MalformedError):
        archive.read(hidden)


def test_overlapping_members_are_refused() -> None:
    """As in David Fifield's bombs: many directory entries, one body."""
    one = archive.write({"a": bytes(64)})
    directory = one.index(b"PK\1\2")
    entry = one[directory : one.index(b"PK\5\6")]
    renamed = entry[:-1] + b"b"
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, 2 * len(entry), directory, 0)
    with pytest.raises(MalformedError, match="not in its one form"):
        archive.read(one[:directory] + entry + renamed + end)


def test_paths_are_short_ascii_and_not_empty() -> None:
    for path in ("", "a" * 129, "ä", "a\u0000b\u0101"):
        with pytest.raises(MalformedError, match="1 to 128 ASCII"):
            archive.write({path: b""})
    data = archive.write({"ab": b""})
    with pytest.raises(MalformedError, match="not ASCII"):
        archive.read(data[:HEADER] + b"\xff\xff" + data[HEADER + 2 :])


def test_limits_hold_for_writer_and_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive.write({str(n): bytes(100) for n in range(4)})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(MalformedError, match="more than 3 members"):
        archive.read(data)
    with pytest.raises(MalformedError, match="at most 3"):
        archive.write({str(n): b"" for n in range(4)})
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 300)
    with pytest.raises(MalformedError, match="at most 300 are read"):
        archive.read(data)
    with pytest.raises(MalformedError, match="more than 300 bytes"):
        archive.write({str(n): bytes(150) for n in range(2)})
