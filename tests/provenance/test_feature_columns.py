"""Digits by columns: those that features.py reads record by record, and the same refusals."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance import feature_columns, schema
from provenance.batch import Encoded
from provenance.encoding import encoder
from provenance.errors import MalformedError
from provenance.feature_columns import feature_digits, packed
from provenance.features import FeatureField, FeatureSpec, digits, feature_elements
from provenance.field import FieldElement
from provenance.poseidon import from_words
from provenance.schema import Field, LogicalType, Schema
from tests.provenance.test_columns import TYPED

EXACT = Context(prec=120)
DECIMALS = [(5, 2), (76, 10), (5, -3), (38, 18), (76, 76), (20, -76), (18, 14), (18, 15), (9, 0)]
BITS = st.integers(-32, 32) | st.integers(-3, 8)
WORD = st.integers(-(2**63), 2**63 - 1)
LONG = st.integers(0, 2**64 - 1)

Case = tuple[LogicalType, int, Any]


def encode(schema: Schema, records: Sequence[Mapping[str, Any]]) -> Encoded:
    return Encoded.of(map(encoder(schema), records))


def reference(spec: FeatureSpec, records: Sequence[Mapping[str, Any]]) -> list[Any] | str:
    """Return what features.py says of records, one after the other."""
    found = []
    for number, record in enumerate(records, 1):
        try:
            found.append(digits(spec, record))
        except MalformedError as error:
            return f"record {number} of the batch: {error}"
    return found


def by_columns(
    spec: FeatureSpec, schema: Schema, records: Sequence[Mapping[str, Any]]
) -> list[Any] | str:
    try:
        found = feature_digits(spec, schema, encode(schema, records))
    except MalformedError as error:
        return str(error)
    return [tuple(row) for row in found.T.tolist()]


def halves(bits: int) -> st.SearchStrategy[Fraction]:
    """Multiples of half a step, a little beyond the range on both sides: every other is a tie."""
    return st.integers(-16_400, 16_400).map(
        lambda number: Fraction(number, 2) / Fraction(2) ** bits
    )


def floats(bits: int) -> st.SearchStrategy[float]:
    near = halves(bits).map(float)
    beside = near.flatmap(
        lambda value: st.sampled_from([math.nextafter(value, toward) for toward in (-1e9, 1e9)])
    )
    return st.floats() | near | beside


def unscaled(precision: int, scale: int, bits: int) -> st.SearchStrategy[int]:
    limit = 10**precision - 1
    near = st.builds(
        lambda value, beside: int(value * Fraction(10) ** scale) + beside,
        halves(bits),
        st.integers(-1, 1),
    )
    return st.integers(-limit, limit) | near.map(lambda value: max(-limit, min(limit, value)))


@st.composite
def cases(draw: Callable[..., Any]) -> Case:
    """A numeric type, a scale, and a value of the type."""
    bits = draw(BITS)
    near = halves(bits).map(int)
    precision, scale = draw(st.sampled_from(DECIMALS))
    kind, values = draw(
        st.sampled_from(
            [
                (schema.Bool(), st.booleans()),
                (schema.Int(), WORD | near),
                (schema.UInt(), LONG | near.map(abs)),
                (schema.Float64(), floats(bits)),
                (schema.Float32(), floats(bits).map(single)),
                (
                    schema.Decimal(precision, scale),
                    unscaled(precision, scale, bits).map(
                        lambda number: Decimal(number).scaleb(-scale, EXACT)
                    ),
                ),
            ]
        )
    )
    return kind, bits, draw(values)


def single(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def sure(case: Case) -> int:
    """Return what the columns alone say of one value, between two others."""
    kind, bits, value = case
    spec, one = FeatureSpec((FeatureField("x", bits),)), Schema.of(Field("x", kind))
    found = feature_columns._sure_digits(spec, one, encode(one, [{"x": value}] * 3))
    assert len(set(found[0].tolist())) == 1
    return int(found[0, 1])


@settings(deadline=None, max_examples=600)
@given(cases())
def test_columns_alone_give_every_digit_in_range_and_no_other(case: Case) -> None:
    _, bits, value = case
    expected = reference(FeatureSpec((FeatureField("x", bits),)), [{"x": value}])
    assert sure(case) == (0 if isinstance(expected, str) else expected[0][0])


@pytest.mark.parametrize(
    ("case", "digit"),
    [
        ((schema.Float64(), 7, 17.99), 8192 + 2303),
        ((schema.Float64(), 0, 0.5), 8192),
        ((schema.Float64(), 0, 1.5), 8194),
        ((schema.Float64(), 0, -2.5), 8190),
        ((schema.Float64(), 0, math.nextafter(2.5, 3)), 8195),
        ((schema.Float64(), 7, -0.0), 8192),
        ((schema.Float64(), 32, 5e-324), 8192),
        ((schema.Float64(), -32, 5e-324), 8192),
        ((schema.Float64(), 32, 2.0**-34), 8192),
        ((schema.Float64(), 32, 3 * 2.0**-33), 8194),
        ((schema.Float64(), 0, 8186.5), 16378),
        ((schema.Float64(), 0, 8186.500000000002), 0),
        ((schema.Float64(), 0, -8189.5), 0),
        ((schema.Float64(), 0, -8189.4999), 3),
        ((schema.Float64(), -32, 1e300), 0),
        ((schema.Float64(), 32, 1.7e308), 0),
        ((schema.Float64(), 0, math.nan), 0),
        ((schema.Float64(), 0, math.inf), 0),
        ((schema.Float64(), 0, -math.inf), 0),
        ((schema.Float32(), 0, 1.401298464324817e-45), 8192),
        ((schema.Float32(), -32, 3.4028234663852886e38), 0),
        ((schema.Float32(), 7, 17.989999771118164), 8192 + 2303),
        ((schema.Int(), -1, 3), 8194),
        ((schema.Int(), -32, -(2**63)), 0),
        ((schema.Int(), -32, 2**45), 0),
        ((schema.Int(), -32, 2**44), 8192 + 4096),
        ((schema.UInt(), -32, 2**64 - 1), 0),
        ((schema.UInt(), 0, 2**64 - 8192), 0),
        ((schema.Bool(), 3, True), 8200),
        ((schema.Bool(), 3, False), 8192),
        ((schema.Decimal(5, 2), 0, Decimal("2.50")), 8194),
        ((schema.Decimal(5, 2), 0, Decimal("-3.50")), 8188),
        ((schema.Decimal(38, 18), 7, Decimal("17.99")), 8192 + 2303),
        ((schema.Decimal(38, 18), 0, Decimal("8186.500000000000000001")), 0),
        ((schema.Decimal(76, 0), 0, Decimal(2**64 + 5)), 0),
        ((schema.Decimal(76, 0), 0, Decimal(-(2**64) + 5)), 0),
        ((schema.Decimal(9, -76), -32, Decimal("1E+76")), 0),
        ((schema.Decimal(9, -76), 32, Decimal(0)), 8192),
        ((schema.Decimal(76, 76), 32, Decimal("1E-76")), 8192),
    ],
)
def test_known_numbers(case: Case, digit: int) -> None:
    assert sure(case) == digit
    expected = reference(FeatureSpec((FeatureField("x", case[1]),)), [{"x": case[2]}])
    assert isinstance(expected, str) if digit == 0 else expected == [(digit,)]


Sampled = Callable[[int], st.SearchStrategy[Any]]
"""Values at a scale."""
NUMBERS: list[tuple[LogicalType, Sampled]] = [
    (schema.Bool(), lambda _: st.booleans()),
    (schema.Int(), lambda bits: halves(bits).map(int)),
    (schema.Float64(), lambda bits: halves(bits).map(float)),
    (schema.Float32(), lambda bits: halves(bits).map(float).map(single)),
]


def at_any_scale(values: st.SearchStrategy[Any]) -> Sampled:
    return lambda _: values


@st.composite
def tables(draw: Callable[..., Any]) -> tuple[FeatureSpec, Schema, list[dict[str, Any]]]:
    """Numeric fields and others between them, in any order of features, with nulls or without."""
    names = "abcdefgh"
    kinds: dict[str, tuple[LogicalType, Sampled]] = {}
    for name in names[: draw(st.integers(1, 8))]:
        if draw(st.booleans()):
            other, sampled = draw(TYPED)
            kinds[name] = other, at_any_scale(sampled)
        else:
            kinds[name] = draw(st.sampled_from(NUMBERS))
    fields = [
        FeatureField(name, draw(st.integers(-3, 10)))
        for name in draw(st.permutations([*kinds, "unknown"]))[: draw(st.integers(1, len(kinds)))]
    ]
    label = fields.pop() if len(fields) > 1 and draw(st.booleans()) else None
    spec = FeatureSpec(tuple(fields), label, draw(st.sampled_from(["refuse", "zero"])))
    bits = {field.name: field.scale_bits for field in spec.all}
    nullable = draw(st.booleans())
    members = {
        name: st.none() | values(bits.get(name, 0)) if nullable else values(bits.get(name, 0))
        for name, (_, values) in kinds.items()
    }
    records = draw(st.lists(st.fixed_dictionaries(members), max_size=6))
    return spec, Schema.of(*(Field(name, kind) for name, (kind, _) in kinds.items())), records


@settings(deadline=None, max_examples=200)
@given(tables())
def test_a_table_has_the_digits_of_its_records(
    found: tuple[FeatureSpec, Schema, list[dict[str, Any]]],
) -> None:
    spec, fields, records = found
    assert by_columns(spec, fields, records) == reference(spec, records)


X = FeatureSpec((FeatureField("x", 0), FeatureField("y", 0)))
BOTH = Schema.of(Field("x", schema.Float64()), Field("y", schema.Float64()))


def test_the_first_bad_record_and_its_field_are_named_and_nothing_is_clipped() -> None:
    records = [{"x": 1.0, "y": 2.0}, {"x": 0.0, "y": 9000.0}, {"x": 9001.0, "y": 1.0}]
    expected = (
        "record 2 of the batch: feature 'y': a value is outside -8189 to 8186; "
        "choose another scale, nothing is clipped"
    )
    with pytest.raises(MalformedError) as caught:
        feature_digits(X, BOTH, encode(BOTH, records))
    assert str(caught.value) == expected
    assert reference(X, records) == expected


@pytest.mark.parametrize("nulls", ["refuse", "zero"])
@pytest.mark.parametrize("null", range(3))
def test_nulls_are_refused_or_zero(nulls: str, null: int) -> None:
    records = [{"x": None if number == null else 1.0, "y": 2.0} for number in range(3)]
    spec = FeatureSpec(X.fields, nulls=nulls)
    expected = [(8192 if number == null else 8193, 8194) for number in range(3)]
    message = f"record {null + 1} of the batch: feature 'x': a feature is a finite number"
    found = by_columns(spec, BOTH, records)
    assert found == expected if nulls == "zero" else str(found).startswith(message)
    assert found == reference(spec, records)


def test_what_columns_cannot_tell_is_read_record_by_record() -> None:
    uneven = schema.List(schema.List(schema.Int()))
    fields = Schema.of(Field("a", uneven), Field("x", schema.Int()), Field("y", schema.Date()))
    records = [{"a": [[1], [2, 3]], "x": number, "y": number + 1} for number in range(5)]
    assert not feature_columns._sure_digits(X, fields, encode(fields, records)).any()
    found = by_columns(X, fields, records)
    assert found == [(8192 + number, 8193 + number) for number in range(5)] == reference(X, records)


def test_a_text_is_no_feature() -> None:
    fields = Schema.of(Field("x", schema.String()), Field("y", schema.Int()))
    for spec in (X, FeatureSpec(X.fields, nulls="zero")):
        for records in ([{"x": "1", "y": 1}], [{"x": None, "y": 1}]):
            assert by_columns(spec, fields, records) == reference(spec, records)


def test_no_records_have_no_digits() -> None:
    assert feature_digits(X, BOTH, encode(BOTH, [])).shape == (2, 0)


def digit_arrays() -> st.SearchStrategy[NDArray[np.uint64]]:
    return st.tuples(st.integers(1, 60), st.integers(1, 4)).flatmap(
        lambda shape: st.lists(
            st.integers(3, 16378), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]
        ).map(lambda flat: np.array(flat, np.uint64).reshape(shape))
    )


@settings(deadline=None, max_examples=40)
@example(np.full((36, 1), 16378, np.uint64))
@given(digit_arrays())
def test_digits_are_packed_as_those_of_one_record(found: NDArray[np.uint64]) -> None:
    elements = packed(found)
    for number, column in enumerate(found.T.tolist()):
        *expected, _ = feature_elements(column, FieldElement(0))
        assert list(from_words(elements[number])) == expected
