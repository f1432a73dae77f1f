"""A record shown to an auditor: its bytes, its salt, and the path to the committed root.

{"encoded":"<hex>","feature_salt":null,"kind":"rootline/opening/v1",
 "path":{…},"salt":"<hex, 16 bytes>"}

Or only its place: which feature commitment stands there, and nothing of the record.

{"commitment":"<hex>","kind":"rootline/features/v1","leaf":"<hex>","path":{…}}
"""

from dataclasses import dataclass
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, VerificationError
from provenance.features import FeatureSpec, digits, feature_commitment, features_leaf
from provenance.field import FieldElement
from provenance.leaf import Salt, content_digest, leaf_digest
from provenance.record import Value, decode_record
from provenance.schema import Schema
from provenance.tree import InclusionProof, verify_inclusion

KIND: Final = "rootline/opening/v1"
FEATURES_KIND: Final = "rootline/features/v1"
MAX_RECORD: Final = 2**22


@dataclass(frozen=True, slots=True)
class Opening:
    """One record in the clear. `feature_salt` is given exactly where the leaf has features."""

    encoded_record: bytes
    salt: Salt
    feature_salt: FieldElement | None
    path: InclusionProof

    def __post_init__(self) -> None:
        """Raise MalformedError for a record that `from_fields` would not read back."""
        if len(self.encoded_record) > MAX_RECORD:
            raise MalformedError(
                f"a record of {len(self.encoded_record)} bytes; at most {MAX_RECORD} are opened"
            )

    @property
    def json(self) -> JsonObject:
        """The opening as it stands in a bundle."""
        return {
            "kind": KIND,
            "encoded": self.encoded_record.hex(),
            "salt": self.salt.hex(),
            "feature_salt": self.feature_salt.hex if self.feature_salt is not None else None,
            "path": self.path.to_json(),
        }

    @property
    def encoded(self) -> bytes:
        """The opening as canonical JSON."""
        return canonical.encode(self.json)

    @classmethod
    def from_fields(cls, fields: Fields) -> "Opening":
        """Return the opening that an object holds, or raise MalformedError."""
        fields.constant("kind", KIND)
        text = fields.text("encoded", most=2 * MAX_RECORD)
        opening = cls(
            decode_hex(text),
            Salt(fields.hexed("salt", 16)),
            fields.optional("feature_salt", fields.element),
            InclusionProof.from_json(fields.take("path")),
        )
        fields.done()
        return opening


def decode_hex(text: str) -> bytes:
    """Return the bytes that `text` writes in lower-case hex, or raise MalformedError."""
    if len(text) % 2 or text.strip("0123456789abcdef"):
        raise MalformedError("opening: 'encoded' must be lower-case hex")
    return bytes.fromhex(text)


def opened_leaf(
    opening: Opening, schema: Schema, spec: FeatureSpec | None
) -> tuple[FieldElement, dict[str, Value]]:
    """Return the leaf that an opened record has, and the record's values.

    Raises:
        MalformedError: The bytes are no record of `schema`.
        VerificationError: A feature salt is given without features, or the other way round.
    """
    values = decode_record(schema, opening.encoded_record)
    content = content_digest(schema.digest, opening.encoded_record)
    leaf = leaf_digest(opening.salt, content)
    if (spec is None) != (opening.feature_salt is None):
        raise VerificationError("the opening does not fit the dataset's kind of leaf")
    if spec is not None and opening.feature_salt is not None:
        commitment = feature_commitment(digits(spec, values), opening.feature_salt)
        leaf = features_leaf(leaf, commitment)
    return leaf, values


def verify_opening(opening: Opening, commitment: DatasetCommitment) -> dict[str, Value]:
    """Return the values of a record once it is shown to stand in the dataset.

    Raises:
        MalformedError: Record or path is not in its one form.
        VerificationError: The record leads to another root.
    """
    leaf, values = opened_leaf(opening, commitment.schema, commitment.features)
    verify_inclusion(leaf, opening.path, commitment.root, commitment.chunks)
    return values


@dataclass(frozen=True, slots=True)
class FeatureOpening:
    """Which feature commitment stands at an index of a dataset.

    Attributes:
        leaf: The record's leaf digest, which its salt keeps from being guessed.
        commitment: To the record's features.
        path: From the leaf of both to the record root.
    """

    leaf: FieldElement
    commitment: FieldElement
    path: InclusionProof

    def __post_init__(self) -> None:
        """Raise MalformedError for a zero leaf, which no record has."""
        if self.leaf == 0:
            raise MalformedError("opening: a record's leaf digest is never 0")

    @property
    def json(self) -> JsonObject:
        """The opening as it stands in a bundle."""
        return {
            "kind": FEATURES_KIND,
            "leaf": self.leaf.hex,
            "commitment": self.commitment.hex,
            "path": self.path.to_json(),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> "FeatureOpening":
        """Return the opening that an object holds, or raise MalformedError."""
        fields.constant("kind", FEATURES_KIND)
        path = InclusionProof.from_json(fields.take("path"))
        opening = cls(fields.element("leaf"), fields.element("commitment"), path)
        fields.done()
        return opening


def verify_features(opening: FeatureOpening, commitment: DatasetCommitment) -> None:
    """Check that this feature commitment stands at `opening.path.index` of the dataset.

    Raises:
        MalformedError: The path is not in its one form.
        VerificationError: The path leads to another root, or the dataset commits to no features.
    """
    if commitment.features is None:
        raise VerificationError(f"{commitment.label} commits to no features")
    leaf = features_leaf(opening.leaf, opening.commitment)
    verify_inclusion(leaf, opening.path, commitment.root, commitment.chunks)
