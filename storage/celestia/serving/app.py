"""The ASGI application: who asks, and how much at most; `answering.py` does the rest.

No request, token or address is logged.

Source: celestiaorg/celestia-node v0.31.4, api/rpc/server.go, and go-jsonrpc's auth/handler.go.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.answering import Answers
from storage.celestia.serving.bodies import Body, Budget, GoneError, Message, Receive
from storage.celestia.serving.protocol import BusyError, ProtocolError, failure, write
from storage.celestia.serving.tokens import Role, Tokens
from storage.celestia.serving.waiting import Heights

Send = Callable[[Message], Awaitable[None]]
WAIT_SECONDS: Final = 240.0
"""Less than the five minutes in which a node must have answered."""
READ_SECONDS: Final = 30.0
"""As a node's own bound."""


class NodeApp:
    """The embedded ledger behind celestia-node's JSON-RPC, as an ASGI application."""

    def __init__(
        self,
        ledger: EmbeddedLedger,
        tokens: Tokens,
        *,
        pace: float = 1.0,
        wait_seconds: float = WAIT_SECONDS,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """Serve `ledger`.

        Args:
            ledger: What is served; other processes may use its file meanwhile.
            tokens: Who may do what.
            pace: Seconds between empty blocks that WaitForHeight makes on empty ones.
            wait_seconds: How long WaitForHeight waits at most.
            read_seconds: How long a request's body may take to come.
        """
        self.budget = Budget()
        self._tokens, self._read_seconds = tokens, read_seconds
        self._answers = Answers(ledger, tokens, pace, wait_seconds)

    @property
    def heights(self) -> Heights:
        """Who waits for a block."""
        return self._answers.heights

    def close(self) -> None:
        """Stop: whoever waits for a block is told, and what was submitted is written."""
        self._answers.close()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one connection's event, as ASGI has it."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(dict(scope["headers"]).get(b"authorization"), receive, send)

    async def _http(self, header: bytes | None, receive: Receive, send: Send) -> None:
        role = self._role(header)
        if role is None:
            await _respond(send, 401, b"")
            return
        with Body(self.budget, receive) as held:
            try:
                body = await held.read(self._read_seconds)
                await _respond(send, *await self._answers.to(body, role, receive))
            except ProtocolError as error:
                answer = failure(error.code, str(error), None)
                await _respond(send, error.status, write([answer], is_batch=False))
            except BusyError as error:
                await _respond(send, 503, f"{error}\n".encode(), b"text/plain; charset=utf-8")
            except TimeoutError:
                await _respond(send, 408, b"")
            except GoneError:
                return

    def _role(self, header: bytes | None) -> Role | None:
        if not header:
            return Role.PUBLIC
        name, _, token = header.partition(b" ")
        return self._tokens.role(token.decode("latin-1")) if name == b"Bearer" else None


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"].rpartition(".")[2]
        await send({"type": f"lifespan.{kind}.complete"})
        if kind == "shutdown":
            return


async def _respond(send: Send, status: int, body: bytes, kind: bytes = b"application/json") -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    if body:
        headers.append((b"content-type", kind))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
