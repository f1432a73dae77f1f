"""Who may sign blocks: a chain's validators, their keys and their voting power.

    {"validators":[{"address":"AFC6…","pub_key":{"type":"tendermint/PubKeyEd25519","value":"e4OW…"},
                    "voting_power":"500000000"}]}

A block header names the set by its hash, and the set of the next block by another.

Source: celestiaorg/celestia-core v0.40.8, types/validator.go and types/validator_set.go.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from provenance import rfc9162
from provenance.canonical import Fields, JsonObject
from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from provenance.field import Digest
from storage.celestia import wire
from storage.celestia.fields import base, based, decimal, hexed, upper
from storage.celestia.header import ADDRESS_BYTES

MAX_VALIDATORS: Final = 1000
MAX_POWER: Final = (2**63 - 1) // 8
KEY_TYPE: Final = "tendermint/PubKeyEd25519"


@dataclass(frozen=True, slots=True)
class Validator:
    """A key and its share of the voting power."""

    key: PublicKey
    power: int

    @property
    def address(self) -> bytes:
        """The first 20 bytes of the key's SHA-256."""
        return sha256(self.key).digest()[:ADDRESS_BYTES]

    @classmethod
    def from_fields(cls, fields: Fields) -> "Validator":
        """Return the validator, whose address must be its key's."""
        address, key = hexed(fields, "address", ADDRESS_BYTES), fields.inner("pub_key")
        power = decimal(fields, "voting_power", 1, MAX_POWER)
        fields.done()
        key.constant("type", KEY_TYPE)
        validator = cls(PublicKey(based(key, "value", 32)), power)
        key.done()
        if validator.address != address:
            raise MalformedError(f"{fields.where}: the address is not that of the key")
        return validator

    def to_json(self) -> JsonObject:
        """The validator as evidence writes it."""
        return {
            "address": upper(self.address),
            "pub_key": {"type": KEY_TYPE, "value": base(self.key)},
            "voting_power": str(self.power),
        }


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Validators in the chain's order, each once."""

    validators: tuple[Validator, ...]

    def __post_init__(self) -> None:
        """Refuse an empty set, one key twice, and power beyond the protocol's bound."""
        if not self.validators:
            raise MalformedError("a validator set is empty")
        if len({validator.key for validator in self.validators}) != len(self.validators):
            raise MalformedError("a validator stands in its set twice")
        if self.power > MAX_POWER:
            raise MalformedError("a validator set has more voting power than the protocol allows")

    @property
    def power(self) -> int:
        """The sum of all voting power."""
        return sum(validator.power for validator in self.validators)

    @property
    def hash(self) -> Digest:
        """The hash by which headers name the set."""
        entries = [
            wire.message(1, wire.octets(1, each.key)) + wire.integer(2, each.power)
            for each in self.validators
        ]
        return rfc9162.root([rfc9162.leaf_hash(entry) for entry in entries])

    @classmethod
    def from_fields(cls, fields: Fields) -> "ValidatorSet":
        """Return the set, or raise MalformedError."""
        members = fields.objects("validators", MAX_VALIDATORS)
        fields.done()
        return cls(tuple(Validator.from_fields(member) for member in members))

    def to_json(self) -> JsonObject:
        """The set as evidence writes it."""
        return {"validators": [validator.to_json() for validator in self.validators]}
