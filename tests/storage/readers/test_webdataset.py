"""Samples in tar archives: what becomes a record, and what is refused rather than passed over."""

import gzip
import io
import sys
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, ProvenanceError, UnavailableError
from provenance.record import Bytes, Field, Int, Schema, String, encode_record
from storage.readers import tar
from storage.readers.datasets import Options, open_dataset
from storage.readers.tar import BLOCK

Members = Iterable[tuple[str, bytes]]
SAMPLES: list[tuple[str, bytes]] = [
    ("a/1.jpg", b"one"),
    ("a/1.json", b"{}"),
    ("a/2.seg.png", bytes(1500)),
    ("a/2.jpg", b""),
    ("b/1.jpg", b"three"),
]
RECORDS: list[dict[str, Any]] = [
    {"__key__": "a/1", "jpg": b"one", "json": b"{}", "seg.png": None},
    {"__key__": "a/2", "jpg": b"", "json": None, "seg.png": bytes(1500)},
    {"__key__": "b/1", "jpg": b"three", "json": None, "seg.png": None},
]
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def packed(members: Members, form: int = tarfile.USTAR_FORMAT, **changes: Any) -> bytes:
    """Return a tar archive as the standard library writes it, its members changed like that."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for word, value in changes.items():
                setattr(info, word, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refused(path: Path, schema: Schema | None = None) -> str:
    with pytest.raises(MalformedError) as caught:
        list(open_dataset(path, schema=schema).records())
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def zstd(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("name", "compress"),
    [("t.tar", bytes), ("t.tar.gz", gzip.compress), ("t.tgz", gzip.compress), ("t.tar.zst", zstd)],
)
def test_neighbours_of_one_name_are_a_sample(
    tmp_path: Path, form: int, name: str, compress: Callable[[bytes], bytes]
) -> None:
    path = written(tmp_path / name, compress(packed(SAMPLES, form)))
    dataset = open_dataset(path)
    assert [field.name for field in dataset.schema.fields] == ["__key__", "jpg", "json", "seg.png"]
    assert list(dataset.records()) == RECORDS
    (batch,) = dataset.batches()
    encoded = batch.encoded()
    assert [encoded.one(at) for at in range(3)] == [
        encode_record(dataset.schema, record) for record in RECORDS
    ]


@pytest.mark.parametrize("form", FORMATS[1:])
def test_long_names_and_other_scripts_are_read(tmp_path: Path, form: int) -> None:
    key = "überlang/" + "x" * 200
    path = written(tmp_path / "t.tar", packed([(f"{key}.jpg", b"x")], form))
    assert list(open_dataset(path).records()) == [{"__key__": key, "jpg": b"x"}]


def test_shards_share_the_schema_of_all_their_parts(tmp_path: Path) -> None:
    written(tmp_path / "2.tar", packed([("1.jpg", b"1"), ("1.cls", b"0")]))
    written(tmp_path / "10.tar", packed([("1.png", b"2")]))
    dataset = open_dataset(tmp_path)
    assert [each["png"] for each in dataset.records()] == [None, b"2"]
    assert [field.name for field in dataset.schema.fields] == ["__key__", "cls", "jpg", "png"]


def test_a_declared_schema_spares_the_pass_over_the_headers(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tar", packed(SAMPLES[:1]))
    schema = Schema.of(Field("__key__", String()), Field("jpg", Bytes()), Field("txt", Bytes()))
    record = {"__key__": "a/1", "jpg": b"one", "txt": None}
    assert list(open_dataset(path, schema=schema).records()) == [record]
    written(path, packed(SAMPLES))
    assert "a part 'json' that is not in the declared schema" in refused(path, schema)
    for other in (Schema.of(Field("jpg", Bytes())), Schema.of(Field("__key__", Bytes()))):
        assert "__key__" in refused(path, other)
    assert "a sample has a string" in refused(path, Schema.of(Field("jpg", Int())))


def test_a_sample_whose_name_comes_again_later_is_another(tmp_path: Path) -> None:
    members = [("1.jpg", b"1"), ("2.jpg", b"2"), ("1.txt", b"3")]
    path = written(tmp_path / "t.tar", packed(members))
    assert [each["__key__"] for each in open_dataset(path).records()] == ["1", "2", "1"]


def test_folders_hold_nothing(tmp_path: Path) -> None:
    folder = packed([("a", b"")], type=tarfile.DIRTYPE)[:BLOCK]
    path = written(tmp_path / "t.tar", folder + packed(SAMPLES))
    assert list(open_dataset(path).records()) == RECORDS


def test_a_tar_of_another_name_is_declared(tmp_path: Path) -> None:
    path = written(tmp_path / "shard-0", packed(SAMPLES))
    assert list(open_dataset(path, options=Options(format="tar")).records()) == RECORDS


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/a/1.jpg", "leads out of the archive"),
        ("a/../1.jpg", "leads out of the archive"),
        ("../1.jpg", "leads out of the archive"),
        ("README", "no name of a sample's part"),
        (".jpg", "no name of a sample's part"),
        ("1.", "no name of a sample's part"),
        ("1.__key__", "no name of a sample's part"),
    ],
)
def test_names_that_are_no_parts_are_refused(tmp_path: Path, name: str, problem: str) -> None:
    path = written(tmp_path / "t.tar", packed([("1.jpg", b""), (name, b"")]))
    message = refused(path)
    assert f"member {name!r}" in message
    assert problem in message


def test_a_part_that_a_sample_has_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t.tar", packed([("1.jpg", b"a"), ("1.jpg", b"b")]))
    assert "member '1.jpg': a sample with two parts 'jpg'" in refused(path)


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.LNKTYPE,
        tarfile.SYMTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"Z",
    ],
)
def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path, kind: bytes) -> None:
    link = packed([("1.jpg", b"")], type=kind, linkname="2.jpg")
    path = written(tmp_path / "t.tar", link)
    assert "neither a file nor a folder" in refused(path)


def test_every_cut_of_an_archive_is_noticed(tmp_path: Path) -> None:
    whole = packed(SAMPLES)
    end = len(whole.rstrip(b"\0")) // BLOCK * BLOCK + BLOCK
    for content in (whole[: end + 2 * BLOCK], whole):
        assert list(open_dataset(written(tmp_path / "t.tar", content)).records()) == RECORDS
    for at in (*range(0, end, 100), end, end + 1, end + BLOCK, end + 2 * BLOCK - 1):
        assert refused(written(tmp_path / "t.tar", whole[:at]))


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_every_cut_of_a_compressed_archive_is_noticed(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(packed(SAMPLES))
    for at in range(0, len(whole), 7):
        assert refused(written(tmp_path / "t.tar", whole[:at]))


def test_a_flipped_bit_in_gzip_is_noticed(tmp_path: Path) -> None:
    whole = gzip.compress(packed(SAMPLES), mtime=0)
    for at in range(10, len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        path = written(tmp_path / "t.tar", changed)
        try:
            assert list(open_dataset(path).records()) == RECORDS  # bits that mean nothing
        except MalformedError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    whole = packed(SAMPLES)
    second = whole.index(b"a/1.json")
    for at in range(second, second + BLOCK, 13):
        content = whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]
        assert "at byte" in refused(written(tmp_path / "t.tar", content))


def test_nothing_follows_the_end(tmp_path: Path) -> None:
    whole = packed(SAMPLES)
    assert "several archives in one" in refused(written(tmp_path / "t.tar", whole * 2))
    assert "several archives in one" in refused(written(tmp_path / "t.tar", whole + b"x"))
    single = whole.rstrip(b"\0") + bytes(-len(whole.rstrip(b"\0")) % BLOCK + BLOCK)
    single += b"x" * BLOCK
    assert "a single block of zeros" in refused(written(tmp_path / "t.tar", single))


def pax(records: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, len(records)
    return info.tobuf(tarfile.USTAR_FORMAT) + records + bytes(-len(records) % BLOCK)


@pytest.mark.parametrize(
    ("extended", "problem"),
    [
        (pax(b"12 path=a.b\n"), ""),
        (pax(b"11 mtime=1\n"), ""),
        (pax(b"20 comment=a\nb=c===\n"), ""),
        (pax(b"11 mtime=1\n", tarfile.XGLTYPE), ""),
        (pax(b"12 path=a.b\n", tarfile.XGLTYPE), "for all members at once"),
        (pax(b"13 path=a.b\n"), "damaged"),
        (pax(b"11 path=a.b\n"), "damaged"),
        (pax(b"012 path=a.b\n"), "damaged"),
        (pax(b"99999999 path=a.b\n"), "damaged"),
        (pax(b"x"), "damaged"),
        (pax(b"8 patha\n"), "damaged"),
        (pax(b"12 path=\xff.b\n"), "no UTF-8"),
        (pax(b"11 size=-1\n"), "a size of '-1'"),
        (pax(b"12 size=1_0\n"), "a size of '1_0'"),
        (pax(b"23 size=99999999999999\n"), "a size of '99999999999999'"),
        (pax(b"21 hdrcharset=BINARY\n"), "an extended header 'hdrcharset'"),
        (pax(b"22 GNU.sparse.major=1\n"), "an extended header 'GNU.sparse.major'"),
        (pax(b"25 SCHILY.realsize=10000\n"), "an extended header 'SCHILY.realsize'"),
    ],
)
def test_extended_headers_say_names_and_sizes_alone(
    tmp_path: Path, extended: bytes, problem: str
) -> None:
    path = written(tmp_path / "t.tar", extended + packed([("1.jpg", b"")]))
    if problem:
        assert problem in refused(path)
    else:
        assert len(list(open_dataset(path).records())) == 1


def test_an_extended_header_needs_a_member_and_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "t.tar", pax(b"12 path=a.b\n") + packed([]))
    assert "an extended header without a member" in refused(path)
    monkeypatch.setattr(tar, "MAX_HEADER", 11)
    assert "an extended header of 12 bytes; at most 11" in refused(path)


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1.jpg")
    info.name = "\udcff.jpg"
    header = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")
    assert "a name that is no UTF-8" in refused(written(tmp_path / "t.tar", header + bytes(1024)))


def test_a_size_is_not_believed_before_the_bytes_are_there(tmp_path: Path) -> None:
    info = tarfile.TarInfo("1.jpg")
    info.size = 2**32 - 1
    path = written(tmp_path / "t.tar", info.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    assert "cut off" in refused(path, Schema.of(Field("__key__", String()), Field("jpg", Bytes())))
    info.size = 2**32
    written(path, info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert "at most 4294967295 bytes" in refused(path)


def test_a_large_member_is_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar, "PIECE", 100)
    path = written(tmp_path / "t.tar", packed(SAMPLES))
    assert list(open_dataset(path).records()) == RECORDS
    assert "cut off" in refused(written(path, packed(SAMPLES)[: 6 * BLOCK + 700]))


def test_without_pyarrow_zstd_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = written(tmp_path / "t.tar", packed(SAMPLES))
    squeezed = written(tmp_path / "t.tar.zst", zstd(packed(SAMPLES)))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert list(open_dataset(plain).records()) == RECORDS
    with pytest.raises(UnavailableError, match=r"t\.tar\.zst: pyarrow is not installed; install"):
        open_dataset(squeezed)


NAMES = st.text("ab./é", min_size=1, max_size=8)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(NAMES, st.binary(max_size=600)), min_size=1, max_size=5))
def test_members_are_those_of_the_standard_library(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.tar"
    path.write_bytes(packed(members, tarfile.PAX_FORMAT))
    try:
        found = list(open_dataset(path).records())
    except ProvenanceError:
        return
    with tarfile.open(path) as archive:
        expected = {
            (each.name, (archive.extractfile(each) or io.BytesIO()).read())
            for each in archive
            if each.isfile()
        }
    assert expected == {
        (f"{record['__key__']!s}.{part}", content)
        for record in found
        for part, content in record.items()
        if part != "__key__" and content is not None
    }


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_changed_byte_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(packed(SAMPLES, data.draw(st.sampled_from(FORMATS))))
    at = data.draw(st.integers(0, 8 * BLOCK))
    content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("t") / "t.tar"
    path.write_bytes(content)
    try:
        list(open_dataset(path).records())
    except ProvenanceError as error:
        assert str(path) in str(error)  # noqa: PT017  # most changes are refused, not all
