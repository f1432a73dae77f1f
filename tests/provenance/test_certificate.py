"""A certificate of another layer: one form, tied to one blob, and no receipt."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from provenance import canonical
from provenance.certificate import MAX_LOCATOR, Certificate
from provenance.errors import MalformedError, VerificationError
from provenance.receipt import Receipt
from tests.provenance.documents import assert_members_are_needed, assert_one_form, vectors, word

BLOB = b"what was put"
MADE = Certificate(
    layer="eigenda",
    network="sepolia_testnet",
    log=word("log"),
    sequence=4,
    part="header",
    size=len(BLOB),
    digest=canonical.digest(BLOB),
    locator=b"\2\xf9\1\xc4",
    put_at=1_795_449_600,
)


@pytest.mark.parametrize("case", vectors("certificate")["cases"], ids=lambda case: case["name"])
def test_certificate_vectors(case: dict[str, Any]) -> None:
    document = case["document"].encode()
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        assert Certificate.parse(document).encoded == document
        assert canonical.digest(document).hex() == case["digest"]


def test_a_certificate_comes_back() -> None:
    assert Certificate.parse(MADE.encoded) == MADE


def parsed(data: bytes) -> SimpleNamespace:
    encoded = Certificate.parse(data).encoded
    return SimpleNamespace(encoded=encoded, digest=canonical.digest(encoded))


def test_a_certificate_has_one_form() -> None:
    assert assert_one_form(parsed, MADE.encoded) > 20
    assert_members_are_needed(Certificate.parse, MADE.encoded)


def test_the_longest_locator_is_read_and_a_longer_one_is_not() -> None:
    longest = replace(MADE, locator=bytes(MAX_LOCATOR))
    assert Certificate.parse(longest.encoded) == longest
    with pytest.raises(MalformedError, match="locator"):
        Certificate.parse(replace(MADE, locator=bytes(MAX_LOCATOR + 1)).encoded)


@pytest.mark.parametrize("blob", [b"", BLOB + b"\0", BLOB[:-1], b"X" + BLOB[1:]])
def test_it_speaks_of_one_blob(blob: bytes) -> None:
    MADE.verify_blob(BLOB)
    with pytest.raises(VerificationError, match="batch 4's header is of other bytes"):
        MADE.verify_blob(blob)


def test_a_size_or_a_digest_alone_is_not_enough() -> None:
    for lie in (replace(MADE, size=MADE.size + 1), replace(MADE, digest=word("other"))):
        with pytest.raises(VerificationError):
            lie.verify_blob(BLOB)


def test_a_certificate_is_no_receipt() -> None:
    with pytest.raises(MalformedError):
        Receipt.parse(MADE.encoded)
