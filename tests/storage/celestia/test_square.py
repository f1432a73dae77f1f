"""The layout against the rules said otherwise; extension and roots against a real node's."""

import base64
import json
from hashlib import shake_256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import rfc9162
from provenance.errors import MalformedError
from storage.celestia import erasure, nmt, share, square
from storage.celestia.answers import normalise_header, normalise_proof
from storage.celestia.commitment_proof import CommitmentProof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.share import Blob, split, subtree_width
from storage.celestia.square import TAIL_NAMESPACE, Square, availability, lay_out, square_size

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia.json").read_text())
MOCHA = ROOT.parent / "shared/vectors/celestia/mocha_block_10383867.json"
ROOTS = {
    int(each["header"]["height"]): ExtendedHeader.from_json(normalise_header(each)).availability
    for each in DEVNET["headers"]
}
SPACES = [bytes(19) + b"rootline0" + bytes([n]) for n in b"123"]
PAY_FOR_BLOBS, PADDING = bytes(28) + b"\4", bytes(28) + b"\xff"
blobs = st.lists(
    st.builds(Blob, st.sampled_from(SPACES), st.integers(1, 9000).map(lambda n: b"d" * n)),
    max_size=6,
)


def padding(namespace: bytes, version: int = 0) -> bytes:
    return (namespace + bytes([2 * version + 1]) + bytes(4)).ljust(512, b"\0")


@settings(deadline=None, max_examples=60)
@given(blobs)
def test_blobs_stand_in_order_aligned_and_padded(found: list[Blob]) -> None:
    laid = lay_out(found)
    assert len(laid.shares) == laid.size**2
    order = sorted(range(len(found)), key=lambda i: (found[i].namespace, i))
    cursor, before = 0, b""
    for index in order:
        parts, start = split(found[index]), laid.starts[index]
        assert start % subtree_width(len(parts)) == 0
        assert start - cursor < subtree_width(len(parts))
        assert set(laid.shares[cursor:start]) <= {padding(before)}
        assert laid.shares[start : start + len(parts)] == parts
        cursor, before = start + len(parts), found[index].namespace
    assert set(laid.shares[cursor:]) <= {padding(TAIL_NAMESPACE)}


@settings(deadline=None, max_examples=60)
@given(blobs)
def test_namespaces_never_fall_from_share_to_share(found: list[Blob]) -> None:
    spaces = [each[:29] for each in lay_out(found).shares]
    assert spaces == sorted(spaces)


def test_the_empty_square_is_celestias() -> None:
    case = VECTORS["empty_square"]
    laid = lay_out([])
    assert laid.size == case["size"]
    assert availability(laid).data_root.hex() == case["data_root"]


def test_the_empty_square_has_the_root_in_the_third_partys_own_file() -> None:
    file = MOCHA.parent / "empty_block.json"
    if not file.exists():
        pytest.skip("third parties' vectors are not here")
    root = json.loads(file.read_text())["data_root"]
    assert availability(lay_out([])).data_root.hex() == root.lower()


def test_a_gap_is_filled_with_shares_of_the_version_before() -> None:
    """go-square v4.0.0, share/split_sparse_shares.go: WriteNamespacePaddingShares."""
    small = [Blob(SPACES[0], b"a", 1, b"s" * 20), Blob(SPACES[1], b"b")]
    large = Blob(SPACES[2], b"c" * 482 * 66)
    laid = lay_out([small[0], large])
    assert laid.shares[1:2] == (padding(SPACES[0], 1),)
    assert laid.starts == (0, 2)
    laid = lay_out([*small, small[1], large])
    assert laid.shares[3:4] == (padding(SPACES[1]),)


def of_shares(count: int) -> Blob:
    return Blob(SPACES[0], b"d" * (478 + (count - 1) * 482))


def test_the_size_allows_for_the_worst_padding() -> None:
    """256 shares stand in a square of 16 without a gap, but go-square counts 3 for padding."""
    assert square_size([of_shares(66), of_shares(66), of_shares(66), of_shares(55)]) == 16
    assert square_size([of_shares(66), of_shares(66), of_shares(66), of_shares(58)]) == 32


def test_too_much_for_one_block_is_refused() -> None:
    with pytest.raises(MalformedError, match="several blocks"):
        lay_out([Blob(SPACES[0], bytes(7 * 2**20)), Blob(SPACES[1], bytes(2**20 + 2**19))])


def test_a_real_blocks_extended_square_is_ours() -> None:
    shares = [base64.b64decode(each) for each in DEVNET["square_214"]]
    whole = np.frombuffer(b"".join(shares), dtype=np.uint8).reshape(4, 4, 512)
    assert (erasure.extend(whole[:2, :2]) == whole).all()
    original = tuple(bytes(whole[i, j]) for i in range(2) for j in range(2))
    assert availability(Square(2, original, ())) == ROOTS[214]


