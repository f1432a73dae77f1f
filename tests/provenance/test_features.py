import json
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import schema
from provenance.errors import MalformedError
from provenance.features import (
    FeatureField,
    FeatureSpec,
    check_spec,
    digits,
    feature_commitment,
    feature_elements,
    feature_salt,
    features_leaf,
    fixed_point,
    state_commitment,
    state_elements,
    values,
)
from provenance.field import Digest, FieldElement
from provenance.leaf import DatasetKey, bucket, bucket_key
from provenance.poseidon import ezkl_sponge, poseidon

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/features.json").read_text()
)
SPEC = FeatureSpec((FeatureField("radius", 7), FeatureField("worst", 0)), FeatureField("benign", 0))
SALT = FieldElement(77)
LOW, HIGH = 3 - 2**13, 16378 - 2**13


def slow_pack(digits: list[int]) -> list[int]:
    groups = [digits[i : i + 18] for i in range(0, len(digits), 18)]
    return [int("".join(f"{digit:014b}" for digit in reversed(group)), 2) for group in groups]


@pytest.mark.parametrize("case", VECTORS["records"], ids=lambda case: case["name"])
def test_feature_vectors(case: dict[str, Any]) -> None:
    spec = FeatureSpec.from_json(case["spec"])
    record = {name: Decimal(number) for name, number in case["record"].items()}
    assert list(values(spec, record)) == case["values"]
    content = Digest.parse(case["content_digest"])
    salt = feature_salt(DatasetKey(bytes.fromhex(case["dataset_key"])), content)
    assert salt.hex == case["salt"]
    commitment = feature_commitment(digits(spec, record), salt)
    assert commitment.hex == case["commitment"]
    leaf = features_leaf(FieldElement.parse(case["leaf_digest"]), commitment)
    assert leaf.hex == case["leaf"]


@pytest.mark.parametrize("case", VECTORS["states"], ids=lambda case: case["name"])
def test_state_vectors(case: dict[str, Any]) -> None:
    salt = FieldElement.parse(case["salt"])
    assert state_commitment(case["weights"], salt).hex == case["commitment"]


@settings(deadline=None, max_examples=200)
@given(
    st.floats(-(2.0**40), 2.0**40) | st.integers(-(2**40), 2**40) | st.decimals(-999, 999),
    st.integers(-32, 32),
)
def test_fixed_point_rounds_the_exact_number_once(number: float | Decimal, bits: int) -> None:
    exact = Fraction(number) * Fraction(2) ** bits
    assert fixed_point(number, bits) == round(exact)
    assert abs(fixed_point(number, bits) - exact) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("number", "bits", "value"),
    [
        (0.5, 0, 0),
        (1.5, 0, 2),
        (-2.5, 0, -2),
        (Decimal("2.5"), 0, 2),
        (3, -1, 2),
        (True, 3, 8),
        (False, 3, 0),
        (-0.0, 7, 0),
        (5e-324, 32, 0),
        (Decimal("1E-999999"), 32, 0),
        (2**45, -32, 2**13),
        (0.1, 7, 13),
        (17.99, 7, 2303),
    ],
)
def test_known_numbers_round_as_written(number: float | Decimal, bits: int, value: int) -> None:
    assert fixed_point(number, bits) == value


@pytest.mark.parametrize(
    "number",
    [
        None,
        "1",
        b"1",
        float("nan"),
        float("inf"),
        Decimal("nan"),
        Decimal("snan"),
        Decimal("-inf"),
        2**46,
        -(10**400),
        1e300,
        Decimal("1E+999999"),
    ],
)
def test_what_is_no_finite_number_or_too_large_is_refused(number: object) -> None:
    with pytest.raises(MalformedError, match="feature"):
        fixed_point(number, -32)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(LOW, HIGH), min_size=1, max_size=40))
def test_digits_are_packed_18_to_an_element_the_first_lowest(numbers: list[int]) -> None:
    spec = FeatureSpec(tuple(FeatureField(f"f{i}", 0) for i in range(len(numbers))))
    record = {f"f{i}": number for i, number in enumerate(numbers)}
    found = digits(spec, record)
    assert values(spec, record) == tuple(numbers)
    assert found == tuple(number + 2**13 for number in numbers)
    packed = slow_pack(list(found))
    assert feature_elements(found, SALT) == (*packed, SALT)
    assert feature_commitment(found, SALT) == ezkl_sponge([*packed, SALT])
    weights = slow_pack([1, *found])
    assert state_elements(numbers, SALT) == (*weights, SALT)
    assert state_commitment(numbers, SALT) == ezkl_sponge([*weights, SALT])


