"""A record's encoding: known answers, exactness, one spelling for each value."""

import decimal
import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.record import (
    Bool,
    Bytes,
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
    Value,
    decode_record,
    encode_record,
)

number = decimal.Decimal
VECTORS = json.loads((Path(__file__).parents[1] / "vectors/record.json").read_text())
DAY = 86_400 * 10**9


def value_of(  # noqa: PLR0911  # a case a type
    logical: LogicalType, written: Any
) -> Value:
    """Read a value as tests/vectors/record.json writes it; see "notation" there."""
    match logical:
        case _ if written is None:
            return None
        case List():
            return [value_of(logical.item, each) for each in written]
        case Map():
            return [(value_of(logical.key, k), value_of(logical.value, v)) for k, v in written]
        case Struct():
            return {each.name: value_of(each.type, written[each.name]) for each in logical.fields}
        case Float32() | Float64():
            return float(written)
        case Decimal():
            return number(written)
        case Bytes():
            return bytes.fromhex(written)
        case Bool() | String():
            return written  # type: ignore[no-any-return]  # JSON's own values
        case _:
            return int(written)


def record_of(schema: Schema, written: dict[str, Any]) -> dict[str, Value]:
    return {each.name: value_of(each.type, written[each.name]) for each in schema.fields}


def one(logical: LogicalType) -> Schema:
    return Schema.of(Field("x", logical))


@pytest.mark.parametrize("case", VECTORS["records"], ids=lambda case: case["name"])
def test_records_encode_as_the_vectors_say(case: dict[str, Any]) -> None:
    schema = Schema.from_json(case["schema"])
    assert schema.digest.hex() == case["schema_digest"]
    encoded = encode_record(schema, record_of(schema, case["record"]))
    assert encoded.hex() == case["encoded"]
    assert encode_record(schema, decode_record(schema, encoded)) == encoded


@pytest.mark.parametrize("case", VECTORS["not_encodings"], ids=lambda case: case["name"])
def test_what_no_record_encodes_to_is_refused(case: dict[str, Any]) -> None:
    schema = Schema.from_json(case["schema"])
    with pytest.raises(MalformedError):
        decode_record(schema, bytes.fromhex(case["encoded"]))


@pytest.mark.parametrize("case", VECTORS["not_records"], ids=lambda case: case["name"])
def test_what_does_not_fit_its_type_exactly_is_refused(case: dict[str, Any]) -> None:
    schema = Schema.from_json(case["schema"])
    with pytest.raises(MalformedError, match="field"):
        encode_record(schema, record_of(schema, case["record"]))


class Huge(bytes):
    """Bytes that claim to be longer than a value may be."""

    __slots__ = ()

    def __len__(self) -> int:  # type: ignore[explicit-override]  # Python 3.11 has no override
        return 2**32


@pytest.mark.parametrize(
    ("logical", "value"),
    [
        (Null(), False),
        (Bool(), 1),
        (Int(), True),
        (Int(), 1.0),
        (Int(), "1"),
        (UInt(), -1),
        (UInt(), 2**64),
        (Date(), 2**63),
        (Float64(), 1),
        (Float32(), 1),
        (Float32(), 0.1),
        (Float32(), 1e39),
        (Decimal(3, 1), 1),
        (Decimal(3, 1), number("NaN")),
        (Decimal(3, 1), number("Infinity")),
        (Decimal(3, 1), number("1.25")),
        (Decimal(3, 1), number(100)),
        (Decimal(3, 1), number("1E+1000000")),
        (Decimal(76, 76), number("1e-77")),
        (String(), b"a"),
        (String(), "\ud800"),
        (Bytes(), "a"),
        (Bytes(), Huge()),
        (Time(), -1),
        (Time(), DAY),
        (Time(), 1.0),
        (Timestamp(zoned=False), 1.0),
        (Timestamp(zoned=True), 2**63 * 10**9),
        (Duration(), "1"),
        (List(Int()), "ab"),
        (List(Int()), 1),
        (List(Int()), [None, "a"]),
        (Struct.of(Field("y", Int())), [1]),
        (Struct.of(Field("y", Int())), {}),
        (Struct.of(Field("y", Int())), {"y": 1, "z": 2}),
        (Map(String(), Int()), {"a": 1}),
        (Map(String(), Int()), "ab"),
        (Map(String(), Int()), ["ab"]),
        (Map(String(), Int()), [("a", 1, 2)]),
        (Map(String(), Int()), [(None, 1)]),
        (Map(String(), Int()), [("a", 1), ("a", 1)]),
        (Map(Float64(), Int()), [(0.0, 1), (-0.0, 2)]),
        (Map(Decimal(3, 1), Int()), [(number(1), 1), (number("1.0"), 2)]),
    ],
)
def test_a_value_of_another_type_or_range_is_refused_by_field(
    logical: LogicalType, value: Any
) -> None:
    with pytest.raises(MalformedError, match=r"^field 'x': "):
        encode_record(one(logical), {"x": value})


