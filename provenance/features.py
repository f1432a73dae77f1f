"""From a record's numbers to its feature commitment: what a circuit can open.

A feature spec stands in the dataset commitment:

    {"fields":[{"name":"age","scale_bits":4}],"label":{"name":"ill","scale_bits":0},
     "nulls":"refuse","rounding":"half-even","width":14}

Each field becomes v = round-half-even(value * 2**scale_bits) and then the digit u = v + 2**13 with
3 <= u <= 16378: exactly what the circuits' range check accepts, so nothing is ever clipped. Digits
go 18 to a field element, the first lowest, a salt follows, and ezkl's sponge hashes them. Weights
are committed likewise, with the digit 1, which no record can have, in the lowest place.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Final, Self

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement
from provenance.leaf import DatasetKey, bucket, bucket_key
from provenance.poseidon import ezkl_sponge, poseidon
from provenance.schema import Bool, Float32, Float64, Int, Schema, UInt
from provenance.schema import Decimal as DecimalType

FEATURE_TAG: Final = b"RL-feat"
FEATURES_LEAF: Final = 3
WIDTH: Final = 14
OFFSET: Final = 2**13
LEAST: Final = 3
MOST: Final = 16378
STATE_DIGIT: Final = 1
DIGITS: Final = 18
"""Digits in a field element: 18 * 14 = 252 bits."""
MAX_SCALE: Final = 32
MAX_FIELDS: Final = 4096
NUMERIC: Final = (Bool, Int, UInt, Float32, Float64, DecimalType)
NULLS: Final = ("refuse", "zero")


@dataclass(frozen=True, slots=True)
class FeatureField:
    """A numeric field and its scale: the digit holds value * 2**scale_bits, rounded."""

    name: str
    scale_bits: int

    def __post_init__(self) -> None:
        if not self.name:
            raise MalformedError("a feature's field has a name")
        if not -MAX_SCALE <= self.scale_bits <= MAX_SCALE:
            raise MalformedError(f"scale of {self.name!r}: -{MAX_SCALE} to {MAX_SCALE} bits")

    def to_json(self) -> JsonObject:
        """Return the field as it stands in a spec."""
        return {"name": self.name, "scale_bits": self.scale_bits}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Return the field that an object holds, or raise MalformedError."""
        bits = fields.integer("scale_bits", -MAX_SCALE, MAX_SCALE)
        found = cls(fields.text("name"), bits)
        fields.done()
        return found


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which fields become features, in this order; the label, if there is one, comes last."""

    fields: tuple[FeatureField, ...]
    label: FeatureField | None = None
    nulls: str = "refuse"

    def __post_init__(self) -> None:
        if not 1 <= len(self.fields) <= MAX_FIELDS:
            raise MalformedError(f"1 to {MAX_FIELDS} features, not {len(self.fields)}")
        if len({field.name for field in self.all}) != len(self.all):
            raise MalformedError("a field is named twice among features and label")
        if self.nulls not in NULLS:
            raise MalformedError(f"nulls are one of {NULLS}, not {self.nulls!r}")

    @property
    def all(self) -> tuple[FeatureField, ...]:
        """The features, then the label."""
        return (*self.fields, self.label) if self.label else self.fields

    def to_json(self) -> JsonObject:
        """Return the spec as it stands in a dataset commitment."""
        return {
            "fields": [field.to_json() for field in self.fields],
            "label": self.label.to_json() if self.label else None,
            "nulls": self.nulls,
            "rounding": "half-even",
            "width": WIDTH,
        }

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the spec that `value` holds, or raise MalformedError."""
        members = Fields.of(value, "features")
        members.constant("rounding", "half-even")
        members.integer("width", WIDTH, WIDTH)
        fields = tuple(map(FeatureField.from_fields, members.objects("fields", MAX_FIELDS)))
        label = members.optional("label", members.inner)
        spec = cls(
            fields, FeatureField.from_fields(label) if label else None, members.text("nulls")
        )
        members.done()
        return spec


def check_spec(spec: FeatureSpec, schema: Schema) -> None:
    """Check that every field of a spec is a numeric field of a schema, or raise MalformedError."""
    types = {field.name: field.type for field in schema.fields}
    for field in spec.all:
        if not isinstance(types.get(field.name), NUMERIC):
            raise MalformedError(f"feature {field.name!r} is no numeric field of the schema")


