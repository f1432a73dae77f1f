"""The ASGI application: who asks, how much at most, and which method answers.

Nothing that reads the file or hashes runs on the event loop, and nothing here is bound to one loop:
several loops may use one application at once, as tests do. No request, token or address is logged.

Source: celestiaorg/celestia-node v0.31.4, api/rpc/server.go, and go-jsonrpc's auth/handler.go.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Final, TypeVar

from provenance.errors import MalformedError, ProvenanceError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving import params, protocol
from storage.celestia.serving.methods import METHODS, STREAMS, SUBMIT, WAIT
from storage.celestia.serving.node import ServedLedger
from storage.celestia.serving.posting import Poster
from storage.celestia.serving.protocol import Answer, BusyError, ProtocolError, Request
from storage.celestia.serving.tokens import Role, Tokens
from storage.celestia.serving.waiting import Heights

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")
THREADS: Final = 4
SMALL_BODY: Final = 2**16
"""Bytes of a body that is parsed on the event loop: below a millisecond."""
MOST_BODIES: Final = 128 * 2**20
"""Bytes of all bodies that are read or worked on at once."""
WAIT_SECONDS: Final = 240.0
"""Less than the five minutes in which a node must have answered."""
_TOO_LARGE: Final = f"request bigger than maximum {protocol.MOST_BYTES} allowed"


class NodeApp:
    """The embedded ledger behind celestia-node's JSON-RPC, as an ASGI application."""

    def __init__(
        self,
        ledger: EmbeddedLedger,
        tokens: Tokens,
        *,
        pace: float = 1.0,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        """Serve `ledger`.

        Args:
            ledger: What is served; other processes may use its file meanwhile.
            tokens: Who may do what.
            pace: Seconds between empty blocks that WaitForHeight makes on empty ones.
            wait_seconds: How long WaitForHeight waits at most.
        """
        self._node = ServedLedger(ledger, tokens)
        self._poster = Poster(ledger)
        self.heights = Heights(ledger, pace)
        self._wait_seconds = wait_seconds
        self._workers = ThreadPoolExecutor(THREADS, "ledger-rpc")
        self._lock, self._bytes = Lock(), 0

    def close(self) -> None:
        """Stop: whoever waits for a block is told, and what was submitted is written."""
        self.heights.close()
        self._poster.close()
        self._workers.shutdown()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection's event, as ASGI has it."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        role = self._role(dict(scope["headers"]).get(b"authorization"))
        if role is None:
            await _respond(send, 401, b"")
            return
        held = _Body(self)
        try:
            await _respond(send, *await self._answered(held, role, receive))
        except BusyError as error:
            await _respond(send, 503, f"{error}\n".encode(), "text/plain; charset=utf-8")
        except _GoneError:
            pass
        finally:
            held.release()

    def _role(self, header: bytes | None) -> Role | None:
        if not header:
            return Role.PUBLIC
        name, _, token = header.partition(b" ")
        return self._node.tokens.role(token.decode("latin-1")) if name == b"Bearer" else None

    async def _answered(self, held: "_Body", role: Role, receive: Receive) -> tuple[int, bytes]:
        try:
            body = await held.read(receive)
            requests, is_batch = await self._parse(len(body), protocol.read, body)
        except ProtocolError as error:
            answer = protocol.failure(error.code, str(error), None)
            return error.status, protocol.write([answer], is_batch=False)
        size = len(body)
        answers = [await self._answer(request, role, receive, size) for request in requests]
        wanted = [a for a, r in zip(answers, requests, strict=True) if _is_wanted(a, r)]
        if not wanted:
            return 200, b"[]\n" if is_batch else b""
        status = 200 if is_batch else wanted[0].status
        return status, protocol.write(wanted, is_batch=is_batch)

    async def _answer(
        self, request: Request | Answer, role: Role, receive: Receive, size: int
    ) -> Answer:
        if isinstance(request, Answer):
            return request
        try:
            return protocol.result(await self._result(request, role, receive, size), request.id)
        except ProtocolError as error:
            return protocol.failure(error.code, str(error), request.id, error.status)
        except BusyError:
            raise
        except ProvenanceError as error:
            return protocol.failure(protocol.APPLICATION, _text(error), request.id)

    async def _result(self, request: Request, role: Role, receive: Receive, size: int) -> bytes:
        name = request.method
        if name in STREAMS:
            why = f"method '{name}' not supported in this mode (no out channel support)"
            raise ProtocolError(protocol.NO_METHOD, why)
        if name not in METHODS:
            raise ProtocolError(protocol.NO_METHOD, f"method '{name}' not found")
        method = METHODS[name]
        values = await self._parse(size, params.read, name, request.params, method.params)
        if role < method.role:
            short, needed = name.partition(".")[2], method.role.name.lower()
            raise MalformedError(f"missing permission to invoke '{short}' (need '{needed}')")
        if name == SUBMIT:
            return protocol.encode(await self._submit(*values))
        if name == WAIT:
            await self._reach(values[0], role, receive)
        return await self._work(lambda: protocol.encode(method.run(self._node, *values)))

    async def _submit(self, blobs: Any, _: object) -> int:  # noqa: ANN401  # a tuple of blobs
        if not blobs:
            raise MalformedError("state: no blobs provided")
        height = await asyncio.wrap_future(self._poster.submit(blobs))
        self.heights.wake()
        return height

    async def _reach(self, height: int, role: Role, receive: Receive) -> None:
        if height == 0:
            raise MalformedError("header/store: height must be bigger than zero")
        future = self.heights.reach(height, is_made=role >= Role.WRITE)
        reached = asyncio.wrap_future(future)
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait(
                {reached, gone}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if not reached.done():
                if gone.done():
                    raise _GoneError
                raise MalformedError("context deadline exceeded")
            reached.result()
        finally:
            self.heights.forget(future)
            gone.cancel()
            reached.cancel()

    async def _parse(self, size: int, parse: Callable[..., T], *values: object) -> T:
        """Run what takes no time on a small body and long on a large one."""
        if size <= SMALL_BODY:
            return parse(*values)
        return await self._work(lambda: parse(*values))

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._workers.submit(work))

    def take(self, more: int) -> None:
        """Count bytes of a body, or raise BusyError when all bodies together are too large."""
        with self._lock:
            if more > 0 and self._bytes + more > MOST_BODIES:
                raise BusyError
            self._bytes += more


class _GoneError(Exception):
    """The caller has gone away; nobody reads an answer."""


class _Body:
    """A request's body while it is read and worked on; its bytes are counted all the while."""

    def __init__(self, app: NodeApp) -> None:
        self._app, self._size = app, 0

    async def read(self, receive: Receive) -> bytes:
        """Return the whole body, or raise ProtocolError as soon as it is too large."""
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _GoneError
            part: bytes = message.get("body", b"")
            self._app.take(len(part))
            self._size += len(part)
            if self._size > protocol.MOST_BYTES:
                raise ProtocolError(protocol.PARSE, _TOO_LARGE)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)

    def release(self) -> None:
        """Count the bytes no more."""
        self._app.take(-self._size)


def _is_wanted(answer: Answer, request: Request | Answer) -> bool:
    """A call without a number is answered only if it reached no method."""
    is_call = isinstance(request, Answer) or request.id is not None
    return is_call or answer.status != 200


def _text(error: ProvenanceError) -> str:
    return " ".join(str(error).split())


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"].rpartition(".")[2]
        await send({"type": f"lifespan.{kind}.complete"})
        if kind == "shutdown":
            return


async def _respond(send: Send, status: int, body: bytes, kind: str = "application/json") -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", kind.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
