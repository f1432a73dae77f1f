"""Arrow types and values: every physical variant has one logical reading, or none at all."""

import datetime as dt
import decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from provenance.errors import MalformedError
from provenance.record import (
    Bool,
    Bytes,
    Date,
    Decimal,
    Duration,
    Float32,
    Float64,
    Int,
    List,
    LogicalType,
    Null,
    String,
    Time,
    Timestamp,
    UInt,
)
from storage.readers.arrow import logical_schema, logical_type, records, values

INTS: list[Any] = [pa.int8(), pa.int16(), pa.int32(), pa.int64()]
UINTS: list[Any] = [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
TEXTS: list[Any] = [pa.string(), pa.large_string(), pa.string_view()]
BINARIES: list[Any] = [pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1)]
DECIMALS: list[Any] = [
    pa.decimal32(5, 1),
    pa.decimal64(5, 1),
    pa.decimal128(5, 1),
    pa.decimal256(5, 1),
]
LISTS: list[Any] = [
    pa.list_(pa.int8()),
    pa.list_(pa.field("element", pa.int64())),
    pa.large_list(pa.int8()),
    pa.list_(pa.int8(), 1),
    pa.list_view(pa.int8()),
    pa.large_list_view(pa.int8()),
    pa.list_(pa.dictionary(pa.int8(), pa.int8())),
]
UNITS: tuple[Any, ...] = ("s", "ms", "us", "ns")
SAME: list[tuple[list[Any], LogicalType, Any]] = [
    ([pa.bool_()], Bool(), True),
    (INTS, Int(), -3),
    (UINTS, UInt(), 3),
    ([pa.float16(), pa.float32()], Float32(), 1.5),
    ([pa.float64()], Float64(), 1.5),
    (DECIMALS, Decimal(5, 1), decimal.Decimal("-1.5")),
    (TEXTS, String(), "é"),
    (BINARIES, Bytes(), b"\xff"),
    (LISTS, List(Int()), [7]),
]


@pytest.mark.parametrize(
    ("kind", "logical", "value"),
    [(kind, logical, value) for kinds, logical, value in SAME for kind in kinds],
    ids=str,
)
def test_physical_variants_have_one_logical_reading(
    kind: pa.DataType, logical: LogicalType, value: Any
) -> None:
    array = pa.array([value, None, value], kind)
    assert logical_type(kind) == logical
    assert values(array) == [value, None, value]
    assert values(array.slice(1)) == [None, value]
    assert values(array.slice(2)) == [value]
    assert values(array.slice(3)) == []


@pytest.mark.parametrize("unit", UNITS)
def test_units_of_time_vanish(unit: Any) -> None:
    factor = 10 ** (9 - 3 * UNITS.index(unit))
    zoned = pa.timestamp(unit, tz="Asia/Tokyo")
    kind: Any
    for kind, logical in (
        (pa.timestamp(unit), Timestamp(zoned=False)),
        (zoned, Timestamp(zoned=True)),
        (pa.duration(unit), Duration()),
    ):
        array = pa.array([-(2**63), None, 2**63 - 1], pa.int64()).view(kind)
        assert logical_type(kind) == logical
        assert values(array) == [-(2**63) * factor, None, (2**63 - 1) * factor]
    kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    assert logical_type(kind) == Time()
    assert values(pa.array([dt.time(1, 2, 3), None], kind)) == [3723 * 10**9, None]


def test_dates_of_both_widths_are_days() -> None:
    for kind in (pa.date32(), pa.date64()):
        array = pa.array([dt.date(1969, 12, 31), None], kind)
        assert logical_type(kind) == Date()
        assert values(array) == [-1, None]
    with pytest.raises(MalformedError, match="part of a day"):
        values(pa.array([1], pa.int64()).view(pa.date64()))


def test_dictionaries_and_runs_vanish() -> None:
    array = pa.array(["a", None, "a"])
    for other in (array.dictionary_encode(), pc.call_function("run_end_encode", [array])):
        assert logical_type(other.type) == String()
        assert values(other) == ["a", None, "a"]
        assert values(other.slice(1)) == [None, "a"]
    days = pa.array([0, None], pa.timestamp("s")).dictionary_encode()
    assert values(days) == [0, None]


def test_what_lies_under_a_null_does_not_matter() -> None:
    items = pa.array([1, 2, 3, 4])
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 2, 4], pa.int32()), items, mask=pa.array([True, False])
    )
    assert values(hidden) == [None, [3, 4]]
    inner = pa.StructArray.from_arrays([items], ["x"], mask=pa.array([True, False] * 2))
    assert values(inner) == [None, {"x": 2}, None, {"x": 4}]
    nulls = pa.nulls(2)
    assert logical_type(nulls.type) == Null()
    assert values(nulls) == [None, None]


def test_a_batch_becomes_records() -> None:
    columns: dict[str, Any] = {"b": pa.array([1, None]), "a": pa.array(["x", "y"])}
    batch = pa.record_batch(columns)
    assert records(batch) == [{"b": 1, "a": "x"}, {"b": None, "a": "y"}]


@pytest.mark.parametrize(
    "kind",
    [
        pa.dense_union([pa.field("a", pa.int8())]),
        pa.sparse_union([pa.field("a", pa.int8())]),
        pa.month_day_nano_interval(),
        pa.uuid(),
        pa.json_(),
        pa.list_(pa.uuid()),
        pa.struct([pa.field("a", pa.month_day_nano_interval())]),
        pa.dictionary(pa.int8(), pa.month_day_nano_interval()),
        pa.map_(pa.string(), pa.uuid()),
    ],
    ids=str,
)
def test_types_without_an_exact_reading_are_refused_by_column(kind: pa.DataType) -> None:
    with pytest.raises(MalformedError, match=r"column 'x': .*cannot be encoded exactly; cast it"):
        logical_schema(pa.schema([pa.field("x", kind)]))


def test_an_extension_that_is_not_registered_here_is_refused_as_one_that_is() -> None:
    labelled = pa.field("x", pa.int64(), metadata={"ARROW:extension:name": "somebody.elses"})
    for field in (labelled, pa.field("x", pa.struct([labelled]))):
        with pytest.raises(MalformedError, match="cannot be encoded exactly"):
            logical_schema(pa.schema([field]))


def test_names_twice_or_missing_are_refused() -> None:
    twice = [pa.field("a", pa.int8()), pa.field("a", pa.int8())]
    with pytest.raises(MalformedError, match="two fields are named 'a'; rename one"):
        logical_schema(pa.schema(twice))
    with pytest.raises(MalformedError, match="column 'x': two fields are named 'a'"):
        logical_schema(pa.schema([pa.field("x", pa.struct(twice))]))
    with pytest.raises(MalformedError, match="at least one field"):
        logical_schema(pa.schema([]))
    with pytest.raises(MalformedError, match="0 bytes"):
        logical_schema(pa.schema([pa.field("", pa.int8())]))
    with pytest.raises(MalformedError, match="column 'x': a schema or struct"):
        logical_schema(pa.schema([pa.field("x", pa.struct([]))]))


def test_too_deep_a_type_is_refused() -> None:
    kind: pa.DataType = pa.int8()
    for _ in range(500):
        kind = pa.list_(kind)
    with pytest.raises(MalformedError, match="deeper"):
        logical_schema(pa.schema([pa.field("x", kind)]))
