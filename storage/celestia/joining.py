"""Shares of one namespace -> the blobs that they hold.

A sequence begins at each share with the start bit. Strangers may post into any namespace, so what
a block may rightfully hold never makes this fail: padding, share versions that are not ours, and
blobs beyond our limit are passed over. What no valid block can hold is refused.

Source: celestiaorg/go-square v4.0.0, share/split_sparse_shares.go, share/padding.go.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from provenance.errors import VerificationError
from storage.celestia.share import (
    HEAD_BYTES,
    LENGTH_BYTES,
    MAX_BLOB_BYTES,
    SIGNER_BYTES,
    Blob,
    Placed,
    padding,
)


def join(namespace: bytes, shares: Sequence[bytes], first: int) -> tuple[Placed, ...]:
    """Return the blobs in `shares`, in order.

    Args:
        namespace: That of every share.
        shares: All shares of the namespace in one block, 512 bytes each, in order.
        first: Position of the first in the original square, row by row.

    Raises:
        VerificationError: The shares are none that a valid block can hold.
    """
    found = ((start, _blob(namespace, sequence)) for start, sequence in _sequences(shares))
    return tuple(Placed(blob, first + start) for start, blob in found if blob)


def _sequences(shares: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    starts = [place for place, share in enumerate(shares) if share[HEAD_BYTES - 1] & 1]
    if shares and starts[:1] != [0]:
        raise VerificationError("namespace data: a share continues what never began")
    for start, end in pairwise([*starts, len(shares)]):
        yield start, shares[start:end]


def _blob(namespace: bytes, sequence: Sequence[bytes]) -> Blob | None:
    head, rest = sequence[0], sequence[1:]
    version = head[HEAD_BYTES - 1] >> 1
    length = int.from_bytes(head[HEAD_BYTES : HEAD_BYTES + LENGTH_BYTES], "big")
    if version > 1:
        return None
    if not length:
        if rest or head != padding(namespace, version):
            raise VerificationError("namespace data: padding that is not empty")
        return None
    if any(share[HEAD_BYTES - 1] != version << 1 for share in rest):
        raise VerificationError("namespace data: a blob of two share versions")
    body = HEAD_BYTES + LENGTH_BYTES + SIGNER_BYTES * version
    content = head[body:] + b"".join(share[HEAD_BYTES:] for share in rest)
    spare = len(content) - length
    if spare < 0 or (rest and spare >= len(rest[-1]) - HEAD_BYTES):
        raise VerificationError("namespace data: a blob has more shares or fewer than it needs")
    if content[length:].strip(b"\0"):
        raise VerificationError("namespace data: a blob is not filled up with zeros")
    if length > MAX_BLOB_BYTES:
        return None
    return Blob(namespace, content[:length], version, head[HEAD_BYTES + LENGTH_BYTES : body])
