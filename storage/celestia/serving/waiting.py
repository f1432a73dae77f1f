"""WaitForHeight: callers that wait for a block, and one thread that looks while there are any.

The chain makes no blocks by itself. A caller with a write token who waits for one of the next few
heights gets them made, empty: at once on a block that holds something, else one every `pace`
seconds, so that whoever follows the chain with such a token does not fill the disk. All others wait
for a block that somebody submits; another process may write it, so the file is looked at.
"""

from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from typing import Final

from provenance.errors import UnavailableError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.protocol import BusyError

AHEAD: Final = 16
"""Blocks above the head that a waiting caller may have made, at most."""
MOST_WAITING: Final = 256
LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Wanted:
    """A height that a caller waits for, and whether blocks may be made for him."""

    height: int
    is_made: bool


class Heights:
    """Callers that wait for a block."""

    def __init__(self, ledger: EmbeddedLedger, pace: float) -> None:
        """Look at `ledger`; make at most an empty block on an empty one every `pace` seconds."""
        self._ledger, self._pace = ledger, pace
        self._changed = Condition()
        self._waiting: dict[Future[None], Wanted] = {}
        self._is_looking = False
        self._is_open = True
        self._made_at = -pace

    def reach(self, height: int, *, is_made: bool) -> "Future[None]":
        """Return what is done once there is a block `height`; `forget` it if it is left early.

        Raises:
            BusyError: Too many wait already, or the server stops.
        """
        future: Future[None] = Future()
        with self._changed:
            if not self._is_open or len(self._waiting) >= MOST_WAITING:
                raise BusyError
            self._waiting[future] = Wanted(height, is_made)
            if not self._is_looking:
                self._is_looking = True
                Thread(target=self._look, name="ledger-heights", daemon=True).start()
            self._changed.notify()
        return future

    def forget(self, future: "Future[None]") -> None:
        """Let go of a caller who has gone away."""
        with self._changed:
            self._waiting.pop(future, None)
            self._changed.notify()

    def wake(self) -> None:
        """Look now: a block was written."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """Tell all who wait that the server stops."""
        with self._changed:
            self._is_open = False
            waiting, self._waiting = self._waiting, {}
            self._changed.notify()
        for future in waiting:
            _tell(future, UnavailableError("context canceled: the server stops"))

    @property
    def count(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def _look(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._is_looking = False
                    return
                waiting = dict(self._waiting)
            try:
                self._serve(waiting)
            except Exception as error:  # noqa: BLE001  # whoever waits must hear of it
                self._finish(tuple(waiting), error)

    def _serve(self, waiting: "dict[Future[None], Wanted]") -> None:
        head = self._ledger.head()
        done = tuple(future for future, wanted in waiting.items() if wanted.height <= head)
        self._finish(done)
        is_made = any(
            wanted.is_made and head < wanted.height <= head + AHEAD for wanted in waiting.values()
        )
        if is_made and self._is_due(head):
            self._ledger.advance()
            self._made_at = monotonic()
        elif not done:
            with self._changed:
                self._changed.wait(min(LOOK_SECONDS, self._pace) if is_made else LOOK_SECONDS)

    def _is_due(self, head: int) -> bool:
        return monotonic() >= self._made_at + self._pace or bool(self._ledger.all_blobs(head))

    def _finish(self, done: "tuple[Future[None], ...]", error: Exception | None = None) -> None:
        with self._changed:
            found = [future for future in done if self._waiting.pop(future, None)]
        for future in found:
            _tell(future, error)


def _tell(future: "Future[None]", error: Exception | None) -> None:
    with suppress(Exception):  # its caller may go away at this moment
        future.set_exception(error) if error else future.set_result(None)
