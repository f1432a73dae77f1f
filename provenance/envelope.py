"""DSSE envelopes: sign bytes with their type, verify before parsing.

Written as canonical JSON, with exactly one signature by exactly one ed25519 key:

    {"payload":"eyJ…","payloadType":"application/vnd.in-toto+json",
     "signatures":[{"keyid":"0f…","sig":"MEU…"}]}

A key id is the SHA-256 of the raw public key, in lower-case hex; it finds a key and proves nothing.

Source: https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from provenance import canonical
from provenance.canonical import Fields
from provenance.errors import MalformedError, SignatureError
from provenance.field import parse_hex

MAX_PAYLOAD: Final = 4 * 2**20
MAX_TYPE: Final = 128
_PRIME: Final = 2**255 - 19
_ORDER_EIGHT: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_WEAK: Final = frozenset({0, 1, _PRIME - 1, _ORDER_EIGHT, _PRIME - _ORDER_EIGHT})
"""y of the points of order 1, 2, 4 and 8: under such a key anybody's signature verifies."""


class Signer(Protocol):
    """Makes signatures. Private keys live outside the core."""

    @property
    def public_key(self) -> "PublicKey":
        """The key that verifies what `sign` returns."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the ed25519 signature over `message`, 64 bytes."""
        ...


class PublicKey(bytes):
    """An ed25519 public key: 32 bytes, the one spelling of a point that is not of small order."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError if it is not 32 bytes or a key worth nothing."""
        if len(value) != 32:
            raise MalformedError(f"an ed25519 public key has 32 bytes, got {len(value)}")
        height = int.from_bytes(value, "little") & (2**255 - 1)  # y; the top bit is the sign of x
        if height >= _PRIME or height in _WEAK:
            raise MalformedError("not an ed25519 public key: of small order, or another spelling")
        return super().__new__(cls, value)

    @property
    def key_id(self) -> str:
        """SHA-256 of the raw key, in lower-case hex."""
        return sha256(self).hexdigest()

    def verify(self, message: bytes, signature: bytes) -> None:
        """Check that this key signed `message`, or raise SignatureError."""
        try:
            Ed25519PublicKey.from_public_bytes(bytes(self)).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureError(f"not signed by key {self.key_id[:16]}…") from error


@dataclass(frozen=True, slots=True)
class Envelope:
    """Payload, its type, and one signature over both; `encoded` is the bytes it was read from."""

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    def __post_init__(self) -> None:
        """Raise MalformedError for what `parse` would not read back."""
        if len(self.payload) > MAX_PAYLOAD:
            raise MalformedError(
                f"a payload of {len(self.payload)} bytes; at most {MAX_PAYLOAD} are signed"
            )
        if len(self.payload_type) > MAX_TYPE:
            raise MalformedError(f"a payload type has at most {MAX_TYPE} characters")
        if len(self.signature) != 64:
            raise MalformedError(f"an ed25519 signature has 64 bytes, got {len(self.signature)}")
        parse_hex(self.key_id, 32)

    @property
    def encoded(self) -> bytes:
        """The envelope as canonical JSON."""
        signature = {"keyid": self.key_id, "sig": base64.b64encode(self.signature).decode()}
        return canonical.encode(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [signature],
            }
        )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: type and payload, each with its length in bytes.

    >>> pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def seal(payload_type: str, payload: bytes, signer: Signer) -> Envelope:
    """Return an envelope around `payload`, signed once."""
    message = pre_authentication_encoding(payload_type, payload)
    return Envelope(payload_type, payload, signer.public_key.key_id, signer.sign(message))


def parse(data: bytes) -> Envelope:
    """Return the envelope that `data` writes; nothing is verified yet.

    Raises:
        MalformedError: Not canonical, no signature or several, base64 with slack.
    """
    fields = Fields.of(canonical.decode(data, limit=2 * MAX_PAYLOAD), "envelope")
    payload_type = fields.text("payloadType", most=MAX_TYPE)
    payload = _base64(fields.text("payload", most=2 * MAX_PAYLOAD))
    signatures = fields.objects("signatures", 64)
    fields.done()
    if len(signatures) != 1:
        raise MalformedError(f"an envelope carries exactly one signature, not {len(signatures)}")
    key_id = signatures[0].hexed("keyid", 32).hex()
    signature = _base64(signatures[0].text("sig", most=128))
    signatures[0].done()
    return Envelope(payload_type, payload, key_id, signature)


def verified_payload(
    envelope: Envelope, payload_type: str, trusted: Iterable[PublicKey]
) -> tuple[bytes, PublicKey]:
    """Return the payload and the trusted key that signed it; parse only this result.

    Raises:
        MalformedError: The payload has another type.
        SignatureError: The key is not among `trusted`, or its signature does not verify.
    """
    if envelope.payload_type != payload_type:
        raise MalformedError(f"expected a {payload_type}, got a {envelope.payload_type[:80]!r}")
    for key in trusted:
        if key.key_id == envelope.key_id:
            message = pre_authentication_encoding(payload_type, envelope.payload)
            key.verify(message, envelope.signature)
            return envelope.payload, key
    raise SignatureError(f"signed by key {envelope.key_id[:16]}…, which is not trusted here")


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"not base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise MalformedError("base64 with bits left over")
    return data
