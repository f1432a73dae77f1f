"""Text as values: exactly or not at all."""

import datetime as dt
import decimal
import math
import struct
from fractions import Fraction
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
    LogicalType,
    Null,
    String,
    Struct,
    Time,
    Timestamp,
    UInt,
)
from storage.readers.scalars import float32, float64, scalar

SECOND = 10**9


@pytest.mark.parametrize(
    ("logical", "text", "value"),
    [
        (Bool(), "true", True),
        (Bool(), "False", False),
        (Int(), "-9223372036854775808", -(2**63)),
        (UInt(), "18446744073709551615", 2**64 - 1),
        (Float64(), "1e-400", 0.0),
        (Float64(), "-inf", -math.inf),
        (Float64(), ".5", 0.5),
        (Float64(), "5.", 5.0),
        (Float32(), "0.1", struct.unpack("f", struct.pack("f", 0.1))[0]),
        (Float32(), "Infinity", math.inf),
        (Decimal(5, 2), "1.10", decimal.Decimal("1.1")),
        (String(), " a ", " a "),
        (Bytes(), "AP8=", b"\0\xff"),
        (Date(), "1969-12-31", -1),
        (Date(), "0001-01-01", -719162),
        (Time(), "23:59:59.999999999", 86_400 * SECOND - 1),
        (Time(), "00:00:00.5", SECOND // 2),
        (Timestamp(zoned=False), "1970-01-02 00:00:00", 86_400 * SECOND),
        (Timestamp(zoned=True), "1970-01-01T00:00:00Z", 0),
        (Timestamp(zoned=True), "1970-01-01T05:30:00+05:30", 0),
        (Timestamp(zoned=True), "1969-12-31T19:00:00-0500", 0),
        (Timestamp(zoned=True), "1969-12-31T23:59:59.999999999+00", -1),
        (Duration(), "PT1.5S", 3 * SECOND // 2),
        (Duration(), "-PT0.000000001S", -1),
        (Duration(), "P1DT2H3M4S", 93_784 * SECOND),
        (Duration(), "P2D", 172_800 * SECOND),
    ],
)
def test_text_is_read_exactly(logical: LogicalType, text: str, value: Any) -> None:
    assert scalar(logical)(text) == value


@pytest.mark.parametrize(
    ("logical", "text"),
    [
        (Null(), ""),
        (Bool(), "1"),
        (Bool(), "TRUE"),
        (Int(), "1.5"),
        (Int(), "1.0"),
        (Int(), "1e3"),
        (Int(), "+1"),
        (Int(), "007"),
        (Int(), " 1"),
        (Int(), "1\n"),
        (Int(), "1_000"),
        (Int(), "\u0661"),
        (Int(), ""),
        (UInt(), "1" * 21),
        (Float64(), "1,5"),
        (Float64(), "1e309"),
        (Float64(), "NAN"),
        (Float64(), "0x1p3"),
        (Float64(), "1_0"),
        (Float64(), "."),
        (Float64(), "1" * 3000),
        (Float32(), "1e39"),
        (Float32(), "3.4028235677973366e38"),
        (Float32(), ""),
        (Decimal(5, 2), "NaN"),
        (Decimal(5, 2), "1e1000000000"),
        (Bytes(), "AP8"),
        (Bytes(), "AP9="),
        (Bytes(), "é"),
        (Date(), "2026-02-29"),
        (Date(), "2026-2-1"),
        (Date(), "0000-01-01"),
        (Date(), "20260101"),
        (Time(), "24:00:00"),
        (Time(), "23:59:60"),
        (Time(), "23:59"),
        (Time(), "23:59:59.1234567890"),
        (Timestamp(zoned=True), "2026-01-01T00:00:00"),
        (Timestamp(zoned=True), "2026-01-01T00:00:00+25:00"),
        (Timestamp(zoned=True), "2026-01-01"),
        (Timestamp(zoned=True), "2026-13-01T00:00:00Z"),
        (Timestamp(zoned=True), "2026-01-01T00:00.0:0Z"),
        (Timestamp(zoned=False), "2026-01-01T00:00:00Z"),
        (Timestamp(zoned=False), "2026-01-01T00:00:00+01:00"),
        (Timestamp(zoned=False), "now"),
        (Duration(), "P"),
        (Duration(), "PT"),
        (Duration(), "P1DT"),
        (Duration(), "P1M"),
        (Duration(), "1.5"),
    ],
)
def test_other_text_is_refused(logical: LogicalType, text: str) -> None:
    with pytest.raises(MalformedError, match="expected"):
        scalar(logical)(text)


def test_nested_types_have_no_text() -> None:
    with pytest.raises(MalformedError, match="use JSONL"):
        scalar(Struct.of(Field("x", Int())))


@settings(deadline=None)
@given(st.floats(allow_nan=False))
def test_a_double_survives_its_shortest_text(value: float) -> None:
    assert float64(repr(value)) == value


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False), st.integers(8, 30))
def test_a_float_of_32_bits_survives_any_text_that_is_long_enough(value: float, more: int) -> None:
    assert float32(f"{value:.{more}e}" if math.isfinite(value) else repr(value)) == value


@settings(deadline=None)
@given(st.integers(1, 0x7F7FFFFE), st.sampled_from(["-", "", "+"]), st.sampled_from([1, -1]))
def test_a_float_of_32_bits_is_rounded_once(bits: int, side: str, sign: int) -> None:
    (low,) = struct.unpack(">f", struct.pack(">I", bits))
    (high,) = struct.unpack(">f", struct.pack(">I", bits + 1))
    tie = (Fraction(low) + Fraction(high)) / 2
    nudge = tie / 10**40  # far below what a double can tell from the tie
    exact = tie + {"-": -nudge, "": Fraction(0), "+": nudge}[side]
    with decimal.localcontext(prec=300):
        text = str(decimal.Decimal(exact.numerator) / decimal.Decimal(exact.denominator))
    expected = {"-": low, "": (low, high)[bits % 2], "+": high}[side]
    assert float32("-" * (sign < 0) + text) == sign * expected


@settings(deadline=None)
@given(st.datetimes(), st.integers(-23 * 60, 23 * 60))
def test_instants_agree_with_the_standard_library(moment: dt.datetime, offset: int) -> None:
    zone = dt.timezone(dt.timedelta(minutes=offset))
    wall = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)  # noqa: DTZ001  # no zone on purpose
    expected = (wall - offset * 60 * 10**6) * 1000
    assert scalar(Timestamp(zoned=True))(moment.replace(tzinfo=zone).isoformat()) == expected
    assert scalar(Timestamp(zoned=False))(moment.isoformat()) == wall * 1000
