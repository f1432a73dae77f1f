"""Signing keys: ed25519, by name and generation, each in a file that only its owner reads.

    keys/issuer.1.key        PEM (PKCS8), or sealed under a passphrase
    keys/issuer.2.key        the key after a rotation; the old one stays

A key is made once and never overwritten. A file that others can read is refused.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.canonical import is_name
from provenance.envelope import PublicKey
from provenance.errors import MalformedError, UnavailableError
from provenance.field import parse_hex
from storage.atomic import create_atomic, sweep
from storage.private import located, needed, read_private, sealed_file
from storage.sealed import COST, MAGIC, Sealed

ISSUER: Final = "issuer"
MONITOR: Final = "monitor"
OPERATOR: Final = "operator"
_SIGNING: Final = re.compile(r"([a-z0-9][a-z0-9._-]{0,127})\.([1-9][0-9]{0,3})\.key")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ed25519 private key; a `provenance.envelope.Signer`."""

    public_key: PublicKey
    _private: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Return a new random key."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key that 32 bytes make (RFC 8032), or raise MalformedError."""
        if len(seed) != 32:
            raise MalformedError(f"an ed25519 seed has 32 bytes, got {len(seed)}")
        return cls._of(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, data: bytes) -> Self:
        """Return the key that an unencrypted PKCS8 PEM holds, or raise MalformedError."""
        try:
            private = serialization.load_pem_private_key(data, None)
        except (ValueError, TypeError) as error:
            raise MalformedError("not an unencrypted private key in PEM") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise MalformedError("a signing key is ed25519")
        return cls._of(private)

    @classmethod
    def _of(cls, private: Ed25519PrivateKey) -> Self:
        return cls(PublicKey(private.public_key().public_bytes_raw()), private)

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes; for a backup only."""
        return self._private.private_bytes_raw()

    @property
    def pem(self) -> bytes:
        """The key as unencrypted PKCS8 PEM."""
        return self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def sign(self, message: bytes) -> bytes:
        """Return the ed25519 signature over `message`, 64 bytes."""
        return self._private.sign(message)


@dataclass(frozen=True, slots=True, order=True)
class StoredKey:
    """A signing key as `rootline keys show` lists it; known without its passphrase."""

    name: str
    generation: int
    public_key: PublicKey
    is_sealed: bool


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The signing keys in a folder: by name (issuer, monitor, operator), then by generation."""

    folder: Path
    cost: int = COST

    def create(self, name: str, passphrase: str | None = None) -> SigningKey:
        """Return the new first key of `name`, stored.

        Raises:
            MalformedError: No name, or there is one already.
            UnavailableError: It cannot be written.
        """
        return self.add(name, 1, SigningKey.generate(), passphrase)

    def rotate(self, name: str, passphrase: str | None = None) -> SigningKey:
        """Return a new key that follows the newest of `name`, stored; the old ones stay.

        Raises:
            UnavailableError: There is none to follow, or it cannot be written.
        """
        return self.add(name, self._newest(name) + 1, SigningKey.generate(), passphrase)

    def load(
        self, name: str, passphrase: str | None = None, *, generation: int | None = None
    ) -> SigningKey:
        """Return the newest key of `name`, or that of a generation.

        Raises:
            MalformedError: Others can read the file, or it holds no such key.
            VerificationError: The passphrase is wrong.
            UnavailableError: There is no such key, or it is sealed and no passphrase was given.
        """
        number = self._newest(name) if generation is None else generation
        path = self._path(name, number)
        data = read_private(path)
        if not data.startswith(MAGIC):
            return located(path, lambda: SigningKey.from_pem(data))
        sealed, public = _sealed_key(path, data, name, number)
        key = SigningKey.from_seed(sealed.open(needed(path, passphrase)))
        if key.public_key != public:
            raise MalformedError(f"{path} names another public key than its own: restore a backup")
        return key

    def add(
        self, name: str, generation: int, key: SigningKey, passphrase: str | None
    ) -> SigningKey:
        """Store `key`, and return it; a key that is there already is never overwritten.

        Raises:
            MalformedError: No name, or that generation exists.
            UnavailableError: It cannot be written.
        """
        path = self._path(name, generation)
        sweep(self.folder)
        data = key.pem
        if passphrase is not None:
            label = f"signing-key {name} {generation} {key.public_key.hex()}"
            data = Sealed.seal(key.seed, passphrase, label, cost=self.cost).encoded
        if not create_atomic(path, data, 0o600):
            raise MalformedError(f"{path} exists; a key is never overwritten: rotate instead")
        return key

    def stored(self) -> tuple[StoredKey, ...]:
        """Return all keys with their public halves, by name and generation.

        Raises:
            MalformedError: A key's file can be read by others, or holds no key.
        """
        found = (_SIGNING.fullmatch(path.name) for path in self.folder.glob("*.key"))
        return tuple(sorted(self._stored(m[1], int(m[2])) for m in found if m))

    def _stored(self, name: str, generation: int) -> StoredKey:
        path = self._path(name, generation)
        data = read_private(path)
        if data.startswith(MAGIC):
            return StoredKey(
                name, generation, _sealed_key(path, data, name, generation)[1], is_sealed=True
            )
        key = located(path, lambda: SigningKey.from_pem(data))
        return StoredKey(name, generation, key.public_key, is_sealed=False)

    def _newest(self, name: str) -> int:
        found = (_SIGNING.fullmatch(path.name) for path in self.folder.glob("*.key"))
        numbers = [int(match[2]) for match in found if match and match[1] == name]
        if not numbers:
            raise UnavailableError(f"no key {name!r} in {self.folder}: `rootline init` or restore")
        return max(numbers)

    def _path(self, name: str, generation: int) -> Path:
        if not is_name(name) or not 1 <= generation <= 9999:
            raise MalformedError(f"{name[:80]!r} {generation} is no key's name and generation")
        return self.folder / f"{name}.{generation}.key"


def _sealed_key(path: Path, data: bytes, name: str, generation: int) -> tuple[Sealed, PublicKey]:
    sealed = sealed_file(path, data, f"signing-key {name} {generation} ", 64)
    return sealed, PublicKey(parse_hex(sealed.label[-64:], 32))
