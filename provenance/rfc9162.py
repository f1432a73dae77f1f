"""Binary Merkle tree over SHA-256, shaped as in RFC 9162, section 2.1.

The issuer's log uses it for a batch's entries; CometBFT uses the same tree for headers and roots.

>>> root([]).hex()[:16]
'e3b0c44298fc1c14'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from provenance.errors import MalformedError, RootMismatchError
from provenance.field import Digest


@dataclass(frozen=True, slots=True)
class MerklePath:
    """The siblings on the way from one leaf to the root, lowest first."""

    index: int
    count: int
    siblings: tuple[Digest, ...]


def leaf_hash(entry: bytes) -> Digest:
    """Return the hash of one entry."""
    return Digest(sha256(b"\x00" + entry).digest())


def node_hash(left: Digest, right: Digest) -> Digest:
    """Return the hash of an interior node."""
    return Digest(sha256(b"\x01" + left + right).digest())


def root(leaves: Sequence[Digest]) -> Digest:
    """Return the root over leaf hashes; an empty tree has the hash of no bytes."""
    if not leaves:
        return Digest(sha256().digest())
    if len(leaves) == 1:
        return leaves[0]
    split = split_point(len(leaves))
    return node_hash(root(leaves[:split]), root(leaves[split:]))


def path(leaves: Sequence[Digest], index: int) -> MerklePath:
    """Return the proof that the leaf at `index` is under `root(leaves)`.

    Raises:
        MalformedError: There is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise MalformedError(f"index {index} is outside a tree of {len(leaves)} leaves")
    return MerklePath(index, len(leaves), _siblings(leaves, index))


def verify_path(leaf: Digest, proof: MerklePath, committed: Digest) -> None:
    """Check that `leaf` is the entry at `proof.index` under the root `committed`.

    Args:
        leaf: Leaf hash of the entry, from `leaf_hash`; never a node hash.
        proof: One sibling per level, lowest first. Its count must come from a signed header.
        committed: Root from a verified header.

    Raises:
        MalformedError: The index or the length of the path does not fit the tree.
        RootMismatchError: The path leads to another root.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= proof.index < proof.count:
        raise MalformedError(f"index {proof.index} is outside a tree of {proof.count} leaves")
    position, last, computed = proof.index, proof.count - 1, leaf
    for sibling in proof.siblings:
        if last == 0:
            raise MalformedError(f"path is too long for a tree of {proof.count} leaves")
        if position & 1 or position == last:
            computed = node_hash(sibling, computed)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise MalformedError(f"path is too short for a tree of {proof.count} leaves")
    if computed != committed:
        raise RootMismatchError(computed.hex(), committed.hex())


def split_point(count: int) -> int:
    """Return the largest power of two below `count`, which is at least 2."""
    return 1 << (count - 1).bit_length() - 1


def _siblings(leaves: Sequence[Digest], index: int) -> tuple[Digest, ...]:
    if len(leaves) == 1:
        return ()
    split = split_point(len(leaves))
    if index < split:
        return (*_siblings(leaves[:split], index), root(leaves[split:]))
    return (*_siblings(leaves[split:], index - split), root(leaves[:split]))
