"""Many messages, one after the other by hashlib: for few of them, or where numba is missing."""

from hashlib import sha256
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def hash_messages(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], prefix: bytes
) -> NDArray[np.uint8]:
    """Return the digests of messages that were checked: (messages, 32)."""
    view = np.ascontiguousarray(data).data
    begun = sha256(prefix)
    digests = bytearray()
    for start, end in pairwise(offsets.tolist()):
        hashed = begun.copy()
        hashed.update(view[start:end])
        digests += hashed.digest()
    return np.frombuffer(bytes(digests), np.uint8).reshape(-1, 32)
