"""One HTTP request and its answer, bounded; what breaks on the way is told apart by what was sent.

httpx's transport is used without its client around it: so no redirect is followed, no proxy, cookie
or password file is taken from the environment, and no log line shows an address.
"""

import ssl
from pathlib import Path
from typing import Final

import httpx

from provenance.errors import MalformedError
from storage.celestia.client.errors import NodeError

_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_IDLE_SECONDS: Final = 30.0
"""A node closes idle connections after 120 s; a request on a closed one would count as lost."""


def network(authorities: Path | None) -> httpx.AsyncHTTPTransport:
    """Return the transport to real machines, whose certificates are checked.

    Raises:
        MalformedError: `authorities` is no file of certificate authorities.
    """
    limits = httpx.Limits(keepalive_expiry=_IDLE_SECONDS)
    return httpx.AsyncHTTPTransport(verify=_context(authorities), trust_env=False, limits=limits)


async def exchange(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, most: int
) -> tuple[int, bytes]:
    """Return status and body of the answer.

    Raises:
        NodeError: Unreachable, or lost.
        MalformedError: An answer of more than `most` bytes, or a compressed one.
    """
    try:
        response = await transport.handle_async_request(request)
        try:
            return response.status_code, await _body(response, most)
        finally:
            await response.aclose()
    except _NOT_SENT as error:
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise NodeError("unreachable", f"no connection: {words}") from error
    except httpx.TransportError as error:
        raise NodeError("lost", "the connection broke before the answer was whole") from error


async def _body(response: httpx.Response, most: int) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise MalformedError("a compressed answer, which was not asked for")
    body, stream = bytearray(), response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("the transport is not an asynchronous one")
    async for chunk in stream:
        body += chunk
        if len(body) > most:
            raise MalformedError(f"an answer of more than {most} bytes")
    return bytes(body)


def _context(authorities: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise MalformedError(
            f"{authorities}: no certificate authorities in PEM: {error}"
        ) from error
