"""A node over HTTP: one call at a time or many at once, each with a deadline and a bound."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Final, Self, TypeVar

import anyio
import httpx

from provenance.errors import MalformedError
from storage.celestia.client.address import Address
from storage.celestia.client.call import MIB, Call
from storage.celestia.client.codec import decode_reply, encode_call
from storage.celestia.client.errors import DeadlineError, NodeError
from storage.celestia.client.exchange import exchange, network
from storage.celestia.client.token import Token

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

CONNECT_SECONDS: Final = 10.0
MOST_AT_ONCE: Final = 32
"""Calls on their way; beyond that httpcore's pool takes time with the square of those who wait."""
_BACKOFF: Final = (0.25, 0.5, 1.0)


class AsyncNode:
    """A node, asked from a program that does many things at once."""

    def __init__(
        self,
        url: str,
        token: Token | str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        authorities: Path | None = None,
        plain: bool = False,
        most_bytes: int = 64 * MIB,
        sleep: Sleep = anyio.sleep,
    ) -> None:
        """Take note of the node; nothing is sent yet.

        Args:
            url: `http://localhost:26658`, or https.
            token: The bearer token, if the node wants one.
            transport: Instead of the network, for tests and for a node in this process.
            authorities: A PEM file of the certificate authorities that count instead of the
                system's.
            plain: Whether a token may go unencrypted to another machine.
            most_bytes: No answer may be longer, whatever the call's own bound.
            sleep: Waits between two tries.

        Raises:
            MalformedError: No such address, token or file, or a token that others could read.
        """
        self._address = Address.parse(url)
        self._token = Token(token) if isinstance(token, str) else token
        if self._token is not None and not (plain or self._address.is_private):
            raise MalformedError(
                f"{self._address.origin}: the token would go unencrypted; use https, or allow it"
            )
        self._transport = transport or network(authorities)
        self._places = anyio.Semaphore(MOST_AT_ONCE)
        self._most_bytes, self._sleep, self._numbers = most_bytes, sleep, count(1)

    async def ask(self, call: Call[T]) -> T:
        """Return what the node answers, read as `call` says.

        A read that found no connection or a busy node is tried again, three times at most, within
        the call's time. A write is sent once.

        Raises:
            NodeError: No usable answer; after a write, `is_refusal` says whether it surely was not
                done.
            MalformedError: The answer is not one to this call; a write may have been done.
        """
        with anyio.move_on_after(call.seconds):
            return await self._tries(call)
        raise DeadlineError(
            f"{call.method} at {self._address.origin}: no whole answer in {call.seconds:g} s"
        )

    async def _tries(self, call: Call[T]) -> T:
        for pause in () if call.writes else _BACKOFF:
            try:
                return await self._once(call)
            except NodeError as error:
                if error.kind not in ("unreachable", "busy"):
                    raise
            await self._sleep(pause)
        return await self._once(call)

    async def _once(self, call: Call[T]) -> T:
        number = next(self._numbers)
        try:
            request = self._request(encode_call(number, call), call.seconds)
            most = min(call.most, self._most_bytes)
            async with self._places:
                status, body = await exchange(self._transport, request, most)
            return call.read(decode_reply(number, status, body, self._secrets(call)))
        except (NodeError, MalformedError) as error:
            raise self._located(call, error) from error.__cause__

    def _secrets(self, call: Call[T]) -> list[str]:
        token = self._token.text if self._token is not None else ""
        return [secret for secret in (token, call.secret) if secret]

    def _request(self, body: bytes, seconds: float) -> httpx.Request:
        headers = {
            "accept": "application/json",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "user-agent": "rootline",
        }
        if self._token is not None:
            headers["authorization"] = f"Bearer {self._token.text}"
        patience = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        return httpx.Request(
            "POST",
            self._address.url,
            headers=headers,
            content=body,
            extensions={"timeout": patience.as_dict()},
        )

    def _located(
        self, call: Call[T], error: NodeError | MalformedError
    ) -> NodeError | MalformedError:
        """Return the error with the node's name, and without secrets that the node repeats."""
        text = f"{call.method} at {self._address.origin}: {error}"
        for secret in self._secrets(call):
            text = text.replace(secret, "[secret]")
        if isinstance(error, NodeError):
            return NodeError(error.kind, text, refused=error.is_refusal)
        return MalformedError(text)

    async def aclose(self) -> None:
        """Close what connections there are."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Node:
    """The same node, asked one call after the other; may be shared by threads."""

    def __init__(self, node: AsyncNode) -> None:
        """Start the thread that asks `node`, which belongs to this object from now on.

        The thread keeps no program alive: one that ends without `close` ends all the same.
        """
        self._node = node
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="node", daemon=True)
        self._thread.start()

    def ask(self, call: Call[T]) -> T:
        """Return what the node answers; see `AsyncNode.ask`."""
        future = asyncio.run_coroutine_threadsafe(self._node.ask(call), self._loop)
        try:
            return future.result()
        finally:
            future.cancel()  # when the wait was interrupted; a call that is done is not touched

    def close(self) -> None:
        """Close the connections and end the thread; once is enough."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._node.aclose(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
