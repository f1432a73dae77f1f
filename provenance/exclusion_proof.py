"""What a dataset commitment says about an exclusion index, and the proofs against it.

    {"field":"author.name","keys":3,"normaliser":"text-nfkc-casefold/1","parameters":{},
     "root":"<hex>","without":1}

A path leads from the root down the bits of a key, and ends at that key, at another one, or at
nothing: presence, or one of two kinds of absence. The verifier normalises the raw value itself.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from provenance.canonical import Fields, Json, JsonObject, integer
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.exclusion_key import BITS, ExclusionKey, IndexSalt, field_names, index_leaf, key
from provenance.field import ZERO, FieldElement
from provenance.normalise import NORMALISERS
from provenance.poseidon import poseidon

MAX_KEYS: Final = 2**48
MAX_RECORDS: Final = 2**32
MAX_PARAMETERS: Final = 16
_NORMALISER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}/[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What a dataset commitment says about one index.

    Attributes:
        normaliser: Name and version.
        field: Field path, empty for `exact/1`.
        parameters: The normaliser's, as (name, value), sorted by name.
        root: 0 exactly when there are no keys.
        keys: Number of different keys.
        without: Number of records that have no key.
    """

    normaliser: str
    field: str
    parameters: tuple[tuple[str, str], ...]
    root: FieldElement
    keys: int
    without: int

    def __post_init__(self) -> None:
        if not _NORMALISER.fullmatch(self.normaliser):
            raise MalformedError(f"not the name of a normaliser: {self.normaliser[:80]!r}")
        if (self.normaliser == "exact/1") != (not field_names(self.field)):
            raise MalformedError("exact/1 has an empty field path, every other one has a field")
        if self.normaliser in NORMALISERS and self.parameters:
            raise MalformedError(f"{self.normaliser} has no parameters")
        if self.parameters != tuple(sorted(dict(self.parameters).items())):
            raise MalformedError("a normaliser's parameters are sorted, each named once")
        if not 0 <= self.keys <= MAX_KEYS or not 0 <= self.without <= MAX_RECORDS:
            raise MalformedError("an index counts its keys and the records without one")
        if (self.root == 0) != (self.keys == 0):
            raise MalformedError("an index has the root 0 exactly when it has no keys")

    def key(self, value: object) -> ExclusionKey:
        """Return the key that the raw `value` has in this index; raises as `key` does."""
        return key(self.normaliser, self.field, value)

    def to_json(self) -> JsonObject:
        """Return the entry as it stands in a dataset commitment."""
        return {
            "field": self.field,
            "keys": integer(self.keys),
            "normaliser": self.normaliser,
            "parameters": dict(self.parameters),
            "root": self.root.hex,
            "without": integer(self.without),
        }

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the entry that `value` holds, or raise MalformedError."""
        fields = Fields.of(value, "index")
        parameters = fields.inner("parameters")
        names = sorted(parameters.members)[:MAX_PARAMETERS]
        entry = cls(
            fields.text("normaliser", most=128),
            fields.text("field"),
            tuple((name, parameters.text(name)) for name in names),
            fields.element("root"),
            fields.integer("keys", 0, MAX_KEYS),
            fields.integer("without", 0, MAX_RECORDS),
        )
        parameters.done()
        fields.done()
        return entry


@dataclass(frozen=True, slots=True)
class PresenceProof:
    """The salt of a key, and the siblings on the way to it from the root downwards."""

    salt: IndexSalt
    siblings: tuple[FieldElement, ...]

    def __post_init__(self) -> None:
        _check_siblings(self.siblings)

    @property
    def reveals(self) -> str:
        """What the proof tells beside its claim, in plain words."""
        return "reveals the salt of this key: whoever has it knows the key again in any version"

    def to_json(self) -> JsonObject:
        """Return the proof as it stands in evidence."""
        return {"salt": self.salt.hex(), "siblings": [node.hex for node in self.siblings]}

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the proof that `value` holds, or raise MalformedError."""
        fields = Fields.of(value, "presence proof")
        proof = cls(IndexSalt(fields.hexed("salt", 31)), _siblings(fields))
        fields.done()
        return proof


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The key that stands where another one would: it shares the bits of the path."""

    key: ExclusionKey
    salt: IndexSalt

    def to_json(self) -> JsonObject:
        """Return the neighbour as it stands in an absence proof."""
        return {"key": self.key.hex(), "salt": self.salt.hex()}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Return the neighbour that an object holds, or raise MalformedError."""
        found = cls(ExclusionKey(fields.hexed("key", 31)), IndexSalt(fields.hexed("salt", 31)))
        fields.done()
        return found


