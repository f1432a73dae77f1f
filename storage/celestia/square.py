"""Where blobs stand in a block: the original square, laid out as Celestia lays out blobs.

Blobs are sorted by namespace, those of one namespace as they came. Each begins at a multiple of its
subtree width, so that its subtrees stand whole; gaps are padded with empty shares of the blob
before. The square is the smallest that surely holds them, with the worst padding assumed; the rest
is tail padding. There are no transactions in the blocks made here.

Source: celestiaorg/go-square v4.0.0, builder.go, inclusion/blob_share_commitment_rules.go,
share/padding.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from provenance.errors import MalformedError
from storage.celestia import erasure, nmt
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.erasure import MAX_EXTENDED, Shares
from storage.celestia.nmt import NAMESPACE_BYTES, PARITY, Node
from storage.celestia.share import (
    SHARE_BYTES,
    Blob,
    ceil_root,
    count_shares,
    padding,
    round_up,
    split,
    subtree_width,
)

TAIL_NAMESPACE: Final = b"\xff" * 28 + b"\xfe"


@dataclass(frozen=True, slots=True)
class Square:
    """An original square of `size` rows; `starts` holds each blob's first share, in given order."""

    size: int
    shares: tuple[bytes, ...]
    starts: tuple[int, ...]


def lay_out(blobs: Sequence[Blob]) -> Square:
    """Return the square that holds `blobs`.

    Raises:
        MalformedError: They do not fit into the largest square.
    """
    size = square_size(blobs)
    shares: list[bytes] = []
    starts = [0] * len(blobs)
    gap = b""
    for index in sorted(range(len(blobs)), key=lambda index: blobs[index].namespace):
        parts = split(blobs[index])
        width = subtree_width(len(parts))
        shares += [gap] * (-len(shares) % width)
        starts[index] = len(shares)
        shares += parts
        gap = padding(blobs[index].namespace, blobs[index].version)
    shares += [padding(TAIL_NAMESPACE)] * (size * size - len(shares))
    return Square(size, tuple(shares), tuple(starts))


def square_size(blobs: Sequence[Blob]) -> int:
    """Return the rows of the square that `lay_out` makes, or raise MalformedError."""
    counts = [count_shares(blob) for blob in blobs]
    size = round_up(ceil_root(sum(count + subtree_width(count) - 1 for count in counts)))
    if size > MAX_EXTENDED:
        raise MalformedError(
            f"{len(blobs)} blobs need a square of {size} rows; {MAX_EXTENDED} are possible: "
            "submit them in several blocks"
        )
    return size


def availability(square: Square) -> DataAvailabilityHeader:
    """Return the roots of all rows and columns of the extended square."""
    leaves = _leaves(erasure.extend(_array(square)), original=square.size)
    rows = tuple(nmt.root(row) for row in leaves)
    columns = tuple(nmt.root(column) for column in zip(*leaves, strict=True))
    return DataAvailabilityHeader(rows, columns)


def row_leaves(square: Square, first: int, last: int) -> list[list[Node]]:
    """Return the 2k leaves of each of the original rows `first` to `last`."""
    rows = _array(square)[first : last + 1]
    right = erasure.parity(rows.swapaxes(0, 1)).swapaxes(0, 1)
    return _leaves(np.concatenate([rows, right], axis=1), original=len(rows))


def _array(square: Square) -> Shares:
    flat = np.frombuffer(b"".join(square.shares), dtype=np.uint8)
    return flat.reshape(square.size, square.size, SHARE_BYTES)


def _leaves(rows: Shares, original: int) -> list[list[Node]]:
    size = rows.shape[1] // 2
    return [
        [
            nmt.leaf(share[:NAMESPACE_BYTES] if i < original and j < size else PARITY, share)
            for j, share in enumerate(map(bytes, row))
        ]
        for i, row in enumerate(rows)
    ]
