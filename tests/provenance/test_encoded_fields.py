"""Where fields lie in canonical bytes: what decoding the records one by one finds there."""

import decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from provenance.batch import Encoded
from provenance.encoded_fields import ROUNDS, SHARE, WIDTHS, find_fields, numbers
from provenance.encoding import encoder
from provenance.errors import UnavailableError
from provenance.record import (
    Bool,
    Date,
    Decimal,
    Duration,
    Field,
    Float32,
    Float64,
    Int,
    List,
    LogicalType,
    Map,
    Null,
    Schema,
    String,
    Struct,
    Time,
    Timestamp,
    UInt,
)
from tests.provenance.test_columns import tables


def encode(schema: Schema, records: list[dict[str, Any]]) -> Encoded:
    return Encoded.of(map(encoder(schema), records))


def single(schema: Schema, record: dict[str, Any]) -> dict[str, bytes]:
    """Return each field's validity byte and value, encoded alone."""
    found = {}
    for member in schema.fields:
        alone = Schema.of(member)
        found[member.name] = encoder(alone)({member.name: record[member.name]})
    return found


def check(schema: Schema, records: list[dict[str, Any]]) -> bool:
    """Compare the places with the encoder's; return whether there are any."""
    encoded = encode(schema, records)
    try:
        found = find_fields(schema, encoded, [member.name for member in schema.fields])
    except UnavailableError:
        return False
    for number, record in enumerate(records):
        at = int(encoded.offsets[number])
        for name, data in single(schema, record).items():
            places = found[name]
            assert (places.at[number], places.valid[number]) == (at + 1, data[0])
            assert encoded.data[at : at + len(data)].tobytes() == data
            at += len(data)
    return True


def has_nested_lists(logical: LogicalType, inside: bool = False) -> bool:  # noqa: FBT001, FBT002
    match logical:
        case List():
            return inside or has_nested_lists(logical.item, inside=True)
        case Map():
            return inside or any(
                has_nested_lists(each, inside=True) for each in (logical.key, logical.value)
            )
        case Struct():
            return any(has_nested_lists(each.type, inside) for each in logical.fields)
        case _:
            return False


@settings(deadline=None, max_examples=200)
@given(tables())
def test_every_field_lies_where_the_encoder_put_it(
    found: tuple[Schema, list[dict[str, Any]]],
) -> None:
    schema, records = found
    if not any(has_nested_lists(member.type) for member in schema.fields):
        assert check(schema, records)
    else:
        check(schema, records)


def test_fields_after_the_last_that_is_asked_for_are_not_looked_at() -> None:
    deep = [Field("b", List(List(Int()))), Field("c", Int())]
    schema = Schema.of(Field("a", String()), *deep)
    encoded = encode(schema, [{"a": "x", "b": [[1], []], "c": 1}, {"a": None, "b": [], "c": 2}])
    found = find_fields(schema, encoded, ["a", "unknown"])
    assert list(found) == ["a"]
    assert found["a"].at.tolist() == (encoded.offsets[:-1] + 1).tolist()
    assert list(find_fields(schema, encoded, ["b"])) == ["b"]
    assert not find_fields(schema, encoded, [])
    with pytest.raises(UnavailableError, match="record by record"):
        find_fields(schema, encoded, ["c"])


LISTS = Schema.of(Field("a", List(Int())), Field("b", Int()))
TEXTS = Schema.of(Field("a", List(String())), Field("b", Int()))
MAPS = Schema.of(Field("a", Map(String(), Int())), Field("b", Int()))


@pytest.mark.parametrize(
    "lists",
    [
        [[], [1], [1, 2, 3]],
        [None, [1], None],
        [[None], [1, None], [None] * 30],
        [[1] * 1000, [], [2]],
        [[256**7] * 3, [0] * 5, [None, 1, 2]],
        [[]],
        [],
    ],
)
def test_lists_of_numbers_with_and_without_nulls(lists: list[Any]) -> None:
    assert check(LISTS, [{"a": each, "b": 7} for each in lists])


def test_one_long_list_of_texts_is_left_to_decoding() -> None:
    long = ["x"] * (ROUNDS + 1)
    assert not check(TEXTS, [{"a": long, "b": 1}, {"a": [], "b": 2}])
    assert check(TEXTS, [{"a": long[1:], "b": 1}, {"a": [], "b": 2}])
    assert check(TEXTS, [{"a": long, "b": number} for number in range(SHARE)])


def test_maps_are_walked_pair_by_pair() -> None:
    pairs = [(str(number), number or None) for number in range(12)]
    assert check(MAPS, [{"a": pairs[:count], "b": 1} for count in (0, 1, 12, 3)])


def test_widths_are_those_that_the_encoder_writes() -> None:
    simple: list[tuple[LogicalType, Any]] = [
        (Null(), None),
        (Bool(), True),
        (Int(), 1),
        (UInt(), 1),
        (Float32(), 1.0),
        (Float64(), 1.0),
        (Decimal(5, 2), decimal.Decimal(1)),
        (Date(), 1),
        (Time(), 1),
        (Timestamp(zoned=True), 1),
        (Duration(), 1),
    ]
    sizes = {type(kind): len(encoder(Schema.of(Field("x", kind)))({"x": v})) for kind, v in simple}
    assert {kind: size - 1 for kind, size in sizes.items()} == dict(WIDTHS)


def test_numbers_are_read_at_any_place_and_never_beyond_the_end() -> None:
    data = np.arange(12, dtype=np.uint8)
    assert numbers(data, ">u4", np.array([0, 8, 3])).tolist() == [
        0x00010203,
        0x08090A0B,
        0x03040506,
    ]
    assert not len(numbers(data[:2], ">u4", np.array([], np.int64)))
    with pytest.raises(IndexError):
        numbers(data, ">u4", np.array([9]))
