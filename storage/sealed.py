"""A secret under a passphrase: scrypt makes the key, ChaCha20-Poly1305 seals.

    offset  bytes  is
    0       16     "rootline-sealed" and the version, 1
    16      1      cost: scrypt's N is 2**cost, 14 to 18; r = 8, p = 1
    17      16     salt
    33      12     nonce
    45      1      length of the label
    46      …      label: what this is, readable without the passphrase, and authenticated
    …       …      ciphertext, and a tag of 16 bytes

The passphrase is taken as UTF-8 in Unicode's form NFKC, so that two keyboards type the same one.
"""

import os
import unicodedata
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from provenance.errors import MalformedError, VerificationError

MAGIC: Final = b"rootline-sealed\x01"
COST: Final = 17
"""128 MiB and about half a second for each guess."""
MIN_COST: Final = 14
MAX_COST: Final = 18
MAX_SECRET: Final = 16 * 2**20
TAG: Final = 16
_LABEL: Final = 46


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed secret as it lies on the disk; the label can be read by anybody."""

    label: str
    header: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    @property
    def encoded(self) -> bytes:
        """The bytes of the file."""
        return self.header + self.ciphertext

    @classmethod
    def seal(cls, secret: bytes, passphrase: str, label: str, *, cost: int = COST) -> Self:
        """Return `secret` under `passphrase`.

        Raises:
            MalformedError: The passphrase is empty, the secret too long, or the label or the cost
                out of range.
        """
        name = label.encode("ascii")
        if not MIN_COST <= cost <= MAX_COST or not 1 <= len(name) <= 255:
            raise MalformedError(f"a cost from {MIN_COST} to {MAX_COST} and a label of 1 to 255")
        if len(secret) > MAX_SECRET:
            raise MalformedError(f"a secret has at most {MAX_SECRET} bytes")
        header = b"%b%c%b%c%b" % (MAGIC, cost, os.urandom(28), len(name), name)
        return cls(
            label, header, _cipher(header, passphrase).encrypt(header[33:45], secret, header)
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return what `data` holds, still sealed, or raise MalformedError."""
        if len(data) < _LABEL or data[:16] != MAGIC:
            raise MalformedError("not a sealed file of version 1")
        if not MIN_COST <= data[16] <= MAX_COST:
            raise MalformedError(f"a sealed file's cost is {MIN_COST} to {MAX_COST}")
        end = _LABEL + data[45]
        if end == _LABEL or not end + TAG <= len(data) <= end + TAG + MAX_SECRET:
            raise MalformedError("a sealed file is cut off, or too long")
        if not data[_LABEL:end].isascii():
            raise MalformedError("a sealed file's label is ASCII")
        return cls(data[_LABEL:end].decode(), data[:end], data[end:])

    def open(self, passphrase: str) -> bytes:
        """Return the secret.

        Raises:
            MalformedError: The passphrase is empty.
            VerificationError: Another passphrase, or a changed file; these look the same.
        """
        cipher = _cipher(self.header, passphrase)
        try:
            return cipher.decrypt(self.header[33:45], self.ciphertext, self.header)
        except InvalidTag as error:
            raise VerificationError(
                f"{self.label!r} does not open: wrong passphrase, or a damaged file"
            ) from error


def _cipher(header: bytes, passphrase: str) -> ChaCha20Poly1305:
    if not passphrase:
        raise MalformedError("a passphrase is not empty: leave it out for none")
    try:
        typed = unicodedata.normalize("NFKC", passphrase).encode()
    except UnicodeEncodeError:
        # The error holds the passphrase, so it is not chained.
        raise MalformedError("the passphrase is no valid Unicode") from None
    scrypt = Scrypt(salt=header[17:33], length=32, n=2 ** header[16], r=8, p=1)
    return ChaCha20Poly1305(scrypt.derive(typed))
