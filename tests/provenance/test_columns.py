"""Columns -> canonical bytes: record for record what the encoder of one record gives."""

import decimal
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import canonical_rows as rows
from provenance import encode_columns
from provenance.columns import Column, Fixed, Items, Members, Nothing, Pairs, Ragged
from provenance.encode_columns import Patience, encode_table
from provenance.encoding import encoder
from provenance.errors import MalformedError, UnavailableError
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
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/record.json").read_text())
number = decimal.Decimal
Values = Sequence[Any]


def mask(values: Values) -> Any:
    if all(value is not None for value in values):
        return None
    return np.array([value is not None for value in values], np.uint8)


def starts(values: Values) -> Any:
    sizes = [0 if value is None else len(value) for value in values]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def flat(values: Values) -> list[Any]:
    return list(chain.from_iterable(value for value in values if value is not None))


def fixed(logical: LogicalType, values: Values) -> Any:  # noqa: PLR0911  # a case a type
    """Return the rows of numbers that have no null."""
    match logical:
        case Bool():
            return rows.booleans(np.array(values, np.uint8))
        case Int() | Date():
            return rows.integers(np.array(values, np.int64))
        case UInt():
            return rows.unsigned(np.array(values, np.uint64))
        case Float32():
            return rows.floats32(np.array(values, np.float32))
        case Float64():
            return rows.floats64(np.array(values, np.float64))
        case Time():
            return rows.times(np.array(values, np.int64), None, 10**9)
        case Timestamp() | Duration():
            return rows.instants(np.array(values, np.int64), 10**9)
        case Decimal():
            unscaled = [int(number(v).scaleb(logical.scale, decimal.Context(100))) for v in values]
            data = b"".join(each.to_bytes(32, "little", signed=True) for each in unscaled)
            words = np.frombuffer(data, np.uint64).reshape(-1, 4)
            return rows.decimals(words, None, logical.precision, logical.scale)
        case _:
            raise AssertionError(logical)


def column_of(logical: LogicalType, values: Values) -> Column:
    """Return a column of Python values, made without haste."""
    match logical:
        case Null():
            return Nothing(len(values))
        case String() | Bytes():
            found = [value.encode() if isinstance(value, str) else value for value in values]
            data = np.frombuffer(b"".join(each or b"" for each in found), np.uint8)
            return Ragged(data, starts(found), mask(found))
        case List():
            return Items(column_of(logical.item, flat(values)), starts(values), mask(values))
        case Struct():
            members = {
                each.name: column_of(each.type, [value and value[each.name] for value in values])
                for each in logical.fields
            }
            return Members(members, mask(values))
        case Map():
            pairs = flat(values)
            keys, items = ([pair[at] for pair in pairs] for at in (0, 1))
            found_keys, found_items = column_of(logical.key, keys), column_of(logical.value, items)
            return Pairs(found_keys, found_items, starts(values), mask(values))
        case _:
            filled = [0 if value is None else value for value in values]
            return Fixed(fixed(logical, filled), mask(values))


def table(schema: Schema, records: Sequence[Mapping[str, Any]]) -> list[bytes]:
    columns = {
        member.name: column_of(member.type, [record[member.name] for record in records])
        for member in schema.fields
    }
    encoded = encode_table(columns, len(records))
    return [encoded.one(at) for at in range(len(encoded))]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WORD = st.integers(-(2**63), 2**63 - 1)
Typed = tuple[LogicalType, st.SearchStrategy[Any]]
SIMPLE: list[Typed] = [
    (Null(), st.none()),
    (Bool(), st.booleans()),
    (Int(), WORD),
    (UInt(), st.integers(0, 2**64 - 1)),
    (Float32(), st.floats(width=32)),
    (Float64(), st.floats()),
    (Decimal(76, 10), st.integers(-(10**76) + 1, 10**76 - 1).map(lambda v: number(f"{v}E-10"))),
    (Decimal(5, -3), st.integers(-(10**5) + 1, 10**5 - 1).map(lambda v: number(f"{v}E+3"))),
    (String(), TEXT),
    (Bytes(), st.binary()),
    (Date(), WORD),
    (Time(), st.integers(0, 86_400 * 10**9 - 1)),
    (Timestamp(zoned=False), WORD),
    (Duration(), WORD),
]


