"""Namespaced trees against an obvious reference, and what range proofs must refuse."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from storage.celestia import nmt
from storage.celestia.nmt import PARITY, Node, Subtree

USER = [bytes(28) + bytes([n]) for n in range(1, 9)]


def slow_root(leaves: list[Node]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    left, right = slow_root(leaves[:half]), slow_root(leaves[half:])
    spaces = [n[:29] for n in leaves if n[:29] != PARITY] or [PARITY]
    return spaces[0] + spaces[-1] + sha256(b"\1" + left + right).digest()


def row(spaces: list[bytes]) -> list[Node]:
    half = [nmt.leaf(space, bytes([i]) * 512) for i, space in enumerate(sorted(spaces))]
    return half + [nmt.leaf(PARITY, bytes([200 + i]) * 512) for i in range(len(half))]


rows = st.sampled_from([1, 2, 4, 8]).flatmap(
    lambda size: st.lists(st.sampled_from(USER), min_size=size, max_size=size).map(row)
)


@settings(deadline=None, max_examples=40)
@given(rows)
def test_a_root_is_the_reference_root(leaves: list[Node]) -> None:
    assert nmt.root(leaves) == slow_root(leaves)


@settings(deadline=None, max_examples=40)
@given(rows, st.data())
def test_every_range_leads_to_the_root(leaves: list[Node], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(leaves) - 1))
    end = data.draw(st.integers(start + 1, len(leaves)))
    inside = [Subtree(i, 1, leaves[i]) for i in range(start, end)]
    outside = nmt.prove_range(leaves, start, end)
    assert nmt.range_root(len(leaves), inside, outside) == nmt.root(leaves)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from(USER), st.binary(max_size=512))
def test_a_root_over_one_namespace_is_the_root_over_its_leaves(
    count: int, space: bytes, content: bytes
) -> None:
    shares = [bytes([place]) + content for place in range(count)]
    assert nmt.root_of_one(space, shares) == nmt.root([nmt.leaf(space, each) for each in shares])


def test_a_root_over_no_power_of_two_is_none() -> None:
    with pytest.raises(ValueError, match="shorter"):
        nmt.root_of_one(USER[0], [b"a", b"b", b"c"])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 600), st.integers(0, 600))
def test_a_range_is_made_up_of_whole_subtrees(start: int, length: int) -> None:
    parts = list(nmt.aligned(start, start + length))
    assert [leaf for first, size in parts for leaf in range(first, first + size)] == [
        *range(start, start + length)
    ]
    assert all(size & (size - 1) == 0 and first % size == 0 for first, size in parts)
    pairs = [first for first, size in parts if first % (2 * size) == 0]
    others = {first + size: size for first, size in parts}
    sizes = dict(parts)
    assert not any(sizes.get(first + sizes[first]) == sizes[first] for first in pairs), others


def test_a_parity_child_does_not_widen_the_range() -> None:
    leaves = row([USER[0], USER[1]])
    assert nmt.root(leaves).greatest == USER[1]
    assert nmt.root(leaves[2:]).least == PARITY


@pytest.mark.parametrize("size", [0, 89, 91])
def test_a_node_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(MalformedError, match="90 bytes"):
        Node(bytes(size))


def test_a_node_with_its_range_reversed_is_refused() -> None:
    with pytest.raises(MalformedError, match="wrong order"):
        Node(USER[1] + USER[0] + bytes(32))


def test_siblings_out_of_order_are_refused() -> None:
    with pytest.raises(MalformedError, match="out of order"):
        nmt.parent(nmt.leaf(USER[1], b"a"), nmt.leaf(USER[0], b"b"))


LEAVES = row(USER[:4])
INSIDE = [Subtree(i, 1, LEAVES[i]) for i in (1, 2)]
OUTSIDE = nmt.prove_range(LEAVES, 1, 3)


def test_a_missing_node_is_refused() -> None:
    with pytest.raises(MalformedError, match="too few"):
        nmt.range_root(8, INSIDE, OUTSIDE[:-1])


def test_a_surplus_node_is_refused() -> None:
    with pytest.raises(MalformedError, match="left over"):
        nmt.range_root(8, INSIDE, (*OUTSIDE, OUTSIDE[-1]))


def test_a_gap_between_subtrees_is_refused() -> None:
    with pytest.raises(MalformedError, match="not adjacent"):
        nmt.range_root(8, [INSIDE[0], Subtree(3, 1, LEAVES[3])], OUTSIDE)


def test_a_subtree_that_is_not_aligned_is_refused() -> None:
    node = nmt.parent(LEAVES[1], LEAVES[2])
    with pytest.raises(MalformedError, match="not aligned"):
        nmt.range_root(8, [Subtree(1, 2, node)], OUTSIDE)


def test_a_surplus_subtree_is_refused() -> None:
    with pytest.raises(MalformedError, match="left over"):
        nmt.range_root(8, INSIDE[:1] * 2, nmt.prove_range(LEAVES, 1, 2))


def test_a_subtree_beyond_the_tree_is_refused() -> None:
    with pytest.raises(MalformedError):
        nmt.range_root(4, [Subtree(4, 1, LEAVES[4])], OUTSIDE)
