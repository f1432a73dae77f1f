"""The record tree against a naive one, its published values, and attacks on its format."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import errors, tree
from provenance.chunk import CHUNK
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.features import features_leaf
from provenance.field import ORDER, ZERO, FieldElement
from provenance.poseidon import from_words, poseidon, to_words
from provenance.tree import (
    DEPTH,
    MAX_CHUNKS,
    Chunk,
    InclusionProof,
    chunk_root,
    lift,
    prove_inclusion,
    record_root,
    top_depth,
    verify_inclusion,
    verify_table,
    zero_root,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/tree.json").read_text())
LEAVES = [[FieldElement(100 * chunk + i + 1) for i in range(3)] for chunk in range(3)]
TABLE = [chunk_root(leaves) for leaves in LEAVES]
ROOT = record_root(TABLE)
PROOF = prove_inclusion(LEAVES[1], 2, TABLE, 1)


def full_root(leaves: Sequence[int], depth: int) -> FieldElement:
    """The root of a perfect tree with its padding written out, a level at a time."""
    level = [*map(FieldElement, leaves), *[ZERO] * (2**depth - len(leaves))]
    while len(level) > 1:
        level = [poseidon(*level[i : i + 2]) for i in range(0, len(level), 2)]
    return level[0]


def lazy_root(leaves: Sequence[int], depth: int) -> FieldElement:
    """The same by halves, without hashing an empty half twice."""
    if depth == 0:
        return FieldElement(leaves[0])
    half = 2 ** (depth - 1)
    right = lazy_root(leaves[half:], depth - 1) if leaves[half:] else empty_root(depth - 1)
    return poseidon(lazy_root(leaves[:half], depth - 1), right)


def empty_root(depth: int) -> FieldElement:
    return poseidon(*[empty_root(depth - 1)] * 2) if depth else ZERO


def read(text: str) -> FieldElement:
    return FieldElement.parse(text)


# Published values


def test_zero_root_vectors() -> None:
    assert [zero_root(level).hex for level in range(len(VECTORS["zero_roots"]))] == VECTORS[
        "zero_roots"
    ]


@pytest.mark.parametrize("case", VECTORS["chunks"], ids=lambda case: case["name"])
def test_chunk_root_vectors(case: dict[str, Any]) -> None:
    chunk = chunk_root([case["first"] + i for i in range(case["count"])])
    assert chunk.to_json() == {"count": case["count"], "root": case["root"]}


@pytest.mark.parametrize("case", VECTORS["tables"], ids=lambda case: case["name"])
def test_record_root_vectors(case: dict[str, Any]) -> None:
    table = [Chunk.from_json(line) for line in case["table"]]
    assert record_root(table).hex == case["root"]
    records = sum(chunk.count for chunk in table)
    verify_table(table, read(case["root"]), len(table), records)


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: case["name"])
def test_inclusion_vectors(case: dict[str, Any]) -> None:
    rejects = pytest.raises(getattr(errors, case["error"])) if case["error"] else nullcontext()
    with rejects:
        proof = InclusionProof.from_json(case["proof"])
        verify_inclusion(read(case["leaf"]), proof, read(case["root"]), case["chunk_count"])


# Against the naive tree


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=16))
def test_levels_give_the_root_of_the_padded_tree(leaves: list[int]) -> None:
    levels = tree._levels(to_words(leaves), 4)
    assert from_words(levels[-1])[0] == full_root(leaves, 4)


@settings(deadline=None, max_examples=6)
@given(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=9))
def test_a_chunk_has_the_root_of_the_naive_tree(leaves: list[int]) -> None:
    chunk = chunk_root(leaves)
    assert chunk == Chunk(lazy_root(leaves, DEPTH), len(leaves))
    assert chunk_root(to_words(leaves)) == chunk


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(1, ORDER - 1), st.integers(1, CHUNK)), min_size=1, max_size=9)
)
def test_the_record_root_is_that_of_the_naive_tree(lines: list[tuple[int, int]]) -> None:
    leaves = [poseidon(2, root, count) for root, count in lines]
    table = [Chunk(FieldElement(root), count) for root, count in lines]
    assert record_root(table) == full_root(leaves, (len(lines) - 1).bit_length())


@settings(deadline=None, max_examples=8)
@given(st.data())
def test_every_record_has_a_proof_that_holds(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    leaves = [[FieldElement(9 * c + i + 1) for i in range(n)] for c, n in enumerate(counts)]
    table = [chunk_root(each) for each in leaves]
    chunk = data.draw(st.integers(0, len(counts) - 1))
    position = data.draw(st.integers(0, counts[chunk] - 1))
    proof = prove_inclusion(leaves[chunk], position, table, chunk)
    verify_inclusion(leaves[chunk][position], proof, record_root(table), len(table))
    assert proof.index == chunk * 2**14 + position
    assert InclusionProof.from_json(proof.to_json()) == proof


def test_a_single_chunk_has_no_top_path() -> None:
    table = [chunk_root([7])]
    proof = prove_inclusion([7], 0, table, 0)
    assert proof.top_path == ()
    assert record_root(table) == poseidon(2, table[0].root, 1)
    verify_inclusion(FieldElement(7), proof, record_root(table), 1)


@pytest.mark.parametrize(("count", "depth"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (2**18, 18)])
def test_the_top_depth_is_the_smallest_that_holds_the_chunks(count: int, depth: int) -> None:
    assert top_depth(count) == depth


@settings(deadline=None, max_examples=10)
@given(st.lists(st.integers(1, ORDER - 1), min_size=1, max_size=8), st.integers(0, 2))
def test_a_lifted_root_is_that_of_the_deeper_tree(leaves: list[int], more: int) -> None:
    assert lift(full_root(leaves, 3), 3, 3 + more) == full_root(leaves, 3 + more)


# Attacks


@pytest.mark.parametrize("level", range(DEPTH + 1 + len(PROOF.top_path)))
def test_a_changed_sibling_leads_to_another_root(level: int) -> None:
    path = [*PROOF.path, *PROOF.top_path]
    path[level % len(path)] = FieldElement(5)
    forged = replace(PROOF, path=tuple(path[:DEPTH]), top_path=tuple(path[DEPTH:]))
    with pytest.raises(RootMismatchError):
        verify_inclusion(LEAVES[1][2], forged, ROOT, 3)


def test_padding_beyond_the_count_is_no_record() -> None:
    with pytest.raises(MalformedError, match="no position 3 in a chunk of 3"):
        replace(PROOF, position=3)


def test_a_larger_count_does_not_open_the_padding() -> None:
    words = to_words(LEAVES[1])
    levels = tree._levels(words, DEPTH)
    forged = replace(PROOF, position=3, count=4, path=tree._path(levels, 3))
    for leaf in (ZERO, FieldElement(1)):
        with pytest.raises((MalformedError, RootMismatchError)):
            verify_inclusion(leaf, forged, ROOT, 3)


def test_a_record_put_into_the_padding_is_found_by_its_count() -> None:
    padded = [*LEAVES[1], FieldElement(666)]
    lying = Chunk(chunk_root(padded).root, 3)
    table = [TABLE[0], lying, TABLE[2]]
    path = tree._path(tree._levels(to_words(padded), DEPTH), 3)
    forged = replace(PROOF, position=3, count=4, path=path)
    with pytest.raises(RootMismatchError):
        verify_inclusion(FieldElement(666), forged, record_root(table), 3)


def test_a_zero_is_no_leaf() -> None:
    for leaves in ([0], [5, 0, 6], np.zeros((2, 4), np.uint64)):
        with pytest.raises(MalformedError, match="never 0"):
            chunk_root(leaves)
    shown = chunk_root([5])
    levels = tree._levels(to_words([5]), DEPTH)
    forged = InclusionProof(0, 1, 2, tree._path(levels, 1), ())
    root = poseidon(2, shown.root, 2)  # a commitment that counts the padding
    with pytest.raises(MalformedError, match="never 0"):
        verify_inclusion(ZERO, forged, root, 1)


def test_a_node_is_no_leaf() -> None:
    node = poseidon(LEAVES[1][2], PROOF.path[0])
    with pytest.raises(MalformedError, match="14 siblings"):
        replace(PROOF, position=1, path=PROOF.path[1:])
    forged = replace(PROOF, position=1, path=(*PROOF.path[1:], PROOF.top_path[0]))
    with pytest.raises(RootMismatchError):
        verify_inclusion(node, forged, ROOT, 3)


def test_a_chunk_root_is_no_leaf() -> None:
    with pytest.raises(MalformedError, match="14 siblings"):
        replace(PROOF, position=0, path=())
    top = (*PROOF.top_path, *[ZERO] * (DEPTH - len(PROOF.top_path)))
    with pytest.raises(RootMismatchError):
        verify_inclusion(TABLE[1].root, InclusionProof(0, 1, 3, top, ()), ROOT, 1)


def test_a_top_leaf_is_no_node_over_root_and_count() -> None:
    assert poseidon(2, TABLE[0].root, 3) != poseidon(TABLE[0].root, 3)


def test_a_features_leaf_is_not_read_as_a_tree_one_level_deeper() -> None:
    digest, commitment = FieldElement(11), FieldElement(22)
    leaf = features_leaf(digest, commitment)
    assert leaf != poseidon(digest, commitment)
    table = [chunk_root([leaf, 5])]
    proof = prove_inclusion([leaf, 5], 0, table, 0)
    with pytest.raises(MalformedError, match="14 siblings"):
        replace(proof, path=(commitment, *proof.path))
    shallow = replace(proof, path=(commitment, *proof.path[:-1]))
    with pytest.raises(RootMismatchError):
        verify_inclusion(digest, shallow, record_root(table), 1)


def test_a_deeper_top_path_is_refused_also_beside_empty_trees() -> None:
    lifted = lift(ROOT, 2, 3)
    deeper = replace(PROOF, top_path=(*PROOF.top_path, zero_root(2)))
    verify_inclusion(LEAVES[1][2], deeper, lifted, 5)
    with pytest.raises(MalformedError, match="does not fit a dataset of 3 chunks"):
        verify_inclusion(LEAVES[1][2], deeper, lifted, 3)


def test_a_chunk_beyond_the_chunk_count_is_refused() -> None:
    table = [*TABLE, Chunk(FieldElement(77), 1)]
    hidden = prove_inclusion(LEAVES[0], 0, [*TABLE, TABLE[0]], 3)
    root = record_root([*TABLE, TABLE[0]])
    with pytest.raises(MalformedError, match="does not fit a dataset of 3 chunks"):
        verify_inclusion(LEAVES[0][0], hidden, root, 3)
    assert record_root(table) != root


def test_a_proof_for_another_dataset_is_refused() -> None:
    with pytest.raises(RootMismatchError):
        verify_inclusion(LEAVES[1][2], PROOF, record_root(TABLE[::-1]), 3)


def test_another_place_for_the_same_leaf_is_refused() -> None:
    for forged in (replace(PROOF, position=1), replace(PROOF, chunk=0), replace(PROOF, count=4)):
        with pytest.raises(RootMismatchError):
            verify_inclusion(LEAVES[1][2], forged, ROOT, 3)


def test_a_table_must_give_root_and_counts() -> None:
    verify_table(TABLE, ROOT, 3, 9)
    moved = [replace(TABLE[0], count=2), TABLE[1], replace(TABLE[2], count=4)]
    for table in (moved, TABLE[::-1], [replace(TABLE[0], root=FieldElement(3)), *TABLE[1:]]):
        with pytest.raises(RootMismatchError):
            verify_table(table, ROOT, 3, 9)
    with pytest.raises(VerificationError, match="counts 9 records, not 10"):
        verify_table(TABLE, ROOT, 3, 10)
    with pytest.raises(VerificationError, match="has 3 chunks, not 4"):
        verify_table(TABLE, ROOT, 4, 9)
    with pytest.raises(MalformedError, match="1 to 262144 chunks"):
        verify_table([], ROOT, 0, 0)


@pytest.mark.parametrize("count", [-1, 0, CHUNK + 1])
def test_a_chunk_is_neither_empty_nor_too_long(count: int) -> None:
    with pytest.raises(MalformedError, match="1 to 16384 records"):
        Chunk(FieldElement(1), count)
    with pytest.raises(MalformedError, match="1 to 16384 records"):
        replace(PROOF, count=count)
    with pytest.raises(MalformedError):
        Chunk.from_json({"count": count, "root": FieldElement(1).hex})
    with pytest.raises(MalformedError, match="1 to 16384 records"):
        chunk_root(np.ones((max(count, 0), 4), np.uint64))


def test_a_chunk_root_of_zero_is_refused() -> None:
    with pytest.raises(MalformedError, match="never 0"):
        Chunk(ZERO, 1)


def test_a_leaf_outside_the_field_is_refused() -> None:
    with pytest.raises(MalformedError):
        chunk_root([ORDER])
    with pytest.raises(MalformedError):
        chunk_root(np.full((1, 4), 2**64 - 1, np.uint64))
    with pytest.raises(MalformedError):
        chunk_root(np.full((2, 4), 2**64 - 1, np.uint64))


# Wrong use and wrong spelling


def test_a_proof_is_only_made_from_the_chunks_own_leaves() -> None:
    with pytest.raises(MalformedError, match="not the leaves of chunk 0"):
        prove_inclusion(LEAVES[1], 0, TABLE, 0)
    for position, chunk in ((3, 1), (-1, 1), (0, 3), (0, -1)):
        with pytest.raises(MalformedError, match="no record"):
            prove_inclusion(LEAVES[1], position, TABLE, chunk)


def test_a_chunk_number_fits_its_path() -> None:
    for chunk in (-1, 4, MAX_CHUNKS):
        with pytest.raises(MalformedError, match="not under 2 siblings"):
            replace(PROOF, chunk=chunk)


@pytest.mark.parametrize("count", [0, MAX_CHUNKS + 1])
def test_a_dataset_without_chunks_or_with_too_many_has_no_depth(count: int) -> None:
    with pytest.raises(MalformedError, match="chunks"):
        top_depth(count)


def test_depths_that_cannot_be_are_refused() -> None:
    for level in (-1, 33):
        with pytest.raises(MalformedError, match="0 to 32 levels"):
            zero_root(level)
    for depth, to in ((3, 2), (-1, 2)):
        with pytest.raises(MalformedError, match="cannot be lifted"):
            lift(ROOT, depth, to)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("chunk", -1),
        ("chunk", 2**18),
        ("chunk", "1"),
        ("position", CHUNK),
        ("position", True),
        ("count", 0),
        ("path", []),
        ("path", [1] * 14),
        ("path", ["0" * 63 + "1"] * 15),
        ("path", [FieldElement(ORDER - 1).hex.upper()] * 14),
        ("path", ["f" * 64] * 14),
        ("top_path", ["0" * 64] * 19),
        ("more", 1),
    ],
)
def test_another_spelling_of_a_proof_is_refused(member: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        InclusionProof.from_json({**PROOF.to_json(), member: value})


def test_another_spelling_of_a_chunk_is_refused() -> None:
    for wrong in ({"more": 1}, {"count": "3"}, {"root": 5}, {"root": "f" * 64}):
        with pytest.raises(MalformedError):
            Chunk.from_json({**TABLE[0].to_json(), **wrong})
