"""Blocks of the self-hosted ledgers: links, times, one validator."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from storage.celestia import block
from storage.celestia.extended import ExtendedHeader
from storage.celestia.share import Blob
from storage.celestia.square import availability, lay_out

BLOB = Blob(bytes(19) + b"rootline01", b"data")
EMPTY = availability(lay_out(()))


class Key:
    def __init__(self, seed: int) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def make(below: ExtendedHeader | None, now: int) -> ExtendedHeader:
    return block.make_block(below, EMPTY, "chain-1", now, Key(1))


def test_the_chain_is_named_after_its_key() -> None:
    key = Key(1).public_key
    assert block.chain_id(key) == f"embedded-{key.key_id[:16]}"


def test_blocks_verify_and_link() -> None:
    first = make(None, 100)
    second = make(first, 200)
    for each in (first, second):
        each.verify()
        assert ExtendedHeader.from_json(each.to_json()) == each
    assert second.header.previous == first.commit.block_id
    assert second.header.last_commit == first.commit.hash
    assert (first.header.height, second.header.height) == (1, 2)
    assert second.validators == block.sole_validator(Key(1).public_key)


@pytest.mark.parametrize("now", [-5, 0, 99, 100])
def test_time_rises_even_when_the_clock_does_not(now: int) -> None:
    assert make(make(None, 100), now).header.time == 101


def test_a_submission_holds_each_blob_once() -> None:
    assert block.distinct([BLOB, BLOB]) == (BLOB,)


def test_a_submission_without_blobs_is_refused() -> None:
    with pytest.raises(MalformedError, match="at least one"):
        block.distinct([])


@pytest.mark.parametrize(("first", "last"), [(0, 1), (2, 1), (1, 100_001)])
def test_ranges_of_headers_are_bounded(first: int, last: int) -> None:
    with pytest.raises(MalformedError, match="ask for"):
        block.heights(first, last)