def nested(children: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    def lists(child: Typed) -> Typed:
        return List(child[0]), st.lists(st.none() | child[1], max_size=4)

    def structs(found: list[Typed]) -> Typed:
        members = dict(zip("abc", found, strict=False))
        fields = [Field(name, child[0]) for name, child in members.items()]
        written = {name: st.none() | child[1] for name, child in members.items()}
        return Struct.of(*fields), st.fixed_dictionaries(written)

    def maps(child: Typed) -> Typed:
        pairs = st.lists(
            st.tuples(TEXT, st.none() | child[1]), max_size=6, unique_by=lambda pair: pair[0]
        )
        return Map(String(), child[0]), pairs

    return st.one_of(
        children.map(lists),
        st.lists(children, min_size=1, max_size=3).map(structs),
        children.map(maps),
    )


TYPED = st.recursive(st.sampled_from(SIMPLE), nested, max_leaves=5)


@st.composite
def tables(draw: Callable[..., Any]) -> tuple[Schema, list[dict[str, Any]]]:
    found = dict(zip("abcd", draw(st.lists(TYPED, min_size=1, max_size=4)), strict=False))
    schema = Schema.of(*(Field(name, logical) for name, (logical, _) in found.items()))
    nullable = draw(st.booleans())
    members = {name: st.none() | each if nullable else each for name, (_, each) in found.items()}
    return schema, draw(st.lists(st.fixed_dictionaries(members), max_size=6))


@settings(deadline=None, max_examples=150)
@given(tables())
def test_a_table_is_encoded_as_its_records_are(found: tuple[Schema, list[dict[str, Any]]]) -> None:
    schema, records = found
    assert table(schema, records) == [encoder(schema)(record) for record in records]


def written(logical: LogicalType, value: Any) -> Any:  # noqa: PLR0911  # a case a type
    """Read a value as tests/vectors/record.json writes it; see "notation" there."""
    match logical:
        case _ if value is None:
            return None
        case List():
            return [written(logical.item, each) for each in value]
        case Map():
            return [(written(logical.key, k), written(logical.value, v)) for k, v in value]
        case Struct():
            return {each.name: written(each.type, value[each.name]) for each in logical.fields}
        case Float32() | Float64():
            return float(value)
        case Bytes():
            return bytes.fromhex(value)
        case Bool() | String():
            return value
        case Decimal():
            return number(value)
        case _:
            return int(value)


def is_narrow(value: Any) -> bool:
    """Return whether no integer in a value is beyond 64 bits: columns of instants have units."""
    if isinstance(value, dict | list | tuple):
        return all(map(is_narrow, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or -(2**63) <= value < 2**64


@pytest.mark.parametrize("case", VECTORS["records"], ids=lambda case: case["name"])
def test_records_encode_as_the_vectors_say(case: dict[str, Any]) -> None:
    schema = Schema.from_json(case["schema"])
    record = {each.name: written(each.type, case["record"][each.name]) for each in schema.fields}
    if is_narrow(record):
        assert [each.hex() for each in table(schema, [record] * 2)] == [case["encoded"]] * 2


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[("a", 1), ("b", 1), ("a", 2)]], "field 'x': a map has the same key twice"),
        ([[("a", 1)], [(None, 1)]], "field 'x': a map has a null key"),
    ],
)
def test_maps_that_are_none_are_refused(pairs: Values, message: str) -> None:
    schema = Schema.of(Field("x", Map(String(), Int())))
    with pytest.raises(MalformedError, match=message):
        table(schema, [{"x": each} for each in pairs])


def test_one_key_may_stand_in_many_maps() -> None:
    schema = Schema.of(Field("x", Map(String(), Int())))
    records = [{"x": [("a", 1)]}, {"x": [("a", 2)]}]
    assert table(schema, records) == [encoder(schema)(record) for record in records]


def test_a_value_too_long_to_be_written_is_refused_before_it_is_read() -> None:
    size = 2**32
    data = np.broadcast_to(np.zeros(1, np.uint8), size)  # 4 GiB that are nowhere
    many = np.array([0, size], np.int64)
    with pytest.raises(MalformedError, match="contiguous"):
        Ragged(data, many)
    column = Items(Nothing(size), many)
    message = "field 'x': a value of size 4294967296; at most 4294967295 can be written"
    with pytest.raises(MalformedError, match=message):
        encode_table({"x": column}, 1)
    with pytest.raises(MalformedError, match=message):
        encode_table({"x": Pairs(Nothing(size), Nothing(size), many)}, 1)


def test_sizes_count_one_by_one_and_not_under_a_null() -> None:
    encode_columns._check_sizes(np.array([0, 2**32 - 1, 2**33 - 2], np.int64), None)
    ends = np.array([0, 2**32, 2**32 + 1], np.int64)
    encode_columns._check_sizes(ends, np.array([0, 1], np.uint8))
    with pytest.raises(MalformedError, match="size 4294967296"):
        encode_columns._check_sizes(ends, np.array([1, 0], np.uint8))


