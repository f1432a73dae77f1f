"""Digests and field elements: a wrong one cannot be made."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.field import ORDER, ZERO, Digest, FieldElement, parse_hex

ELEMENTS = st.integers(0, ORDER - 1)


def test_the_order_is_that_of_bn254() -> None:
    """EIP-197; x is the parameter of the curve family of Barreto and Naehrig."""
    x = 4965661367192848881
    assert 36 * x**4 + 36 * x**3 + 18 * x**2 + 6 * x + 1 == ORDER


@given(st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_a_digest_round_trips_through_hex(data: bytes) -> None:
    assert Digest.parse(Digest(data).hex()) == data


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_digest_of_another_length_cannot_be_made(size: int) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        Digest(bytes(size))


@given(ELEMENTS)
@settings(deadline=None)
def test_an_element_round_trips_through_bytes_and_hex(value: int) -> None:
    element = FieldElement(value)
    assert FieldElement.decode(element.encoded) == FieldElement.parse(element.hex) == value
    assert element.encoded == value.to_bytes(32, "big")


@pytest.mark.parametrize("value", [-1, ORDER, ORDER + 1, 2**256 - 1, 2**256, 10**100])
def test_an_element_outside_the_field_cannot_be_made(value: int) -> None:
    with pytest.raises(MalformedError, match="from 0 to below"):
        FieldElement(value)


@pytest.mark.parametrize("value", [0.5, 1.0, float("nan"), "1", None])
def test_what_is_no_integer_is_never_cut_to_one(value: Any) -> None:
    with pytest.raises(MalformedError, match="integer"):
        FieldElement(value)


@given(st.integers(ORDER, 2**256 - 1))
@settings(deadline=None)
def test_readers_refuse_elements_that_are_not_reduced(value: int) -> None:
    with pytest.raises(MalformedError):
        FieldElement.decode(value.to_bytes(32, "big"))
    with pytest.raises(MalformedError):
        FieldElement.parse(f"{value:064x}")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_an_element_is_read_from_32_bytes_only(size: int) -> None:
    with pytest.raises(MalformedError):
        FieldElement.decode(bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0" * 63,
        "0" * 65,
        "A" * 64,
        "0x" + "0" * 62,
        "0" * 63 + "\n",
        " " * 64,
        "\N{ARABIC-INDIC DIGIT ZERO}" * 64,
    ],
)
def test_hex_has_one_spelling(text: str) -> None:
    with pytest.raises(MalformedError, match="64 lower-case hex digits"):
        parse_hex(text, 32)


def test_a_long_text_does_not_flood_the_message() -> None:
    with pytest.raises(MalformedError) as caught:
        parse_hex("z" * 10**6, 32)
    assert len(str(caught.value)) < 200


def test_zero_is_an_element() -> None:
    assert ZERO == 0
    assert ZERO.encoded == bytes(32)
