"""SipHash-2-4 over many messages of 32 bytes at once: a keyed hash to 64 bits.

Key and message are read as little-endian 64-bit words, as the paper does. The last word of every
message holds its length, 32, in the top byte:

>>> message = np.arange(32, dtype=np.uint8).reshape(1, 32)
>>> hex(int(siphash_many(bytes(range(16)), message)[0]))
'0x7127512f72f27cce'

Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, section 2.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError

_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_LAST_WORD: Final = np.uint64(32 << 56)
_FINAL: Final = np.uint64(0xFF)
_BLOCK: Final = 4096
"""Messages hashed together: the state stays in a processor's cache."""

Words = NDArray[np.uint64]


def siphash_many(key: bytes, messages: NDArray[np.uint8]) -> Words:
    """Return the 64-bit hashes of `messages`: (messages, 32 bytes) -> (messages,).

    Raises:
        MalformedError: The key has not 16 bytes, or the messages are not rows of 32 bytes.
    """
    begun = begin(key)
    if messages.ndim != 2 or messages.shape[1] != 32 or messages.dtype != np.uint8:
        raise MalformedError(f"expected rows of 32 bytes, got {messages.shape} {messages.dtype}")
    words = np.ascontiguousarray(messages).view("<u8").astype(np.uint64, copy=False)
    hashes = np.empty(len(messages), np.uint64)
    for start in range(0, len(messages), _BLOCK):
        hashes[start : start + _BLOCK] = _hash(begun, words[start : start + _BLOCK])
    return hashes


def begin(key: bytes) -> tuple[int, ...]:
    """Return the four words that hashing under a key begins with.

    Raises:
        MalformedError: The key has not 16 bytes.
    """
    if len(key) != 16:
        raise MalformedError(f"a SipHash key has 16 bytes, got {len(key)}")
    halves = (int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little"))
    return tuple(word ^ halves[i % 2] for i, word in enumerate(_START))


def _hash(begun: tuple[int, ...], words: Words) -> Words:
    state = [np.full(len(words), word, np.uint64) for word in begun]
    for word in (*words.T, _LAST_WORD):
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= _FINAL
    _rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _rounds(state: list[Words], count: int) -> None:
    a, b, c, d = state
    for _ in range(count):
        _mix(a, b, 13)
        _turn(a, 32)
        _mix(c, d, 16)
        _mix(a, d, 21)
        _mix(c, b, 17)
        _turn(c, 32)


def _mix(left: Words, right: Words, bits: int) -> None:
    left += right
    _turn(right, bits)
    right ^= left


def _turn(words: Words, bits: int) -> None:
    low = words >> np.uint64(64 - bits)
    words <<= np.uint64(bits)
    words |= low
