"""An extended header: block header, validator set, commit and data availability header.

    {"commit":{…},"dah":{…},"header":{…},"validator_set":{…}}

Once `verify` returns, the four agree with each other. Whether it is the right block is decided by
an anchor, never by what stands in here.

Source: celestiaorg/celestia-node, header/header.go (Validate).
"""

from dataclasses import dataclass, replace

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import RootMismatchError, VerificationError
from provenance.field import Digest
from provenance.receipt import Block
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.commit import FOR_BLOCK, Commit, verify_commit
from storage.celestia.header import Header
from storage.celestia.validators import ValidatorSet


@dataclass(frozen=True, slots=True)
class ExtendedHeader:
    """Four parts as they were read; nothing says yet that they belong together."""

    header: Header
    validators: ValidatorSet
    commit: Commit
    availability: DataAvailabilityHeader

    @classmethod
    def from_json(cls, value: Json) -> "ExtendedHeader":
        """Return the extended header that `value` writes, or raise MalformedError."""
        fields = Fields.of(value, "extended header")
        extended = cls(
            header=Header.from_json(fields.take("header")),
            validators=ValidatorSet.from_fields(fields.inner("validator_set")),
            commit=Commit.from_fields(fields.inner("commit")),
            availability=DataAvailabilityHeader.from_fields(fields.inner("dah")),
        )
        fields.done()
        return extended

    def to_json(self) -> JsonObject:
        """The extended header as evidence writes it."""
        return {
            "header": self.header.to_json(),
            "validator_set": self.validators.to_json(),
            "commit": self.commit.to_json(),
            "dah": self.availability.to_json(),
        }

    @property
    def block(self) -> Block:
        """What header and votes say; `verify` first, or the votes are anybody's."""
        validators = self.validators.validators
        votes = zip(validators, self.commit.votes, strict=True)
        return replace(
            self.header.block,
            power=tuple((bytes(each.key), each.power) for each in validators),
            signers=frozenset(bytes(v.key) for v, vote in votes if vote.flag == FOR_BLOCK),
        )

    def verify(self) -> None:
        """Check that header, validators, commit and roots agree, and the signatures.

        Raises:
            VerificationError: One of them belongs to another block, or too few signed.
        """
        self.verify_parts()
        verify_commit(self.header.chain, self.commit, self.validators)

    def verify_parts(self) -> None:
        """Check that header, validators, commit and roots agree, without the signatures.

        Raises:
            VerificationError: One of them belongs to another block.
        """
        header, commit = self.header, self.commit
        _agree(self.availability.data_root, header.data_root)
        _agree(self.validators.hash, header.validators)
        _agree(header.hash, commit.block_id.hash)
        if commit.height != header.height:
            raise VerificationError(f"block {header.height} carries a commit for {commit.height}")
        if header.proposer not in {each.address for each in self.validators.validators}:
            raise VerificationError(f"block {header.height}: its proposer is no validator")


def _agree(computed: Digest, committed: Digest) -> None:
    if computed != committed:
        raise RootMismatchError(computed.hex(), committed.hex())
