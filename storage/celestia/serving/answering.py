"""A body -> its answers: each call finds its method, its parameters and its permission.

Nothing that reads the file or hashes runs on the event loop, and nothing here is bound to one loop:
several may use the same object at once, as tests do.

Source: filecoin-project/go-jsonrpc v0.10.1, handler.go (order of the checks) and auth/auth.go.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from provenance.errors import MalformedError, ProvenanceError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving import params, protocol
from storage.celestia.serving.bodies import GoneError, Receive, gone
from storage.celestia.serving.methods import METHODS, STREAMS, SUBMIT, WAIT
from storage.celestia.serving.node import ServedLedger
from storage.celestia.serving.posting import Poster
from storage.celestia.serving.protocol import Answer, BusyError, ProtocolError, Request
from storage.celestia.serving.tokens import Role, Tokens
from storage.celestia.serving.waiting import Heights
from storage.celestia.share import Blob

T = TypeVar("T")
THREADS: Final = 4
SMALL_BODY: Final = 2**16
"""Bytes of a body that is parsed on the event loop: below a millisecond."""
MOST_ANSWERED: Final = 64 * 2**20
"""Bytes of a batch's answers from which on its other calls are refused."""
_TOO_LONG: Final = f"the answers of this batch exceed {MOST_ANSWERED} bytes: ask one by one"


class Answers:
    """The served ledger's methods, and what they need to run."""

    def __init__(
        self, ledger: EmbeddedLedger, tokens: Tokens, pace: float, wait_seconds: float
    ) -> None:
        """Answer for `ledger`; see `NodeApp` for the rest."""
        self._node = ServedLedger(ledger, tokens)
        self._poster = Poster(ledger)
        self.heights = Heights(ledger, pace)
        self._wait_seconds = wait_seconds
        self._workers = ThreadPoolExecutor(THREADS, "ledger-rpc")

    def close(self) -> None:
        """Stop: whoever waits for a block is told, and what was submitted is written."""
        self.heights.close()
        self._poster.close()
        self._workers.shutdown()

    async def to(self, body: bytes, role: Role, receive: Receive) -> tuple[int, bytes]:
        """Return status and body of the answer to `body`.

        Raises:
            BusyError: Too much is under way.
            GoneError: The caller went away while it waited.
        """
        try:
            requests, is_batch = await self._parse(len(body), lambda: protocol.read(body))
        except ProtocolError as error:
            answer = protocol.failure(error.code, str(error), None)
            return error.status, protocol.write([answer], is_batch=False)
        answers = await self._each(requests, role, receive, len(body))
        wanted = [a for a, r in zip(answers, requests, strict=True) if _is_wanted(a, r)]
        if not wanted:
            return 200, b"[]\n" if is_batch else b""
        return 200 if is_batch else wanted[0].status, protocol.write(wanted, is_batch=is_batch)

    async def _each(
        self, requests: Sequence[Request | Answer], role: Role, receive: Receive, size: int
    ) -> list[Answer]:
        answers: list[Answer] = []
        left = MOST_ANSWERED
        for request in requests:
            if isinstance(request, Answer):
                answer = request
            elif left < 0:
                answer = protocol.failure(protocol.APPLICATION, _TOO_LONG, request.id)
            else:
                answer = await self._answer(request, role, receive, size)
            answers.append(answer)
            left -= len(answer.encoded)
        return answers

    async def _answer(self, request: Request, role: Role, receive: Receive, size: int) -> Answer:
        try:
            return protocol.result(await self._result(request, role, receive, size), request.id)
        except ProtocolError as error:
            return protocol.failure(error.code, str(error), request.id, error.status)
        except BusyError:
            raise
        except ProvenanceError as error:
            words = " ".join(str(error).split())
            return protocol.failure(protocol.APPLICATION, words, request.id)

    async def _result(self, request: Request, role: Role, receive: Receive, size: int) -> bytes:
        name = request.method
        if name in STREAMS:
            why = f"method '{name}' not supported in this mode (no out channel support)"
            raise ProtocolError(protocol.NO_METHOD, why)
        if name not in METHODS:
            raise ProtocolError(protocol.NO_METHOD, f"method '{name}' not found")
        method = METHODS[name]
        values = await self._parse(size, lambda: params.read(name, request.params, method.params))
        if role < method.role:
            short, needed = name.partition(".")[2], method.role.name.lower()
            raise MalformedError(f"missing permission to invoke '{short}' (need '{needed}')")
        if name == SUBMIT:
            return protocol.encode(await self._submit(values[0]))
        if name == WAIT:
            await self._reach(values[0], role, receive)
        return await self._work(lambda: protocol.encode(method.run(self._node, *values)))

    async def _submit(self, blobs: tuple[Blob, ...]) -> int:
        if not blobs:
            raise MalformedError("state: no blobs provided")
        height = await asyncio.wrap_future(self._poster.submit(blobs))
        self.heights.wake()
        return height

    async def _reach(self, height: int, role: Role, receive: Receive) -> None:
        if height == 0:
            raise MalformedError("header/store: height must be bigger than zero")
        future = self.heights.reach(height, is_made=role >= Role.WRITE)
        reached, left = asyncio.wrap_future(future), asyncio.ensure_future(gone(receive))
        try:
            await asyncio.wait(
                {reached, left}, timeout=self._wait_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if reached.done():
                reached.result()
            elif left.done():
                raise GoneError
            else:
                raise MalformedError("context deadline exceeded")
        finally:
            self.heights.forget(future)
            left.cancel()
            reached.cancel()

    async def _parse(self, size: int, parse: Callable[[], T]) -> T:
        """Run what takes no time on a small body and long on a large one."""
        return parse() if size <= SMALL_BODY else await self._work(parse)

    async def _work(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._workers.submit(work))


def _is_wanted(answer: Answer, request: Request | Answer) -> bool:
    """A call without a number is answered only if it reached no method."""
    is_call = isinstance(request, Answer) or request.id is not None
    return is_call or answer.status != 200
