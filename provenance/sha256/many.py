"""SHA-256 of many messages, by the compiled kernel once it pays.

Loading numba and the kernel takes as long as hashlib takes for some hundred thousand messages. So
the first `PATIENCE` of a process are left to hashlib: a short command never waits for numba, and
whoever hashes in small batches soon has the kernel.
"""

import importlib
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.sha256 import plain
from provenance.sha256.constants import BLOCK

PATIENCE: Final = 2**16
PIECE: Final = 4096
"""Bytes on which the kernel gains about as much time as it gains by one message more."""


@cache
def kernels() -> ModuleType | None:
    """Return the compiled kernel, or None where numba cannot be imported; loads it."""
    try:
        return importlib.import_module("provenance.sha256.kernels")
    except ImportError:
        return None


class Chooser:
    """Leaves so many messages to hashlib, then chooses the kernel where there is one."""

    def __init__(
        self, patience: int = PATIENCE, load: Callable[[], ModuleType | None] = kernels
    ) -> None:
        self._left = patience
        self._load = load

    def choose(self, messages: int) -> ModuleType | None:
        """Return the kernel if it is to hash so many messages now."""
        self._left -= messages
        return self._load() if self._left < 0 else None


_chooser = Chooser()


def choose(messages: int) -> ModuleType | None:
    """Return the kernel if it is to hash so many messages now, by what this process asked for."""
    return _chooser.choose(messages)


def sha256_many(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], prefix: bytes = b""
) -> NDArray[np.uint8]:
    """Return the digests of messages that lie one after the other: (messages, 32).

    Args:
        data: Their bytes.
        offsets: Where each begins and the last one ends, shape (messages + 1,).
        prefix: What comes before each of them, whole blocks of 64 bytes: hashed only once.

    Raises:
        MalformedError: Another type or shape, offsets beyond the bytes, or a part of a block.
    """
    _check(data, offsets, prefix)
    lengths = np.diff(offsets)
    kernel = choose(len(lengths) + int(lengths.sum()) // PIECE)
    if kernel is None or not _fills(lengths, kernel.lanes()):
        return plain.hash_messages(data, offsets, prefix)
    digests: NDArray[np.uint8] = kernel.hash_messages(data, offsets, prefix)
    return digests


def sha256_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the digest of each row: (messages, bytes) -> (messages, 32).

    Raises:
        MalformedError: Another type or shape.
    """
    if rows.ndim != 2:
        raise MalformedError(f"expected rows of bytes, got shape {rows.shape}")
    count, size = rows.shape
    offsets = np.arange(count + 1, dtype=np.int64) * size
    return sha256_many(np.ascontiguousarray(rows).reshape(-1), offsets)


def _fills(lengths: NDArray[np.int64], lanes: int) -> bool:
    """Return whether no message is so long that most lanes would wait for its end."""
    return len(lengths) >= lanes and int(lengths.max()) * lanes <= 2 * int(lengths.sum())


def _check(data: NDArray[np.uint8], offsets: NDArray[np.int64], prefix: bytes) -> None:
    if data.dtype != np.uint8 or data.ndim != 1:
        raise MalformedError(f"expected bytes in one row, got {data.dtype} of {data.shape}")
    if offsets.dtype != np.int64 or offsets.ndim != 1 or not len(offsets):
        raise MalformedError(f"expected offsets, got {offsets.dtype} of {offsets.shape}")
    if offsets[0] < 0 or offsets[-1] > len(data) or (offsets[1:] < offsets[:-1]).any():
        raise MalformedError("the offsets of messages descend or leave their bytes")
    if len(prefix) % BLOCK:
        raise MalformedError(f"a prefix has whole blocks of {BLOCK} bytes, got {len(prefix)} bytes")
