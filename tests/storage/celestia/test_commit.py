"""Commits by several validators: who counts, who is refused, and where two thirds lie."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256, sha512
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

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
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import BlockId
from storage.celestia.validators import Validator, ValidatorSet
from storage.celestia.wire import parse_time
from tests.provenance.world import ED25519_D, ED25519_ORDER, ED25519_PRIME
from tests.provenance.world import _encoded_multiple as encoded_multiple
from tests.provenance.world import _sum as point_sum
from tests.storage.celestia.chains import Chain, Crew, sign

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


# many validators


MANY = [f"validator {number}" for number in range(100)]
UNEQUAL = Crew(tuple((name, 1 + number**2) for number, name in enumerate(MANY)))


def signed(crew: Crew, absent: Sequence[str] = (), *, turn: int = 0) -> ExtendedHeader:
    header = Chain("many-1", crew, 1).at(1).header
    return sign(header, crew, [name for name in crew.names if name not in absent], turn=turn)


@pytest.mark.parametrize("turn", [0, 3, 2**31 - 1])
def test_a_hundred_validators_of_unequal_power_in_any_round(turn: int) -> None:
    signed(UNEQUAL, MANY[:66], turn=turn).verify()
    with pytest.raises(VerificationError, match="which is not more than two thirds"):
        signed(UNEQUAL, MANY[80:], turn=turn).verify()


def test_one_wrong_signature_among_a_hundred_is_found() -> None:
    block = signed(UNEQUAL)
    votes = list(block.commit.votes)
    votes[0] = replace(votes[0], signature=votes[1].signature)
    with pytest.raises(SignatureError, match="of validator"):
        replace(block, commit=replace(block.commit, votes=tuple(votes))).verify()


FLAGS = st.sampled_from([ABSENT, FOR_BLOCK, FOR_NONE])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(FLAGS, st.integers(1, 6)), min_size=1, max_size=4))
def test_what_counts_is_what_a_slow_reference_counts(drawn: list[tuple[int, int]]) -> None:
    chosen = validators(*(power for _, power in drawn))
    votes = [name for flag, power in drawn for name in [flag == FOR_BLOCK] * power]
    found = commit([flag for flag, _ in drawn])
    if sum(votes) / len(votes) > Fraction(2, 3):
        verify_commit(CHAIN, found, chosen)
    else:
        with pytest.raises(VerificationError, match="not more than two thirds"):
            verify_commit(CHAIN, found, chosen)


# signatures that ZIP-215 takes and RFC 8032 does not: refused, never counted

SMALL = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
"""A point of order 8 (Chalkias and others, Taming the many EdDSAs, 2020)."""


def nonce_point(torsion: str | None) -> bytes:
    """Return seven times the base point, plus a point of small order."""
    x, y = decoded(encoded_multiple(7))
    if torsion is not None:
        x, y = point_sum((x, y), decoded(bytes.fromhex(torsion)))
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decoded(point: bytes) -> tuple[int, int]:
    """Return the coordinates of a point: RFC 8032, section 5.1.3."""
    value, prime = int.from_bytes(point, "little"), ED25519_PRIME
    y, sign_of_x = value & 2**255 - 1, value >> 255
    square = (y * y - 1) * pow(ED25519_D * y * y + 1, -1, prime) % prime
    x = pow(square, (prime + 3) // 8, prime)
    if x * x % prime != square:
        x = x * pow(2, (prime - 1) // 4, prime) % prime
    assert x * x % prime == square
    return (x if x & 1 == sign_of_x else prime - x), y


def verdict(signature: bytes) -> None:
    verify_commit(CHAIN, with_vote(commit([FOR_BLOCK]), signature=signature), validators(1))


def test_a_scalar_beyond_the_order_is_refused() -> None:
    good = commit([FOR_BLOCK]).votes[0].signature
    scalar = int.from_bytes(good[32:], "little") + ED25519_ORDER
    with pytest.raises(SignatureError):
        verdict(good[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("point", [SMALL, "01" + "00" * 31, "ee" + "ff" * 30 + "7f"])
def test_a_nonce_of_small_order_or_in_another_spelling_is_refused(point: str) -> None:
    with pytest.raises(SignatureError):
        verdict(bytes.fromhex(point) + bytes(32))


@pytest.mark.parametrize(
    "key", [SMALL, "00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f"]
)
def test_keys_for_which_anything_verifies_are_no_validators(key: str) -> None:
    raw = bytes.fromhex(key)
    member = {
        "address": sha256(raw).digest()[:20].hex().upper(),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": b64encode(raw).decode()},
        "voting_power": "1",
    }
    with pytest.raises(MalformedError, match="not an ed25519 public key"):
        ValidatorSet.from_fields(fields({"validators": [member]}))


def test_a_signature_that_is_right_but_for_a_small_point_is_refused() -> None:
    secret = sha512(bytes([1]) * 32).digest()[:32]
    scalar = int.from_bytes(secret, "little") & ~7 & (2**254 - 1) | 2**254
    unsigned = commit([FOR_BLOCK]).votes[0]
    message = sign_bytes(CHAIN, commit([FOR_BLOCK]), unsigned)
    for torsion in (None, SMALL):
        point = nonce_point(torsion)
        hashed = int.from_bytes(sha512(point + PUBLIC[0] + message).digest(), "little")
        signature = point + ((7 + hashed * scalar) % ED25519_ORDER).to_bytes(32, "little")
        if torsion is None:  # so it is the small point alone that makes it wrong
            verdict(signature)
        else:
            with pytest.raises(SignatureError):
                verdict(signature)
