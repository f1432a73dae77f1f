"""Node files: written as chunks come, read without trust."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
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
from provenance.field import ORDER, FieldElement
from provenance.leaves import LeafChunk
from provenance.poseidon import from_words, to_words
from provenance.tree import (
    Chunk,
    chunk_root,
    prove_inclusion,
    record_root,
    verify_inclusion,
    verify_table,
)
from storage.nodes import NodeFile, write_nodes

ROOT: Final = Path(__file__).parents[2]
CASE: Final[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / "nodes.json").read_text())[
    "cases"
][0]
FILE: Final = bytes.fromhex(CASE["file"])


def closed(*leaves: int) -> LeafChunk:
    words = to_words(leaves)
    return LeafChunk(chunk_root(words), words)


def naive_file(leaves: list[list[int]]) -> bytes:
    """Write the format as its page says, at once."""
    chunks = [chunk_root(part) for part in leaves]
    records = sum(len(part) for part in leaves)
    head = b"RL-nodes" + struct.pack(">IIQQ", 1, len(leaves), records, 0)
    body = b"".join(leaf.to_bytes(32, "big") for part in leaves for leaf in part)
    table = b"".join(chunk.root.encoded + struct.pack(">Q", chunk.count) for chunk in chunks)
    return head + record_root(chunks).encoded + body + table


def test_the_vector_is_written_and_read(tmp_path: Path) -> None:
    leaves = [[int(leaf, 16) for leaf in part] for part in CASE["leaves"]]
    nodes = write_nodes(tmp_path, (closed(*part) for part in leaves))
    assert nodes.path.name == CASE["root"] + ".nodes"
    assert nodes.path.read_bytes() == FILE == naive_file(leaves)
    assert nodes.records == 5
    assert [list(from_words(nodes.leaves_of(n))) for n in range(2)] == leaves
    nodes.verify()


@given(
    st.lists(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=4), min_size=1, max_size=4)
)
@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_is_read_and_proves_each_record(
    tmp_path: Path, leaves: list[list[int]]
) -> None:
    write_nodes(tmp_path, (closed(*part) for part in leaves))
    root = record_root([chunk_root(part) for part in leaves])
    nodes = NodeFile.find(tmp_path, root)
    verify_table(nodes.chunks, root, len(leaves), nodes.records)
    last = len(leaves) - 1
    proof = prove_inclusion(nodes.leaves_of(last), 0, nodes.chunks, last)
    verify_inclusion(FieldElement(leaves[last][0]), proof, root, len(leaves))
    assert nodes.path.read_bytes() == naive_file(leaves)


def test_writing_again_gives_the_same_file(tmp_path: Path) -> None:
    first = write_nodes(tmp_path, [closed(1, 2)])
    again = write_nodes(tmp_path, [closed(1, 2)])
    assert first.path == again.path
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]
    assert first.path.stat().st_mode & 0o077 == 0


def dry() -> Iterator[LeafChunk]:
    yield closed(1)
    raise MalformedError("record 7 does not fit")


def test_a_source_that_fails_leaves_nothing(tmp_path: Path) -> None:
    for chunks in ([], dry(), [LeafChunk(closed(1).chunk, to_words([1, 2]))]):
        with pytest.raises(MalformedError):
            write_nodes(tmp_path, chunks)
        assert list(tmp_path.iterdir()) == []


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from provenance.leaves import LeafChunk
from provenance.errors import UnavailableError
from provenance.field import FieldElement
from provenance.tree import Chunk
from storage.nodes import write_nodes
import sys; sys.dont_write_bytecode = True  # Python would keep half a module
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
chunk = LeafChunk(Chunk(FieldElement(1), 2**14), np.ones((2**14, 4), np.uint64))
try:
    write_nodes(Path(sys.argv[1]), [chunk])
except UnavailableError as error:
    print(error)
"""


def test_a_full_disk_is_said_in_a_line_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "the disk, quota or size limit is full" in done.stdout
    assert list(tmp_path.iterdir()) == []


def stored(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "changed.nodes"
    path.write_bytes(data)
    return path


@given(st.integers(0, len(FILE) - 1), st.integers(0, 7))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path, position: int, bit: int) -> None:
    data = bytearray(FILE)
    data[position] ^= 1 << bit
    path = stored(tmp_path, bytes(data))
    with pytest.raises((MalformedError, VerificationError)):
        NodeFile.open(path).verify()


@given(st.binary(max_size=200))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_before_anything_is_allocated(tmp_path: Path, tail: bytes) -> None:
    for data in (tail, FILE[:12] + tail, FILE[:64] + tail):
        with pytest.raises(ProvenanceError):
            NodeFile.open(stored(tmp_path, data)).verify()


def header(chunks: int, records: int) -> bytes:
    return b"RL-nodes" + struct.pack(">IIQQ", 1, chunks, records, 0) + FILE[32:64]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (FILE[:63], "is cut off"),
        (b"x" + FILE[1:], "no node file of version 1"),
        (FILE[:11] + b"\2" + FILE[12:], "no node file of version 1"),
        (FILE[:31] + b"\1" + FILE[32:], "no node file of version 1"),
        (header(0, 0), "do not fit 0 chunks"),
        (header(2**18 + 1, 2**20), "do not fit 262145 chunks"),
        (header(2, 1), "1 records do not fit 2 chunks"),
        (header(1, 2**14 + 1), "do not fit 1 chunks"),
        (header(2**18, 2**32), "do not fit its header"),
        (FILE + b"\0", "do not fit its header"),
        (FILE[:-1], "do not fit its header"),
        (FILE[:-1] + b"\3", "the table counts 6 records, not 5"),
        (FILE[:-1] + b"\0", "in the chunk table: a chunk holds 1 to 16384"),
        (FILE[:-40] + b"\xff" * 32 + FILE[-8:], "in the chunk table: a field element"),
        (FILE[:32] + b"\xff" * 32 + FILE[64:], "a field element"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, data: bytes, match: str) -> None:
    with pytest.raises(MalformedError, match=match):
        NodeFile.open(stored(tmp_path, data))


def test_leaves_that_do_not_give_their_root_are_refused(tmp_path: Path) -> None:
    nodes = NodeFile.open(stored(tmp_path, FILE[:95] + b"\7" + FILE[96:]))
    with pytest.raises(VerificationError, match="the leaves of chunk 0 give another root"):
        nodes.verify()


def test_a_table_that_does_not_give_the_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RootMismatchError):
        NodeFile.open(stored(tmp_path, FILE[:63] + bytes([FILE[63] ^ 1]) + FILE[64:])).verify()


def test_another_file_under_this_name_is_refused(tmp_path: Path) -> None:
    one, other = write_nodes(tmp_path, [closed(1)]), write_nodes(tmp_path, [closed(2)])
    other.path.rename(one.path)
    with pytest.raises(MalformedError, match="another file was put here"):
        NodeFile.find(tmp_path, one.root)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="register the dataset again"):
        NodeFile.find(tmp_path, FieldElement(1))


def test_there_are_only_so_many_chunks(tmp_path: Path) -> None:
    nodes = NodeFile.open(stored(tmp_path, FILE))
    for number in (-1, 2):
        with pytest.raises(MalformedError, match=f"no chunk {number} among 2"):
            nodes.leaves_of(number)
    assert nodes.chunks[1] == Chunk(nodes.chunks[1].root, 2)
    assert nodes.leaves_of(1).dtype == np.uint64
