"""What every ledger promises, asked of the one in memory and of the embedded one."""

from itertools import count, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from provenance.receipt import Receipt
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.share import Blob, share_commitment
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import FIRST_TIME, Ledger, MemoryLedger, _ChainKey

SPACE, OTHER = bytes(19) + b"rootline01", bytes(19) + b"rootline02"
VERIFIER = CelestiaVerifier()
HEADER, ENTRIES = Blob(SPACE, b"header"), Blob(SPACE, b"entries" * 500)


@pytest.fixture(params=["memory", "embedded"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    if request.param == "memory":
        return MemoryLedger("chain-1")
    clock = count(FIRST_TIME, 10**9).__next__
    return EmbeddedLedger(tmp_path / "ledger.sqlite", _ChainKey("chain-1"), "chain-1", clock)


def test_a_ledger_begins_with_an_empty_block(ledger: Ledger) -> None:
    assert (ledger.chain, ledger.head()) == ("chain-1", 1)
    assert ledger.kind in {"memory", "embedded"}
    assert ledger.blobs(1, SPACE) == ()


def test_blobs_come_out_as_they_went_in(ledger: Ledger) -> None:
    height = ledger.submit([HEADER, Blob(OTHER, b"x"), ENTRIES])
    assert height == ledger.head() == 2
    assert ledger.blobs(height, SPACE) == (HEADER, ENTRIES)
    assert ledger.blobs(height, OTHER) == (Blob(OTHER, b"x"),)
    assert ledger.blobs(height, bytes(19) + b"nothinghere"[:10]) == ()


def test_the_same_submission_stands_once(ledger: Ledger) -> None:
    height = ledger.submit([HEADER, ENTRIES])
    assert ledger.submit([Blob(SPACE, b"between")]) == 3
    for again in ([HEADER, ENTRIES], [ENTRIES, HEADER], [HEADER], [HEADER, HEADER]):
        assert ledger.submit(again) == height
    assert ledger.head() == 3


def test_blobs_that_no_block_holds_together_get_a_new_one(ledger: Ledger) -> None:
    ledger.submit([HEADER])
    ledger.submit([ENTRIES])
    height = ledger.submit([HEADER, ENTRIES])
    assert height == 4
    assert ledger.blobs(height, SPACE) == (HEADER, ENTRIES)
    assert ledger.submit([HEADER]) == 2


def test_the_same_data_in_another_namespace_are_another_blob(ledger: Ledger) -> None:
    assert ledger.submit([HEADER]) == 2
    assert ledger.submit([Blob(OTHER, HEADER.data)]) == 3


def test_an_empty_submission_is_refused(ledger: Ledger) -> None:
    with pytest.raises(MalformedError, match="at least one blob"):
        ledger.submit([])


def test_receipts_verify_from_a_file(ledger: Ledger) -> None:
    height = ledger.submit([HEADER, ENTRIES])
    for blob in (HEADER, ENTRIES):
        receipt = Receipt.parse(ledger.receipt(height, blob).encoded)
        place = (receipt.ledger, receipt.chain, receipt.height, receipt.namespace)
        assert place == (ledger.kind, "chain-1", height, SPACE)
        assert (receipt.blob, receipt.commitment) == (blob.data, share_commitment(blob))
        VERIFIER.verify_inclusion(receipt, VERIFIER.signed_block(receipt.header))


def test_headers_link_by_hash(ledger: Ledger) -> None:
    for n in range(3):
        ledger.submit([Blob(SPACE, bytes([n]))])
    linked = [VERIFIER.linked_block(header) for header in ledger.headers(1, 4)]
    signed = [VERIFIER.signed_block(ledger.header(height)) for height in range(1, 5)]
    assert [block.hash for block in linked] == [block.hash for block in signed]
    assert linked[0].previous is None
    for below, above in pairwise(linked):
        assert (above.previous, above.height) == (below.hash, below.height + 1)
        assert above.time > below.time


def test_what_is_not_there_yet_is_unavailable(ledger: Ledger) -> None:
    for call in (
        lambda: ledger.header(2),
        lambda: ledger.header(0),
        lambda: ledger.headers(1, 2),
        lambda: ledger.blobs(2, SPACE),
        lambda: ledger.receipt(2, HEADER),
    ):
        with pytest.raises(UnavailableError, match="the newest is 1"):
            call()


def test_a_receipt_for_what_a_block_does_not_hold_is_refused(ledger: Ledger) -> None:
    ledger.submit([HEADER])
    with pytest.raises(MalformedError, match="does not hold this blob"):
        ledger.receipt(2, ENTRIES)


def test_a_wrong_range_of_headers_is_refused(ledger: Ledger) -> None:
    for first, last in ((0, 1), (2, 1)):
        with pytest.raises(MalformedError, match="ask for"):
            ledger.headers(first, last)


def test_an_empty_block_can_be_appended(tmp_path: Path) -> None:
    clock = count(FIRST_TIME, 10**9).__next__
    embedded = EmbeddedLedger(tmp_path / "x.sqlite", _ChainKey("chain-1"), "chain-1", clock)
    memory = MemoryLedger("chain-1")
    assert (
        [memory.advance(), memory.advance()] == [embedded.advance(), embedded.advance()] == [2, 3]
    )


def test_memory_and_file_make_the_same_blocks(tmp_path: Path) -> None:
    clock = count(FIRST_TIME, 10**9).__next__
    embedded = EmbeddedLedger(tmp_path / "x.sqlite", _ChainKey("chain-1"), "chain-1", clock)
    memory = MemoryLedger("chain-1")
    for each in (embedded, memory):
        each.submit([HEADER, ENTRIES])
    assert embedded.header(2) == memory.header(2)
    assert embedded.receipt(2, ENTRIES).proof == memory.receipt(2, ENTRIES).proof


def test_a_chain_in_memory_takes_a_key_and_a_clock() -> None:
    memory = MemoryLedger("chain-1", _ChainKey("other"), lambda: 7)
    assert VERIFIER.signed_block(memory.header(1)).time == 7
    default = VERIFIER.signed_block(MemoryLedger("chain-1").header(1))
    assert VERIFIER.signed_block(memory.header(1)).validators != default.validators


sizes = st.one_of(
    st.integers(1, 60_000), st.sampled_from([1, 477, 478, 479, 960, 961, 30_842, 30_843, 60_000])
)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from([SPACE, OTHER]), sizes), min_size=1, max_size=4))
def test_every_blob_of_every_size_has_a_receipt_that_verifies(
    chosen: list[tuple[bytes, int]],
) -> None:
    blobs = [Blob(space, bytes([i]) * size) for i, (space, size) in enumerate(chosen)]
    memory = MemoryLedger("chain-1")
    height = memory.submit(blobs)
    block = VERIFIER.signed_block(memory.header(height))
    commitments = set()
    for blob in blobs:
        receipt = memory.receipt(height, blob)
        VERIFIER.verify_inclusion(receipt, block)
        commitments.add(receipt.commitment)
    assert all(isinstance(each, Digest) for each in commitments)
    assert len(commitments) == len(blobs)
