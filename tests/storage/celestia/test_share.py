"""Shares and share commitments against published figures and an obvious reference."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from storage.celestia import share
from storage.celestia.share import Blob, count_shares, share_commitment, split, subtree_roots

ROOT = Path(__file__).parents[3]
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia.json").read_text())
THIRD_PARTY = ROOT.parent / "shared/vectors/celestia"
SPACE = bytes(19) + b"rootline01"
blobs = st.builds(
    lambda data, version: Blob(SPACE, data, version, b"s" * 20 * version),
    st.binary(min_size=1, max_size=4000),
    st.integers(0, 1),
)


@pytest.mark.parametrize("case", VECTORS["subtree_roots"], ids=lambda case: case["name"])
def test_go_square_subtree_roots(case: dict[str, Any]) -> None:
    signer = bytes.fromhex(case["signer"])
    blob = Blob(bytes.fromhex(case["namespace"]), b"\xff" * case["size"], case["version"], signer)
    first, second = subtree_roots(blob)
    folded = sha256(sha256(first).digest() + sha256(second).digest())
    assert folded.hexdigest() == case["folded"]


@pytest.mark.parametrize("case", VECTORS["share_commitments"], ids=lambda case: case["name"])
def test_published_share_commitments(case: dict[str, Any]) -> None:
    space, data, signer = (bytes.fromhex(case[name]) for name in ("namespace", "data", "signer"))
    blob = Blob(space, data, case["version"], signer)
    assert share_commitment(blob).hex() == case["commitment"]


def test_share_commitments_in_the_third_partys_own_file() -> None:
    file = THIRD_PARTY / "share_commitments.json"
    if not file.exists():
        pytest.skip("third parties' vectors are not here")
    for case in json.loads(file.read_text()):
        space, data, signer, commitment = (
            base64.b64decode(case.get(name, ""))
            for name in ("namespace", "data", "signer", "commitment")
        )
        assert share_commitment(Blob(space, data, case["share_version"], signer)) == commitment


@settings(deadline=None, max_examples=40)
@given(blobs)
def test_shares_give_the_blob_back(blob: Blob) -> None:
    shares = split(blob)
    assert len(shares) == count_shares(blob)
    assert {len(each) for each in shares} == {512}
    assert {each[:29] for each in shares} == {SPACE}
    assert [each[29] & 1 for each in shares] == [1] + [0] * (len(shares) - 1)
    size = int.from_bytes(shares[0][30:34], "big")
    content = shares[0][34:] + b"".join(each[30:] for each in shares[1:])
    assert content[: len(blob.signer)] == blob.signer
    assert content[len(blob.signer) :][:size] == blob.data
    assert not content[len(blob.signer) + size :].strip(b"\0")


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40_000))
def test_subtree_width_follows_the_rule(count: int) -> None:
    powers = [1 << n for n in range(20)]
    by_threshold = next(p for p in powers if p * 64 >= count)
    by_square = next(p for p in powers if p * p >= count)
    assert share.subtree_width(count) == min(by_threshold, by_square)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5000), st.sampled_from([1, 2, 4, 8, 64]))
def test_subtrees_cover_a_range_in_order_and_aligned(count: int, width: int) -> None:
    widths = list(share.subtree_widths(0, count, width))
    covered = [leaf for start, size in widths for leaf in range(start, start + size)]
    assert covered == list(range(count))
    assert all(start % size == 0 and size <= width for start, size in widths)


@settings(deadline=None, max_examples=40)
@given(blobs, blobs)
def test_another_blob_has_another_commitment(one: Blob, other: Blob) -> None:
    assert (share_commitment(one) == share_commitment(other)) == (one == other)


@pytest.mark.parametrize(
    ("space", "data", "version", "signer", "words"),
    [
        (SPACE, b"", 0, b"", "1 to 7340032 bytes"),
        (SPACE, bytes(7 * 2**20 + 1), 0, b"", "split it"),
        (SPACE, b"x", 2, b"", "unknown"),
        (SPACE, b"x", -1, b"", "unknown"),
        (SPACE, b"x", 0, b"s" * 20, "signer of 0"),
        (SPACE, b"x", 1, b"s" * 19, "signer of 20"),
        (SPACE[:-1], b"x", 0, b"", "29 bytes"),
        (b"\1" + SPACE[1:], b"x", 0, b"", "first 19"),
        (bytes(18) + b"\1" + bytes(10), b"x", 0, b"", "first 19"),
        (bytes(28) + b"\xff", b"x", 0, b"", "reserved"),
        (b"\xff" * 29, b"x", 0, b"", "first 19"),
    ],
)
def test_what_is_no_blob_is_refused(
    space: bytes, data: bytes, version: int, signer: bytes, words: str
) -> None:
    with pytest.raises(MalformedError, match=words):
        Blob(space, data, version, signer)


def test_a_blob_does_not_print_its_data() -> None:
    assert "secret" not in repr(Blob(SPACE, b"secret"))
