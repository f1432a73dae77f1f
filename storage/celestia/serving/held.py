"""A block as the methods see it, and the few that were asked for last.

A square is laid out anew from its blobs; whoever asks for the proofs of a block's blobs one by one
should not pay for it each time.
"""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Final

import numpy as np

from provenance.canonical import decode_loose
from provenance.errors import UnavailableError
from storage.celestia import erasure
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.erasure import Shares
from storage.celestia.extended import ExtendedHeader
from storage.celestia.share import SHARE_BYTES, Blob, share_commitment
from storage.celestia.square import Square, lay_out

_MOST_SHARES: Final = 2 * erasure.MAX_EXTENDED**2
"""Shares of all squares that are kept: two of the largest, 16 MiB."""
_MOST_KEPT: Final = 64
"""Headers that are kept, and blocks, however small they are."""


@dataclass(frozen=True)
class Held:
    """One block: its header, as written and read, its blobs as they were submitted, its square."""

    written: bytes
    extended: ExtendedHeader
    blobs: tuple[Blob, ...]
    laid: Square

    @cached_property
    def commitments(self) -> tuple[bytes, ...]:
        """The share commitment of each blob."""
        return tuple(map(share_commitment, self.blobs))

    @cached_property
    def places(self) -> dict[tuple[bytes, bytes], int]:
        """Where each blob stands among `blobs`, by namespace and share commitment."""
        names = zip((blob.namespace for blob in self.blobs), self.commitments, strict=True)
        return {name: place for place, name in enumerate(names)}

    @property
    def square(self) -> Shares:
        """The extended square: (2k, 2k, 512)."""
        size = self.laid.size
        flat = np.frombuffer(b"".join(self.laid.shares), dtype=np.uint8)
        return erasure.extend(flat.reshape(size, size, SHARE_BYTES))

    def place(self, namespace: bytes, commitment: bytes) -> int:
        """Return where a blob stands among `blobs`, or raise UnavailableError as a node does."""
        try:
            return self.places[namespace, commitment]
        except KeyError:
            raise UnavailableError("blob: not found") from None

    def index(self, place: int) -> int:
        """Return where a blob begins in the extended square, as a node counts."""
        row, column = divmod(self.laid.starts[place], self.laid.size)
        return row * 2 * self.laid.size + column


class Blocks:
    """The blocks of a ledger, the last few of them kept."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        """Read from `ledger`."""
        self._ledger = ledger
        self._lock = Lock()
        self._kept: OrderedDict[int, Held] = OrderedDict()
        self._headers: OrderedDict[int, tuple[bytes, ExtendedHeader]] = OrderedDict()

    def header(self, height: int) -> ExtendedHeader:
        """Return the header of a block; the file is read each time, but the same bytes once."""
        return self._read(height)[1]

    def at(self, height: int) -> Held:
        """Return a block; its header is read from the file each time, so that it is that one."""
        written, extended = self._read(height)
        with self._lock:
            held = self._kept.get(height)
        if held is None or held.written != written:
            blobs = self._ledger.all_blobs(height)
            held = Held(written, extended, blobs, lay_out(blobs))
        self._keep(height, held)
        return held

    def _read(self, height: int) -> tuple[bytes, ExtendedHeader]:
        written = self._ledger.written_header(height)
        with self._lock:
            kept = self._headers.get(height)
        if kept is None or kept[0] != written:
            kept = (written, ExtendedHeader.from_json(decode_loose(written)))
        with self._lock:
            self._headers[height] = kept
            self._headers.move_to_end(height)
            if len(self._headers) > _MOST_KEPT:
                self._headers.popitem(last=False)
        return kept

    def _keep(self, height: int, held: Held) -> None:
        with self._lock:
            self._kept[height] = held
            self._kept.move_to_end(height)
            shares = sum(len(each.laid.shares) for each in self._kept.values())
            while shares > _MOST_SHARES or len(self._kept) > _MOST_KEPT:
                shares -= len(self._kept.popitem(last=False)[1].laid.shares)
