"""Real sockets on loopback: a server that trickles, drops, floods, redirects, or speaks TLS."""

import asyncio
import json
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typing_extensions import override

from provenance.errors import MalformedError, ProvenanceError
from storage.celestia.client import calls
from storage.celestia.client.call import Call
from storage.celestia.client.client import AsyncNode
from storage.celestia.client.errors import DeadlineError, NodeError
from storage.celestia.client.options import TxOptions
from storage.celestia.share import Blob

Answer = Callable[[Writer, int], Awaitable[None]]
READY = calls.node_ready()
SUBMIT = calls.blob_submit([Blob(bytes(19) + b"sockettest", b"data")], TxOptions())


class Server:
    """A server that answers each request with `answer`, told the request's number."""

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self.answer, self.context = answer, context
        self.connections, self.bodies = 0, list[bytes]()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                await self.answer(writer, json.loads(self.bodies[-1])["id"])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, IndexError):
            pass
        finally:
            writer.close()

    def ask(self, *asked: Call[Any], **options: Any) -> list[Any]:
        async def run() -> list[Any]:
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.context)
            port = server.sockets[0].getsockname()[1]
            scheme = "https" if self.context else "http"
            results: list[Any] = []
            async with server, AsyncNode(f"{scheme}://127.0.0.1:{port}", **options) as node:
                for call in asked:
                    try:
                        results.append(await node.ask(call))
                    except ProvenanceError as error:
                        results.append(error)
            return results

        return asyncio.run(run())


def http(number: int, *, result: Any = True, status: str = "200 OK", extra: bytes = b"") -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": number, "result": result}).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n".encode()
    return head + extra + b"\r\n" + body


async def right(writer: Writer, number: int) -> None:
    writer.write(http(number))


def test_one_connection_serves_many_calls() -> None:
    server = Server(right)
    assert server.ask(READY, READY, READY) == [True, True, True]
    assert server.connections == 1


def test_a_trickling_server_does_not_hold_the_client() -> None:
    """A byte now and then resets every time-out between bytes, but not the deadline."""

    async def trickle(writer: Writer, _number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.002)

    call = Call("node.Ready", (), lambda answer: answer, seconds=0.1)
    (error,) = Server(trickle).ask(call)
    assert isinstance(error, DeadlineError)


def test_a_trickle_of_headers_does_not_hold_the_client() -> None:
    async def trickle(writer: Writer, _number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.002)

    call = Call("node.Ready", (), lambda answer: answer, seconds=0.1)
    (error,) = Server(trickle).ask(call)
    assert isinstance(error, DeadlineError)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        http(1)[:-3],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{" + b'"a',
        b'HTTP/1.0 200 OK\r\n\r\n{"jsonrpc":"2.0","id":1,"resu',
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"\x00\x01\x02 no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_a_broken_answer_to_a_write_is_lost_and_sent_once(sent: bytes) -> None:
    async def broken(writer: Writer, _number: int) -> None:
        writer.write(sent)
        await writer.drain()
        writer.close()

    server = Server(broken)
    (error,) = server.ask(SUBMIT)
    assert isinstance(error, NodeError)
    assert (error.kind, error.is_refusal) == ("lost", False)
    assert len(server.bodies) == 1


def test_a_flood_is_cut_off() -> None:
    sent = 0

    async def flood(writer: Writer, _number: int) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b" " * 2**16 + b"\r\n")
            await writer.drain()
            sent += 2**16

    (error,) = Server(flood).ask(READY)
    assert isinstance(error, MalformedError)
    assert sent < 64 * 2**20  # sockets buffer some


def test_a_flood_of_headers_is_cut_off() -> None:
    async def flood(writer: Writer, _number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while not writer.is_closing():
            writer.write(b"X: " + b"x" * 2**16 + b"\r\n")
            await writer.drain()

    (error,) = Server(flood).ask(READY)
    assert isinstance(error, NodeError)
    assert error.kind == "lost"


def test_an_answer_twice_does_not_answer_the_next_call() -> None:
    async def twice(writer: Writer, number: int) -> None:
        writer.write(http(number) * 2 if number == 1 else http(number, result=False))

    first, second = Server(twice).ask(READY, READY)
    assert first is True
    assert second is False or isinstance(second, ProvenanceError)


def test_a_redirect_is_not_followed() -> None:
    async def away(writer: Writer, number: int) -> None:
        writer.write(http(number, status="307 Temporary Redirect", extra=b"Location: /b\r\n"))

    server = Server(away)
    (error,) = server.ask(READY)
    assert (error.kind, len(server.bodies)) == ("other", 1)


def test_a_cookie_is_not_kept() -> None:
    heads: list[bytes] = []

    class Heads(Server):
        @override
        async def serve(self, reader: Reader, writer: Writer) -> None:
            for number in (1, 2):
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                length = int(heads[-1].lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                writer.write(http(number, extra=b"Set-Cookie: a=b\r\n"))
            writer.close()

    assert Heads(right).ask(READY, READY) == [True, True]
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


def test_nobody_there_is_unreachable() -> None:
    async def run() -> ProvenanceError:
        server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        async with AsyncNode(f"http://127.0.0.1:{port}") as node:
            with pytest.raises(NodeError) as caught:
                await node.ask(SUBMIT)
        return caught.value

    error: Any = asyncio.run(run())
    assert (error.kind, error.is_refusal) == ("unreachable", True)


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate for `name` that signs itself, and a server's context with it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a node")])
    host: x509.GeneralName = x509.DNSName(name)
    if name[0].isdigit():
        host = x509.IPAddress(ip_address(name))
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "node.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    return path, context


async def _now(_seconds: float) -> None:
    pass


def test_tls_counts_on_the_authorities_given(tmp_path: Path) -> None:
    path, context = certificate(tmp_path, "127.0.0.1")
    server = Server(right, context)
    assert server.ask(READY, authorities=path, token="a.b.c") == [True]  # noqa: S106
    (error,) = server.ask(READY, sleep=_now)
    assert error.kind == "unreachable"
    assert len(server.bodies) == 1  # without trust nothing is sent, the token neither


def test_tls_to_another_name_is_refused(tmp_path: Path) -> None:
    path, context = certificate(tmp_path, "elsewhere.example")
    server = Server(right, context)
    (error,) = server.ask(READY, authorities=path, sleep=_now)
    assert error.kind == "unreachable"
    assert server.bodies == []
