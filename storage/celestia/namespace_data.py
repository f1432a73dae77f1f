"""All blobs of a namespace in one block, or that there are none, proved by the rows' roots.

    [{"proof":{"end":8,"is_max_namespace_ignored":true,"nodes":["AAAA…",…],"start":2},
      "shares":["AAAA…",…]},…]

Every row whose range of namespaces covers the one asked for must be proved, so that no row can be
left out; rows that do not cover it need no proof. See docs/spec/namespace.md.

Source: celestiaorg/celestia-node v0.31.4, share/shwap/namespace_data.go.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import pairwise

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError, VerificationError
from storage.celestia import nmt, square
from storage.celestia.availability import MAX_SQUARE, DataAvailabilityHeader
from storage.celestia.fields import all_based, bases
from storage.celestia.joining import join
from storage.celestia.namespace_proof import NamespaceProof, verify_row
from storage.celestia.nmt import NAMESPACE_BYTES
from storage.celestia.share import SHARE_BYTES, Placed, check_namespace
from storage.celestia.square import Square


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """The shares of a namespace in one row, in order, or none and a proof of absence."""

    shares: tuple[bytes, ...]
    proof: NamespaceProof

    def __post_init__(self) -> None:
        """Refuse what is neither all of a range nor a proof of absence."""
        wanted = 0 if self.proof.leaf else self.proof.end - self.proof.start
        if len(self.shares) != wanted or any(len(each) != SHARE_BYTES for each in self.shares):
            raise MalformedError(f"namespace data: {wanted} shares of {SHARE_BYTES} bytes are due")

    @classmethod
    def from_fields(cls, fields: Fields) -> "NamespaceRow":
        """Return the row as a node writes it."""
        if fields.members.get("shares", ()) is None:
            fields.members["shares"] = []
        shares = all_based(fields, "shares", MAX_SQUARE, SHARE_BYTES)
        proof = NamespaceProof.from_fields(fields.inner("proof"))
        fields.done()
        return cls(shares, proof)

    def to_json(self) -> JsonObject:
        """The row as a node writes it."""
        return {"shares": bases(self.shares) or None, "proof": self.proof.to_json()}


@dataclass(frozen=True, slots=True)
class NamespaceData:
    """What a node says of a namespace in one block; nothing is proved before `verify_namespace`."""

    rows: tuple[NamespaceRow, ...]

    @classmethod
    def from_json(cls, answer: Json) -> "NamespaceData":
        """Return the answer to share.GetNamespaceData, or raise MalformedError."""
        rows = [] if answer is None else answer
        fields = Fields("namespace data", {"rows": rows}).objects("rows", MAX_SQUARE)
        return cls(tuple(map(NamespaceRow.from_fields, fields)))

    def to_json(self) -> list[Json]:
        """The answer as a node writes it."""
        return [row.to_json() for row in self.rows]


def is_absent(namespace: bytes, availability: DataAvailabilityHeader) -> bool:
    """Return whether the roots alone prove that the block holds no share of `namespace`.

    False says nothing: the namespace may still be proved absent by `verify_namespace`.
    """
    return not _covering(namespace, availability)


def verify_namespace(
    data: NamespaceData, namespace: bytes, availability: DataAvailabilityHeader
) -> tuple[Placed, ...]:
    """Return all blobs of `namespace` in a block, in order; none only if its absence is proved.

    Passed over are padding, share versions other than 0 and 1, and blobs beyond 7 MiB, which
    strangers may post.

    Args:
        data: A node's answer.
        namespace: A namespace that users may post under.
        availability: From a verified extended header.

    Raises:
        MalformedError: The answer does not fit the square, or no user may post under the namespace.
        VerificationError: Something is missing, or false, or no valid block can hold it.
    """
    covering, size = _covering(namespace, availability), availability.size
    if len(data.rows) != len(covering):
        raise VerificationError(
            f"namespace data: {len(data.rows)} rows, where {len(covering)} cover the namespace"
        )
    rows = list(zip(covering, data.rows, strict=True))
    for index, row in rows:
        verify_row(row.proof, namespace, row.shares, availability.rows[index], size)
    if len(rows) > 1 and any(row.proof.leaf for row in data.rows):
        raise VerificationError("namespace data: absent from a row that is not alone")
    ranges = [(index * size + r.proof.start, index * size + r.proof.end) for index, r in rows]
    if any(end != start for (_, end), (start, _) in pairwise(ranges)):
        raise VerificationError("namespace data: the shares of a namespace are not adjacent")
    shares = [share for row in data.rows for share in row.shares]
    return join(namespace, shares, ranges[0][0]) if shares else ()


def prove_namespace(laid: Square, namespace: bytes) -> NamespaceData:
    """Return all shares of `namespace` in a square with their proofs, or the proof of absence."""
    check_namespace(namespace)
    size = laid.size
    spaces = [share[:NAMESPACE_BYTES] for share in laid.shares]
    rows = [
        row
        for row in range(size)
        if spaces[row * size] <= namespace <= spaces[(row + 1) * size - 1]
    ]
    leaves = square.row_leaves(laid, rows[0], rows[-1]) if rows else []
    found = []
    for row, nodes in zip(rows, leaves, strict=True):
        own = spaces[row * size : (row + 1) * size]
        start, end = bisect_left(own, namespace), bisect_right(own, namespace)
        shares = laid.shares[row * size + start : row * size + end]
        leaf = None if shares else nodes[start]
        end = max(end, start + 1)
        proof = NamespaceProof(start, end, nmt.prove_range(nodes, start, end), leaf)
        found.append(NamespaceRow(shares, proof))
    return NamespaceData(tuple(found))


def _covering(namespace: bytes, availability: DataAvailabilityHeader) -> list[int]:
    check_namespace(namespace)
    covering = [
        index
        for index, root in enumerate(availability.rows)
        if root.least <= namespace <= root.greatest
    ]
    if covering and covering[-1] >= availability.size:
        raise VerificationError("namespace data: a parity row claims to hold a user's namespace")
    return covering