def test_out_of_range_is_refused_and_never_clipped() -> None:
    for number in (LOW, HIGH):
        assert digits(SPEC, {"radius": 0, "worst": number, "benign": 0})[1] == number + 2**13
    for number in (LOW - 1, HIGH + 1):
        with pytest.raises(MalformedError, match=r"'worst'.*outside -8189 to 8186"):
            values(SPEC, {"radius": 0, "worst": number, "benign": 0})
        with pytest.raises(MalformedError, match="outside"):
            state_commitment([0, number], SALT)


def test_a_record_cannot_have_the_digit_that_marks_a_state() -> None:
    for digit in (0, 1, 2, 16379, 2**14):
        with pytest.raises(MalformedError, match="outside"):
            feature_commitment([digit, 8192], SALT)


def test_a_state_is_never_the_commitment_of_a_record() -> None:
    assert state_commitment([0, 5], SALT) != feature_commitment([8192, 8197], SALT)


def test_nulls_are_refused_or_zero_as_the_spec_says() -> None:
    record = {"radius": None, "worst": 1}
    with pytest.raises(MalformedError, match="'radius'"):
        values(SPEC, record)
    assert values(FeatureSpec(SPEC.fields, SPEC.label, "zero"), record) == (0, 1, 0)


def test_no_digits_are_no_commitment() -> None:
    with pytest.raises(MalformedError, match="no digits"):
        feature_commitment([], SALT)


def test_a_features_leaf_binds_record_and_features_and_is_no_node() -> None:
    assert features_leaf(FieldElement(1), FieldElement(2)) == poseidon(3, 1, 2)
    assert features_leaf(FieldElement(1), FieldElement(2)) != poseidon(1, 2)


@settings(deadline=None, max_examples=20)
@given(st.binary(min_size=32, max_size=32).map(Digest))
def test_the_salt_shares_the_bucket_of_the_records_salt(content: Digest) -> None:
    secret = DatasetKey(bytes(range(32)))
    inner = bucket_key(secret, b"salt", bucket(content))
    expected = sha256(b"RL-feat" + inner + content).digest()[:31]
    assert feature_salt(secret, content).encoded == b"\0" + expected


@pytest.mark.parametrize("spec", [SPEC, FeatureSpec((FeatureField("a", -32),), nulls="zero")])
def test_a_spec_is_read_as_it_was_written(spec: FeatureSpec) -> None:
    assert FeatureSpec.from_json(spec.to_json()) == spec


FIELD = {"name": "a", "scale_bits": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": []},
        {"fields": [FIELD, FIELD]},
        {"fields": [{"name": "benign", "scale_bits": 1}]},
        {"fields": [{"name": "", "scale_bits": 1}]},
        {"fields": [{"name": "a", "scale_bits": 33}]},
        {"fields": [{"name": "a", "scale_bits": 1.5}]},
        {"fields": [{**FIELD, "more": 1}]},
        {"label": []},
        {"nulls": "skip"},
        {"rounding": "down"},
        {"width": 15},
        {"more": 1},
    ],
)
def test_another_spelling_of_a_spec_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        FeatureSpec.from_json({**SPEC.to_json(), **wrong})


def test_a_scale_outside_32_bits_is_refused() -> None:
    for bits in (-33, 33):
        with pytest.raises(MalformedError, match="scale of 'a'"):
            FeatureField("a", bits)


def test_features_are_numeric_fields_of_the_schema() -> None:
    numeric: list[schema.LogicalType] = [
        *(schema.Bool(), schema.Int(), schema.UInt(), schema.Float32(), schema.Float64()),
        schema.Decimal(5, 2),
    ]
    for found in numeric:
        check_spec(FeatureSpec((FeatureField("a", 0),)), schema.Schema.of(schema.Field("a", found)))
    wrong: list[tuple[schema.LogicalType, str]] = [
        (schema.String(), "a"),
        (schema.Date(), "a"),
        (schema.Int(), "b"),
    ]
    for other, name in wrong:
        fields = schema.Schema.of(schema.Field(name, other))
        with pytest.raises(MalformedError, match="no numeric field"):
            check_spec(FeatureSpec((FeatureField("a", 0),)), fields)
