"""Commits by several validators: who counts, who is refused, and where two thirds lie."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.canonical import Fields
from provenance.envelope import PublicKey
from provenance.errors import MalformedError, SignatureError, VerificationError
from provenance.field import Digest
from storage.celestia.commit import (
    ABSENT,
    FOR_BLOCK,
    FOR_NONE,
    Commit,
    Vote,
    sign_bytes,
    verify_commit,
)
from storage.celestia.header import BlockId
from storage.celestia.validators import Validator, ValidatorSet
from storage.celestia.wire import parse_time

CHAIN = "several-1"
TIME = parse_time("2026-11-24T06:28:50.000000001Z")
NO_TIME = parse_time("0001-01-01T00:00:00Z")
BLOCK = BlockId(Digest(b"b" * 32), 1, Digest(b"p" * 32))
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(1, 5)]
PUBLIC = [PublicKey(key.public_key().public_bytes_raw()) for key in KEYS]
NOBODY = Vote(ABSENT, b"", NO_TIME, b"")


def validators(*powers: int) -> ValidatorSet:
    return ValidatorSet(tuple(map(Validator, PUBLIC, powers)))


def vote(index: int, commit: Commit, *, flag: int = FOR_BLOCK, chain: str = CHAIN) -> Vote:
    address = sha256(PUBLIC[index]).digest()[:20]
    unsigned = Vote(flag, address, TIME + index, bytes(64))
    return replace(unsigned, signature=KEYS[index].sign(sign_bytes(chain, commit, unsigned)))


def commit(flags: Sequence[int], *, height: int = 7, turn: int = 2, chain: str = CHAIN) -> Commit:
    empty = Commit(height, turn, BLOCK, ())
    votes = [
        NOBODY if flag == ABSENT else vote(index, empty, flag=flag, chain=chain)
        for index, flag in enumerate(flags)
    ]
    return replace(empty, votes=tuple(votes))


def fields(value: Any) -> Fields:
    return Fields.of(value, "test")


def test_all_votes_for_the_block_suffice() -> None:
    verify_commit(CHAIN, commit([FOR_BLOCK] * 4), validators(10, 20, 30, 40))


def test_absent_and_nil_votes_do_not_count_but_do_not_hurt() -> None:
    found = commit([FOR_BLOCK, ABSENT, FOR_BLOCK, FOR_NONE])
    verify_commit(CHAIN, found, validators(50, 10, 50, 10))


@pytest.mark.parametrize("other", [ABSENT, FOR_NONE])
def test_exactly_two_thirds_do_not_suffice(other: int) -> None:
    found = commit([FOR_BLOCK, FOR_BLOCK, other])
    with pytest.raises(VerificationError, match="20 of 30 voting power"):
        verify_commit(CHAIN, found, validators(10, 10, 10))


def test_one_more_than_two_thirds_suffices() -> None:
    verify_commit(CHAIN, commit([FOR_BLOCK, FOR_BLOCK, ABSENT]), validators(10, 11, 10))


def test_a_signature_that_stands_twice_is_refused() -> None:
    found = commit([FOR_BLOCK] * 3)
    with pytest.raises(MalformedError, match="unknown, twice, or out of order"):
        verify_commit(
            CHAIN, replace(found, votes=found.votes[:1] * 2 + found.votes[2:]), validators(9, 9, 1)
        )


def test_votes_out_of_order_are_refused() -> None:
    found = commit([FOR_BLOCK] * 2)
    with pytest.raises(MalformedError, match="out of order"):
        verify_commit(CHAIN, replace(found, votes=found.votes[::-1]), validators(1, 1))


def test_the_vote_of_an_unknown_validator_is_refused() -> None:
    found = commit([FOR_BLOCK] * 3)
    with pytest.raises(MalformedError, match="unknown"):
        verify_commit(CHAIN, replace(found, votes=found.votes[1:]), validators(1, 1))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_there_is_one_vote_for_each_validator(count: int) -> None:
    found = commit([FOR_BLOCK] * count)
    with pytest.raises(MalformedError, match=f"{count} votes for 2 validators"):
        verify_commit(CHAIN, found, validators(1, 1))


def test_a_vote_under_anothers_address_is_refused() -> None:
    found = commit([FOR_BLOCK] * 2)
    stolen = replace(found.votes[0], address=found.votes[1].address)
    with pytest.raises(SignatureError):
        verify_commit(CHAIN, replace(found, votes=(found.votes[0], stolen)), validators(1, 1))


FORGERIES: dict[str, Callable[[Commit], Commit]] = {
    "another height": lambda c: replace(c, height=8),
    "another round": lambda c: replace(c, round=0),
    "another block": lambda c: replace(c, block_id=replace(BLOCK, hash=Digest(b"c" * 32))),
    "other parts": lambda c: replace(c, block_id=replace(BLOCK, parts=Digest(b"c" * 32))),
    "more parts": lambda c: replace(c, block_id=replace(BLOCK, total=2)),
    "another time": lambda c: with_vote(c, time=TIME + 1),
    "another signature": lambda c: with_vote(c, signature=bytes(64)),
    "a nil vote taken for the block": lambda c: with_vote(
        c, flag=FOR_BLOCK, signature=commit([FOR_NONE]).votes[0].signature
    ),
    "a vote for the block taken for nil": lambda c: with_vote(c, flag=FOR_NONE),
}


def with_vote(found: Commit, **members: Any) -> Commit:
    return replace(found, votes=(replace(found.votes[0], **members), *found.votes[1:]))


@pytest.mark.parametrize("name", FORGERIES)
def test_a_signature_is_for_one_vote_only(name: str) -> None:
    with pytest.raises(SignatureError):
        verify_commit(CHAIN, FORGERIES[name](commit([FOR_BLOCK])), validators(1))


def test_a_signature_is_for_one_chain_only() -> None:
    with pytest.raises(SignatureError):
        verify_commit(CHAIN, commit([FOR_BLOCK], chain="several-2"), validators(1))


def test_a_nil_votes_signature_is_checked_too() -> None:
    found = commit([FOR_BLOCK, FOR_NONE])
    spoilt = replace(found.votes[1], signature=bytes(64))
    with pytest.raises(SignatureError):
        verify_commit(CHAIN, replace(found, votes=(found.votes[0], spoilt)), validators(9, 1))


def test_commits_and_sets_are_written_as_they_are_read() -> None:
    found, chosen = commit([FOR_BLOCK, ABSENT, FOR_NONE]), validators(3, 1, 1)
    assert Commit.from_fields(fields(found.to_json())) == found
    assert ValidatorSet.from_fields(fields(chosen.to_json())) == chosen


def test_commits_of_other_votes_have_other_hashes() -> None:
    found = commit([FOR_BLOCK, FOR_BLOCK])
    assert len({commit([FOR_BLOCK, ABSENT]).hash, found.hash, with_vote(found, time=1).hash}) == 3


VOTE: dict[str, Any] = dict(commit([FOR_BLOCK]).votes[0].to_json())
EMPTY: dict[str, Any] = dict(NOBODY.to_json())
BAD_VOTES: dict[str, Any] = {
    "flag 0": {**VOTE, "block_id_flag": "0"},
    "flag 4": {**VOTE, "block_id_flag": "4"},
    "absent with a signature": {**VOTE, "block_id_flag": "1"},
    "absent with a time": {**EMPTY, "timestamp": VOTE["timestamp"]},
    "absent with an address": {**EMPTY, "validator_address": VOTE["validator_address"]},
    "for the block, but empty": {**EMPTY, "block_id_flag": "2"},
    "without signature": {**VOTE, "signature": ""},
    "without address": {**VOTE, "validator_address": ""},
    "with a surplus member": {**VOTE, "x": "1"},
}


@pytest.mark.parametrize("name", BAD_VOTES)
def test_what_is_no_vote_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        Vote.from_fields(fields(BAD_VOTES[name]))


COMMIT: dict[str, Any] = dict(commit([FOR_BLOCK]).to_json())
NO_BLOCK = {"hash": "", "parts": {"total": "0", "hash": ""}}
BAD_COMMITS: dict[str, Any] = {
    "for no block": {**COMMIT, "block_id": NO_BLOCK},
    "height 0": {**COMMIT, "height": "0"},
    "a round beyond 32 bits": {**COMMIT, "round": "2147483648"},
    "too many votes": {**COMMIT, "signatures": [VOTE] * 1001},
    "a surplus member": {**COMMIT, "x": "1"},
}


@pytest.mark.parametrize("name", BAD_COMMITS)
def test_what_is_no_commit_is_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        Commit.from_fields(fields(BAD_COMMITS[name]))
