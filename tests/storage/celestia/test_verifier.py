"""What the auditor's side accepts and refuses, from receipts as they are written to a file."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import shake_256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from provenance import canonical
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    RootMismatchError,
    VerificationError,
)
from provenance.field import Digest
from provenance.receipt import LedgerVerifier, Receipt
from storage.celestia.answers import normalise_header, normalise_proof
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import MemoryLedger

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
VERIFIER: LedgerVerifier = CelestiaVerifier()
SPACE = bytes(19) + b"rootline01"


def verify(receipt: Receipt) -> None:
    written = Receipt.parse(receipt.encoded)
    assert written == receipt
    VERIFIER.verify_inclusion(written, VERIFIER.signed_block(written.header))


def celestia_receipt(case: dict[str, Any]) -> Receipt:
    size = case["size"]
    data = shake_256(size.to_bytes(4, "big")).digest(size)
    header = next(h for h in DEVNET["headers"] if int(h["header"]["height"]) == case["height"])
    return Receipt(
        ledger="celestia",
        chain="private",
        height=case["height"],
        namespace=base64.b64decode(case["namespace"]),
        commitment=Digest(base64.b64decode(case["commitment"])),
        blob=data if case["data"] is None else base64.b64decode(case["data"]),
        proof=normalise_proof(case["proof"]),
        header=normalise_header(header),
    )


@pytest.mark.parametrize("case", DEVNET["proofs"], ids=lambda case: f"{case['size']} bytes")
def test_receipts_from_a_real_node_verify(case: dict[str, Any]) -> None:
    verify(celestia_receipt(case))


def test_a_real_nodes_headers_link_upwards() -> None:
    headers = [normalise_header(each) for each in DEVNET["headers"]]
    signed = [VERIFIER.signed_block(each) for each in headers]
    plain: list[Any] = [each["header"] for each in headers]
    unsigned = [replace(each, power=(), signers=frozenset()) for each in signed]
    assert [VERIFIER.linked_block(each) for each in plain] == unsigned
    for below, above in pairwise(signed):
        assert above.previous == below.hash
        assert above.validators == below.next_validators
        assert above.time > below.time


LEDGER = MemoryLedger("memory-1")
BLOB, OTHER = Blob(SPACE, b"data" * 3000), Blob(SPACE, b"other")
HEIGHT = LEDGER.submit([BLOB, OTHER])
RECEIPT, BESIDE = LEDGER.receipt(HEIGHT, BLOB), LEDGER.receipt(HEIGHT, OTHER)
LATER = LEDGER.header(LEDGER.advance())
FOREIGN_LEDGER = MemoryLedger("memory-2")
FOREIGN = FOREIGN_LEDGER.receipt(FOREIGN_LEDGER.submit([BLOB, OTHER]), BLOB)


def test_the_receipt_that_is_forged_below_is_valid() -> None:
    verify(RECEIPT)
    assert FOREIGN.height == RECEIPT.height


FORGERIES: dict[str, Callable[[], Receipt]] = {
    "another blob": lambda: replace(RECEIPT, blob=OTHER.data),
    "one byte more": lambda: replace(RECEIPT, blob=RECEIPT.blob + b"\0"),
    "an empty blob": lambda: replace(RECEIPT, blob=b""),
    "another namespace": lambda: replace(RECEIPT, namespace=bytes(19) + b"rootline02"),
    "a reserved namespace": lambda: replace(RECEIPT, namespace=bytes(29)),
    "another commitment": lambda: replace(RECEIPT, commitment=BESIDE.commitment),
    "another proof": lambda: replace(RECEIPT, proof=BESIDE.proof),
    "another height": lambda: replace(RECEIPT, height=HEIGHT + 1),
    "another chain": lambda: replace(RECEIPT, chain="memory-2"),
    "a later header": lambda: replace(RECEIPT, header=LATER, height=HEIGHT + 1),
    "a later header under the old height": lambda: replace(RECEIPT, header=LATER),
    "another chain's header": lambda: replace(RECEIPT, header=FOREIGN.header),
    "a plain header": lambda: replace(RECEIPT, header=LEDGER.headers(HEIGHT, HEIGHT)[0]),
    "no header": lambda: replace(RECEIPT, header={}),
    "no proof": lambda: replace(RECEIPT, proof={}),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_receipt_is_refused(name: str) -> None:
    with pytest.raises(ProvenanceError):
        verify(FORGERIES[name]())


def test_a_wrong_commitment_is_a_root_mismatch() -> None:
    with pytest.raises(RootMismatchError):
        verify(replace(RECEIPT, commitment=BESIDE.commitment))


def test_a_receipt_is_not_checked_against_another_chains_block() -> None:
    block = VERIFIER.signed_block(FOREIGN.header)
    with pytest.raises(VerificationError, match="memory-1, checked against block 2 of memory-2"):
        VERIFIER.verify_inclusion(RECEIPT, block)


def test_an_extended_header_is_no_plain_header() -> None:
    with pytest.raises(MalformedError):
        VERIFIER.linked_block(RECEIPT.header)


def test_one_block_of_equal_blobs_on_two_chains_has_one_data_root_and_two_hashes() -> None:
    """Inclusion alone does not tell the chains apart; the anchor does."""
    ours, theirs = VERIFIER.signed_block(RECEIPT.header), VERIFIER.signed_block(FOREIGN.header)
    assert ours.data_root == theirs.data_root
    assert ours.hash != theirs.hash


VECTORS: dict[str, Any] = json.loads((ROOT / "tests/vectors/ledger.json").read_text())


def test_the_published_receipt_verifies() -> None:
    receipt = Receipt.parse(canonical.encode(VECTORS["receipt"]))
    verify(receipt)
    block, told = VERIFIER.signed_block(receipt.header), VECTORS["block"]
    first = VERIFIER.linked_block(VECTORS["first_header"])
    assert (block.hash.hex(), block.data_root.hex()) == (told["hash"], told["data_root"])
    assert first.hash.hex() == told["previous"]
    assert block.previous == first.hash
    assert str(block.time) == told["time"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_a_published_receipt_that_was_changed_is_refused(case: dict[str, Any]) -> None:
    forged = json.loads(json.dumps(VECTORS["receipt"]))
    inner = forged
    for step in case["path"][:-1]:
        inner = inner[step]
    inner[case["path"][-1]] = case["value"]
    with pytest.raises(ProvenanceError) as caught:
        verify(Receipt.parse(canonical.encode(forged)))
    assert type(caught.value).__name__ == case["error"]
