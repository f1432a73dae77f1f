"""RFC 9162's tree against its definition, published values, and paths that must fail."""

from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import errors
from provenance.errors import MalformedError, RootMismatchError
from provenance.field import Digest
from provenance.rfc9162 import (
    MerklePath,
    leaf_hash,
    node_hash,
    path,
    root,
    split_point,
    verify_path,
)
from tests.provenance.documents import vectors, word

VECTORS = vectors("rfc9162")
LEAVES = [leaf_hash(str(i).encode()) for i in range(20)]


def defined_root(entries: list[bytes]) -> bytes:
    """MTH of section 2.1.1, word for word."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha256(b"\1" + defined_root(entries[:k]) + defined_root(entries[k:])).digest()


@pytest.mark.parametrize("case", VECTORS["roots"], ids=lambda case: str(case["count"]))
def test_published_roots(case: dict[str, Any]) -> None:
    entries = [bytes.fromhex(entry) for entry in VECTORS["entries"][: case["count"]]]
    assert root([leaf_hash(entry) for entry in entries]).hex() == case["root"]


@pytest.mark.parametrize("case", VECTORS["paths"], ids=lambda case: case["name"])
def test_published_paths(case: dict[str, Any]) -> None:
    rejects = pytest.raises(getattr(errors, case["error"])) if case["error"] else nullcontext()
    with rejects:
        leaf, committed, *siblings = map(digest, (case["leaf"], case["root"], *case["path"]))
        verify_path(leaf, MerklePath(case["index"], case["count"], tuple(siblings)), committed)


def digest(text: str) -> Digest:
    return Digest(bytes.fromhex(text))


@given(st.lists(st.binary(max_size=9), max_size=40))
@settings(deadline=None)
def test_the_root_is_the_one_that_the_standard_defines(entries: list[bytes]) -> None:
    assert root([leaf_hash(entry) for entry in entries]) == defined_root(entries)


@pytest.mark.parametrize("count", range(1, 18))
def test_in_every_small_tree_each_path_fits_its_own_place_only(count: int) -> None:
    leaves = LEAVES[:count]
    committed = root(leaves)
    for index, leaf in enumerate(leaves):
        proof = path(leaves, index)
        verify_path(leaf, proof, committed)
        for other in range(-1, count + 2):
            if other != index:
                refuse(leaf, replace(proof, index=other), committed)
        for other, wrong in enumerate(LEAVES):
            if other != index:
                refuse(wrong, proof, committed)


@pytest.mark.parametrize("count", range(1, 18))
def test_a_path_with_a_sibling_less_more_or_changed_is_refused(count: int) -> None:
    leaves = LEAVES[:count]
    committed = root(leaves)
    for index, leaf in enumerate(leaves):
        proof = path(leaves, index)
        siblings = proof.siblings
        for i in range(len(siblings)):
            refuse(leaf, replace(proof, siblings=(*siblings[:i], *siblings[i + 1 :])), committed)
            changed = (*siblings[:i], word("other"), *siblings[i + 1 :])
            refuse(leaf, replace(proof, siblings=changed), committed)
        for extra in (leaf, committed, word("other")):
            refuse(leaf, replace(proof, siblings=(*siblings, extra)), committed)
            refuse(leaf, replace(proof, siblings=(extra, *siblings)), committed)


def refuse(leaf: Digest, proof: MerklePath, committed: Digest) -> None:
    with pytest.raises((MalformedError, RootMismatchError)):
        verify_path(leaf, proof, committed)


def test_a_node_is_never_read_as_a_leaf() -> None:
    """The prefixes 0 and 1 stop a shorter tree with the same root: the second preimage attack."""
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    short = MerklePath(0, 2, (node_hash(*LEAVES[2:4]),))
    verify_path(node_hash(left, right), short, root(LEAVES[:4]))  # so the count must be signed
    refuse(node_hash(left, right), replace(short, count=4), root(LEAVES[:4]))


@pytest.mark.parametrize("index", [-1, 3, 100])
def test_there_is_no_path_to_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(MalformedError, match="outside a tree of 3"):
        path(LEAVES[:3], index)
    with pytest.raises(MalformedError, match="outside a tree of 0"):
        path([], index)


def test_an_endless_path_ends_at_the_trees_height() -> None:
    proof = MerklePath(0, 2**60, (word("a"),) * 10**5)
    with pytest.raises(MalformedError, match="too long"):
        verify_path(LEAVES[0], proof, word("root"))


@pytest.mark.parametrize(("count", "split"), [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8)])
def test_the_split_is_the_greatest_power_of_two_below(count: int, split: int) -> None:
    assert split_point(count) == split


def test_the_wrong_root_is_told() -> None:
    with pytest.raises(RootMismatchError) as caught:
        verify_path(LEAVES[0], path(LEAVES[:2], 0), word("root"))
    assert caught.value.computed == root(LEAVES[:2]).hex()