@dataclass(frozen=True, slots=True)
class AbsenceProof:
    """What stands in a key's place, a neighbour or nothing, and the siblings on the way there."""

    neighbour: Neighbour | None
    siblings: tuple[FieldElement, ...]

    def __post_init__(self) -> None:
        _check_siblings(self.siblings)

    @property
    def reveals(self) -> str:
        """What the proof tells beside its claim, in plain words."""
        if self.neighbour:
            return (
                "reveals a key: that of another value in the index, which can be guessed; "
                "show it to nobody who must not learn that, use the zero-knowledge form"
            )
        return f"reveals no key, but that no key begins with these {len(self.siblings)} bits"

    def to_json(self) -> JsonObject:
        """Return the proof as it stands in evidence."""
        return {
            "neighbour": self.neighbour.to_json() if self.neighbour else None,
            "siblings": [node.hex for node in self.siblings],
        }

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the proof that `value` holds, or raise MalformedError."""
        fields = Fields.of(value, "absence proof")
        inner = fields.optional("neighbour", fields.inner)
        proof = cls(Neighbour.from_fields(inner) if inner else None, _siblings(fields))
        fields.done()
        return proof


def verify_presence(value: object, proof: PresenceProof, entry: IndexEntry) -> None:
    """Check that the raw `value` is among the keys of an index.

    Args:
        value: Normalised here, not by the prover.
        proof: From whoever holds the index.
        entry: From a verified dataset commitment.

    Raises:
        MalformedError: The normaliser does not take such a value.
        RootMismatchError: The path leads to another root.
        UnavailableError: This version does not know the normaliser.
    """
    found = entry.key(value)
    _verify(found, index_leaf(found, proof.salt), proof.siblings, entry)


def verify_absence(value: object, proof: AbsenceProof, entry: IndexEntry) -> None:
    """Check that the raw `value` is not among the keys of an index; see `verify_presence`.

    Raises:
        VerificationError: The neighbour is the key itself, or does not stand in its place.
    """
    missing, end = entry.key(value), ZERO
    if proof.neighbour:
        end = index_leaf(proof.neighbour.key, proof.neighbour.salt)
        if proof.neighbour.key == missing:
            raise VerificationError("the neighbour is the key itself: it is in the index")
        if _shared_bits(missing, proof.neighbour.key) < len(proof.siblings):
            raise VerificationError("the neighbour does not stand where the key would")
    _verify(missing, end, proof.siblings, entry)


def _verify(
    key: ExclusionKey, end: FieldElement, siblings: Sequence[FieldElement], entry: IndexEntry
) -> None:
    node = end
    for depth, sibling in reversed(list(enumerate(siblings))):
        node = poseidon(sibling, node) if key.bit(depth) else poseidon(node, sibling)
    if node != entry.root:
        raise RootMismatchError(node.hex, entry.root.hex)


def _shared_bits(one: ExclusionKey, other: ExclusionKey) -> int:
    return BITS - (one.number ^ other.number).bit_length()


def _check_siblings(siblings: Sequence[FieldElement]) -> None:
    if len(siblings) > BITS:
        raise MalformedError(f"a path has at most {BITS} siblings, got {len(siblings)}")
    if siblings and siblings[-1] == 0:
        raise MalformedError("the last sibling is 0: a shorter path would end here")


def _siblings(fields: Fields) -> tuple[FieldElement, ...]:
    items = fields.items("siblings", BITS)
    if not all(isinstance(item, str) for item in items):
        raise fields.error("siblings", "an array of field elements in lower-case hex")
    return tuple(FieldElement.parse(str(item)) for item in items)
