"""Chains with several validators, for tests to lie in: who signs what is chosen block by block.

crew = Crew.of("a", "b", "c", "d")         # power 1 each; Crew.of(a=5, b=1) chooses
chain = Chain("many-1", crew, 10)          # ten blocks
chain.extend(5, crew=other)                # as the last block announced; see `announce`
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.anchor import Anchor
from provenance.envelope import PublicKey
from provenance.errors import UnavailableError
from provenance.field import Digest
from storage.celestia.block import make_block
from storage.celestia.commit import ABSENT, FOR_BLOCK, Commit, Vote, sign_bytes
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import BlockId, Header
from storage.celestia.light import PAGE
from storage.celestia.square import availability, lay_out
from storage.celestia.validators import Validator, ValidatorSet
from storage.celestia.wire import parse_time

SECOND: Final = 10**9
WEEK: Final = 7 * 86_400 * SECOND
START: Final = 1_800_000_000 * SECOND
NO_TIME: Final = parse_time("0001-01-01T00:00:00Z")
NOBODY: Final = Vote(ABSENT, b"", NO_TIME, b"")
ROOTS: Final = availability(lay_out(()))


@cache
def private(word: str) -> Ed25519PrivateKey:
    """Return the key that follows from a word."""
    return Ed25519PrivateKey.from_private_bytes(sha256(word.encode()).digest())


@cache
def public(word: str) -> PublicKey:
    """Return the public key that follows from a word."""
    return PublicKey(private(word).public_key().public_bytes_raw())


@dataclass(frozen=True)
class Crew:
    """Validators by name, with their power."""

    power: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, *names: str, **powers: int) -> "Crew":
        """Return validators with power 1 each, and others with the power given."""
        return cls(tuple((name, 1) for name in names) + tuple(powers.items()))

    @property
    def validators(self) -> ValidatorSet:
        """The set, as a header names it."""
        return validator_set(self)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(name for name, _ in self.power)


@cache
def validator_set(crew: Crew) -> ValidatorSet:
    """Return the validator set of a crew."""
    return ValidatorSet(tuple(Validator(public(name), power) for name, power in crew.power))


def sign(
    header: Header, crew: Crew, signers: Sequence[str] | None = None, *, turn: int = 0
) -> ExtendedHeader:
    """Return the block that `signers` of `crew`, by default all, voted for in round `turn`."""
    block_id = BlockId(header.hash, 1, Digest(sha256(header.hash).digest()))
    empty = Commit(header.height, turn, block_id, ())
    votes = []
    for place, name in enumerate(crew.names):
        unsigned = Vote(
            FOR_BLOCK, sha256(public(name)).digest()[:20], header.time + place, bytes(64)
        )
        signature = private(name).sign(sign_bytes(header.chain, empty, unsigned))
        is_there = signers is None or name in signers
        votes.append(replace(unsigned, signature=signature) if is_there else NOBODY)
    return ExtendedHeader(header, crew.validators, replace(empty, votes=tuple(votes)), ROOTS)


class Chain:
    """Blocks in order; each announces the validators of the next."""

    def __init__(self, name: str, crew: Crew, count: int, *, step: int = SECOND) -> None:
        """Make a chain of `count` blocks, `step` nanoseconds apart."""
        self.name, self.step = name, step
        self.blocks: list[ExtendedHeader] = []
        self.extend(count, crew)

    def extend(
        self,
        count: int,
        crew: Crew,
        *,
        then: Crew | None = None,
        signers: Sequence[str] | None = None,
        change: Callable[[Header], Header] = lambda header: header,
    ) -> "Chain":
        """Append blocks signed by `crew`; the last of them announces `then`."""
        for number in range(count):
            following = then if then and number == count - 1 else crew
            header = self._header(crew, following)
            self.blocks.append(sign(change(header), crew, signers))
        return self

    def _header(self, crew: Crew, following: Crew) -> Header:
        last = self.blocks[-1] if self.blocks else None
        height = len(self.blocks) + 1
        like = make_block(None, ROOTS, self.name, START, _Nobody()).header
        return replace(
            like,
            height=height,
            time=last.header.time + self.step if last else START,
            previous=last.commit.block_id if last else None,
            last_commit=last.commit.hash if last else like.last_commit,
            validators=crew.validators.hash,
            next_validators=following.validators.hash,
            proposer=crew.validators.validators[0].address,
        )

    def fork(self, height: int) -> "Chain":
        """Return another chain with the same blocks up to `height`."""
        other = Chain(self.name, Crew.of("unused"), 0, step=self.step)
        other.blocks = self.blocks[:height]
        return other

    def at(self, height: int) -> ExtendedHeader:
        """Return one block."""
        return self.blocks[height - 1]

    def anchor(self, height: int) -> Anchor:
        """Return the anchor that fixes one block."""
        return Anchor("celestia", self.name, height, self.at(height).header.hash)

    @property
    def now(self) -> int:
        """A second after the newest block."""
        return self.blocks[-1].header.time + SECOND


def forged(
    original: ExtendedHeader,
    crew: Crew,
    signers: Sequence[str] | None = None,
    **changes: Any,
) -> ExtendedHeader:
    """Return another block in the place of `original`, by `crew`, consistent with itself."""
    header = replace(
        original.header,
        validators=crew.validators.hash,
        next_validators=crew.validators.hash,
        proposer=crew.validators.validators[0].address,
        app=b"f" * 32,
    )
    return sign(replace(header, **changes), crew, signers)


class _Nobody:
    """A key for headers that are signed anew anyway."""

    public_key = public("nobody")

    def sign(self, message: bytes) -> bytes:
        return private("nobody").sign(message)


class Node:
    """A node that answers from a chain, and counts what it was asked; `lies` replace answers."""

    def __init__(self, chain: Chain, *, tail: int = 1) -> None:
        """Answer from `chain`, from block `tail` on."""
        self.chain, self.tail = chain, tail
        self.asked: list[int] = []
        self.lies: dict[int, ExtendedHeader] = {}
        self.newest: ExtendedHeader | None = None

    def head(self) -> ExtendedHeader:
        """Return the newest header, or what is told instead."""
        return self.newest or self._answer(len(self.chain.blocks))

    def at(self, height: int) -> ExtendedHeader:
        """Return one header, or what is told instead."""
        self.asked.append(height)
        return self._answer(height)

    def between(self, lower: ExtendedHeader, last: int) -> tuple[ExtendedHeader, ...]:
        """Return headers above `lower` up to `last`."""
        first = lower.header.height + 1
        assert last - first < PAGE
        self.asked.append(first)
        return tuple(self._answer(height) for height in range(first, last + 1))

    def _answer(self, height: int) -> ExtendedHeader:
        if height in self.lies:
            return self.lies[height]
        if height < self.tail:
            raise UnavailableError(f"requested header ({height}) is below Tail ({self.tail})")
        if height > len(self.chain.blocks):
            raise UnavailableError("header: given height is from the future")
        return self.chain.at(height)
