"""The logical schema: one spelling, strict parsing, bounds."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import MalformedError
from provenance.record import (
    Decimal,
    Field,
    Int,
    List,
    LogicalType,
    Map,
    Null,
    Schema,
    String,
    Struct,
    UInt,
)
from provenance.schema import MAX_DEPTH, MAX_FIELDS, MAX_NAME_BYTES

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/record.json").read_text())


@pytest.mark.parametrize("case", VECTORS["schemas"], ids=lambda case: case["name"])
def test_schemas_encode_and_digest_as_the_vectors_say(case: dict[str, Any]) -> None:
    schema = Schema.parse(case["encoded"].encode())
    assert schema.encoded.decode() == case["encoded"]
    assert schema.digest.hex() == case["digest"]


@pytest.mark.parametrize("case", VECTORS["not_schemas"], ids=lambda case: case["name"])
def test_what_is_no_schema_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        Schema.parse(case["encoded"].encode())


def test_equal_schemas_are_one_key_and_order_of_fields_does_not_matter() -> None:
    fields = [Field("a", Int()), Field("b", String())]
    assert Schema.of(*fields) == Schema.of(*fields[::-1])
    assert hash(Schema.of(*fields)) == hash(Schema.of(*fields[::-1]))
    assert Schema.of(*fields) != Schema.of(Field("a", UInt()), Field("b", String()))


def test_swapped_names_change_the_digest() -> None:
    one = Schema.of(Field("height", Int()), Field("weight", UInt()))
    other = Schema.of(Field("weight", Int()), Field("height", UInt()))
    assert one.digest != other.digest


def test_names_are_sorted_by_their_utf8_bytes() -> None:
    names = ["\U0001f600", "\uffff", "é", "z", "Z", "a"]
    found = [field.name.encode() for field in Schema.of(*(Field(n, Int()) for n in names)).fields]
    assert all(before < after for before, after in pairwise(found))


def deep(levels: int) -> LogicalType:
    found: LogicalType = Int()
    for level in range(levels - 1):
        found = List(found) if level % 2 else Struct.of(Field("x", found))
    return found


def test_depth_is_bounded() -> None:
    schema = Schema.of(Field("x", deep(MAX_DEPTH)))
    assert Schema.parse(schema.encoded) == schema
    with pytest.raises(MalformedError, match="deeper"):
        Schema.of(Field("x", deep(MAX_DEPTH + 1)))


def test_number_of_fields_is_bounded_nested_ones_included() -> None:
    names = [f"f{at:04}" for at in range(MAX_FIELDS)]
    Schema.of(*(Field(name, Int()) for name in names))
    with pytest.raises(MalformedError, match="at most"):
        Schema.of(Field("one", Int()), *(Field(name, Int()) for name in names))
    half = Struct.of(*(Field(name, Int()) for name in names[: MAX_FIELDS // 2]))
    with pytest.raises(MalformedError, match="at most"):
        Schema.of(Field("a", half), Field("b", half))


@pytest.mark.parametrize("name", ["", "\ud800", "x" * (MAX_NAME_BYTES + 1), "é" * MAX_NAME_BYTES])
def test_a_name_is_unicode_of_bounded_length(name: str) -> None:
    with pytest.raises(MalformedError, match="field name"):
        Field(name, Int())


def test_what_cannot_be_a_schema_cannot_be_made() -> None:
    a, b = Field("a", Int()), Field("b", Int())
    for wrong in ((), (b, a), (a, a)):
        with pytest.raises(MalformedError):
            Schema(wrong)
        with pytest.raises(MalformedError):
            Struct(wrong)
    with pytest.raises(MalformedError, match="key"):
        Map(Null(), Int())
    for precision, scale in ((0, 0), (77, 0), (1, 77), (1, -77)):
        with pytest.raises(MalformedError, match="decimal"):
            Decimal(precision, scale)