def near(limit: int) -> st.SearchStrategy[int]:
    """Return integers that are about `limit`, or differ from it in one of their words."""
    small = st.integers(-2, 2)
    step = st.sampled_from([0, 64, 128, 192]).map(lambda bits: 2**bits)
    return st.tuples(small, step, small).map(lambda each: limit + each[0] * each[1] + each[2])


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 76), st.sampled_from([1, -1]), st.data())
def test_decimals_have_exactly_the_digits_they_may(
    precision: int, sign: int, data: st.DataObject
) -> None:
    value = data.draw(near(sign * 10**precision))
    words = np.frombuffer(value.to_bytes(32, "little", signed=True), np.uint64).reshape(1, 4)
    if abs(value) < 10**precision:
        found = rows.decimals(words, None, precision, 0)
        assert found.tobytes() == value.to_bytes(32, "big", signed=True)
        return
    with pytest.raises(MalformedError, match="exactly, got one of more digits"):
        rows.decimals(words, None, precision, 0)
    assert len(rows.decimals(words, np.zeros(1, np.uint8), precision, 0)) == 1


def test_values_of_any_fixed_width_are_written() -> None:
    for width in (0, 1, 3, 16, 300):
        rows_ = np.arange(2 * width, dtype=np.uint64).astype(np.uint8).reshape(2, width)
        expected = [b"\1" + each.tobytes() for each in rows_]
        for valid, second in ((None, expected[1]), (np.array([1, 0], np.uint8), b"\0")):
            found = encode_table({"x": Fixed(rows_, valid)}, 2)
            assert [found.one(0), found.one(1)] == [expected[0], second]
        items = Items(Fixed(rows_), np.array([0, 2], np.int64))
        assert encode_table({"x": items}, 1).one(0) == b"\1\0\0\0\2" + b"".join(expected)


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(MalformedError, match="field 'x': a column of 2 values in a table of 1"):
        encode_table({"x": Nothing(2)}, 1)


DATA = np.zeros(4, np.uint8)
ROWS = np.zeros((2, 4), np.uint8)
ENDS = np.array([0, 2, 4], np.int64)
SHORT = np.ones(1, np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fixed(DATA), "array of bytes"),
        (lambda: Fixed(ROWS.astype(np.int8)), "array of bytes"),
        (lambda: Fixed(ROWS[:, ::2]), "contiguous"),
        (lambda: Fixed(ROWS, SHORT), "a mask of 1 for 2"),
        (lambda: Fixed(ROWS, np.ones(2, np.bool_)), "contiguous bytes"),
        (lambda: Fixed(ROWS, np.ones(4, np.uint8)[::2]), "contiguous bytes"),
        (lambda: Ragged(ROWS, ENDS), "contiguous bytes"),
        (lambda: Ragged(DATA, ENDS.astype(np.int32)), "64 bits"),
        (lambda: Ragged(DATA, ENDS[::2]), "64 bits"),
        (lambda: Ragged(DATA, ENDS.reshape(1, -1)), "64 bits"),
        (lambda: Ragged(DATA, ENDS[:0]), "lead out"),
        (lambda: Ragged(DATA, ENDS + 1), "lead out"),
        (lambda: Ragged(DATA, ENDS - 1), "lead out"),
        (lambda: Ragged(DATA, np.array([0, 3, 2, 4], np.int64)), "run backwards"),
        (lambda: Ragged(DATA, ENDS, SHORT), "a mask"),
        (lambda: Items(Nothing(3), ENDS), "lead out"),
        (lambda: Items(Nothing(4), ENDS, SHORT), "a mask"),
        (lambda: Members({}), "there is none"),
        (lambda: Members({"a": Nothing(1), "b": Nothing(2)}), "different lengths"),
        (lambda: Members({"a": Nothing(2)}, SHORT), "a mask"),
        (lambda: Pairs(Nothing(4), Nothing(3), ENDS), "as many keys as values"),
        (lambda: Pairs(Nothing(3), Nothing(3), ENDS), "lead out"),
        (lambda: Pairs(Nothing(4), Nothing(4), ENDS, SHORT), "a mask"),
    ],
)
def test_buffers_that_do_not_fit_each_other_make_no_column(
    make: Callable[[], Column], message: str
) -> None:
    with pytest.raises(MalformedError, match=message):
        make()


def test_patience_ends_once_enough_records_were_encoded() -> None:
    patience = Patience(10)
    assert [patience.pays(count) for count in (4, 6, 1, 1)] == [False, False, True, True]
    assert Patience(10).pays(11)


def test_kernels_that_cannot_be_imported_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert encode_columns.has_kernels()
    monkeypatch.setitem(sys.modules, "provenance.encode_kernels", None)
    assert not encode_columns.has_kernels.__wrapped__()


def test_without_numba_the_table_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode_columns, "has_kernels", lambda: False)
    with pytest.raises(UnavailableError, match="needs numba"):
        encode_table({"x": Nothing(1)}, 1)
    assert not Patience(0).pays(1)
