"""What a row of an extended square holds under one namespace: all its shares, or none.

    {"end":3,"is_max_namespace_ignored":true,"leaf_hash":"////…","nodes":["AAAA…",…],"start":2}

The nodes are the roots of the largest subtrees around the leaves [start, end). Those on the left
must lie below the namespace, those on the right above it; then nothing was left out. If the row
has no such share, the first leaf beyond the namespace (`leaf_hash`) stands in the middle instead.

Source: celestiaorg/nmt v0.24.3, proof.go (VerifyNamespace).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from storage.celestia import nmt
from storage.celestia.availability import MAX_SQUARE, DataAvailabilityHeader
from storage.celestia.fields import all_based, base, based, bases, decimal
from storage.celestia.nmt import NAMESPACE_BYTES, NODE_BYTES, Node, Subtree
from storage.celestia.share import check_namespace

MAX_NODES: Final = 20


@dataclass(frozen=True, slots=True)
class NamespaceProof:
    """The leaves [start, end) of a row are all of a namespace, or `leaf` is the first beyond it."""

    start: int
    end: int
    nodes: tuple[Node, ...]
    leaf: Node | None = None

    def __post_init__(self) -> None:
        """Refuse an empty range, and a leaf that is none."""
        if not 0 <= self.start < self.end <= MAX_SQUARE:
            raise MalformedError(f"namespace proof: no range of leaves: {self.start} to {self.end}")
        if self.leaf and (self.end != self.start + 1 or self.leaf.least != self.leaf.greatest):
            raise MalformedError("namespace proof: what proves the absence is not one leaf")

    @classmethod
    def from_fields(cls, fields: Fields) -> "NamespaceProof":
        """Return the proof as a node writes it, which leaves out zeros and nulls."""
        if not fields.boolean("is_max_namespace_ignored"):
            raise fields.error("is_max_namespace_ignored", "true")
        start, end = _integer(fields, "start"), _integer(fields, "end")
        nodes = all_based(fields, "nodes", MAX_NODES, NODE_BYTES)
        fields.members.setdefault("leaf_hash", None)
        leaf = fields.optional("leaf_hash", lambda name: Node(based(fields, name, NODE_BYTES)))
        fields.done()
        return cls(start, end, tuple(map(Node, nodes)), leaf)

    def to_json(self) -> JsonObject:
        """The proof as a node writes it."""
        proof: dict[str, Json] = {
            "end": self.end,
            "nodes": bases(self.nodes),
            "is_max_namespace_ignored": True,
        }
        if self.start:
            proof["start"] = self.start
        if self.leaf:
            proof["leaf_hash"] = base(self.leaf)
        return proof


def row_proofs(answer: Json) -> tuple[NamespaceProof, ...]:
    """Return the proofs in an answer to blob.GetProof, one a row, or raise MalformedError."""
    proofs = Fields("row proofs", {"proofs": answer}).objects("proofs", MAX_SQUARE)
    return tuple(map(NamespaceProof.from_fields, proofs))


def verify_row(
    proof: NamespaceProof, namespace: bytes, shares: Sequence[bytes], root: Node, size: int
) -> None:
    """Check that `shares` are all shares of `namespace` in a row; none if the proof has a leaf.

    Args:
        proof: Of this row.
        namespace: A namespace that users may post under.
        shares: 512 bytes each, in order.
        root: The row's root, from a verified data availability header.
        size: Rows of the original square, k; the row has 2k leaves.

    Raises:
        MalformedError: Not as many shares or nodes as the range needs, or nodes out of order.
        VerificationError: A share of the namespace may be missing, or the row holds others.
    """
    if proof.end > size:
        raise VerificationError("namespace proof: a range lies outside the original square")
    inside = _inside(proof, namespace, shares)
    before = proof.start.bit_count()
    if len(proof.nodes) != before + (2 * size - proof.end).bit_count():
        raise MalformedError("namespace proof: too many nodes around its range, or too few")
    left, right = proof.nodes[:before], proof.nodes[before:]
    if any(node.greatest >= namespace for node in left) or any(
        node.least <= namespace for node in right
    ):
        raise VerificationError(
            "namespace proof: shares of the namespace may stand outside the range"
        )
    _lead(proof, inside, root, size)


def verify_row_proofs(
    proofs: Sequence[NamespaceProof],
    namespace: bytes,
    shares: Sequence[bytes],
    first_row: int,
    availability: DataAvailabilityHeader,
) -> None:
    """Check the proofs of adjacent rows, which blob.GetProof gives without their shares.

    Args:
        proofs: One a row.
        namespace: A namespace that users may post under.
        shares: All shares of the namespace in these rows, in order.
        first_row: The first proof's row.
        availability: From a verified extended header.

    Raises:
        MalformedError: The proofs do not fit the square or the shares.
        VerificationError: They lead to other roots, or leave shares of the namespace out.
    """
    check_namespace(namespace)
    if not 0 <= first_row < first_row + len(proofs) <= availability.size:
        raise MalformedError("row proofs: no rows, or rows outside the original square")
    if sum(proof.end - proof.start for proof in proofs) != len(shares):
        raise MalformedError("row proofs: more shares or fewer than they cover")
    taken = 0
    for row, proof in enumerate(proofs, first_row):
        count = proof.end - proof.start
        part = shares[taken : taken + count]
        verify_row(proof, namespace, part, availability.rows[row], availability.size)
        taken += count


def verify_shares(
    proofs: Sequence[NamespaceProof],
    shares: Sequence[bytes],
    start: int,
    availability: DataAvailabilityHeader,
) -> None:
    """Check that `shares` stand at `start` of the original square, whatever their namespaces.

    Args:
        proofs: One a row, as in an answer to share.GetRange.
        shares: 512 bytes each, row by row.
        start: Position of the first, row by row.
        availability: From a verified extended header.

    Raises:
        MalformedError: The proofs are not those of one run of so many shares.
        RootMismatchError: Other shares stand there.
    """
    size, end, taken = availability.size, start + len(shares), 0
    rows = range(start // size, -(-end // size))
    if not 0 <= start < end <= size * size or len(proofs) != len(rows):
        raise MalformedError("share range: outside the original square, or not a proof a row")
    for row, proof in zip(rows, proofs, strict=True):
        first, last = max(start, row * size), min(end, (row + 1) * size)
        if (proof.start, proof.end) != (first - row * size, last - row * size) or proof.leaf:
            raise MalformedError(f"share range: the proof of row {row} is for other shares")
        part = shares[taken : taken + last - first]
        inside = [
            Subtree(place, 1, nmt.leaf(share[:NAMESPACE_BYTES], share))
            for place, share in enumerate(part, proof.start)
        ]
        _lead(proof, inside, availability.rows[row], size)
        taken += last - first


def _inside(proof: NamespaceProof, namespace: bytes, shares: Sequence[bytes]) -> Sequence[Subtree]:
    if proof.leaf:
        if shares:
            raise MalformedError("namespace proof: proves an absence, beside shares")
        if proof.leaf.least <= namespace:
            raise VerificationError("namespace proof: its leaf is not beyond the namespace")
        return [Subtree(proof.start, 1, proof.leaf)]
    if len(shares) != proof.end - proof.start:
        raise MalformedError("namespace proof: more shares or fewer than its range")
    if any(share[:NAMESPACE_BYTES] != namespace for share in shares):
        raise VerificationError("namespace proof: a share of another namespace")
    return [
        Subtree(start, width, nmt.root_of_one(namespace, shares[start - proof.start :][:width]))
        for start, width in nmt.aligned(proof.start, proof.end)
    ]


def _lead(proof: NamespaceProof, inside: Sequence[Subtree], root: Node, size: int) -> None:
    computed = nmt.range_root(2 * size, inside, proof.nodes)
    if computed != root:
        raise RootMismatchError(computed.hex(), root.hex())


def _integer(fields: Fields, name: str) -> int:
    fields.members.setdefault(name, 0)
    if isinstance(fields.members[name], str):
        return decimal(fields, name, 0, MAX_SQUARE)
    return fields.integer(name, 0, MAX_SQUARE)
