"""Index files: written from keys in any order, read without trust."""

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.errors import (
    MalformedError,
    ProvenanceError,
    RootMismatchError,
    UnavailableError,
    VerificationError,
)
from provenance.exclusion import ExclusionIndex, prove_absence, prove_presence
from provenance.exclusion_arrays import exact_keys, key_array
from provenance.exclusion_key import ExclusionKey, index_leaf, index_salt
from provenance.exclusion_proof import verify_absence, verify_presence
from provenance.field import ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.poseidon import poseidon
from storage.index_builder import IndexBuilder
from storage.index_file import IndexFile

ROOT: Final = Path(__file__).parents[2]
CASE: Final[dict[str, Any]] = json.loads(
    (ROOT / "tests" / "vectors" / "index-file.json").read_text()
)["cases"][0]
FILE: Final = bytes.fromhex(CASE["file"])
KEYS: Final = [ExclusionKey(bytes.fromhex(each)) for each in CASE["keys"]]
SECRET: Final = DatasetKey(bytes.fromhex(CASE["dataset_key"]))
ROWS: Final = 64 + 3 * 32

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2**248 - 1, 2**247, 2**247 - 1]),
    st.integers(0, 63).map(lambda number: number << 242),
    st.integers(0, 63).map(lambda number: 0xABCDE << 228 | number << 220),
)


def as_key(number: int) -> ExclusionKey:
    return ExclusionKey(number.to_bytes(31, "big"))


def built(folder: Path, keys: Sequence[bytes], run: int = 1000, threads: int = 1) -> IndexFile:
    with IndexBuilder(folder, SECRET, run=run, threads=threads) as builder:
        builder.add(key_array(keys))
        return builder.finish()


def naive_file(keys: Sequence[ExclusionKey], secret: DatasetKey) -> bytes:
    """Write the format as its page says, at once."""
    ordered = sorted(set(keys))
    rows = [(ZERO, ZERO)] * len(ordered)

    def root(low: int, high: int, depth: int) -> FieldElement:
        if high - low < 2:
            return (
                index_leaf(ordered[low], index_salt(secret, ordered[low])) if high > low else ZERO
            )
        middle = low + sum(not key.bit(depth) for key in ordered[low:high])
        inputs = root(low, middle, depth + 1), root(middle, high, depth + 1)
        if all(inputs):
            rows[middle] = inputs
        return poseidon(*inputs)

    top = root(0, len(ordered), 0)
    head = b"RL-index" + struct.pack(">IIQQ", 1, 0, len(ordered), 0) + top.encoded
    body = b"".join(b"\0" + key for key in ordered)
    return head + body + b"".join(left.encoded + right.encoded for left, right in rows)


def test_the_vector_is_written_and_read(tmp_path: Path) -> None:
    file = built(tmp_path, KEYS[::-1])
    assert file.path.name == CASE["root"] + ".index"
    assert file.path.read_bytes() == FILE == naive_file(KEYS, SECRET)
    assert (file.count, file.root.hex) == (3, CASE["root"])
    file.verify(SECRET)


@given(st.lists(NUMBERS, max_size=8), st.integers(1, 8), st.integers(0, 3))
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_file_is_that_of_the_page_and_proves_what_the_index_does(
    tmp_path: Path, numbers: list[int], run: int, threads: int
) -> None:
    keys = [as_key(number) for number in numbers]
    built(tmp_path, keys, run, threads)
    index = ExclusionIndex.build(keys, SECRET)
    file = IndexFile.find(tmp_path, index.root)
    assert file.path.read_bytes() == naive_file(keys, SECRET)
    file.verify(SECRET, threads)
    beside = [as_key(number ^ 1 << 230) for number in numbers]
    wanted = [*keys, *beside, as_key(3)]
    assert file.present(key_array(wanted)).tolist() == [key in keys for key in wanted]
    proofs = dict(file.prover(SECRET).prove_many(wanted))
    assert all(proofs[key] == index.prove(key) for key in wanted)


