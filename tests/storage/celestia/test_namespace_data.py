"""All blobs of a namespace or none: a real node's answers, and every way to leave one out."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import (
    MalformedError,
    ProvenanceError,
    RootMismatchError,
    VerificationError,
)
from storage.celestia import nmt, square
from storage.celestia.answers import normalise_header
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.extended import ExtendedHeader
from storage.celestia.namespace_data import (
    NamespaceData,
    NamespaceRow,
    is_absent,
    prove_namespace,
    verify_namespace,
)
from storage.celestia.namespace_proof import (
    NamespaceProof,
    row_proofs,
    verify_row,
    verify_row_proofs,
    verify_shares,
)
from storage.celestia.nmt import PARITY, Node
from storage.celestia.share import Blob, Placed, share_commitment, split
from storage.celestia.square import Square, availability, lay_out

VECTORS_AT = Path(__file__).parents[2] / "vectors"
DEVNET: dict[str, Any] = json.loads((VECTORS_AT / "celestia_devnet.json").read_text())
RECORDED: dict[str, Any] = json.loads((VECTORS_AT / "celestia_namespace.json").read_text())
REAL = ExtendedHeader.from_json(normalise_header(DEVNET["headers"][20])).availability
SPACES = [bytes(19) + b"rootline0" + bytes([n]) for n in b"12345"]


def asked(name: str) -> tuple[bytes, NamespaceData]:
    case = RECORDED[name]
    return base64.b64decode(case["namespace"]), NamespaceData.from_json(case["answer"])


def test_a_real_nodes_answer_holds_all_blobs_of_the_namespace() -> None:
    space, data = asked("present")
    found = verify_namespace(data, space, REAL)
    posted = {
        base64.b64decode(case["commitment"])
        for case in DEVNET["proofs"]
        if case["height"] == 224 and base64.b64decode(case["namespace"]) == space
    }
    assert {share_commitment(each.blob) for each in found} == posted
    assert [(each.start, len(each.blob.data)) for each in found] == [(2, 12), (3, 13000)]


def test_a_real_node_proves_an_absence() -> None:
    space, data = asked("absent")
    assert data.rows[0].proof.leaf is not None
    assert verify_namespace(data, space, REAL) == ()
    assert not is_absent(space, REAL)


@pytest.mark.parametrize("name", ["present", "absent"])
def test_answers_are_written_as_the_node_writes_them(name: str) -> None:
    _, data = asked(name)
    assert data.to_json() == RECORDED[name]["answer"]


def test_a_real_nodes_row_proofs_lead_to_the_rows() -> None:
    space, data = asked("present")
    proofs = row_proofs(RECORDED["row_proofs"]["answer"])
    verify_row_proofs(proofs, space, data.rows[0].shares, 0, REAL)
    assert proofs == (data.rows[0].proof,)


def test_a_real_nodes_range_leads_to_the_rows() -> None:
    answer = RECORDED["range"]["answer"]
    shares = [base64.b64decode(each) for each in answer["Shares"]]
    proofs = [
        NamespaceProof(
            each.get("start", 0),
            each["end"],
            tuple(Node(base64.b64decode(node)) for node in each["nodes"]),
        )
        for each in answer["Proof"]["share_proofs"]
    ]
    verify_shares(proofs, shares, 0, REAL)
    with pytest.raises(RootMismatchError):
        verify_shares(proofs, shares[::-1], 0, REAL)


def test_a_real_nodes_extended_square_has_the_rows_of_its_header() -> None:
    shares = [base64.b64decode(each) for each in DEVNET["square_214"]]
    header = ExtendedHeader.from_json(normalise_header(DEVNET["headers"][10]))
    for row in range(4):
        leaves = [
            nmt.leaf(share[:29] if row < 2 and place < 2 else PARITY, share)
            for place, share in enumerate(shares[4 * row : 4 * row + 4])
        ]
        assert nmt.root(leaves) == header.availability.rows[row]


BLOBS = (
    Blob(SPACES[1], b"one" * 400),
    Blob(SPACES[3], b"two" * 9000),
    Blob(SPACES[1], b"three" * 400, 1, b"s" * 20),
    Blob(SPACES[3], b"four" * 900),
)
LAID = lay_out(BLOBS)
ROOTS = availability(LAID)
SIZE = LAID.size
OURS = SPACES[3]
HONEST = prove_namespace(LAID, OURS)
EXPECTED = tuple(Placed(BLOBS[i], LAID.starts[i]) for i in (1, 3))
FIRST_ROW = LAID.starts[1] // SIZE
LEAVES = square.row_leaves(LAID, 0, SIZE - 1)


def test_the_data_that_is_forged_below_is_valid_and_spans_rows() -> None:
    assert verify_namespace(HONEST, OURS, ROOTS) == EXPECTED
    assert (len(HONEST.rows), SIZE) == (5, 16)
    first, last = HONEST.rows[0].proof, HONEST.rows[-1].proof
    assert first.start > 1
    assert last.end < SIZE - 1


def ranged(row: int, start: int, end: int) -> NamespaceRow:
    """Return a member for any leaves of a row, with the nodes that lead from them to its root."""
    nodes = nmt.prove_range(LEAVES[row], start, end)
    shares = LAID.shares[row * SIZE + start : row * SIZE + end]
    return NamespaceRow(shares, NamespaceProof(start, end, nodes))


def absence(row: int, place: int, leaf: Node | None = None) -> NamespaceRow:
    """Return a claim that the leaf at `place` is the first beyond the namespace."""
    nodes = nmt.prove_range(LEAVES[row], place, place + 1)
    proof = NamespaceProof(place, place + 1, nodes, leaf or LEAVES[row][place])
    return NamespaceRow((), proof)


def with_row(index: int, row: NamespaceRow) -> NamespaceData:
    rows = list(HONEST.rows)
    rows[index] = row
    return NamespaceData(tuple(rows))


def with_proof(index: int, **members: Any) -> NamespaceData:
    row = HONEST.rows[index]
    return with_row(index, replace(row, proof=replace(row.proof, **members)))


ROWS = HONEST.rows
START, END = ROWS[0].proof.start, ROWS[-1].proof.end
LAST_ROW = FIRST_ROW + len(ROWS) - 1
BEYOND = Node(SPACES[4] * 2 + bytes(32))
SHARE = ROWS[0].shares[0]
FORGERIES: dict[str, Callable[[], NamespaceData]] = {
    "no rows": lambda: NamespaceData(()),
    "no first row": lambda: NamespaceData(ROWS[1:]),
    "no last row": lambda: NamespaceData(ROWS[:-1]),
    "no row between": lambda: NamespaceData((*ROWS[:3], *ROWS[4:])),
    "one row twice": lambda: NamespaceData((*ROWS[:3], ROWS[2], *ROWS[3:])),
    "one row in another's place": lambda: with_row(3, ROWS[2]),
    "rows in reverse": lambda: NamespaceData(ROWS[::-1]),
    "a row that holds none of it": lambda: NamespaceData((absence(0, 4), *ROWS)),
    "the first share left out": lambda: with_row(0, ranged(FIRST_ROW, START + 1, SIZE)),
    "the last share left out": lambda: with_row(-1, ranged(LAST_ROW, 0, END - 1)),
    "the last share of a row left out": lambda: with_row(2, ranged(FIRST_ROW + 2, 0, SIZE - 1)),
    "a share more, of another namespace": lambda: with_row(0, ranged(FIRST_ROW, START - 1, SIZE)),
    "a share of the parity": lambda: with_row(
        2,
        replace(
            ranged(FIRST_ROW + 2, 0, SIZE),
            proof=NamespaceProof(0, SIZE + 1, ROWS[2].proof.nodes),
            shares=(*ROWS[2].shares, SHARE),
        ),
    ),
    "a whole blob left out": lambda: NamespaceData(
        (*ROWS[:-2], ranged(LAST_ROW - 1, 0, LAID.starts[3] - (LAST_ROW - 1) * SIZE))
    ),
    "absent, by the first leaf beyond": lambda: with_row(-1, absence(LAST_ROW, END)),
    "absent, by its own leaf": lambda: with_row(0, absence(FIRST_ROW, START)),
    "absent, by the leaf before": lambda: with_row(0, absence(FIRST_ROW, START - 1)),
    "absent, by a parity leaf": lambda: with_row(0, absence(FIRST_ROW, SIZE)),
    "absent, by a leaf made up": lambda: with_row(0, absence(FIRST_ROW, START, BEYOND)),
    "absent, by an inner node of one namespace": lambda: with_row(
        0, absence(FIRST_ROW, START, Node(PARITY * 2 + nmt.root(LEAVES[0][SIZE:])[58:]))
    ),
    "absent from every row": lambda: NamespaceData(
        tuple(absence(FIRST_ROW + i, 0, BEYOND) for i in range(len(ROWS)))
    ),
    "another share": lambda: with_row(
        0, replace(ROWS[0], shares=(SHARE[:-1] + b"\7", *ROWS[0].shares[1:]))
    ),
    "shares in another order": lambda: with_row(2, replace(ROWS[2], shares=ROWS[2].shares[::-1])),
    "a range further left": lambda: with_proof(0, start=START - 1, end=SIZE - 1),
    "a node less": lambda: with_proof(0, nodes=ROWS[0].proof.nodes[:-1]),
    "no left node": lambda: with_proof(0, nodes=ROWS[0].proof.nodes[1:]),
    "no nodes": lambda: with_proof(0, nodes=()),
    "a node more": lambda: with_proof(0, nodes=(*ROWS[0].proof.nodes, BEYOND)),
    "nodes in reverse": lambda: with_proof(0, nodes=ROWS[0].proof.nodes[::-1]),
    "another node": lambda: with_proof(0, nodes=(*ROWS[0].proof.nodes[:-1], BEYOND)),
    "other rows of the same shape": lambda: prove_namespace(LAID, SPACES[1]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_data_that_leaves_something_out_is_refused(name: str) -> None:
    with pytest.raises(ProvenanceError):
        verify_namespace(FORGERIES[name](), OURS, ROOTS)


def test_a_truncated_left_side_does_not_hide_what_is_on_the_right() -> None:
    """GHSA-r9fq-g486-v8pg: with too few nodes, nmt took right subtrees for left ones."""
    row = ranged(FIRST_ROW, START + 1, START + 2)
    for count in range(len(row.proof.nodes)):
        cut = replace(row, proof=replace(row.proof, nodes=row.proof.nodes[:count]))
        with pytest.raises(ProvenanceError):
            verify_namespace(with_row(0, cut), OURS, ROOTS)


@settings(deadline=None, max_examples=120)
@given(st.integers(0, SIZE - 1), st.data())
def test_of_all_ranges_of_a_row_only_the_whole_is_accepted(row: int, data: st.DataObject) -> None:
    """The nodes always lead to the root; only the namespaces beside the range can object."""
    covers = FIRST_ROW <= row <= LAST_ROW
    index = row - FIRST_ROW if covers else 0
    start = data.draw(st.integers(0, SIZE - 1))
    end = data.draw(st.integers(start + 1, SIZE))
    honest = covers and (start, end) == (ROWS[index].proof.start, ROWS[index].proof.end)
    forged = with_row(index, ranged(row, start, end))
    if honest:
        assert verify_namespace(forged, OURS, ROOTS) == EXPECTED
    else:
        with pytest.raises(ProvenanceError):
            verify_namespace(forged, OURS, ROOTS)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(SPACES), st.integers(0, SIZE - 1), st.integers(0, 2 * SIZE - 1))
def test_of_all_leaves_only_the_first_beyond_proves_an_absence(
    space: bytes, row: int, place: int
) -> None:
    honest = prove_namespace(LAID, space)
    forged = NamespaceData((absence(row, place),))
    if forged == honest:
        assert verify_namespace(forged, space, ROOTS) == ()
    else:
        with pytest.raises(ProvenanceError):
            verify_namespace(forged, space, ROOTS)


ALONE = (
    Blob(SPACES[0], b"before"),
    *(Blob(OURS, bytes([n])) for n in b"abc"),
    Blob(SPACES[4], b"after" * 100),
)


@pytest.mark.parametrize(("start", "end"), [(2, 4), (1, 3), (2, 3)])
def test_whole_blobs_left_out_within_a_row_are_missed(start: int, end: int) -> None:
    """What is left stands whole; only the subtree beside it tells."""
    laid = lay_out(ALONE)
    roots = availability(laid)
    assert len(verify_namespace(proved(laid, (0, 1, 4, False)), OURS, roots)) == 3
    with pytest.raises(VerificationError, match="outside the range"):
        verify_namespace(proved(laid, (0, start, end, False)), OURS, roots)


def test_a_single_share_does_not_prove_its_own_absence() -> None:
    laid = lay_out((ALONE[0], ALONE[1], ALONE[-1]))
    roots = availability(laid)
    assert len(verify_namespace(proved(laid, (0, 1, 2, False)), OURS, roots)) == 1
    with pytest.raises(VerificationError, match="not beyond"):
        verify_namespace(proved(laid, (0, 1, 2, True)), OURS, roots)


def crafted(*leaves: Node) -> DataAvailabilityHeader:
    """Return the header of an operator who hashes what he likes into the only original row."""
    rows = (nmt.root(leaves), *ROOTS.rows[len(ROOTS.rows) - len(leaves) + 1 :])
    return DataAvailabilityHeader(rows, rows)


def test_a_users_share_among_the_parity_is_refused() -> None:
    share = split(ALONE[1])[0]
    leaves = [nmt.leaf(SPACES[0], split(ALONE[0])[0]), nmt.leaf(OURS, share)]
    data = NamespaceData((NamespaceRow((share,), NamespaceProof(1, 2, (leaves[0],))),))
    with pytest.raises(VerificationError, match="outside the original square"):
        verify_namespace(data, OURS, crafted(*leaves))


def test_a_share_under_another_namespace_than_its_own_is_refused() -> None:
    share = split(Blob(SPACES[1], b"theirs"))[0]
    leaves = [nmt.leaf(OURS, share), nmt.leaf(PARITY, share)]
    data = NamespaceData((NamespaceRow((share,), NamespaceProof(0, 1, (leaves[1],))),))
    with pytest.raises(VerificationError, match="another namespace"):
        verify_namespace(data, OURS, crafted(*leaves))


def test_an_absence_is_proved_by_one_leaf() -> None:
    with pytest.raises(MalformedError, match="not one leaf"):
        NamespaceProof(1, 3, (), BEYOND)


def test_row_proofs_of_parity_rows_are_refused() -> None:
    swapped = replace(ROOTS, rows=(*ROOTS.rows[SIZE:], *ROOTS.rows[:SIZE]))
    with pytest.raises(MalformedError, match="outside the original square"):
        verify_row_proofs(TWO, OURS, PART, SIZE + AT, swapped)


def test_another_blocks_data_is_refused() -> None:
    other = lay_out([replace(blob, data=blob.data[::-1]) for blob in BLOBS])
    forged = prove_namespace(other, OURS)
    assert verify_namespace(forged, OURS, availability(other))
    with pytest.raises(RootMismatchError):
        verify_namespace(forged, OURS, ROOTS)


@pytest.mark.parametrize(
    ("space", "rows", "by_roots"),
    [(SPACES[0], 0, True), (SPACES[2], 1, False), (SPACES[4], 1, False)],
    ids=["below", "between", "before the tail"],
)
def test_absence_is_proved(space: bytes, rows: int, *, by_roots: bool) -> None:
    data = prove_namespace(LAID, space)
    assert len(data.rows) == rows
    assert is_absent(space, ROOTS) is by_roots
    assert verify_namespace(data, space, ROOTS) == ()
    with pytest.raises(VerificationError):
        verify_namespace(NamespaceData(() if rows else (absence(0, 1),)), space, ROOTS)


def test_an_empty_block_holds_nothing() -> None:
    roots = availability(lay_out([]))
    for space in SPACES:
        assert is_absent(space, roots)
        assert verify_namespace(NamespaceData.from_json(None), space, roots) == ()


@pytest.mark.parametrize("space", [PARITY, bytes(28) + b"\4", bytes(29), b"short"])
def test_only_namespaces_of_users_can_be_asked_for(space: bytes) -> None:
    for call in (
        lambda: verify_namespace(HONEST, space, ROOTS),
        lambda: is_absent(space, ROOTS),
        lambda: prove_namespace(LAID, space),
        lambda: verify_row_proofs((), space, (), 0, ROOTS),
    ):
        with pytest.raises(MalformedError):
            call()


def made(*spaces: bytes) -> tuple[Square, DataAvailabilityHeader]:
    """Return the square of an operator who puts single shares where he likes."""
    shares = [split(Blob(space, bytes([i + 1])))[0] for i, space in enumerate(spaces)]
    laid = Square(2, tuple(shares), ())
    return laid, availability(laid)


def proved(laid: Square, *ranges: tuple[int, int, int, bool]) -> NamespaceData:
    rows = square.row_leaves(laid, 0, laid.size - 1)
    return NamespaceData(
        tuple(
            NamespaceRow(
                () if absent else laid.shares[row * laid.size + start : row * laid.size + end],
                NamespaceProof(
                    start,
                    end,
                    nmt.prove_range(rows[row], start, end),
                    rows[row][start] if absent else None,
                ),
            )
            for row, start, end, absent in ranges
        )
    )


def test_a_namespace_that_stands_in_two_places_is_refused() -> None:
    laid, roots = made(SPACES[1], SPACES[2], SPACES[1], SPACES[2])
    data = proved(laid, (0, 0, 1, False), (1, 0, 1, False))
    with pytest.raises(VerificationError, match="not adjacent"):
        verify_namespace(data, SPACES[1], roots)


def test_a_namespace_absent_from_one_row_and_present_in_another_is_refused() -> None:
    laid, roots = made(SPACES[0], SPACES[2], SPACES[1], SPACES[2])
    data = proved(laid, (0, 1, 2, True), (1, 0, 1, False))
    with pytest.raises(VerificationError, match="not alone"):
        verify_namespace(data, SPACES[1], roots)


def test_a_namespace_absent_from_two_rows_that_cover_it_is_refused() -> None:
    laid, roots = made(SPACES[0], SPACES[2], SPACES[0], SPACES[2])
    data = proved(laid, (0, 1, 2, True), (1, 1, 2, True))
    with pytest.raises(VerificationError, match="not alone"):
        verify_namespace(data, SPACES[1], roots)


def test_a_parity_row_that_claims_a_users_namespace_is_refused() -> None:
    rows = (*ROOTS.rows[:-1], Node(OURS * 2 + bytes(32)))
    forged = replace(ROOTS, rows=rows)
    with pytest.raises(VerificationError, match="parity row"):
        verify_namespace(HONEST, OURS, forged)
    with pytest.raises(VerificationError, match="parity row"):
        is_absent(OURS, forged)


ANSWER: Any = HONEST.to_json()


def answered(**members: Any) -> Any:
    return [{**ANSWER[0], **members}]


PROOF: Any = ANSWER[0]["proof"]
UNREADABLE: dict[str, Any] = {
    "no array": {},
    "no objects": [None],
    "too many rows": [ANSWER[0]] * 513,
    "another member": answered(x=1),
    "no proof": [{"shares": ANSWER[0]["shares"]}],
    "no shares": [{"proof": PROOF}],
    "a short share": answered(shares=[*ANSWER[0]["shares"][:-1], "AAAA"]),
    "too many shares": answered(shares=ANSWER[0]["shares"][:1] * 513),
    "shares beside an absence": answered(proof={**PROOF, "leaf_hash": PROOF["nodes"][0]}),
    "neither shares nor a leaf": answered(shares=None),
    "another member of the proof": answered(proof={**PROOF, "x": 1}),
    "parity not ignored": answered(proof={**PROOF, "is_max_namespace_ignored": False}),
    "parity not mentioned": answered(
        proof={k: v for k, v in PROOF.items() if k != "is_max_namespace_ignored"}
    ),
    "a negative start": answered(proof={**PROOF, "start": -1}),
    "a start with a leading zero": answered(proof={**PROOF, "start": "03"}),
    "a start that is a fraction": answered(proof={**PROOF, "start": 3.0}),
    "a start that is true": answered(proof={**PROOF, "start": True}),
    "an empty range": answered(proof={**PROOF, "end": PROOF["start"]}, shares=None),
    "an end beyond all squares": answered(proof={**PROOF, "end": 513}),
    "too many nodes": answered(proof={**PROOF, "nodes": PROOF["nodes"][:1] * 21}),
    "a short node": answered(proof={**PROOF, "nodes": ["AAAA"]}),
    "an empty leaf": answered(proof={**PROOF, "leaf_hash": ""}, shares=None),
    "a leaf of two namespaces": answered(
        proof={
            "start": 1,
            "end": 2,
            "nodes": [],
            "leaf_hash": base64.b64encode(SPACES[3] + SPACES[4] + bytes(32)).decode(),
            "is_max_namespace_ignored": True,
        },
        shares=None,
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        NamespaceData.from_json(UNREADABLE[name])


def test_a_nodes_spellings_are_one() -> None:
    texts = {**PROOF, "start": str(PROOF["start"]), "end": str(PROOF["end"]), "leaf_hash": None}
    (row,) = NamespaceData.from_json(answered(proof=texts)).rows
    assert row == ROWS[0]
    empty: list[Any] = []
    assert NamespaceData.from_json(empty) == NamespaceData.from_json(None)


PART = (*ROWS[1].shares, *ROWS[2].shares)
TWO = (ROWS[1].proof, ROWS[2].proof)
AT = FIRST_ROW + 1


def test_a_row_is_checked_with_just_its_own_shares() -> None:
    proof, shares, root = ROWS[0].proof, ROWS[0].shares, ROOTS.rows[FIRST_ROW]
    verify_row(proof, OURS, shares, root, SIZE)
    for wrong in (shares[1:], (*shares, SHARE), ()):
        with pytest.raises(MalformedError, match="fewer than its range"):
            verify_row(proof, OURS, wrong, root, SIZE)
    absent = prove_namespace(LAID, SPACES[2]).rows[0].proof
    with pytest.raises(MalformedError, match="beside shares"):
        verify_row(absent, SPACES[2], (SHARE,), root, SIZE)


def test_row_proofs_of_two_rows_verify() -> None:
    verify_row_proofs(TWO, OURS, PART, AT, ROOTS)
    verify_shares(TWO, PART, AT * SIZE, ROOTS)
    verify_row_proofs([ROWS[0].proof], OURS, ROWS[0].shares, FIRST_ROW, ROOTS)


@pytest.mark.parametrize(
    ("proofs", "shares", "row"),
    [
        ((), (), AT),
        (TWO, PART, AT + 1),
        (TWO, PART, -1),
        (TWO, PART, SIZE - 1),
        (TWO[:1], PART, AT),
        (TWO, PART[:-1], AT),
        (TWO, PART[::-1], AT),
        (TWO, (*PART[:-1], LAID.shares[0]), AT),
        ((ranged(AT, 1, SIZE).proof,), ROWS[1].shares[1:], AT),
        ((absence(0, 1).proof,), (), 0),
    ],
)
def test_row_proofs_that_do_not_fit_are_refused(
    proofs: tuple[NamespaceProof, ...], shares: tuple[bytes, ...], row: int
) -> None:
    with pytest.raises(ProvenanceError):
        verify_row_proofs(proofs, OURS, shares, row, ROOTS)


@pytest.mark.parametrize(
    ("proofs", "shares", "start"),
    [
        ((), (), AT * SIZE),
        (TWO, PART, AT * SIZE + 1),
        (TWO, PART, AT * SIZE + SIZE),
        (TWO, PART, -SIZE),
        (TWO, PART, SIZE * SIZE - 1),
        (TWO[:1], PART, AT * SIZE),
        (TWO, PART[:-1], AT * SIZE),
        (TWO, PART[::-1], AT * SIZE),
    ],
)
def test_share_ranges_that_do_not_fit_are_refused(
    proofs: tuple[NamespaceProof, ...], shares: tuple[bytes, ...], start: int
) -> None:
    with pytest.raises(ProvenanceError):
        verify_shares(proofs, shares, start, ROOTS)
