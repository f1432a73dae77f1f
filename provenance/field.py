"""The values everything else is made of: 32-byte digests, elements of BN254's scalar field.

A field element is an integer below the order *r*, written as 32 bytes big-endian, lower-case hex:

>>> FieldElement(1).hex
'0000000000000000000000000000000000000000000000000000000000000001'
"""

import re
from typing import Final, Self

from provenance.errors import MalformedError

ORDER: Final = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of the scalar field of BN254 (EIP-197 calls it the order of the curve's subgroup)."""

_HEX: Final = re.compile(r"[0-9a-f]*")


def parse_hex(text: str, size: int) -> bytes:
    """Return the `size` bytes that `text` writes in lower-case hex without a prefix.

    Raises:
        MalformedError: Another length, an upper-case digit, or anything else.
    """
    if len(text) != 2 * size or not _HEX.fullmatch(text):
        raise MalformedError(f"expected {2 * size} lower-case hex digits, got {text[:80]!r}")
    return bytes.fromhex(text)


class Digest(bytes):
    """A hash: 32 bytes, checked when made, so no later code checks it again."""

    __slots__ = ()

    def __new__(cls, value: bytes) -> Self:
        """Wrap `value`, or raise MalformedError if it is not 32 bytes."""
        if len(value) != 32:
            raise MalformedError(f"a digest has 32 bytes, got {len(value)}")
        return super().__new__(cls, value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the digest that `text` writes in lower-case hex, or raise MalformedError."""
        return cls(parse_hex(text, 32))


class FieldElement(int):
    """An integer from 0 to r - 1, checked when made and never reduced silently."""

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        """Wrap `value`, or raise MalformedError if it is outside the field or no integer."""
        # `type: ignore`: a type checker knows better, but a float would be cut off silently.
        if not isinstance(value, int) or not 0 <= value < ORDER:  # type: ignore[redundant-expr]
            raise MalformedError(
                "a field element is an integer from 0 to below the BN254 scalar order"
            )
        return super().__new__(cls, value)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the element that 32 big-endian bytes hold, or raise MalformedError."""
        return cls(int.from_bytes(Digest(data), "big"))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the element that `text` writes in lower-case hex, or raise MalformedError."""
        return cls.decode(parse_hex(text, 32))

    @property
    def encoded(self) -> bytes:
        """The element as 32 bytes, big-endian."""
        return self.to_bytes(32, "big")

    @property
    def hex(self) -> str:
        """The element as 64 lower-case hex digits."""
        return self.encoded.hex()


ZERO: Final = FieldElement(0)
