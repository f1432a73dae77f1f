"""Keys, salts and leaves of many at once; each equals what provenance.exclusion_key says of one.

Keys from outside are bytes in rows of 31. Inside, a key is a row of 32, the first byte 0: so it is
a field element as files hold it, and four big-endian words that compare as the key does.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.exclusion_key import BITS, KEY_TAG, LEAF, SALT_TAG
from provenance.leaf import DatasetKey, bucket_key
from provenance.poseidon import poseidon_checked
from provenance.sha256 import sha256_rows

ROW: Final = 32
BLOCK: Final = 2**16
"""Keys of an index that are searched at a time: 2 MB."""
Bytes = NDArray[np.uint8]
"""Rows of bytes."""
Words = NDArray[np.uint64]
"""Field elements, the last axis four words, lowest first."""
_TEXT: Final = np.dtype("S32")
"""A row as numpy sorts it: bytewise, zeros within included."""
_EXACT: Final = (
    KEY_TAG
    + b"".join(len(part).to_bytes(4, "big") + part for part in (b"exact/1", b""))
    + ROW.to_bytes(4, "big")
)


def as_rows(keys: Bytes) -> Bytes:
    """Return keys, shape (keys, 31), as rows of 32, or raise MalformedError for another shape."""
    _check_rows(keys, 31)
    rows = np.zeros((len(keys), ROW), np.uint8)
    rows[:, 1:] = keys
    return rows


def key_array(keys: Iterable[bytes]) -> Bytes:
    """Return keys, 31 bytes each, as an array of shape (keys, 31)."""
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 31)


def texts(rows: Bytes) -> NDArray[np.bytes_]:
    """Return rows of 32 as numpy's strings, which sort and search as keys do; nothing is copied."""
    return np.ascontiguousarray(rows).view(_TEXT).ravel()


def distinct(rows: Bytes, *, in_runs: bool = False) -> Bytes:
    """Return the different ones of rows of 32, in order; sooner if they are known to be in runs."""
    kind: Literal["stable", "quicksort"] = "stable" if in_runs else "quicksort"
    ordered = np.sort(texts(rows), kind=kind).view(np.uint8).reshape(-1, ROW)
    words = ordered.view(np.uint64)
    fresh = np.ones(len(words), np.bool_)
    fresh[1:] = (words[1:] != words[:-1]).any(axis=1)
    return ordered if fresh.all() else ordered[fresh]


def shared_bits(words: Words) -> NDArray[np.int16]:
    """Return how many of their first bits each two consecutive keys share, shape (keys - 1,).

    Args:
        words: From `key_words`.

    Raises:
        MalformedError: The keys do not ascend, or one is there twice.
    """
    one, other = words[:-1], words[1:]
    bits = np.full(len(one), BITS, np.int16)
    same = np.arange(len(one))  # pairs that are alike so far
    for i in range(words.shape[1]):
        low, high = one[same, i], other[same, i]
        if (high < low).any():
            break
        bits[same] = 64 * (i + 1) - _bit_lengths(low ^ high) - (8 * ROW - BITS)
        same = same[low == high]
    if len(same):
        raise MalformedError("the keys of an index ascend, and each is there once")
    return bits


def key_words(rows: Bytes) -> Words:
    """Return rows of 32 as four words each, the highest first."""
    return np.ascontiguousarray(rows).view(">u8").astype(np.uint64)


def present(index: Bytes, keys: Bytes) -> NDArray[np.bool_]:
    """Return which of many keys are in an index, in one pass over it.

    Args:
        index: Its keys in order, in rows of 32; perhaps mapped from a file.
        keys: In any order, shape (keys, 31).
    """
    wanted = texts(as_rows(keys))
    order = np.argsort(wanted)
    wanted = wanted[order]
    found = np.zeros(len(wanted), np.bool_)
    for start in range(0, len(index), BLOCK):
        block = index[start : start + BLOCK]
        ends = texts(block[[0, -1]])
        low = int(np.searchsorted(wanted, ends[0]))
        high = int(np.searchsorted(wanted, ends[1], "right"))
        if low < high:
            held = texts(block)
            places = np.searchsorted(held, wanted[low:high])
            found[low:high] = held[np.minimum(places, len(held) - 1)] == wanted[low:high]
    answer = np.empty_like(found)
    answer[order] = found
    return answer


def exact_keys(contents: Bytes) -> Bytes:
    """Return the keys of records in an `exact/1` index.

    Args:
        contents: Content digests, shape (records, 32).

    Returns:
        Shape (records, 31), as `key("exact/1", "", content)` gives each.
    """
    _check_rows(contents, 32)
    return _hash_rows((_EXACT, contents))


def index_leaves(words: Words, salts: Bytes) -> Words:
    """Return the leaves of keys, from `key_words`, under their salts, in rows of 31."""
    inputs = np.zeros((len(words), 3, 4), np.uint64)
    inputs[:, 0, 0] = LEAF
    inputs[:, 1] = words[:, ::-1]
    inputs[:, 2] = key_words(as_rows(salts))[:, ::-1]
    return poseidon_checked(inputs)


class Salter:
    """Salts keys of an index; it remembers the keys of buckets."""

    def __init__(self, dataset_key: DatasetKey) -> None:
        self._dataset_key = dataset_key
        self._secrets = np.zeros((2**12, 16), np.uint8)
        self._known = np.zeros(2**12, np.bool_)

    def salts(self, rows: Bytes) -> Bytes:
        """Return the salts of keys, in rows of 32, in rows of 31."""
        buckets = rows[:, 1].astype(np.int64) << 4 | rows[:, 2] >> 4
        self._learn(np.unique(buckets[~self._known[buckets]]).tolist())
        return _hash_rows((SALT_TAG, self._secrets[buckets], rows[:, 1:]))

    def _learn(self, buckets: Sequence[int]) -> None:
        for number in buckets:
            secret = bucket_key(self._dataset_key, b"xslt", number)
            self._secrets[number] = np.frombuffer(secret, np.uint8)
            self._known[number] = True


def _hash_rows(parts: Sequence[bytes | Bytes]) -> Bytes:
    """Return the first 31 bytes of the SHA-256 of each row of `parts`, put one after the other."""
    columns = [
        np.frombuffer(part, np.uint8)[np.newaxis] if isinstance(part, bytes) else part
        for part in parts
    ]
    count = max(len(column) for column in columns) if len(columns[-1]) else 0
    filled = [np.broadcast_to(column, (count, column.shape[1])) for column in columns]
    return np.ascontiguousarray(sha256_rows(np.concatenate(filled, axis=1))[:, :31])


def _bit_lengths(words: Words) -> NDArray[np.int32]:
    # Without the bit under its top one a word is not rounded up to the next power of 2.
    return np.frexp((words & ~(words >> np.uint64(1))).astype(np.float64))[1]


def _check_rows(rows: Bytes, size: int) -> None:
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != size:
        raise MalformedError(f"expected bytes in rows of {size}, got {rows.dtype} of {rows.shape}")
