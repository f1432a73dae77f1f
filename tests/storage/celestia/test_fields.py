"""One spelling for each value, and sizes that are bounded before anything is decoded."""

import pytest

from provenance.canonical import Fields, Json
from provenance.errors import MalformedError
from storage.celestia import fields


def of(value: Json) -> Fields:
    return Fields.of({"x": value}, "test")


def test_each_kind_is_read() -> None:
    assert fields.decimal(of("120"), "x", 0, 200) == 120
    assert fields.hexed(of("0AFF"), "x", 2) == b"\x0a\xff"
    assert fields.based(of("Cv8="), "x", 2) == b"\x0a\xff"
    assert fields.all_based(of(["Cv8=", "AAA="]), "x", 2, 2) == (b"\x0a\xff", b"\0\0")


@pytest.mark.parametrize(
    "value", ["", "01", "-1", "+1", "1.0", " 1", "201", 1, None, "1" * 20, "²"]
)
def test_another_spelling_of_an_integer_is_refused(value: Json) -> None:
    with pytest.raises(MalformedError):
        fields.decimal(of(value), "x", 0, 200)


@pytest.mark.parametrize("value", ["", "0aff", "0AF", "0AFF0", "0AFF00", "0x0A", 10, None])
def test_another_spelling_of_hex_is_refused(value: Json) -> None:
    with pytest.raises(MalformedError):
        fields.hexed(of(value), "x", 2)


@pytest.mark.parametrize(
    "value", ["", "Cv8", "Cv9=", "Cv8=\n", "C-8=", "AAAA", "ü", "A" * 99, 10, None]
)
def test_another_spelling_of_base64_is_refused(value: Json) -> None:
    with pytest.raises(MalformedError):
        fields.based(of(value), "x", 2)
    with pytest.raises(MalformedError):
        fields.all_based(of([value]), "x", 1, 2)


def test_an_array_that_is_too_long_is_refused() -> None:
    with pytest.raises(MalformedError, match="at most 1"):
        fields.all_based(of(["Cv8=", "Cv8="]), "x", 1, 2)


def test_what_is_written_is_read() -> None:
    data = bytes(range(29))
    assert fields.based(of(fields.base(data)), "x", 29) == data
    assert fields.hexed(of(fields.upper(data)), "x", 0, 29) == data
    assert fields.all_based(of(fields.bases([data])), "x", 1, 29) == (data,)
