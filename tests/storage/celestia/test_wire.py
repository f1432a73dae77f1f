"""Protobuf fields by hand-made figures; times exact to the nanosecond, both ways."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from storage.celestia import wire

FIRST = wire.parse_time("0001-01-01T00:00:00Z")
LAST = wire.parse_time("9999-12-31T23:59:59.999999999Z")


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ffffffffffffffffff01")],
)
def test_varints(value: int, encoded: str) -> None:
    assert wire.varint(value).hex() == encoded


def test_fields() -> None:
    assert wire.integer(1, 150).hex() == "089601"
    assert wire.fixed(2, -1).hex() == "11" + "ff" * 8
    assert wire.octets(2, b"testing").hex() == "120774657374696e67"
    assert wire.message(3, b"").hex() == "1a00"
    assert wire.timestamp(1_500_000_000).hex() == "0801" + "1080cab5ee01"


def test_empty_values_are_left_out() -> None:
    assert wire.integer(1, 0) + wire.fixed(1, 0) + wire.octets(1, b"") + wire.timestamp(0) == b""


@settings(deadline=None, max_examples=40)
@given(st.integers(FIRST, LAST))
def test_times_round_trip(nanoseconds: int) -> None:
    assert wire.parse_time(wire.format_time(nanoseconds)) == nanoseconds


@settings(deadline=None, max_examples=40)
@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_those_of_the_standard_library(moment: datetime) -> None:
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert wire.parse_time(wire.format_time(expected)) == expected
    text = moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"
    assert wire.format_time(expected - expected % 10**9) == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T06:28:50",
        "2026-11-24T06:28:50+00:00",
        "2026-11-24 06:28:50Z",
        "2026-11-24T06:28:50.Z",
        "2026-11-24T06:28:50.10Z",
        "2026-11-24T06:28:50.0Z",
        "2026-11-24T06:28:50.1234567891Z",
        "2026-11-24T06:28:60Z",
        "2026-02-30T06:28:50Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-11-24T06:28:50Z",
        "2026-11-24T06:28:50Z\n",
        "",
    ],
)
def test_another_spelling_of_a_time_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        wire.parse_time(text)


@pytest.mark.parametrize("nanoseconds", [FIRST - 1, LAST + 1, 10**30, -(10**30)])
def test_a_time_outside_the_calendar_is_refused(nanoseconds: int) -> None:
    with pytest.raises(MalformedError, match="outside the years"):
        wire.format_time(nanoseconds)
