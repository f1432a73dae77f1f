"""One request to a proxy and its answer, within one deadline and a bounded number of bytes.

Nothing is taken from the environment (proxies, netrc), nothing is followed, nothing is decoded: an
answer is a status and the bytes as they came.
"""

import ssl
from dataclasses import dataclass
from typing import Final

import anyio
import httpx

from provenance.errors import MalformedError, UnavailableError
from storage.eigenda.answers import OK, Answer

MAX_WORDS: Final = 4_096
"""Bytes that are read of an answer that is an error."""
HEADERS: Final = {"Accept-Encoding": "identity", "Content-Type": "application/octet-stream"}
_PIECE: Final = 2**16


@dataclass(frozen=True, slots=True)
class Exchange:
    """A proxy's address.

    Attributes:
        origin: Scheme, host and port, and no secrets, so that it may stand in errors.
        tls: How certificates are checked where the scheme is https.
    """

    origin: str
    tls: ssl.SSLContext

    def ask(
        self, method: str, target: str, body: bytes | None, most: int, seconds: float
    ) -> Answer:
        """Return the answer to one request.

        Args:
            method: GET or POST.
            target: Path and query.
            body: What is sent, or None.
            most: Bytes of a good answer, at most.
            seconds: For everything together, but for a host name that resolves slowly.

        Raises:
            UnavailableError: No whole answer came in time.
            MalformedError: It is longer, or encoded.
        """
        return anyio.run(self._within, method, target, body, most, seconds)

    async def _within(
        self, method: str, target: str, body: bytes | None, most: int, seconds: float
    ) -> Answer:
        try:
            with anyio.fail_after(seconds):
                return await self._send(method, target, body, most, seconds)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise UnavailableError(
                f"{self.origin} gave no whole answer in {seconds:g} s"
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            words = str(error) or type(error).__name__
            raise UnavailableError(f"{self.origin} could not be asked: {words:.200}") from error

    async def _send(
        self, method: str, target: str, body: bytes | None, most: int, seconds: float
    ) -> Answer:
        # httpx times each read by itself: bytes that trickle in are cut off by the deadline around.
        async with (
            httpx.AsyncClient(verify=self.tls, trust_env=False, timeout=seconds) as client,
            client.stream(
                method,
                self.origin + target,
                content=body,
                headers=HEADERS,
                follow_redirects=False,
            ) as response,
        ):
            if response.status_code != OK:
                return Answer(response.status_code, await _beginning(response))
            return Answer(OK, await _whole(response, most))


async def _whole(response: httpx.Response, most: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise MalformedError("the answer is encoded, which nobody asked for: is this the proxy?")
    if int(response.headers.get("content-length", "0")) > most:  # h11 read it as a number
        raise _too_long(most)
    received = bytearray()
    async for piece in response.aiter_raw(_PIECE):
        received += piece
        if len(received) > most:
            raise _too_long(most)
    return bytes(received)


async def _beginning(response: httpx.Response) -> bytes:
    received = bytearray()
    async for piece in response.aiter_raw(MAX_WORDS):
        received += piece
        if len(received) >= MAX_WORDS:
            break
    return bytes(received[:MAX_WORDS])


def _too_long(most: int) -> MalformedError:
    return MalformedError(f"an answer of more than {most} bytes: is this the proxy?")
