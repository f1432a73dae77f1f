"""A small server that follows the proxy's documented routes and statuses, and fails on demand.

Routes and statuses as in Layr-Labs/eigenda at 61019b4e9, api/proxy/servers/rest. Its certificates
have a version byte and are otherwise made up: nothing in the project reads them.
"""

import json
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

LOCAL: Final = "127.0.0.1"
MOST: Final = 16 * 2**20
STANDARD: Final = "?commitment_mode=standard"
_GET: Final = re.compile(r"/get/(?:0x)?([0-9a-fA-F]{2}[0-9a-fA-F]*)\?commitment_mode=standard")
Fault = Callable[["Handler"], None]


class FakeProxy(ThreadingHTTPServer):
    """What was put, what is asked, and which faults come next."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOCAL, 0), Handler)
        self.held: dict[bytes, bytes] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.faults: deque[Fault | None] = deque()
        self.is_closing = threading.Event()

    @property
    def address(self) -> str:
        return f"http://{LOCAL}:{self.server_address[1]}"

    def puts(self) -> int:
        return sum(asked.startswith("POST /put") for asked in self.asked)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error."""


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[FakeProxy]:
    server = FakeProxy()
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.is_closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def own_certificate(folder: Path) -> ssl.SSLContext:
    """Return a server's side of TLS with a certificate that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(LOCAL))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    own, pem = folder / "own.pem", serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    own.write_bytes(secret + made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return context


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeProxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        data = self.rfile.read(length)
        if not self._failed():
            self._put(data)

    def do_GET(self) -> None:
        if not self._failed():
            self._get()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _failed(self) -> bool:
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.headers.append(dict(self.headers))
        fault = self.server.faults.popleft() if self.server.faults else None
        if fault is not None:
            fault(self)
        return fault is not None

    def _put(self, data: bytes) -> None:
        if self.path != "/put" + STANDARD:
            self.answer(404, b"404 page not found\n")
        elif len(data) > MOST:
            self.answer(400, b"reading at most 16777216 bytes from body\n")
        else:
            number = len(self.server.held).to_bytes(4, "big")
            certificate = b"\2\xf9" + sha256(data).digest() + number
            self.server.held[certificate] = data
            self.answer(200, certificate)

    def _get(self) -> None:
        found = _GET.fullmatch(self.path)
        if self.path == "/health":
            self.answer(200)
        elif not found:
            self.answer(404, b"404 page not found\n")
        elif len(found[1]) % 2 or int(found[1][:2], 16) > 3:
            self.answer(400, b"parsing error: parsing version byte\n")
        elif (data := self.server.held.get(bytes.fromhex(found[1]))) is None:
            self.answer(418, teapot(3))
        else:
            self.answer(200, data)


def teapot(code: int) -> bytes:
    return json.dumps({"StatusCode": code, "Msg": "checkDACert failed"}).encode() + b"\n"


# Faults: what a handler does instead of answering.


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    return lambda handler: handler.answer(code, body, **headers)


def half(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"x" * 50)
    handler.close_connection = True


def silence(handler: Handler) -> None:
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Chunks without end, as fast as they go."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.server.is_closing.is_set():
        handler.wfile.write(b"10000\r\n" + bytes(2**16) + b"\r\n")


def announced(size: int) -> Fault:
    """Say that more bytes come than anybody takes, and send none."""

    def fault(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        handler.server.is_closing.wait()

    return fault


def hang(handler: Handler) -> None:
    handler.server.is_closing.wait()


def trickle(start: bytes) -> Fault:
    """Send a byte at a time, each soon enough for whoever times single reads."""

    def fault(handler: Handler) -> None:
        handler.wfile.write(start)
        while not handler.server.is_closing.wait(0.01):
            handler.wfile.write(b"x")

    return fault


TRICKLED_HEADER: Final = trickle(b"HTTP/1.1 200 OK\r\nX-Slow: ")
TRICKLED_BODY: Final = trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
