"""Namespaced Merkle tree: every node says which namespaces lie below it.

A node has 90 bytes: least namespace, greatest namespace, SHA-256.

    leaf   = namespace ‖ namespace ‖ SHA-256(0 ‖ namespace ‖ share)
    parent = least ‖ greatest ‖ SHA-256(1 ‖ left ‖ right)

A right child of parity only (namespace ff…ff) does not widen its parent's range. Trees here are a
row or column of an extended square, or a part of it, so their width is a power of two.

Source: celestiaorg/nmt, hasher.go (v0.24.3), with its option IgnoreMaxNamespace.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from provenance.errors import MalformedError

NAMESPACE_BYTES: Final = 29
NODE_BYTES: Final = 2 * NAMESPACE_BYTES + 32
PARITY: Final = b"\xff" * NAMESPACE_BYTES
_RANGE: Final = 2 * NAMESPACE_BYTES


class Node(bytes):
    """A node of 90 bytes whose range is in order."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError."""
        if len(value) != NODE_BYTES:
            raise MalformedError(f"a namespaced node has {NODE_BYTES} bytes, got {len(value)}")
        if value[:NAMESPACE_BYTES] > value[NAMESPACE_BYTES : 2 * NAMESPACE_BYTES]:
            raise MalformedError("a namespaced node has its range in the wrong order")
        return super().__new__(cls, value)

    @property
    def least(self) -> bytes:
        """The least namespace below."""
        return self[:NAMESPACE_BYTES]

    @property
    def greatest(self) -> bytes:
        """The greatest namespace below, parity apart."""
        return self[NAMESPACE_BYTES : 2 * NAMESPACE_BYTES]


def _made(value: bytes) -> Node:
    """Wrap what was put together here from ranges in order, without another look."""
    return bytes.__new__(Node, value)


@dataclass(frozen=True, slots=True)
class Subtree:
    """A whole subtree of a row: its first leaf, how many leaves it holds, and its root."""

    start: int
    width: int
    node: Node


def leaf(namespace: bytes, share: bytes) -> Node:
    """Return the leaf of one share."""
    return _made(namespace * 2 + sha256(b"\0" + namespace + share).digest())


def parent(left: Node, right: Node) -> Node:
    """Return the node above two siblings, or raise MalformedError if they are out of order."""
    least, greatest = left[:NAMESPACE_BYTES], left[NAMESPACE_BYTES:_RANGE]
    beyond = right[:NAMESPACE_BYTES]
    if beyond < greatest:
        raise MalformedError("namespaced siblings are out of order")
    if PARITY not in (least, beyond):
        greatest = right[NAMESPACE_BYTES:_RANGE]
    return _made(least + greatest + sha256(b"\1" + left + right).digest())


def root_of_one(namespace: bytes, shares: Sequence[bytes]) -> Node:
    """Return the root over shares of one namespace, as `root` does over their leaves, sooner."""
    both, head = namespace * 2, b"\0" + namespace
    level = [both + sha256(head + share).digest() for share in shares]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=True)
        level = [both + sha256(b"\1" + left + right).digest() for left, right in pairs]
    return Node(level[0])


def root(leaves: Sequence[Node]) -> Node:
    """Return the root over leaves, whose number is a power of two."""
    level = list(leaves)
    while len(level) > 1:
        level = [parent(*pair) for pair in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def aligned(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (first leaf, leaves) of the fewest whole subtrees that make up [start, end)."""
    while start < end:
        size = 1 << (end - start).bit_length() - 1
        size = min(size, start & -start or size)
        yield start, size
        start += size


def prove_range(leaves: Sequence[Node], start: int, end: int) -> tuple[Node, ...]:
    """Return the roots of the largest subtrees outside [start, end), from left to right."""
    return tuple(_outside(leaves, 0, start, end))


def _outside(leaves: Sequence[Node], low: int, start: int, end: int) -> Iterator[Node]:
    high = low + len(leaves)
    if high <= start or end <= low:
        yield root(leaves)
    elif len(leaves) > 1 and not (start <= low and high <= end):
        half = len(leaves) // 2
        yield from _outside(leaves[:half], low, start, end)
        yield from _outside(leaves[half:], low + half, start, end)


def range_root(width: int, inside: Sequence[Subtree], outside: Sequence[Node]) -> Node:
    """Return the root of a tree of `width` leaves from adjacent subtrees and what is around them.

    Args:
        width: Number of leaves of the whole tree, a power of two.
        inside: Adjacent subtrees from left to right, at least one, each aligned to its width.
        outside: Roots of the largest subtrees around them, from left to right.

    Raises:
        MalformedError: A subtree is missing, left over, misplaced, or out of order.
    """
    start, end = inside[0].start, inside[-1].start + inside[-1].width
    within, around = iter(inside), iter(outside)
    awaited = next(within)

    def climb(low: int, size: int) -> Node:
        nonlocal awaited
        if low + size <= start or end <= low:
            return _next(around, "a range proof has too few nodes")
        if (awaited.start, awaited.width) == (low, size):
            node, awaited = awaited.node, next(within, _NO_SUBTREE)
            return node
        if size == 1:
            raise MalformedError("a range proof's subtrees are not aligned or not adjacent")
        return parent(climb(low, size // 2), climb(low + size // 2, size // 2))

    node = climb(0, width)
    if next(around, None) is not None or awaited is not _NO_SUBTREE:
        raise MalformedError("a range proof has nodes left over")
    return node


_NO_SUBTREE: Final = Subtree(-1, 0, Node(bytes(NODE_BYTES)))


def _next(nodes: Iterator[Node], otherwise: str) -> Node:
    node = next(nodes, None)
    if node is None:
        raise MalformedError(otherwise)
    return node
