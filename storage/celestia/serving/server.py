"""The application behind a socket: loopback unless somebody says otherwise, and a clean end."""

import asyncio
import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from provenance.errors import MalformedError, UnavailableError
from storage.celestia.serving.app import NodeApp

PORT: Final = 26658
"""Where a celestia-node listens by default."""
MOST_CONNECTIONS: Final = 500
GRACE_SECONDS: Final = 20
"""How long answers under way may take when the server is told to end."""
SWITCH_SECONDS: Final = 0.0005
IDLE_SECONDS: Final = 120
"""A node's own bound; clients keep a connection for less, and never meet a closed one."""
_QUIET: Final = "warning"
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach `host`; a name other than localhost is not.

    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "node.local")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens at `host`, at any free port if `port` is 0.

    Raises:
        MalformedError: There is no such address on this machine.
        UnavailableError: Another program listens there, or the system does not allow it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise MalformedError(f"{host!r} is no address of this machine: {error}") from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(MOST_CONNECTIONS)
    except OSError as error:
        listening.close()
        raise _refused(host, port, error) from error
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: NodeApp, listening: socket.socket) -> None:
    """Serve `app` until SIGINT or SIGTERM; answers under way are still given.

    Raises:
        ModuleNotFoundError: uvicorn is not installed.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """Tells whoever waits for a block before it waits for them."""

        async def shutdown(  # type: ignore[explicit-override]  # Python 3.11 has no override
            self, sockets: list[socket.socket] | None = None
        ) -> None:
            """End."""
            app.heights.close()
            await super().shutdown(sockets)

    server = Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level=_QUIET,
            access_log=False,  # a request's line may hold what its sender took for a secret
            lifespan="off",
            ws="none",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )

    def stop(number: int, frame: FrameType | None) -> None:
        server.handle_exit(signal.Signals(number), frame)

    # The loop must not wait 5 ms for the interpreter, Python's default, at each of its small steps.
    sys.setswitchinterval(SWITCH_SECONDS)
    with _heard(stop):
        asyncio.run(server.serve(sockets=[listening]))
    app.close()


@contextmanager
def _heard(stop: "signal._HANDLER") -> Iterator[None]:
    """Let signals stop the server and nothing else; uvicorn raises them again at its end."""
    before = {number: signal.signal(number, stop) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refused(host: str, port: int, error: OSError) -> MalformedError | UnavailableError:
    if error.errno == errno.EADDRINUSE:
        return UnavailableError(f"port {port} of {host} is in use: name another with --port")
    if error.errno == errno.EADDRNOTAVAIL:
        return MalformedError(f"{host} is no address of this machine: name another with --host")
    return UnavailableError(f"cannot listen at {host}, port {port}: {error.strerror}")
