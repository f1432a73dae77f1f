"""A commitment proof: that a blob's shares stand in a block's square.

    {"namespace_id":"AAAA…","namespace_version":"0",
     "row_proof":{"end_row":"1","proofs":[{"aunts":["ugp0…"],"index":"0","leaf_hash":"0vNx…",
                                           "total":"8"},…],
                  "row_roots":["AAAA…",…],"start_row":"0"},
     "subtree_root_proofs":[{"end":"2","is_max_namespace_ignored":true,"nodes":["AAAA…"],
                             "start":"1"},…],
     "subtree_roots":["AAAA…",…]}

Three steps: the blob's own subtree roots; from them and the range proofs to each row's root; from
each row root to the data root. Celestia's own check leaves gaps that are closed here: where a row
stands, where a blob begins and ends in each row, and how its shares fall into subtrees all follow
from three numbers (first share, number of shares, square size), and the proof must say just that.

Source: celestiaorg/celestia-node v0.31.4, blob/commitment_proof.go.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from provenance import rfc9162
from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.field import Digest
from provenance.rfc9162 import MerklePath
from storage.celestia import nmt
from storage.celestia.availability import MAX_SQUARE, check_square
from storage.celestia.fields import all_based, base, based, bases, decimal
from storage.celestia.nmt import NAMESPACE_BYTES, NODE_BYTES, Node, Subtree
from storage.celestia.share import (
    Blob,
    check_namespace,
    count_shares,
    subtree_roots,
    subtree_width,
    subtree_widths,
)

MAX_SUBTREE_ROOTS: Final = 256
MAX_RANGE_NODES: Final = 20
MAX_AUNTS: Final = 11


@dataclass(frozen=True, slots=True)
class RowRange:
    """The blob's shares [start, end) of one row, and the way from them to the data root."""

    start: int
    end: int
    nodes: tuple[Node, ...]
    root: Node
    path: MerklePath


@dataclass(frozen=True, slots=True)
class CommitmentProof:
    """Where a blob stands in a square; adjacent rows, one `RowRange` each."""

    namespace: bytes
    subtree_roots: tuple[Node, ...]
    rows: tuple[RowRange, ...]

    def __post_init__(self) -> None:
        """Refuse what is not one run of shares inside the original square."""
        check_namespace(self.namespace)
        if not self.rows:
            raise MalformedError("commitment proof: no rows")
        check_square(self.size)
        if {row.path.count for row in self.rows} != {4 * self.size}:
            raise MalformedError("commitment proof: 'total' must be 4k and the same in all rows")
        first = self.rows[0].path.index
        if [row.path.index for row in self.rows] != [*range(first, first + len(self.rows))]:
            raise MalformedError("commitment proof: the rows are not adjacent")
        if first + len(self.rows) > self.size:
            raise MalformedError("commitment proof: a row lies outside the original square")
        starts, ends = [r.start for r in self.rows[1:]], [r.end for r in self.rows[:-1]]
        if any(starts) or any(end != self.size for end in ends):
            raise MalformedError("commitment proof: the shares are not adjacent")
        if any(not 0 <= row.start < row.end <= self.size for row in self.rows):
            raise MalformedError("commitment proof: a range lies outside the original square")

    @property
    def size(self) -> int:
        """Rows of the original square, k."""
        return self.rows[0].path.count // 4

    @property
    def first_share(self) -> int:
        """Position of the blob's first share in the original square, row by row."""
        return self.rows[0].path.index * self.size + self.rows[0].start

    @property
    def share_count(self) -> int:
        """Number of shares that the proof covers."""
        return sum(row.end - row.start for row in self.rows)

    @classmethod
    def from_json(cls, value: Json) -> "CommitmentProof":
        """Return the proof that `value` writes, or raise MalformedError."""
        fields = Fields.of(value, "commitment proof")
        decimal(fields, "namespace_version", 0, 0)
        namespace = b"\0" + based(fields, "namespace_id", NAMESPACE_BYTES - 1)
        roots = all_based(fields, "subtree_roots", MAX_SUBTREE_ROOTS, NODE_BYTES)
        ranges = fields.objects("subtree_root_proofs", MAX_SQUARE)
        rows = tuple(_rows(fields.inner("row_proof"), ranges))
        fields.done()
        return cls(namespace, tuple(map(Node, roots)), rows)

    def to_json(self) -> JsonObject:
        """The proof as evidence writes it."""
        first = self.rows[0].path.index
        return {
            "namespace_id": base(self.namespace[1:]),
            "namespace_version": "0",
            "subtree_roots": bases(self.subtree_roots),
            "subtree_root_proofs": [_range_json(row) for row in self.rows],
            "row_proof": {
                "start_row": str(first),
                "end_row": str(first + len(self.rows) - 1),
                "row_roots": bases([row.root for row in self.rows]),
                "proofs": [_path_json(row) for row in self.rows],
            },
        }