def values(spec: FeatureSpec, record: Mapping[str, object]) -> tuple[int, ...]:
    """Return the signed fixed-point integers of a record, the label last.

    Raises:
        MalformedError: A value is null where nulls are refused, no number, or out of range.
    """
    return tuple(_value(spec, field, record.get(field.name)) for field in spec.all)


def digits(spec: FeatureSpec, record: Mapping[str, object]) -> tuple[int, ...]:
    """Return the digits of a record, `values` + 2**13; raises as `values` does."""
    return tuple(value + OFFSET for value in values(spec, record))


def fixed_point(value: object, scale_bits: int) -> int:
    """Return round-half-even(value * 2**scale_bits), without rounding on the way.

    Raises:
        MalformedError: No finite number, or far out of any range.
    """
    if not isinstance(value, int | float | Decimal) or not _is_finite(value):
        raise MalformedError("a feature is a finite number or a truth value")
    if not -(2**46) < value < 2**46:
        raise MalformedError("a feature below 2**46 was expected")
    if -(2.0**-34) < value < 2.0**-34:
        return 0
    if isinstance(value, float):
        return round(math.ldexp(value, scale_bits))
    return round(Fraction(value) * Fraction(2) ** scale_bits)


def feature_salt(key: DatasetKey, content: Digest) -> FieldElement:
    """Return the salt of a record's feature commitment, 31 bytes as an integer."""
    secret = bucket_key(key, b"salt", bucket(content))
    return FieldElement(int.from_bytes(sha256(FEATURE_TAG + secret + content).digest()[:31], "big"))


def feature_elements(digits: Sequence[int], salt: FieldElement) -> tuple[FieldElement, ...]:
    """Return what the sponge hashes for a record: its packed digits, then the salt."""
    return (*_pack(tuple(map(_checked, digits))), salt)


def feature_commitment(digits: Sequence[int], salt: FieldElement) -> FieldElement:
    """Return the commitment to a record's digits.

    Raises:
        MalformedError: No digit, or one that the circuits' range check refuses.
    """
    return ezkl_sponge(feature_elements(digits, salt))


def features_leaf(leaf_digest: FieldElement, commitment: FieldElement) -> FieldElement:
    """Return the leaf of a record of kind `features`; tag and width keep it from being a node."""
    return poseidon(FEATURES_LEAF, leaf_digest, commitment)


def state_elements(weights: Sequence[int], salt: FieldElement) -> tuple[FieldElement, ...]:
    """Return what the sponge hashes for a state: 1 and the weights' packed digits, then the salt.

    Args:
        weights: Signed fixed point; w + 2**13 must be a digit.
        salt: Drawn at random for each state, and kept with it.
    """
    packed = _pack((STATE_DIGIT, *(_checked(weight + OFFSET) for weight in weights)))
    return (*packed, salt)


def state_commitment(weights: Sequence[int], salt: FieldElement) -> FieldElement:
    """Return the commitment to a state's weights; see `state_elements`."""
    return ezkl_sponge(state_elements(weights, salt))


def _value(spec: FeatureSpec, field: FeatureField, value: object) -> int:
    if value is None and spec.nulls == "zero":
        return 0
    try:
        return _checked(fixed_point(value, field.scale_bits) + OFFSET) - OFFSET
    except MalformedError as error:
        raise MalformedError(f"feature {field.name!r}: {error}") from error


def _is_finite(value: float | Decimal) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else value - value == 0


def _checked(digit: int) -> int:
    if not LEAST <= digit <= MOST:
        low, high = LEAST - OFFSET, MOST - OFFSET
        # The value may be secret: whoever holds the record sees it there.
        raise MalformedError(
            f"a value is outside {low} to {high}; choose another scale, nothing is clipped"
        )
    return digit


def _pack(digits: Sequence[int]) -> tuple[FieldElement, ...]:
    if not digits:
        raise MalformedError("there are no digits to commit to")
    groups = (digits[start : start + DIGITS] for start in range(0, len(digits), DIGITS))
    return tuple(
        FieldElement(sum(digit << WIDTH * place for place, digit in enumerate(group)))
        for group in groups
    )
