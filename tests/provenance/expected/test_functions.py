"""What a verifier expects of property proofs: against recorded circuits, and what it refuses."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.expected.functions import (
    MAX_VALUE,
    PropertyShape,
    property_public,
    value_commitment,
)
from provenance.features import OFFSET, feature_commitment, state_commitment
from provenance.field import ZERO, Digest, FieldElement

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "functions.json").read_bytes())
EACH = pytest.mark.parametrize("case", VECTORS["properties"], ids=lambda case: case["name"])


def commitments(case: dict[str, Any]) -> list[FieldElement]:
    salts = [FieldElement.parse(text) for text in case["salts"]]
    pairs = zip(case["rows"], salts, strict=True)
    if "state" in case["circuit"]:
        return [state_commitment(row, salt) for row, salt in pairs]
    return [feature_commitment([v + OFFSET for v in row], salt) for row, salt in pairs]


def expected(case: dict[str, Any], value: list[int]) -> list[str]:
    shape = PropertyShape.parse(case["circuit"])
    context = FieldElement.parse(case["context"])
    return [v.hex for v in property_public(shape, commitments(case), value, context)]


@EACH
def test_a_verifier_expects_what_the_circuit_shows(case: dict[str, Any]) -> None:
    assert expected(case, case["value"]) == case["public"]
    changed = [case["value"][0] + 1, *case["value"][1:]]
    assert expected(case, changed)[-2] != case["public"][-2]


@EACH
def test_a_name_holds_the_digest_of_the_function(case: dict[str, Any]) -> None:
    digest = Digest(hashlib.sha256(base64.b64decode(case["onnx"])).digest())
    shape = PropertyShape.parse(case["circuit"])
    rows = 0 if shape.is_state else len(case["rows"])
    assert PropertyShape.of(digest, rows, len(case["rows"][0])) == shape


@given(st.from_regex("[0-9a-f]{64}", fullmatch=True), st.integers(0, 2**12), st.integers(1, 2**13))
def test_names_are_read_as_they_are_written(function: str, rows: int, width: int) -> None:
    shape = PropertyShape(function, rows, width)
    assert PropertyShape.parse(shape.name) == shape


F = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "name",
    [
        f"property-0x5-{F}.v1",
        f"property-05x5-{F}.v1",
        f"property-5x0-{F}.v1",
        f"property-99999x5-{F}.v1",
        f"property-5x5-{F[1:]}.v1",
        f"property-5x5-{F.upper()}.v1",
        f"property-5x5-{F}.v2",
        f"property-state0-{F}.v1",
        f"property-5x5-{F}.v1\n",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        PropertyShape.parse(name)


def test_a_shape_cannot_be_named_by_what_is_no_digest() -> None:
    with pytest.raises(MalformedError, match="64 hex digits"):
        PropertyShape("not a digest", 1, 1)


def test_a_claim_has_as_many_commitments_as_its_circuit() -> None:
    shape = PropertyShape("0" * 64, 2, 3)
    for count in (1, 3):
        with pytest.raises(MalformedError, match="is over 2 commitments"):
            property_public(shape, [ZERO] * count, [1], ZERO)
    state = PropertyShape("0" * 64, 0, 3)
    assert state.is_state
    with pytest.raises(MalformedError, match="is over 1 commitments"):
        property_public(state, [ZERO] * 2, [1], ZERO)


def test_values_are_integers_that_one_hash_stands_for() -> None:
    assert len({value_commitment([v]) for v in (0, 1, -1, MAX_VALUE, -MAX_VALUE)}) == 5
    assert value_commitment([1, 2]) != value_commitment([2, 1])
    for value in ([], [MAX_VALUE + 1], [-MAX_VALUE - 1]):
        with pytest.raises(MalformedError, match="a row of integers"):
            value_commitment(value)
