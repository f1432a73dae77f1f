"""Submissions on their way into the file: one thread writes, and takes all that wait at once.

Several that wait share one transaction, so one wait for the disk; each is still a block of its own.
A caller that goes away changes nothing: what was taken is written.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from threading import Lock
from typing import Final

from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.protocol import BusyError
from storage.celestia.share import Blob

MOST_WAITING_BYTES: Final = 64 * 2**20
MOST_AT_ONCE: Final = 64
MOST_BYTES_AT_ONCE: Final = 2**20
"""Bytes from which on a transaction takes no further submission, so that small ones do not wait."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A submission, and where its height is told."""

    blobs: tuple[Blob, ...]
    height: "Future[int]" = field(default_factory=Future)

    @property
    def size(self) -> int:
        """Bytes that are kept while it waits."""
        return sum(len(blob.data) for blob in self.blobs)


class Poster:
    """Writes submissions in the order in which they came."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        """Write to `ledger`."""
        self._ledger = ledger
        self._lock = Lock()
        self._waiting: list[Waiting] = []
        self._is_writing = False
        self._bytes = 0
        self._writer = ThreadPoolExecutor(1, "ledger-writer")

    def submit(self, blobs: Sequence[Blob]) -> "Future[int]":
        """Return where the height of the block that holds `blobs` will be told.

        Raises:
            BusyError: Too many bytes wait already.
        """
        entry = Waiting(tuple(blobs))
        with self._lock:
            if self._bytes and self._bytes + entry.size > MOST_WAITING_BYTES:
                raise BusyError
            self._bytes += entry.size
            self._waiting.append(entry)
            if not self._is_writing:
                self._writer.submit(self._write)
                self._is_writing = True
        return entry.height

    def close(self) -> None:
        """Write what waits, then stop."""
        self._writer.shutdown()

    def _write(self) -> None:
        while entries := self._take():
            for entry, told in zip(entries, self._outcomes(entries), strict=True):
                _tell(entry, told)

    def _take(self) -> list[Waiting]:
        with self._lock:
            total = accumulate(entry.size for entry in self._waiting[: MOST_AT_ONCE - 1])
            count = 1 + sum(size < MOST_BYTES_AT_ONCE for size in total)
            entries, self._waiting = self._waiting[:count], self._waiting[count:]
            self._is_writing = bool(entries)
        return entries

    def _outcomes(self, entries: Sequence[Waiting]) -> Sequence[int | Exception]:
        try:
            return self._ledger.submit_all([entry.blobs for entry in entries])
        except Exception as error:  # noqa: BLE001  # whoever waits must hear of it
            return [error] * len(entries)
        finally:
            with self._lock:
                self._bytes -= sum(entry.size for entry in entries)


def _tell(entry: Waiting, told: int | Exception) -> None:
    if not entry.height.set_running_or_notify_cancel():  # its caller has gone away
        return
    if isinstance(told, int):
        entry.height.set_result(told)
    else:
        entry.height.set_exception(told)