def test_an_index_of_records_is_proved_from_its_file(tmp_path: Path) -> None:
    contents = np.random.default_rng(3).integers(0, 256, (300, 32), dtype=np.uint8)
    with IndexBuilder(tmp_path, SECRET, run=64) as builder:
        for batch in np.array_split(contents[:200], 7):
            builder.add(exact_keys(batch))
        file = builder.finish()
    index = ExclusionIndex.build(
        (ExclusionKey(key.tobytes()) for key in exact_keys(contents[:200])), SECRET
    )
    entry = index.entry("exact/1", "", 0)
    assert file.entry("exact/1", "", 0) == entry
    prover = IndexFile.find(tmp_path, entry.root).prover(SECRET)
    for number in (0, 77, 199):
        value = contents[number].tobytes()
        verify_presence(value, prove_presence(prover, entry.key(value)), entry)
    for number in (200, 250, 299):
        value = contents[number].tobytes()
        verify_absence(value, prove_absence(prover, entry.key(value)), entry)
        with pytest.raises(VerificationError, match="not in the index"):
            prove_presence(prover, entry.key(value))


def test_blocks_of_many_keys_give_the_same_file_with_threads(tmp_path: Path) -> None:
    keys = np.random.default_rng(4).integers(0, 256, (3000, 31), dtype=np.uint8)
    keys[:1500, :3] = 0xAB  # half of them under one prefix
    one = built(tmp_path, [key.tobytes() for key in keys], run=500, threads=1)
    expected = one.path.read_bytes()
    one.path.unlink()
    other = built(tmp_path, [key.tobytes() for key in keys[::-1]], run=700, threads=2)
    assert other.path.read_bytes() == expected


def test_an_index_without_keys_is_a_file_too(tmp_path: Path) -> None:
    file = built(tmp_path, [])
    assert (file.root, file.count, file.path.stat().st_size) == (ZERO, 0, 64)
    file.verify(SECRET)
    assert IndexFile.find(tmp_path, ZERO).present(key_array(KEYS)).tolist() == [False] * 3
    assert prove_absence(file.prover(SECRET), KEYS[0]).siblings == ()


def test_writing_again_gives_the_same_file_for_its_owner_alone(tmp_path: Path) -> None:
    first, again = built(tmp_path, KEYS), built(tmp_path, KEYS * 2)
    assert first.path == again.path
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]
    assert first.path.stat().st_mode & 0o777 == 0o600


# Failures leave nothing


def fail_after_spilling(folder: Path) -> None:
    with IndexBuilder(folder, SECRET, run=10) as builder:
        builder.add(key_array(as_key(number) for number in range(100)))
        assert len(list(folder.iterdir())) == 1
        raise KeyError


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        fail_after_spilling(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_builder_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".left.tmp").write_bytes(b"keys of a killed run")
    file = built(tmp_path, KEYS)
    assert list(tmp_path.iterdir()) == [file.path]


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from provenance.errors import UnavailableError
from provenance.leaf import DatasetKey
from storage.index_builder import IndexBuilder
size, run = int(sys.argv[2]), int(sys.argv[3])
import sys; sys.dont_write_bytecode = True  # Python would keep half a module
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
keys = np.random.default_rng(1).integers(0, 256, (400, 31), dtype=np.uint8)
try:
    with IndexBuilder(Path(sys.argv[1]), DatasetKey(bytes(32)), run=run) as builder:
        builder.add(keys)
        print("sorted")
        builder.finish()
except UnavailableError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("size", "run", "said"),
    [(3000, 100, 1), (12_850, 100, 2), (3000, 1000, 2), (13_000, 100, 2)],
    ids=["while sorting", "while keys are written", "from memory", "while rows are written"],
)
def test_a_full_disk_is_said_in_a_line_and_leaves_nothing(
    tmp_path: Path, size: int, run: int, said: int
) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path), str(size), str(run)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == said
    assert "the disk, quota or size limit is full" in done.stdout.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


# Attacks


def stored(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "changed.index"
    path.write_bytes(data)
    return path


@given(st.integers(0, len(FILE) - 1), st.integers(0, 7))
@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path, position: int, bit: int) -> None:
    data = bytearray(FILE)
    data[position] ^= 1 << bit
    path = stored(tmp_path, bytes(data))
    with pytest.raises((MalformedError, VerificationError)):
        IndexFile.open(path).verify(SECRET)


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_before_anything_is_allocated(tmp_path: Path, tail: bytes) -> None:
    for data in (tail, FILE[:16] + tail, FILE[:64] + tail):
        with pytest.raises(ProvenanceError):
            IndexFile.open(stored(tmp_path, data)).verify(SECRET)