def test_a_real_blocks_roots_follow_from_its_transactions_and_blobs() -> None:
    """Block 224: two shares of transactions, then three blobs as we would lay them out."""
    found = [
        Blob(base64.b64decode(case["namespace"]), base64.b64decode(case["data"]))
        for case in DEVNET["proofs"]
        if case["height"] == 224
    ]
    shares = [base64.b64decode(each) for each in DEVNET["square_224"]]
    before = PADDING
    for blob in sorted(found, key=lambda blob: blob.namespace):
        parts = split(blob)
        shares += [padding(before)] * (-len(shares) % subtree_width(len(parts)))
        shares += parts
        before = blob.namespace
    shares += [padding(TAIL_NAMESPACE)] * (64 - len(shares))
    assert availability(Square(8, tuple(shares), ())) == ROOTS[224]


@pytest.mark.parametrize(
    ("height", "bytes_", "size"), [(218, 30848, 16), (220, 100_000, 16), (222, 1_000_000, 64)]
)
def test_rows_full_of_one_real_blob_have_their_roots(height: int, bytes_: int, size: int) -> None:
    """The first row holds transactions that were not recorded; rows after it are known."""
    case = next(case for case in DEVNET["proofs"] if case["height"] == height)
    blob = Blob(
        base64.b64decode(case["namespace"]), shake_256(bytes_.to_bytes(4, "big")).digest(bytes_)
    )
    parts = list(split(blob))
    row_proof = case["proof"]["row_proof"]
    start = int(row_proof.get("start_row", 0)) * size
    start += int(case["proof"]["subtree_root_proofs"][0].get("start", 0))
    shares = [padding(PADDING)] * start + parts
    full = len(shares) // size
    shares += [padding(TAIL_NAMESPACE)] * (size * size - len(shares))
    known = range(-(-start // size), full)
    assert len(ROOTS[height].rows) == 2 * size
    leaves = square.row_leaves(Square(size, tuple(shares), ()), known[0], known[-1])
    assert [nmt.root(row) for row in leaves] == list(ROOTS[height].rows[known[0] : known[-1] + 1])


def members(data: bytes) -> list[tuple[int, bytes]]:
    """Return the length-delimited fields of a protobuf message, and skip its integers."""
    found, place = [], 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte, place = data[place], place + 1
            value, shift = value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    while place < len(data):
        tag = varint()
        size = varint()
        if tag & 7 == 2:
            found.append((tag >> 3, data[place : place + size]))
            place += size
    return found


def sized(tag: int, data: bytes) -> bytes:
    assert len(data) < 2**14
    head = (
        bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    )
    return bytes([tag]) + head + data


def test_a_real_testnet_blocks_data_root_follows_from_its_transaction() -> None:
    """One payment for one blob: its share commitment, the layout, and the whole data root."""
    if not MOCHA.exists():
        pytest.skip("third parties' vectors are not here")
    vector = json.loads(MOCHA.read_text())
    (envelope,) = vector["txs"]
    outer = members(base64.b64decode(envelope))
    payment = dict(outer)[1]
    inner = dict(members(dict(outer)[2]))
    blob = Blob(b"\0" + inner[1], inner[2])
    message = dict(members(dict(members(dict(members(payment))[1]))[1]))[2]
    assert dict(members(message))[4] == share.share_commitment(blob)
    wrapped = sized(0x0A, payment) + sized(0x12, b"\1") + sized(0x1A, b"INDX")
    unit = sized(0, wrapped)[1:]
    head = PAY_FOR_BLOBS + b"\1" + len(unit).to_bytes(4, "big") + (38).to_bytes(4, "big")
    first = (head + unit).ljust(512, b"\0")
    shares = [first, *split(blob)]
    shares += [padding(TAIL_NAMESPACE)] * (4 - len(shares))
    assert availability(Square(2, tuple(shares), ())).data_root.hex().upper() == vector["data_hash"]


@settings(deadline=None, max_examples=30)
@given(blobs)
def test_rows_lead_to_the_roots_of_the_whole(found: list[Blob]) -> None:
    laid = lay_out(found)
    roots = availability(laid)
    leaves = square.row_leaves(laid, 0, laid.size - 1)
    assert [nmt.root(row) for row in leaves] == list(roots.rows[: laid.size])
    assert rfc9162.root(roots.axes) == roots.data_root


def test_recorded_proofs_place_blobs_where_the_rules_do() -> None:
    for case in DEVNET["proofs"]:
        proof = CommitmentProof.from_json(normalise_proof(case["proof"]))
        assert proof.first_share % subtree_width(proof.share_count) == 0
        assert proof.size == ROOTS[case["height"]].size