def test_an_integer_too_long_to_print_is_refused_by_its_size() -> None:
    with pytest.raises(MalformedError, match="of 16610 bits"):
        encode_record(one(Int()), {"x": 10**5000})


def test_a_record_has_exactly_the_fields_of_its_schema() -> None:
    with pytest.raises(MalformedError, match="'x' is missing"):
        encode_record(one(Int()), {"y": 1})
    with pytest.raises(MalformedError, match="'y' is not in the schema"):
        encode_record(one(Int()), {"x": 1, "y": 1})
    with pytest.raises(MalformedError, match="expected an object"):
        encode_record(one(Int()), [1])  # type: ignore[arg-type]  # what an untyped caller may do


def test_the_error_names_the_whole_way_to_a_nested_field() -> None:
    schema = one(Struct.of(Field("inner", Int())))
    with pytest.raises(MalformedError, match="field 'x': field 'inner': expected an integer"):
        encode_record(schema, {"x": {"inner": "no"}})


def test_every_nan_is_one_value_and_minus_zero_is_zero() -> None:
    other = struct.unpack(">d", bytes.fromhex("fff0000000000001"))[0]
    for logical in (Float32(), Float64()):
        schema = one(logical)
        assert encode_record(schema, {"x": other}) == encode_record(schema, {"x": math.nan})
        assert encode_record(schema, {"x": -0.0}) == encode_record(schema, {"x": 0.0})


def test_decimals_of_equal_value_encode_alike() -> None:
    schema = one(Decimal(20, 2))
    spellings = [number("150"), number("1.5E+2"), number("150.0000000")]
    assert len({encode_record(schema, {"x": each}) for each in spellings}) == 1


def test_a_maps_order_does_not_matter() -> None:
    schema = one(Map(Int(), Int()))
    pairs = [(-1, 1), (2, 2), (300, 3)]
    assert encode_record(schema, {"x": pairs}) == encode_record(schema, {"x": pairs[::-1]})


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
SIMPLE: list[tuple[LogicalType, st.SearchStrategy[Any]]] = [
    (Null(), st.none()),
    (Bool(), st.booleans()),
    (Int(), st.integers(-(2**63), 2**63 - 1)),
    (UInt(), st.integers(0, 2**64 - 1)),
    (Float32(), st.floats(width=32, allow_nan=False).map(lambda value: value + 0.0)),
    (Float64(), st.floats(allow_nan=False).map(lambda value: value + 0.0)),
    (Decimal(76, 10), st.integers(-(10**76) + 1, 10**76 - 1).map(lambda v: number(f"{v}E-10"))),
    (Decimal(5, -3), st.integers(-(10**5) + 1, 10**5 - 1).map(lambda v: number(f"{v}E+3"))),
    (String(), st.text(st.characters(exclude_categories=["Cs"]))),
    (Bytes(), st.binary()),
    (Date(), st.integers(-(2**63), 2**63 - 1)),
    (Time(), st.integers(0, DAY - 1)),
    (Timestamp(zoned=False), st.integers(-(2**63) * 10**9, 2**63 * 10**9 - 1)),
    (Timestamp(zoned=True), st.integers(-(2**63), 2**63 - 1)),
    (Duration(), st.integers(-(2**63), 2**63 - 1)),
]

Typed = tuple[LogicalType, st.SearchStrategy[Any]]