def header(count: int, root: bytes = FILE[32:64]) -> bytes:
    return b"RL-index" + struct.pack(">IIQQ", 1, 0, count, 0) + root


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (FILE[:63], "is cut off"),
        (b"x" + FILE[1:], "no index file of version 1"),
        (FILE[:11] + b"\2" + FILE[12:], "no index file of version 1"),
        (FILE[:15] + b"\1" + FILE[16:], "no index file of version 1"),
        (FILE[:31] + b"\1" + FILE[32:], "no index file of version 1"),
        (header(2) + FILE[64:], "do not fit its header"),
        (header(4) + FILE[64:], "do not fit its header"),
        (header(2**48 + 1), "do not fit its header"),
        (header(2**64 - 1) + FILE[64:], "do not fit its header"),
        (FILE + b"\0", "do not fit its header"),
        (FILE[:-1], "do not fit its header"),
        (header(0), "root is 0 exactly when there are no keys"),
        (header(3, bytes(32)) + FILE[64:], "root is 0 exactly when there are no keys"),
        (header(3, b"\xff" * 32) + FILE[64:], "a field element"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        IndexFile.open(stored(tmp_path, data))


def swapped(data: bytes) -> bytes:
    return data[:64] + data[96:128] + data[64:96] + data[128:]


def repeated(data: bytes) -> bytes:
    return data[:96] + data[64:96] + data[128:]


def longer(data: bytes) -> bytes:
    return data[:64] + b"\1" + data[65:]


def another_key(data: bytes) -> bytes:
    return data[:95] + bytes([data[95] ^ 1]) + data[96:]


def first_row(data: bytes) -> bytes:
    return data[:ROWS] + b"\1" + data[ROWS + 1 :]


def inner_node(data: bytes) -> bytes:
    return data[: ROWS + 159] + bytes([data[ROWS + 159] ^ 1]) + data[ROWS + 160 :]


def another_root(data: bytes) -> bytes:
    return data[:63] + bytes([data[63] ^ 1]) + data[64:]


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (swapped, MalformedError, "ascend, and each is there once"),
        (repeated, MalformedError, "ascend, and each is there once"),
        (longer, MalformedError, "longer than 248 bits"),
        (another_key, VerificationError, "give another row 1"),
        (first_row, MalformedError, "row 0 divides nothing"),
        (inner_node, VerificationError, "give another row 2"),
        (another_root, RootMismatchError, "not to the committed"),
    ],
)
def test_a_changed_file_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        IndexFile.open(stored(tmp_path, change(FILE))).verify(SECRET)


def test_a_file_under_another_dataset_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="give another row"):
        built(tmp_path, KEYS).verify(DatasetKey(bytes(32)))


def test_a_changed_node_gives_no_proof_that_verifies(tmp_path: Path) -> None:
    contents = [bytes([number]) * 32 for number in range(4)]
    keys = exact_keys(np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 32))
    file = built(tmp_path, [key.tobytes() for key in keys])
    entry = ExclusionIndex.build((ExclusionKey(key.tobytes()) for key in keys), SECRET).entry(
        "exact/1", "", 0
    )
    data = bytearray(file.path.read_bytes())
    for row in range(1, 4):
        data[64 + 4 * 32 + 64 * row + 31] ^= 1
        data[64 + 4 * 32 + 64 * row + 63] ^= 1
    prover = IndexFile.open(stored(tmp_path, bytes(data))).prover(SECRET)
    for content in contents:
        with pytest.raises(RootMismatchError):
            verify_presence(content, prove_presence(prover, entry.key(content)), entry)


def test_another_file_under_this_name_is_refused(tmp_path: Path) -> None:
    one, other = built(tmp_path, KEYS[:1]), built(tmp_path, KEYS)
    other.path.rename(one.path)
    with pytest.raises(MalformedError, match="another file was put here"):
        IndexFile.find(tmp_path, one.root)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="register the dataset again"):
        IndexFile.find(tmp_path, FieldElement(1))
