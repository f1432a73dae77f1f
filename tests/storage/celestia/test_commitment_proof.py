"""Commitment proofs of a real node, and every way to forge one."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256, shake_256
from pathlib import Path
from typing import Any

import pytest

from provenance import rfc9162
from provenance.errors import MalformedError, ProvenanceError, VerificationError
from provenance.field import Digest
from provenance.rfc9162 import MerklePath
from storage.celestia import block, square
from storage.celestia.answers import normalise_proof
from storage.celestia.commitment_proof import (
    CommitmentProof,
    RowRange,
    verify_commitment_proof,
    verify_place,
)
from storage.celestia.extended import ExtendedHeader
from storage.celestia.nmt import Node
from storage.celestia.share import Blob, commitment_of, share_commitment
from storage.ledger import MemoryLedger

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
DATA_ROOTS = {
    int(each["header"]["height"]): Digest.parse(each["header"]["data_hash"].lower())
    for each in DEVNET["headers"]
}
THIRD_PARTY = ROOT.parent / "shared/vectors/celestia/commitment_proofs"
FILES = ("about_ten_shares", "less_than_a_share", "two_shares")


def recorded(case: dict[str, Any]) -> Blob:
    size = case["size"]
    data = shake_256(size.to_bytes(4, "big")).digest(size)
    if case["data"] is not None:
        data = base64.b64decode(case["data"])
    return Blob(base64.b64decode(case["namespace"]), data)


@pytest.mark.parametrize("case", DEVNET["proofs"], ids=lambda case: f"{case['size']} bytes")
def test_recorded_proofs_verify(case: dict[str, Any]) -> None:
    blob, evidence = recorded(case), normalise_proof(case["proof"])
    proof = CommitmentProof.from_json(evidence)
    verify_commitment_proof(proof, blob, DATA_ROOTS[case["height"]])
    assert proof.to_json() == evidence
    assert share_commitment(blob) == base64.b64decode(case["commitment"])
    assert commitment_of(proof.subtree_roots) == base64.b64decode(case["commitment"])


def third_party(name: str) -> list[tuple[Any, Digest]]:
    """Return commitment proofs and the data roots they lead to."""
    file = THIRD_PARTY / f"{name}.json"
    if not file.exists():
        pytest.skip("third parties' vectors are not here")
    cases = json.loads(file.read_text())
    assert len(cases) == 12
    return [
        (normalise_proof(each["commitment_proof"]), Digest(base64.b64decode(each["root"])))
        for each in cases
    ]


def verify_unseen(evidence: Any, honest: CommitmentProof, data_root: Digest) -> None:
    """Check a proof whose blob is not published, by the subtree roots of the honest proof."""
    proof = CommitmentProof.from_json(evidence)
    verify_place(proof, honest.share_count, honest.subtree_roots, data_root)


@pytest.mark.parametrize("name", FILES)
def test_the_third_partys_proofs_lead_to_their_data_roots(name: str) -> None:
    for evidence, data_root in third_party(name):
        verify_unseen(evidence, CommitmentProof.from_json(evidence), data_root)


def flipped(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return base64.b64encode(data).decode()


def change(evidence: Any, *where: Any, by: Callable[[Any], Any]) -> Any:
    copy = json.loads(json.dumps(evidence))
    inner = copy
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = by(inner[where[-1]])
    return copy


def added(by: int) -> Callable[[str], str]:
    return lambda text: str(int(text) + by)


def one_row_below(evidence: Any) -> Any:
    rows = ("row_proof", "start_row"), ("row_proof", "end_row")
    moved = change(change(evidence, *rows[0], by=added(1)), *rows[1], by=added(1))
    for place in range(len(moved["row_proof"]["proofs"])):
        moved = change(moved, "row_proof", "proofs", place, "index", by=added(1))
    return moved


THEIR_CHANGES: dict[str, Callable[[Any], Any]] = {
    "a subtree root": lambda one: change(one, "subtree_roots", 0, by=flipped),
    "an end": lambda one: change(one, "subtree_root_proofs", 0, "end", by=added(1)),
    "an aunt": lambda one: change(one, "row_proof", "proofs", 0, "aunts", 0, by=flipped),
    "its rows": one_row_below,
    "a root more": lambda one: change(one, "subtree_roots", by=lambda each: [*each, each[0]]),
    "a root less": lambda one: change(one, "subtree_roots", by=lambda each: each[:-1]),
    "a node": lambda one: change(one, "subtree_root_proofs", 0, "nodes", 0, by=flipped),
    "a row root": lambda one: change(one, "row_proof", "row_roots", 0, by=flipped),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("changed", THEIR_CHANGES)
def test_a_changed_proof_of_the_third_party_is_refused(name: str, changed: str) -> None:
    for evidence, data_root in third_party(name):
        honest = CommitmentProof.from_json(evidence)
        with pytest.raises(ProvenanceError):
            verify_unseen(THEIR_CHANGES[changed](evidence), honest, data_root)


@pytest.mark.parametrize("name", FILES)
def test_the_third_partys_proofs_are_for_one_root_and_one_commitment(name: str) -> None:
    for evidence, data_root in third_party(name):
        honest = CommitmentProof.from_json(evidence)
        with pytest.raises(VerificationError):
            verify_unseen(evidence, honest, Digest(sha256(data_root).digest()))
        roots = (Node(honest.subtree_roots[0][:-1] + b"\0"), *honest.subtree_roots[1:])
        assert commitment_of(roots) != commitment_of(honest.subtree_roots)
        with pytest.raises(VerificationError):
            verify_unseen(evidence, replace(honest, subtree_roots=roots), data_root)


@pytest.mark.parametrize("by", [-1, 1])
def test_a_proof_covers_just_the_blobs_shares(by: int) -> None:
    with pytest.raises(VerificationError, match=f"covers {PROOF.share_count + by} shares"):
        verify_commitment_proof(changed(-1, end=LAST.end + by), BLOB, DATA_ROOT)


def test_fewer_subtree_roots_than_subtrees_are_refused() -> None:
    less = replace(PROOF, subtree_roots=PROOF.subtree_roots[:-1])
    with pytest.raises(VerificationError, match="do not have"):
        verify_place(less, PROOF.share_count, less.subtree_roots, DATA_ROOT)


SPACE, OTHER = bytes(19) + b"rootline01", bytes(19) + b"rootline02"
BLOB = Blob(SPACE, bytes(range(256)) * 70)
BLOBS = (Blob(SPACE, b"before" * 300), BLOB, Blob(OTHER, b"after" * 300))
LEDGER = MemoryLedger("proofs-1")
HEIGHT = LEDGER.submit(BLOBS)
EXTENDED = ExtendedHeader.from_json(LEDGER.header(HEIGHT))
DATA_ROOT = EXTENDED.header.data_root
JSON: Any = LEDGER.receipt(HEIGHT, BLOB).proof
PROOF = CommitmentProof.from_json(JSON)
FIRST, LAST = PROOF.rows[0], PROOF.rows[-1]


def test_the_proof_that_is_forged_below_is_valid_and_spans_rows() -> None:
    verify_commitment_proof(PROOF, BLOB, DATA_ROOT)
    assert (len(PROOF.rows), PROOF.size, PROOF.share_count) == (6, 8, 38)


def changed(index: int, **members: Any) -> CommitmentProof:
    rows = list(PROOF.rows)
    rows[index] = replace(rows[index], **members)
    return replace(PROOF, rows=tuple(rows))


def moved(row: RowRange, **members: Any) -> RowRange:
    return replace(row, path=replace(row.path, **members))


def shifted(by: int) -> CommitmentProof:
    rows = tuple(moved(row, index=row.path.index + by) for row in PROOF.rows)
    return replace(PROOF, rows=rows)


NODE = Node(SPACE * 2 + bytes(32))
FORGERIES: dict[str, Callable[[], CommitmentProof]] = {
    "a surplus subtree root": lambda: replace(PROOF, subtree_roots=(*PROOF.subtree_roots, NODE)),
    "a missing subtree root": lambda: replace(PROOF, subtree_roots=PROOF.subtree_roots[:-1]),
    "reordered subtree roots": lambda: replace(PROOF, subtree_roots=PROOF.subtree_roots[::-1]),
    "another subtree root": lambda: replace(PROOF, subtree_roots=(NODE, *PROOF.subtree_roots[1:])),
    "no subtree roots": lambda: replace(PROOF, subtree_roots=()),
    "another namespace": lambda: replace(PROOF, namespace=OTHER),
    "a reserved namespace": lambda: replace(PROOF, namespace=bytes(28) + b"\4"),
    "all rows one below": lambda: shifted(1),
    "all rows one above": lambda: shifted(-1),
    "all rows in the parity": lambda: shifted(PROOF.size),
    "one row twice": lambda: replace(PROOF, rows=(FIRST, FIRST, *PROOF.rows[2:])),
    "no first row": lambda: replace(PROOF, rows=PROOF.rows[1:]),
    "no last row": lambda: replace(PROOF, rows=PROOF.rows[:-1]),
    "no row between": lambda: replace(PROOF, rows=(*PROOF.rows[:1], *PROOF.rows[2:])),
    "no rows": lambda: replace(PROOF, rows=()),
    "rows in reverse": lambda: replace(PROOF, rows=PROOF.rows[::-1]),
    "one share more": lambda: changed(-1, end=LAST.end + 1),
    "one share less": lambda: changed(-1, end=LAST.end - 1),
    "one share earlier": lambda: changed(0, start=FIRST.start - 1),
    "one share later": lambda: changed(0, start=FIRST.start + 1),
    "shares of the parity": lambda: changed(0, end=PROOF.size + 1),
    "an empty range": lambda: changed(-1, end=0),
    "a negative start": lambda: changed(0, start=-1),
    "a later start in a middle row": lambda: changed(1, start=1),
    "another row root": lambda: changed(1, root=NODE),
    "a range node less": lambda: changed(0, nodes=FIRST.nodes[:-1]),
    "a range node more": lambda: changed(0, nodes=(*FIRST.nodes, NODE)),
    "range nodes in reverse": lambda: changed(0, nodes=FIRST.nodes[::-1]),
    "an aunt less": lambda: changed(0, path=replace(FIRST.path, siblings=FIRST.path.siblings[1:])),
    "an aunt more": lambda: changed(
        0, path=replace(FIRST.path, siblings=(*FIRST.path.siblings, DATA_ROOT))
    ),
    "another total in one row": lambda: changed(0, path=replace(FIRST.path, count=64)),
    "another total in all rows": lambda: replace(
        PROOF, rows=tuple(moved(row, count=64) for row in PROOF.rows)
    ),
    "a total that is no square": lambda: replace(
        PROOF, rows=tuple(moved(row, count=40) for row in PROOF.rows)
    ),
    "a total that is no multiple of 4": lambda: replace(
        PROOF, rows=tuple(moved(row, count=33) for row in PROOF.rows)
    ),
    "a total of 0": lambda: replace(PROOF, rows=tuple(moved(row, count=0) for row in PROOF.rows)),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_proof_is_refused(name: str) -> None:
    with pytest.raises(ProvenanceError):
        verify_commitment_proof(FORGERIES[name](), BLOB, DATA_ROOT)


@pytest.mark.parametrize(
    "blob",
    [
        BLOBS[0],
        BLOBS[2],
        Blob(OTHER, BLOB.data),
        Blob(SPACE, BLOB.data + b"\0"),
        Blob(SPACE, BLOB.data[:-1]),
        Blob(SPACE, BLOB.data, 1, bytes(20)),
    ],
    ids=["before", "after", "other namespace", "one byte more", "one byte less", "version 1"],
)
def test_a_proof_is_for_one_blob_only(blob: Blob) -> None:
    with pytest.raises(VerificationError):
        verify_commitment_proof(PROOF, blob, DATA_ROOT)


def test_a_proof_is_for_one_block_only() -> None:
    with pytest.raises(VerificationError):
        verify_commitment_proof(PROOF, BLOB, EXTENDED.header.validators)


def test_a_column_does_not_pass_for_a_row() -> None:
    """A blob laid down a column of another square would need the column's root as a row's."""
    rows = tuple(moved(row, index=row.path.index + 2 * PROOF.size) for row in PROOF.rows)
    with pytest.raises(MalformedError, match="outside the original square"):
        replace(PROOF, rows=rows)


def misplaced(start: int) -> tuple[CommitmentProof, Blob, Digest]:
    """Return a proof of a blob that an issuer put at a share where no blob may begin."""
    blob = Blob(SPACE, b"x" * 482 * 66)
    padding = (SPACE + b"\1" + bytes(4)).ljust(512, b"\0")
    honest = square.lay_out([blob])
    shares = ([padding] * start + list(honest.shares))[: honest.size**2]
    laid = square.Square(honest.size, tuple(shares), (start,))
    roots = square.availability(laid)
    extended = replace(EXTENDED, availability=roots)
    return block.prove(laid, start, blob, extended), blob, roots.data_root


def test_a_blob_that_begins_where_none_may_begin_is_refused() -> None:
    proof, blob, data_root = misplaced(2)
    verify_commitment_proof(proof, blob, data_root)
    proof, blob, data_root = misplaced(1)
    with pytest.raises(VerificationError, match="begins at a multiple of 2"):
        verify_commitment_proof(proof, blob, data_root)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(len(value)):
            yield (*path, name)
            yield from leaves(value[name], (*path, name))


def bump(value: Any) -> Any:
    if isinstance(value, str):
        place = len(value.rstrip("=")) // 2
        other = {"9": "8", "z": "y", "Z": "Y", "/": "A", "+": "A"}
        new = other.get(value[place], chr(ord(value[place]) + 1))
        return value[:place] + new + value[place + 1 :]
    return not value if isinstance(value, bool) else value[::-1] + value[:1]


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    for path in leaves(value):
        for change in ("bumped", "dropped", "emptied"):
            copy = json.loads(json.dumps(value))
            inner = copy
            for step in path[:-1]:
                inner = inner[step]
            if change == "dropped":
                del inner[path[-1]]
            elif change == "emptied":
                inner[path[-1]] = type(inner[path[-1]])()
            elif isinstance(inner[path[-1]], dict):
                continue
            else:
                inner[path[-1]] = bump(inner[path[-1]])
            yield f"{'.'.join(map(str, path))} {change}", copy


def test_no_member_can_be_changed() -> None:
    accepted, tried = [], 0
    for name, forged in mutations(JSON):
        tried += 1
        with suppress(ProvenanceError):
            verify_commitment_proof(CommitmentProof.from_json(forged), BLOB, DATA_ROOT)
            accepted.append(name)
    assert accepted == []
    assert tried > 300


def bounded(where: tuple[str, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(JSON))
    inner = copy
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    return copy


@pytest.mark.parametrize(
    "where",
    [
        ("subtree_roots",),
        ("subtree_root_proofs",),
        ("row_proof", "row_roots"),
        ("row_proof", "proofs"),
    ],
    ids=".".join,
)
def test_arrays_are_bounded_before_they_are_read(where: tuple[str, ...]) -> None:
    with pytest.raises(MalformedError, match="at most"):
        CommitmentProof.from_json(bounded(where, [{}] * 513))


def test_a_row_path_of_another_row_is_refused() -> None:
    copy = json.loads(json.dumps(JSON))
    copy["row_proof"]["proofs"][1]["index"] = "0"
    with pytest.raises(MalformedError, match="has a path of row 0"):
        CommitmentProof.from_json(copy)


def test_a_path_is_one_of_rfc_9162() -> None:
    assert FIRST.path == rfc9162.path(EXTENDED.availability.axes, FIRST.path.index)
    assert isinstance(FIRST.path, MerklePath)
