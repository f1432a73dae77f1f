"""DSSE: the protocol's example, securesystemslib as a second opinion, and envelopes that lie."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st
from securesystemslib import dsse
from securesystemslib.signer._crypto_signer import CryptoSigner
from securesystemslib.signer._key import SSlibKey

from provenance import canonical, envelope
from provenance.envelope import (
    MAX_PAYLOAD,
    MAX_TYPE,
    PublicKey,
    parse,
    pre_authentication_encoding,
    seal,
    verified_payload,
)
from provenance.errors import MalformedError, ProvenanceError, SignatureError
from tests.provenance.documents import ISSUER, STRANGER, other_spellings, shared, vectors

VECTORS = vectors("envelope")
TYPE = "application/vnd.in-toto+json"
SEALED = seal(TYPE, b'{"a":1}', ISSUER)
PRIME = 2**255 - 19
CURVE = -121665 * pow(121666, -1, PRIME) % PRIME


def test_the_protocols_example_encodes_as_it_says() -> None:
    example = json.loads((shared("dsse") / "protocol_example.json").read_text())
    encoded = pre_authentication_encoding(example["payload_type"], example["payload"].encode())
    assert encoded == example["pre_authentication_encoding"].encode()


@pytest.mark.parametrize("case", VECTORS["encodings"], ids=lambda case: case["name"])
def test_pre_authentication_encodings(case: dict[str, str]) -> None:
    payload = bytes.fromhex(case["payload"])
    assert pre_authentication_encoding(case["type"], payload).hex() == case["encoded"]


@pytest.mark.parametrize("case", VECTORS["envelopes"], ids=lambda case: case["name"])
def test_envelopes(case: dict[str, Any]) -> None:
    key = PublicKey(bytes.fromhex(case["key"]))
    data = case["envelope"].encode()
    if case["error"] is None:
        payload, signer = verified_payload(parse(data), TYPE, [key])
        assert (payload.hex(), signer) == (case["payload"], key)
        assert parse(data).encoded == data
    else:
        with pytest.raises(ProvenanceError) as caught:
            verified_payload(parse(data), TYPE, [key])
        assert type(caught.value).__name__ == case["error"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.binary(max_size=99))
@settings(deadline=None)
def test_securesystemslib_encodes_the_same_and_accepts_our_signature(
    payload_type: str, payload: bytes
) -> None:
    ours = seal(payload_type, payload, ISSUER)
    theirs = dsse.Envelope(payload, payload_type, {})
    assert theirs.pae() == pre_authentication_encoding(payload_type, payload)
    read = dsse.Envelope.from_dict(json.loads(ours.encoded))
    key = SSlibKey(ours.key_id, "ed25519", "ed25519", {"public": ISSUER.public_key.hex()})
    assert set(read.verify([key], 1)) == {ours.key_id}
    assert (read.payload, read.payload_type) == (payload, payload_type)


def test_we_accept_what_securesystemslib_signs() -> None:
    theirs = dsse.Envelope(b'{"b":2}', TYPE, {})
    key = SSlibKey(
        ISSUER.public_key.key_id, "ed25519", "ed25519", {"public": ISSUER.public_key.hex()}
    )
    theirs.sign(CryptoSigner(ISSUER.private, key))
    data = canonical.encode(theirs.to_dict())
    assert verified_payload(parse(data), TYPE, [ISSUER.public_key])[0] == b'{"b":2}'


@given(st.binary(max_size=200), st.text(st.characters(codec="ascii"), max_size=MAX_TYPE))
@settings(deadline=None)
def test_an_envelope_comes_back_as_it_was(payload: bytes, payload_type: str) -> None:
    sealed = seal(payload_type, payload, ISSUER)
    assert parse(sealed.encoded) == sealed
    assert verified_payload(sealed, payload_type, [ISSUER.public_key]) == (
        payload,
        ISSUER.public_key,
    )


@given(st.integers(0, 8 * len(SEALED.encoded) - 1))
@settings(deadline=None, max_examples=300)
def test_an_envelope_with_a_flipped_bit_is_refused(place: int) -> None:
    data = bytearray(SEALED.encoded)
    data[place // 8] ^= 1 << place % 8
    with pytest.raises((MalformedError, SignatureError)):
        verified_payload(parse(bytes(data)), TYPE, [ISSUER.public_key])


def test_another_spelling_of_an_envelope_is_refused() -> None:
    members = {**json.loads(SEALED.encoded)}
    for spelling in other_spellings(SEALED.encoded):
        with pytest.raises(MalformedError):
            parse(spelling)
    for name in members:
        rest = {other: kept for other, kept in members.items() if other != name}
        with pytest.raises(MalformedError, match="missing"):
            parse(canonical.encode(rest))
    with pytest.raises(MalformedError, match="unknown member"):
        parse(canonical.encode({**members, "more": 1}))


@pytest.mark.parametrize("count", [0, 2, 65])
def test_an_envelope_has_exactly_one_signature(count: int) -> None:
    members = json.loads(SEALED.encoded)
    members["signatures"] = members["signatures"] * count
    with pytest.raises(MalformedError):
        parse(canonical.encode(members))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sig", "AAAA"),
        ("sig", base64.b64encode(bytes(63)).decode()),
        ("sig", base64.b64encode(bytes(65)).decode()),
        ("sig", base64.urlsafe_b64encode(b"\xff" * 64).decode()),
        ("sig", base64.b64encode(bytes(64)).decode()[:-3] + "B=="),
        ("sig", base64.b64encode(bytes(64)).decode().rstrip("=")),
        ("sig", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 88),
        ("keyid", "00"),
        ("keyid", "AB" * 32),
        ("keyid", ""),
        ("more", 1),
    ],
)
def test_a_signature_has_one_spelling(name: str, value: str) -> None:
    members = json.loads(SEALED.encoded)
    members["signatures"][0][name] = value
    with pytest.raises(MalformedError):
        parse(canonical.encode(members))


def test_base64_with_bits_left_over_would_be_a_second_spelling() -> None:
    members = json.loads(SEALED.encoded)
    assert base64.b64decode("eyJhIjoxfR==") == base64.b64decode("eyJhIjoxfQ==")
    members["payload"] = "eyJhIjoxfR=="
    with pytest.raises(MalformedError, match="left over"):
        parse(canonical.encode(members))


def test_type_is_under_the_signature() -> None:
    other = replace(SEALED, payload_type="text/plain")
    with pytest.raises(SignatureError):
        verified_payload(other, "text/plain", [ISSUER.public_key])
    with pytest.raises(MalformedError, match="expected a application"):
        verified_payload(other, TYPE, [ISSUER.public_key])


def test_bytes_do_not_move_between_type_and_payload() -> None:
    one = pre_authentication_encoding("a", b"1 b")
    other = pre_authentication_encoding("a 3 1", b"b")
    assert one != other
    assert (
        pre_authentication_encoding("\N{LATIN SMALL LETTER E WITH ACUTE}", b"")[:9] == b"DSSEv1 2 "
    )


def test_only_trusted_keys_count_and_a_key_id_proves_nothing() -> None:
    with pytest.raises(SignatureError, match="not trusted"):
        verified_payload(SEALED, TYPE, [STRANGER.public_key])
    with pytest.raises(SignatureError, match="not trusted"):
        verified_payload(SEALED, TYPE, [])
    stolen = replace(seal(TYPE, SEALED.payload, STRANGER), key_id=SEALED.key_id)
    with pytest.raises(SignatureError, match="not signed by"):
        verified_payload(stolen, TYPE, [STRANGER.public_key, ISSUER.public_key])


def test_the_second_form_of_a_signature_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(SEALED.signature[32:], "little") + order
    twin = SEALED.signature[:32] + scalar.to_bytes(32, "little")
    with pytest.raises(SignatureError):
        ISSUER.public_key.verify(pre_authentication_encoding(TYPE, SEALED.payload), twin)


def test_sizes_are_bounded_when_sealing_and_when_parsing() -> None:
    most = seal("x" * MAX_TYPE, bytes(MAX_PAYLOAD), ISSUER)
    assert parse(most.encoded) == most
    with pytest.raises(MalformedError, match="at most 4194304 are signed"):
        seal("x", bytes(MAX_PAYLOAD + 1), ISSUER)
    with pytest.raises(MalformedError, match="128 characters"):
        seal("x" * (MAX_TYPE + 1), b"", ISSUER)
    with pytest.raises(MalformedError, match="at most 8388608"):
        parse(b"{" + bytes(2 * MAX_PAYLOAD))


def test_an_envelope_that_could_not_be_read_cannot_be_made() -> None:
    for changed in ({"signature": bytes(63)}, {"key_id": "ab"}, {"key_id": "G" * 64}):
        with pytest.raises(MalformedError):
            replace(SEALED, **changed)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_public_key_has_32_bytes(size: int) -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        PublicKey(bytes(size))


def test_a_key_under_which_any_signature_verifies_is_no_key() -> None:
    neutral = b"\1" + bytes(31)
    Ed25519PublicKey.from_public_bytes(neutral).verify(neutral + bytes(32), b"whatever one likes")
    for y in (0, 1, PRIME - 1, *envelope._WEAK, *range(PRIME, 2**255)):
        for sign in (0, 1 << 255):
            with pytest.raises(MalformedError, match="small order"):
                PublicKey((y | sign).to_bytes(32, "little"))


def test_the_refused_points_are_those_of_small_order() -> None:
    orders = sorted(order_of(recovered(y), y) for y in envelope._WEAK)
    assert orders == [1, 2, 4, 8, 8]


def recovered(y: int) -> int:
    """RFC 8032, section 5.1.3: an x of the point with this y."""
    square = (y * y - 1) * pow(CURVE * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    return x if (x * x - square) % PRIME == 0 else x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME


def order_of(x: int, y: int) -> int:
    """How often a point is added to itself until it is (0, 1); at most 8 times."""
    assert (-x * x + y * y - 1 - CURVE * x * x * y * y) % PRIME == 0
    point = (0, 1)
    for order in range(1, 9):
        (a, b), k = point, CURVE * point[0] * x * point[1] * y
        point = (
            (a * y + b * x) * pow(1 + k, -1, PRIME) % PRIME,
            (b * y + a * x) * pow(1 - k, -1, PRIME) % PRIME,
        )
        if point == (0, 1):
            return order
    raise AssertionError("not a point of small order")


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    key = PublicKey((2).to_bytes(32, "little"))
    with pytest.raises(SignatureError):
        key.verify(b"message", bytes(64))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_no_signature(size: int) -> None:
    with pytest.raises(SignatureError):
        ISSUER.public_key.verify(b"message", bytes(size))
