"""The inner nodes beside a node file: proofs are read from them, and damage is found."""

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.chunk import CHUNK
from provenance.errors import MalformedError, VerificationError
from provenance.field import FieldElement
from provenance.poseidon import to_words
from provenance.tree import Words, chunk_tree, prove_inclusion, verify_inclusion
from storage.drafts import Draft
from storage.nodes import HEADER, INNER, LEAF, NodeFile, inner_size, top_size


def leaves_of(counts: list[int]) -> list[Words]:
    edges = np.cumsum([1, *counts]).tolist()
    return [to_words(range(start, end)) for start, end in pairwise(edges)]


def written(folder: Path, counts: list[int]) -> NodeFile:
    with Draft.open(folder, "job") as draft:
        for leaves in leaves_of(counts):
            draft.write(leaves)
            draft.close(chunk_tree(leaves))
        return draft.finish("rules", {})


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> NodeFile:
    return written(tmp_path_factory.mktemp("nodes"), [5, 1, 64, 7, 2])


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=6), st.data())
def test_a_proof_that_is_read_is_the_proof_that_is_hashed(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], data: st.DataObject
) -> None:
    nodes = written(tmp_path_factory.mktemp("nodes"), counts)
    chunk = data.draw(st.integers(0, len(counts) - 1))
    position = data.draw(st.integers(0, counts[chunk] - 1))
    leaves = leaves_of(counts)[chunk]
    proof = nodes.prove(chunk, position)
    assert proof == prove_inclusion(leaves, position, nodes.chunks, chunk)
    leaf = FieldElement(int(leaves[position, 0]))
    verify_inclusion(leaf, proof, nodes.root, len(nodes.chunks))
    nodes.verify()


def test_sizes_of_the_smallest_and_largest_chunk() -> None:
    assert inner_size(1) == 13
    assert inner_size(CHUNK) == CHUNK - 2
    assert [top_size(count) for count in (1, 2, 3, 4)] == [0, 2, 5, 6]


def test_every_node_of_a_full_chunk_is_stored(tmp_path: Path) -> None:
    nodes = written(tmp_path, [CHUNK, 3])
    for chunk, position in ((0, 0), (0, CHUNK - 1), (0, 9999), (1, 2)):
        leaves = leaves_of([CHUNK, 3])[chunk]
        expected = prove_inclusion(leaves, position, nodes.chunks, chunk)
        assert nodes.prove(chunk, position) == expected


@pytest.mark.parametrize(("chunk", "position"), [(-1, 0), (5, 0), (0, -1), (0, 5), (1, 1)])
def test_there_is_no_proof_of_a_record_that_is_not_there(
    nodes: NodeFile, chunk: int, position: int
) -> None:
    with pytest.raises(MalformedError, match="no record"):
        nodes.prove(chunk, position)


def copied(nodes: NodeFile, folder: Path) -> Path:
    for path in nodes.path.parent.iterdir():
        shutil.copy(path, folder)
    return (folder / nodes.path.name).with_suffix(INNER)


def test_without_its_inner_nodes_a_file_proves_by_hashing(nodes: NodeFile, tmp_path: Path) -> None:
    inner = copied(nodes, tmp_path)
    inner.unlink()
    lacking = NodeFile.open(inner.with_suffix(".nodes"))
    assert lacking.prove(2, 9) == nodes.prove(2, 9)
    lacking.verify()


@pytest.mark.parametrize("change", [b"", b"RL-nodes", b"x" * 64])
def test_inner_nodes_of_another_length_or_file_count_as_missing(
    nodes: NodeFile, tmp_path: Path, change: bytes
) -> None:
    inner = copied(nodes, tmp_path)
    data = inner.read_bytes()
    inner.write_bytes(change + data[len(change) :] if change else data[:-1])
    assert not len(NodeFile.open(inner.with_suffix(".nodes")).inner)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_flipped_bit_in_the_inner_nodes_is_found(
    nodes: NodeFile, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    inner = copied(nodes, tmp_path_factory.mktemp("flipped"))
    content = bytearray(inner.read_bytes())
    bit = data.draw(st.integers(8 * HEADER.size, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    inner.write_bytes(content)
    flipped = NodeFile.open(inner.with_suffix(".nodes"))
    with pytest.raises(VerificationError, match=r"\.inner: the leaves give other nodes"):
        flipped.verify()


def test_the_file_holds_all_nodes_but_the_roots(nodes: NodeFile) -> None:
    counts = [chunk.count for chunk in nodes.chunks]
    size = nodes.path.with_suffix(INNER).stat().st_size
    assert size == HEADER.size + LEAF * (sum(map(inner_size, counts)) + top_size(len(counts)))
