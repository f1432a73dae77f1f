"""From a record's bytes to its leaf: content digest, salt, leaf digest.

    content digest = SHA-256("RL-record" || schema digest || zeros to 64 bytes || encoded record)
    bucket key     = HMAC-SHA-256(dataset key, "salt" || first 12 bits of the content digest)[:16]
    salt           = SHA-256("RL-salt" || bucket key || content digest)[:16]
    leaf digest    = SHA-256("RL-leaf" || salt || content digest)[:31], as an integer

The content digest is secret: whoever guesses a record finds it by this digest. A verifier sees
opened salts only; how they were derived is the issuer's matter.
"""

import hmac
from hashlib import sha256
from typing import Final, Self

from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement
from provenance.poseidon import poseidon

RECORD_TAG: Final = b"RL-record"
SALT_TAG: Final = b"RL-salt"
LEAF_TAG: Final = b"RL-leaf"
BLINDED_LEAF: Final = 4
BLINDED_INDEX: Final = 5


class DatasetKey(bytes):
    """The secret of one dataset's whole line of versions: 32 random bytes, never printed."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError if it is not 32 bytes."""
        if len(value) != 32:
            raise MalformedError(f"a dataset key has 32 bytes, got {len(value)}")
        return super().__new__(cls, value)

    def __repr__(self) -> str:  # type: ignore[explicit-override]  # override: Python 3.12
        return "DatasetKey(...)"

    __str__ = __repr__


class Salt(bytes):
    """What hides a record that could be guessed: 16 bytes."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError if it is not 16 bytes."""
        if len(value) != 16:
            raise MalformedError(f"a salt has 16 bytes, got {len(value)}")
        return super().__new__(cls, value)


def content_digest(schema_digest: Digest, encoded: bytes) -> Digest:
    """Return the digest of a record encoded under a schema; names and types are under it."""
    return Digest(sha256((RECORD_TAG + schema_digest).ljust(64, b"\0") + encoded).digest())


def bucket(content: bytes) -> int:
    """Return the bucket of a digest or key: its first 12 bits, 0 to 4095."""
    return int.from_bytes(content[:2], "big") >> 4


def bucket_key(key: DatasetKey, purpose: bytes, number: int) -> bytes:
    """Return the 16-byte key of a bucket, under `salt` for records and `xslt` for index keys."""
    return hmac.digest(key, purpose + number.to_bytes(2, "big"), "sha256")[:16]


def salt(key: DatasetKey, content: Digest) -> Salt:
    """Return the salt of the record with this content digest, the same in every version."""
    secret = bucket_key(key, b"salt", bucket(content))
    return Salt(sha256(SALT_TAG + secret + content).digest()[:16])


def leaf_digest(salt: Salt, content: Digest) -> FieldElement:
    """Return the salted digest of a record; for the leaf kind `plain` it is the record's leaf."""
    return FieldElement(int.from_bytes(sha256(LEAF_TAG + salt + content).digest()[:31], "big"))


def blinded_leaf(leaf: int, blind: int) -> FieldElement:
    """Return the commitment to a leaf of the tree that a proof shows instead of it."""
    return poseidon(BLINDED_LEAF, leaf, blind)


def blinded_index(index: int, blind: int) -> FieldElement:
    """Return the commitment to a record's index, chunk * 2**14 + position."""
    return poseidon(BLINDED_INDEX, index, blind)