def verify_commitment_proof(proof: CommitmentProof, blob: Blob, data_root: Digest) -> None:
    """Check that `blob` stands under `data_root` where `proof` says.

    Raises:
        VerificationError: The proof is another blob's, or leads elsewhere.
    """
    if proof.namespace != blob.namespace:
        raise VerificationError("the proof is for another namespace than the blob's")
    verify_place(proof, count_shares(blob), subtree_roots(blob), data_root)


def verify_place(
    proof: CommitmentProof, shares: int, roots: tuple[Node, ...], data_root: Digest
) -> None:
    """Check that so many shares with these subtree roots stand under `data_root`.

    Args:
        proof: Says where.
        shares: Number of the blob's shares.
        roots: Computed from the blob, never taken from the proof.
        data_root: From a verified header.

    Raises:
        VerificationError: The proof is another blob's, or leads elsewhere.
    """
    if proof.subtree_roots != roots:
        raise VerificationError("the proof's subtree roots are not the blob's own")
    if proof.share_count != shares:
        raise VerificationError(f"the proof covers {proof.share_count} shares, not {shares}")
    width = subtree_width(shares)
    if proof.first_share % width:
        raise VerificationError(f"a blob of {shares} shares begins at a multiple of {width}")
    places = [list(subtree_widths(row.start, row.end, width)) for row in proof.rows]
    if sum(map(len, places)) != len(roots):
        raise VerificationError(f"{shares} shares there do not have {len(roots)} subtrees")
    left = iter(roots)
    for row, within in zip(proof.rows, places, strict=True):
        nodes = islice(left, len(within))
        inside = [Subtree(*place, node) for place, node in zip(within, nodes, strict=True)]
        computed = nmt.range_root(2 * proof.size, inside, row.nodes)
        if computed != row.root:
            raise RootMismatchError(computed.hex(), row.root.hex())
        rfc9162.verify_path(rfc9162.leaf_hash(row.root), row.path, data_root)


def _rows(fields: Fields, ranges: tuple[Fields, ...]) -> Iterator[RowRange]:
    first = decimal(fields, "start_row", 0, MAX_SQUARE - 1)
    last = decimal(fields, "end_row", 0, MAX_SQUARE - 1)
    roots = all_based(fields, "row_roots", MAX_SQUARE, NODE_BYTES)
    paths = fields.objects("proofs", MAX_SQUARE)
    fields.done()
    if not len(ranges) == len(roots) == len(paths) == last - first + 1:
        raise MalformedError("commitment proof: rows, roots, ranges and paths differ in number")
    for index, (inner, root, outer) in enumerate(zip(ranges, roots, paths, strict=True), first):
        path = _path(outer, root)
        if path.index != index:
            raise MalformedError(f"commitment proof: row {index} has a path of row {path.index}")
        yield _range(inner, Node(root), path)


def _range(fields: Fields, root: Node, path: MerklePath) -> RowRange:
    if not fields.boolean("is_max_namespace_ignored"):
        raise fields.error("is_max_namespace_ignored", "true")
    nodes = all_based(fields, "nodes", MAX_RANGE_NODES, NODE_BYTES)
    start = decimal(fields, "start", 0, MAX_SQUARE - 1)
    end = decimal(fields, "end", 1, MAX_SQUARE)
    fields.done()
    return RowRange(start, end, tuple(map(Node, nodes)), root, path)


def _path(fields: Fields, root: bytes) -> MerklePath:
    if based(fields, "leaf_hash", 32) != rfc9162.leaf_hash(root):
        raise fields.error("leaf_hash", "the leaf hash of its row root")
    total = decimal(fields, "total", 4, 4 * MAX_SQUARE)
    index = decimal(fields, "index", 0, MAX_SQUARE - 1)
    aunts = all_based(fields, "aunts", MAX_AUNTS, 32)
    fields.done()
    return MerklePath(index, total, tuple(map(Digest, aunts)))


def _range_json(row: RowRange) -> JsonObject:
    return {
        "start": str(row.start),
        "end": str(row.end),
        "nodes": bases(row.nodes),
        "is_max_namespace_ignored": True,
    }


def _path_json(row: RowRange) -> JsonObject:
    return {
        "total": str(row.path.count),
        "index": str(row.path.index),
        "leaf_hash": base(rfc9162.leaf_hash(row.root)),
        "aunts": bases(row.path.siblings),
    }
