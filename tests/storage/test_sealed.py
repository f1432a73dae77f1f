"""A secret under a passphrase: the format, and everything that does not open it."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, ProvenanceError, VerificationError
from storage.sealed import COST, MAX_SECRET, MIN_COST, Sealed

CASE: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keys.json").read_text()
)["sealed"]
FILE: Final = bytes.fromhex(CASE["file"])


def naive_open(data: bytes, passphrase: str) -> bytes:
    """Open by the format's page alone, with another scrypt."""
    salt, nonce, end = data[17:33], data[33:45], 46 + data[45]
    key = hashlib.scrypt(
        passphrase.encode(), salt=salt, n=2 ** data[16], r=8, p=1, dklen=32, maxmem=2**28
    )
    return ChaCha20Poly1305(key).decrypt(nonce, data[end:], data[:end])


def test_the_vector_opens_both_ways() -> None:
    sealed = Sealed.parse(FILE)
    assert sealed.label == CASE["label"]
    assert sealed.encoded == FILE
    assert sealed.open(CASE["passphrase"]).hex() == CASE["secret"]
    assert naive_open(FILE, CASE["passphrase"]).hex() == CASE["secret"]


@given(st.binary(max_size=100), st.text(min_size=1, max_size=20))
@settings(deadline=None, max_examples=3)
def test_what_is_sealed_opens_again(secret: bytes, passphrase: str) -> None:
    data = Sealed.seal(secret, passphrase, "label", cost=MIN_COST).encoded
    assert Sealed.parse(data).open(passphrase) == secret


def test_sealed_twice_looks_different() -> None:
    one, other = (Sealed.seal(b"x", "p", "label", cost=MIN_COST).encoded for _ in range(2))
    assert one != other
    assert COST == 17


def test_two_spellings_of_one_passphrase_are_the_same() -> None:
    sealed = Sealed.seal(b"x", "caf\u00e9", "label", cost=MIN_COST)
    assert sealed.open("cafe\u0301") == b"x"


@pytest.mark.parametrize("position", [16, 17, 33, 46, 53, len(FILE) - 1])
def test_a_changed_byte_does_not_open(position: int) -> None:
    data = bytearray(FILE)
    data[position] ^= 1
    with pytest.raises(VerificationError, match="wrong passphrase, or a damaged file"):
        Sealed.parse(bytes(data)).open(CASE["passphrase"])


def test_another_passphrase_does_not_open() -> None:
    with pytest.raises(VerificationError, match="does not open"):
        Sealed.parse(FILE).open("correct horsf")


def test_a_changed_length_of_the_label_does_not_open() -> None:
    data = FILE[:45] + bytes([FILE[45] - 1]) + FILE[46:]
    with pytest.raises(VerificationError, match="does not open"):
        Sealed.parse(data).open(CASE["passphrase"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        FILE[:45],
        FILE[:60],
        b"x" + FILE[1:],
        FILE[:15] + b"\x02" + FILE[16:],
        FILE[:16] + b"\x0d" + FILE[17:],
        FILE[:16] + b"\x13" + FILE[17:],
        FILE[:45] + b"\0" + FILE[46:],
        FILE[:45] + b"\xff" + FILE[46:],
        FILE[:46] + b"\xe9" + FILE[47:],
        FILE + bytes(MAX_SECRET),
    ],
    ids=[
        "empty",
        "header only",
        "no tag",
        "magic",
        "version",
        "cost below",
        "cost above",
        "no label",
        "label too long",
        "label not ASCII",
        "too long",
    ],
)
def test_what_is_no_sealed_file_is_refused_unopened(data: bytes) -> None:
    with pytest.raises(MalformedError, match="sealed file"):
        Sealed.parse(data)


@given(st.binary(max_size=120))
@settings(deadline=None)
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    for candidate in (data, FILE[:16] + data):
        try:
            assert Sealed.parse(candidate).encoded == candidate
        except ProvenanceError:
            continue


@pytest.mark.parametrize("passphrase", ["", "\ud800"])
def test_what_is_no_passphrase_is_refused(passphrase: str) -> None:
    with pytest.raises(MalformedError, match="passphrase") as caught:
        Sealed.parse(FILE).open(passphrase)
    assert caught.value.__cause__ is None


def test_what_cannot_be_sealed_is_refused() -> None:
    for label, cost in (("", MIN_COST), ("x" * 256, MIN_COST), ("x", MIN_COST - 1), ("x", 19)):
        with pytest.raises(MalformedError, match="a cost from"):
            Sealed.seal(b"", "p", label, cost=cost)
    with pytest.raises(MalformedError, match="at most"):
        Sealed.seal(bytes(MAX_SECRET + 1), "p", "label", cost=MIN_COST)
