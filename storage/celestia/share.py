"""A blob -> shares of 512 bytes -> subtree roots -> share commitment.

    share = namespace (29) ‖ info (1) ‖ in the first share: length (4), version 1's signer (20)
            ‖ data ‖ zeros
    info  = version · 2 + (1 in the first share)

The share commitment is the RFC 9162 root over the roots of subtrees that stand whole in every
square that holds the blob, so it does not depend on the place in the square.

Source: celestiaorg/go-square v4.0.0, share/split_sparse_shares.go, inclusion/commitment.go and
blob_share_commitment_rules.go.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from provenance import rfc9162
from provenance.errors import MalformedError
from provenance.field import Digest
from storage.celestia import nmt
from storage.celestia.nmt import NAMESPACE_BYTES, Node

SHARE_BYTES: Final = 512
HEAD_BYTES: Final = NAMESPACE_BYTES + 1
LENGTH_BYTES: Final = 4
SIGNER_BYTES: Final = 20
MAX_BLOB_BYTES: Final = 7 * 2**20
SUBTREE_ROOT_THRESHOLD: Final = 64
_USER_PREFIX: Final = bytes(19)
_RESERVED_PREFIX: Final = bytes(28)


@dataclass(frozen=True, slots=True)
class Blob:
    """Data under a user namespace: version byte 0, 18 zeros, 10 bytes that are not reserved.

    Raises:
        MalformedError: Another namespace, no data or too much, another share version than 0 and 1,
            or a signer where there must be none (version 0) or not 20 bytes (version 1).
    """

    namespace: bytes
    data: bytes = field(repr=False)
    version: int = 0
    signer: bytes = b""

    def __post_init__(self) -> None:
        check_namespace(self.namespace)
        if not 0 < len(self.data) <= MAX_BLOB_BYTES:
            raise MalformedError(
                f"a blob has 1 to {MAX_BLOB_BYTES} bytes, got {len(self.data)}: split it"
            )
        if self.version not in (0, 1):
            raise MalformedError(f"share version {self.version} is unknown; use 0 or 1")
        if len(self.signer) != SIGNER_BYTES * self.version:
            raise MalformedError(
                f"share version {self.version} has a signer of {SIGNER_BYTES * self.version} "
                f"bytes, got {len(self.signer)}"
            )


@dataclass(frozen=True, slots=True)
class Placed:
    """A blob and the position of its first share in the original square, row by row."""

    blob: Blob
    start: int


def check_namespace(namespace: bytes) -> None:
    """Raise MalformedError unless `namespace` is one that users may post under."""
    if len(namespace) != NAMESPACE_BYTES or not namespace.startswith(_USER_PREFIX):
        raise MalformedError("a user namespace has 29 bytes, of which the first 19 are 0")
    if namespace.startswith(_RESERVED_PREFIX):
        raise MalformedError(f"namespace {namespace.hex()} is reserved")


def split(blob: Blob) -> tuple[bytes, ...]:
    """Return the shares that hold the blob, 512 bytes each."""
    first = blob.namespace + bytes([blob.version << 1 | 1]) + len(blob.data).to_bytes(4, "big")
    first += blob.signer
    other = blob.namespace + bytes([blob.version << 1])
    room, more = SHARE_BYTES - len(first), SHARE_BYTES - len(other)
    starts = range(room, len(blob.data), more)
    parts = [first + blob.data[:room], *(other + blob.data[s : s + more] for s in starts)]
    return (*parts[:-1], parts[-1].ljust(SHARE_BYTES, b"\0"))


def padding(namespace: bytes, version: int = 0) -> bytes:
    """Return the empty share that fills a gap after a blob of such a namespace and version."""
    return (namespace + bytes([version << 1 | 1])).ljust(SHARE_BYTES, b"\0")


def count_shares(blob: Blob) -> int:
    """Return the number of shares that hold the blob."""
    beyond = len(blob.data) - (SHARE_BYTES - HEAD_BYTES - LENGTH_BYTES - len(blob.signer))
    return 1 + max(0, -(-beyond // (SHARE_BYTES - HEAD_BYTES)))


def round_up(value: int) -> int:
    """Return the smallest power of two that is at least `value`."""
    return 1 << max(0, value - 1).bit_length()


def ceil_root(value: int) -> int:
    """Return the smallest integer whose square is at least `value`."""
    return math.isqrt(value - 1) + 1 if value else 0


def subtree_width(shares: int) -> int:
    """Return the leaves of the largest subtree that is sure to stand whole in any square."""
    by_threshold = round_up(-(-shares // SUBTREE_ROOT_THRESHOLD))
    return min(by_threshold, round_up(ceil_root(shares)))


def subtree_widths(start: int, end: int, width: int) -> Iterator[tuple[int, int]]:
    """Yield (first leaf, leaves) of the subtrees that cover [start, end), at most `width` each."""
    while start < end:
        size = min(width, 1 << (end - start).bit_length() - 1)
        yield start, size
        start += size


def subtree_roots(blob: Blob) -> tuple[Node, ...]:
    """Return the roots that the share commitment covers, in order."""
    return roots_over(blob.namespace, split(blob))


def roots_over(namespace: bytes, shares: Sequence[bytes]) -> tuple[Node, ...]:
    """Return the subtree roots over the shares of one blob."""
    places = subtree_widths(0, len(shares), subtree_width(len(shares)))
    return tuple(nmt.root_of_one(namespace, shares[start : start + size]) for start, size in places)


def commitment_of(roots: tuple[Node, ...]) -> Digest:
    """Return the share commitment over subtree roots."""
    return rfc9162.root([rfc9162.leaf_hash(node) for node in roots])


def share_commitment(blob: Blob) -> Digest:
    """Return the share commitment of the blob, which Celestia finds it by."""
    return commitment_of(subtree_roots(blob))
