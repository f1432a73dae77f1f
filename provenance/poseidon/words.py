"""Field elements as rows of four 64-bit words, lowest first: how arrays of them are held.

>>> to_words([1, 2**64])
array([[1, 0, 0, 0],
       [0, 1, 0, 0]], dtype=uint64)

Formats hold elements as 32 big-endian bytes; `words_from_bytes` and `words_to_bytes` convert.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.field import ORDER, FieldElement

WORDS: Final = 4
_ORDER_WORDS: Final = tuple(np.uint64(ORDER >> 64 * i & 2**64 - 1) for i in range(WORDS))


def to_words(elements: Iterable[int]) -> NDArray[np.uint64]:
    """Return elements as words, shape (elements, 4), or raise MalformedError."""
    data = b"".join(FieldElement(element).to_bytes(32, "little") for element in elements)
    return np.frombuffer(data, dtype="<u8").reshape(-1, WORDS).astype(np.uint64)


def from_words(words: NDArray[np.uint64]) -> tuple[FieldElement, ...]:
    """Return the elements of an array of shape (elements, 4), or raise MalformedError."""
    check_words(words, 2)
    data = words.astype("<u8").tobytes()
    starts = range(0, len(data), 32)
    return tuple(FieldElement(int.from_bytes(data[i : i + 32], "little")) for i in starts)


def words_from_bytes(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return elements, each written as 32 big-endian bytes, as words.

    Args:
        rows: Shape (elements, 32).

    Returns:
        Shape (elements, 4).

    Raises:
        MalformedError: Another type or shape, or an element that is not below r.
    """
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != 32:
        raise MalformedError(f"expected bytes in rows of 32, got {rows.dtype} of {rows.shape}")
    words = np.ascontiguousarray(rows[:, ::-1]).view("<u8").astype(np.uint64)
    check_words(words, 2)
    return words


def words_to_bytes(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return elements of shape (elements, 4) as 32 big-endian bytes each, shape (elements, 32).

    Raises:
        MalformedError: Another type or shape, or an element that is not below r.
    """
    check_words(words, 2)
    little = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    return np.ascontiguousarray(little[:, ::-1])


def check_words(words: NDArray[np.uint64], axes: int) -> None:
    """Check that an array has so many axes, the last of four words, and elements below r.

    Raises:
        MalformedError: It has not; nothing is ever reduced silently.
    """
    if words.dtype != np.uint64 or words.ndim != axes or words.shape[-1] != WORDS:
        found = f"{words.dtype} of shape {words.shape}"
        raise MalformedError(f"expected {axes} axes of uint64, the last of 4 words, got {found}")
    outside = np.argwhere(~_below_order(words))
    if len(outside):
        place = tuple(map(int, outside[0]))
        raise MalformedError(f"the element at {place} is not below the BN254 scalar order")


def _below_order(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return, without the last axis, which elements are below r; compared from the top word."""
    below = np.zeros(words.shape[:-1], dtype=np.bool_)
    equal = ~below
    for i in reversed(range(WORDS)):
        below |= equal & (words[..., i] < _ORDER_WORDS[i])
        equal &= words[..., i] == _ORDER_WORDS[i]
    return below
