"""A request's body on its way in: counted while it is read, for itself and with all others."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

from storage.celestia.serving.protocol import MOST_BYTES, PARSE, BusyError, ProtocolError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
MOST_BODIES: Final = 128 * 2**20
"""Bytes of all bodies that are read or worked on at once."""


class GoneError(Exception):
    """The caller has gone away; nobody reads an answer."""


class Budget:
    """Bytes of all bodies together, whichever thread or loop reads them."""

    def __init__(self) -> None:
        self._lock, self._bytes = Lock(), 0

    def take(self, more: int) -> None:
        """Count `more` bytes, or raise BusyError if that is too many; less than 0 gives back."""
        with self._lock:
            if more > 0 and self._bytes + more > MOST_BODIES:
                raise BusyError
            self._bytes += more


class Body:
    """One body; its bytes are counted until the block that uses it ends."""

    def __init__(self, budget: Budget, receive: Receive) -> None:
        """Read what `receive` gives."""
        self._budget, self._receive, self._size = budget, receive, 0

    async def read(self, seconds: float) -> bytes:
        """Return the whole body.

        Raises:
            BusyError: All bodies together are too large.
            GoneError: The caller went away before its end.
            ProtocolError: It is too large; no more of it is read.
            TimeoutError: It takes longer than `seconds`.
        """
        return await asyncio.wait_for(self._read(), seconds)

    async def _read(self) -> bytes:
        parts: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise GoneError
            part: bytes = message.get("body", b"")
            self._budget.take(len(part))
            self._size += len(part)
            if self._size > MOST_BYTES:
                raise ProtocolError(PARSE, f"request bigger than maximum {MOST_BYTES} allowed")
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def __enter__(self) -> Self:
        """Begin to count."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back what was counted."""
        self._budget.take(-self._size)


async def gone(receive: Receive) -> None:
    """Return once the caller has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
