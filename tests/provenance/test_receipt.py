"""A receipt has one form; what it says is for a ledger's verifier to check."""

import base64
from types import SimpleNamespace

import pytest

from provenance.canonical import digest
from provenance.errors import MalformedError
from provenance.receipt import Receipt
from tests.provenance.documents import assert_members_are_needed, assert_one_form, word

RECEIPT = Receipt(
    ledger="embedded",
    chain="embedded-1",
    height=7,
    namespace=bytes(19) + b"rl-tests-1",
    commitment=word("commitment"),
    blob=b"header!",
    proof={"rows": ["1", "2"]},
    header={"height": "7", "inner": {"time": "0"}},
)


def test_a_receipt_comes_back() -> None:
    assert Receipt.parse(RECEIPT.encoded) == RECEIPT


def parsed(data: bytes) -> SimpleNamespace:
    encoded = Receipt.parse(data).encoded
    return SimpleNamespace(encoded=encoded, digest=digest(encoded))


def test_a_receipt_has_one_form() -> None:
    assert assert_one_form(parsed, RECEIPT.encoded) > 20
    assert_members_are_needed(Receipt.parse, RECEIPT.encoded)


@pytest.mark.parametrize("text", ["*", "YQ", "YR==", " YQ==", "YQ==YQ=="])
def test_a_blob_that_is_not_strict_base64_is_refused(text: str) -> None:
    honest = base64.b64encode(RECEIPT.blob)
    with pytest.raises(MalformedError):
        Receipt.parse(RECEIPT.encoded.replace(honest, text.encode()))


def test_a_height_of_zero_or_a_short_namespace_is_refused() -> None:
    data = RECEIPT.encoded
    for old, new in (
        (b'"height":7,', b'"height":0,'),
        (b'"height":7,', b'"height":"7",'),
        (RECEIPT.namespace.hex().encode(), b"00" * 28),
        (b'"proof":{"rows":["1","2"]}', b'"proof":[]'),
    ):
        assert old in data
        with pytest.raises(MalformedError):
            Receipt.parse(data.replace(old, new))
