"""The votes that made a block final: more than two thirds of the validators' power.

    {"block_id":{…},"height":"7","round":"0","signatures":[
      {"block_id_flag":"2","signature":"TqonNM…","timestamp":"2026-11-24T06:28:50.1Z",
       "validator_address":"AFC6…"}]}

There is one entry for each validator, in the set's order: absent (flag 1, all empty), for the block
(2), or for no block (3). All signatures are verified; only those for the block count.

Source: celestiaorg/celestia-core v0.40.8, types/canonical.go, types/validation.go, types/block.go.
"""

from dataclasses import dataclass
from typing import Final

from provenance import rfc9162
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError, SignatureError, VerificationError
from provenance.field import Digest
from provenance.receipt import MAX_HEIGHT
from storage.celestia import wire
from storage.celestia.fields import base, based, decimal, hexed, upper
from storage.celestia.header import ADDRESS_BYTES, BlockId
from storage.celestia.validators import MAX_VALIDATORS, Validator, ValidatorSet

MAX_ROUND: Final = 2**31 - 1
ABSENT, FOR_BLOCK, FOR_NONE = 1, 2, 3
_PRECOMMIT: Final = 2
_NO_TIME: Final = wire.parse_time("0001-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Vote:
    """One entry of a commit; an absent one has no address, the time of year 1, no signature."""

    flag: int
    address: bytes
    time: int
    signature: bytes

    def __post_init__(self) -> None:
        """Refuse an absent vote that says something, and a vote that lacks something."""
        says_nothing = (self.address, self.time, self.signature) == (b"", _NO_TIME, b"")
        if says_nothing != (self.flag == ABSENT):
            raise MalformedError("a vote is absent but says something, or lacks something")
        if self.flag != ABSENT and (not self.address or not self.signature):
            raise MalformedError("a vote lacks its address or signature")

    @classmethod
    def from_fields(cls, fields: Fields) -> "Vote":
        """Return the vote, or raise MalformedError."""
        vote = cls(
            flag=decimal(fields, "block_id_flag", ABSENT, FOR_NONE),
            address=hexed(fields, "validator_address", 0, ADDRESS_BYTES),
            time=wire.parse_time(fields.text("timestamp", most=40)),
            signature=based(fields, "signature", 0, 64),
        )
        fields.done()
        return vote

    def to_json(self) -> JsonObject:
        """The vote as evidence writes it."""
        return {
            "block_id_flag": str(self.flag),
            "validator_address": upper(self.address),
            "timestamp": wire.format_time(self.time),
            "signature": base(self.signature),
        }

    @property
    def encoded(self) -> bytes:
        """The vote as a protobuf message, which the next block's header hashes."""
        head = wire.integer(1, self.flag) + wire.octets(2, self.address)
        return head + wire.message(3, wire.timestamp(self.time)) + wire.octets(4, self.signature)


@dataclass(frozen=True, slots=True)
class Commit:
    """The votes that made a block final."""

    height: int
    round: int
    block_id: BlockId
    votes: tuple[Vote, ...]

    @classmethod
    def from_fields(cls, fields: Fields) -> "Commit":
        """Return the commit, or raise MalformedError."""
        block_id = BlockId.from_fields(fields.inner("block_id"))
        if block_id is None:
            raise MalformedError(f"{fields.where}: a commit must name a block")
        commit = cls(
            height=decimal(fields, "height", 1, MAX_HEIGHT),
            round=decimal(fields, "round", 0, MAX_ROUND),
            block_id=block_id,
            votes=tuple(map(Vote.from_fields, fields.objects("signatures", MAX_VALIDATORS))),
        )
        fields.done()
        return commit

    def to_json(self) -> JsonObject:
        """The commit as evidence writes it."""
        return {
            "height": str(self.height),
            "round": str(self.round),
            "block_id": self.block_id.to_json(),
            "signatures": [vote.to_json() for vote in self.votes],
        }

    @property
    def hash(self) -> Digest:
        """The hash by which the next block's header names this commit."""
        return rfc9162.root([rfc9162.leaf_hash(vote.encoded) for vote in self.votes])


def sign_bytes(chain: str, commit: Commit, vote: Vote) -> bytes:
    """Return what a validator signs for `vote`, its length first."""
    return _framed(_frame(chain, commit, vote.flag), vote)


def _frame(chain: str, commit: Commit, flag: int) -> tuple[bytes, bytes]:
    """Return what stands before and after the time in what is signed: the same for all votes."""
    voted = wire.message(4, commit.block_id.encoded) if flag == FOR_BLOCK else b""
    head = wire.integer(1, _PRECOMMIT) + wire.fixed(2, commit.height) + wire.fixed(3, commit.round)
    return head + voted, wire.octets(6, chain.encode())


def _framed(frame: tuple[bytes, bytes], vote: Vote) -> bytes:
    before, after = frame
    body = before + wire.message(5, wire.timestamp(vote.time)) + after
    return wire.varint(len(body)) + body


def verify_commit(chain: str, commit: Commit, validators: ValidatorSet) -> None:
    """Check that more than two thirds of the power of `validators` signed the commit's block.

    Raises:
        MalformedError: Not one vote for each validator, in order.
        SignatureError: A signature does not verify.
        VerificationError: Two thirds of the power or less.
    """
    if len(commit.votes) != len(validators.validators):
        raise MalformedError(
            f"commit {commit.height} has {len(commit.votes)} votes for "
            f"{len(validators.validators)} validators"
        )
    frames = {flag: _frame(chain, commit, flag) for flag in (FOR_BLOCK, FOR_NONE)}
    power = 0
    for validator, vote in zip(validators.validators, commit.votes, strict=True):
        if vote.flag != ABSENT:
            _check_place(commit, vote, validator)
            _verify_vote(chain, commit, vote, validator, _framed(frames[vote.flag], vote))
        power += validator.power if vote.flag == FOR_BLOCK else 0
    if 3 * power <= 2 * validators.power:
        raise VerificationError(
            f"block {commit.height} of {chain}: {power} of {validators.power} voting power signed, "
            "which is not more than two thirds"
        )


def _check_place(commit: Commit, vote: Vote, validator: Validator) -> None:
    if vote.address != validator.address:
        raise MalformedError(
            f"commit {commit.height}: a vote by {upper(vote.address)} stands where "
            f"{upper(validator.address)} must vote: unknown, twice, or out of order"
        )


def _verify_vote(
    chain: str, commit: Commit, vote: Vote, validator: Validator, message: bytes
) -> None:
    try:
        validator.key.verify(message, vote.signature)
    except SignatureError as error:
        raise SignatureError(
            f"block {commit.height} of {chain}: the signature of validator "
            f"{upper(vote.address)} does not verify"
        ) from error