def nested(children: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def lists(child: Typed) -> Typed:
        return List(child[0]), st.lists(st.none() | child[1], max_size=3)

    def structs(found: dict[str, Typed]) -> Typed:
        fields = [Field(name, child[0]) for name, child in found.items()]
        return Struct.of(*fields), st.fixed_dictionaries(
            {name: st.none() | child[1] for name, child in sorted(found.items())}
        )

    def maps(child: Typed) -> Typed:
        pairs = st.lists(
            st.tuples(st.integers(0, 2**64 - 1), st.none() | child[1]),
            max_size=3,
            unique_by=lambda pair: pair[0],
        )
        return Map(UInt(), child[0]), pairs.map(lambda each: sorted(each, key=lambda p: p[0]))

    return st.one_of(
        children.map(lists),
        st.dictionaries(NAMES, children, min_size=1, max_size=3).map(structs),
        children.map(maps),
    )


TYPED = st.recursive(st.sampled_from(SIMPLE), nested, max_leaves=5)


@st.composite
def schemas_and_records(draw: Callable[..., Any]) -> tuple[Schema, dict[str, Value]]:
    found = draw(st.dictionaries(NAMES, TYPED, min_size=1, max_size=5))
    schema = Schema.of(*(Field(name, logical) for name, (logical, _) in found.items()))
    values = {name: draw(st.none() | each) for name, (_, each) in found.items()}
    return schema, values


@settings(deadline=None, max_examples=60)
@given(schemas_and_records())
def test_decoding_gives_back_the_record(found: tuple[Schema, dict[str, Value]]) -> None:
    schema, record = found
    assert decode_record(schema, encode_record(schema, record)) == record
    assert Schema.parse(schema.encoded) == schema


@settings(deadline=None, max_examples=60)
@given(schemas_and_records(), st.data())
def test_a_flipped_bit_is_refused_or_encodes_another_record(
    found: tuple[Schema, dict[str, Value]], data: st.DataObject
) -> None:
    schema, record = found
    encoded = bytearray(encode_record(schema, record))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    try:
        other = decode_record(schema, bytes(encoded))
    except MalformedError:
        return
    assert other != record
    assert encode_record(schema, other) == bytes(encoded)


@settings(deadline=None, max_examples=60)
@given(schemas_and_records(), st.data())
def test_a_cut_or_lengthened_encoding_is_refused(
    found: tuple[Schema, dict[str, Value]], data: st.DataObject
) -> None:
    schema, record = found
    encoded = encode_record(schema, record)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for wrong in (encoded[:cut], encoded + encoded[:1], encoded + encoded):
        with pytest.raises(MalformedError):
            decode_record(schema, wrong)


def slow_reference(  # noqa: C901, PLR0912  # a case a type
    logical: LogicalType, value: Any
) -> bytes:
    """Write a value as docs/spec/record.md words it, by case and without haste."""
    if value is None:
        return b"\0"
    match logical:
        case Bool():
            body = bytes([value])
        case Int() | Date():
            body = (value % 2**64).to_bytes(8, "big")
        case UInt() | Time():
            body = value.to_bytes(8, "big")
        case Float32():
            body = struct.pack(">f", value)
        case Float64():
            body = struct.pack(">d", value)
        case Decimal():
            sign, digits, exponent = value.as_tuple()
            unscaled = int("".join(map(str, digits))) * 10 ** (exponent + logical.scale)
            body = ((-unscaled if sign else unscaled) % 2**256).to_bytes(32, "big")
        case String():
            body = len(value.encode()).to_bytes(4, "big") + value.encode()
        case Bytes():
            body = len(value).to_bytes(4, "big") + value
        case Timestamp() | Duration():
            body = (value // 10**9 % 2**64).to_bytes(8, "big") + (value % 10**9).to_bytes(4, "big")
        case List():
            items = [slow_reference(logical.item, each) for each in value]
            body = len(value).to_bytes(4, "big") + b"".join(items)
        case Struct():
            body = b"".join(slow_reference(each.type, value[each.name]) for each in logical.fields)
        case Map():
            pairs = sorted(
                (slow_reference(logical.key, k), slow_reference(logical.value, v)) for k, v in value
            )
            body = len(value).to_bytes(4, "big") + b"".join(k + v for k, v in pairs)
        case _:
            raise AssertionError(logical)
    return b"\1" + body


@settings(deadline=None, max_examples=60)
@given(schemas_and_records())
def test_the_compiled_encoder_agrees_with_the_page(found: tuple[Schema, dict[str, Value]]) -> None:
    schema, record = found
    expected = b"".join(slow_reference(each.type, record[each.name]) for each in schema.fields)
    assert encode_record(schema, record) == expected
