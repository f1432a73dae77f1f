"""The client over a transport of its own making: tries, bounds, deadlines, and what leaks."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from typing_extensions import override

from provenance.errors import MalformedError
from storage.celestia.client import calls
from storage.celestia.client.call import Call
from storage.celestia.client.client import MOST_AT_ONCE, AsyncNode, Node
from storage.celestia.client.errors import DeadlineError, NodeError
from storage.celestia.client.options import TxOptions
from storage.celestia.client.token import Token
from storage.celestia.share import Blob

SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJBbGxvdyI6WyJyZWFkIl19.c2lnbmF0dXJl"  # noqa: S105
SUBMIT = calls.blob_submit([Blob(bytes(19) + b"clienttest", b"data")], TxOptions())
READY = calls.node_ready()


class Scripted:
    """A node that does one scripted thing after the other, and keeps what it was sent."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.pauses: list[float] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return step
        number = json.loads(request.content)["id"]
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": number, **step})

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def node(self, **options: Any) -> AsyncNode:
        transport = httpx.MockTransport(self)
        return AsyncNode(
            "http://localhost/secret-path", SECRET, transport=transport, sleep=self.sleep, **options
        )

    def ask(self, call: Call[Any], **options: Any) -> Any:
        return anyio.run(self.node(**options).ask, call)


TRUE = {"result": True}
BUSY = httpx.Response(503)


def test_a_request_carries_the_token_and_nothing_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    node = Scripted(TRUE)
    assert node.ask(READY) is True
    (request,) = node.requests
    assert (request.method, request.url.path) == ("POST", "/secret-path")
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers
    assert json.loads(request.content) == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "node.Ready",
        "params": [],
    }


def test_no_two_requests_have_one_number() -> None:
    node = Scripted(*[TRUE] * 20)

    async def ask() -> None:
        client = node.node()
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.ask, READY)

    anyio.run(ask)
    assert len({json.loads(each.content)["id"] for each in node.requests}) == 20


@pytest.mark.parametrize(
    "failure", [BUSY, httpx.Response(429), httpx.ConnectError("x"), httpx.ConnectTimeout("x")]
)
def test_a_read_is_tried_four_times_in_all(failure: Any) -> None:
    node = Scripted(failure, failure, failure, TRUE)
    assert node.ask(READY) is True
    assert node.pauses == [0.25, 0.5, 1.0]
    node = Scripted(*[failure] * 5)
    with pytest.raises(NodeError):
        node.ask(READY)
    assert len(node.requests) == 4


@pytest.mark.parametrize(
    ("failure", "kind", "refused"),
    [
        (BUSY, "busy", False),
        (httpx.ConnectError("refused"), "unreachable", True),
        (httpx.ConnectTimeout("x"), "unreachable", True),
        (httpx.PoolTimeout("x"), "unreachable", True),
        (httpx.ReadError("x"), "lost", False),
        (httpx.ReadTimeout("x"), "lost", False),
        (httpx.WriteError("x"), "lost", False),
        (httpx.WriteTimeout("x"), "lost", False),
        (
            httpx.RemoteProtocolError("Server disconnected"),
            "lost",
            False,
        ),
        (httpx.Response(500), "lost", False),
        (httpx.Response(200, content=b'{"jsonrpc":"2.0","id":1,"res'), "lost", False),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), "other", True),
    ],
)
def test_a_write_is_sent_once_and_its_failure_says_what_is_known(
    failure: Any,
    kind: str,
    refused: bool,  # noqa: FBT001
) -> None:
    node = Scripted(failure)
    with pytest.raises(NodeError) as caught:
        node.ask(SUBMIT)
    assert (caught.value.kind, caught.value.is_refusal) == (kind, refused)
    assert len(node.requests) == 1
    assert node.pauses == []


@pytest.mark.parametrize("failure", [httpx.ReadError("x"), httpx.Response(500), {"result": 1}])
def test_what_is_lost_or_wrong_is_not_tried_again(failure: Any) -> None:
    node = Scripted(failure)
    with pytest.raises((NodeError, MalformedError)):
        node.ask(READY)
    assert len(node.requests) == 1


@pytest.mark.parametrize("answer", [0, -1, 2**53, 1.0, "x", None, True, [7], {"height": 7}])
def test_a_height_that_is_none_is_refused(answer: Any) -> None:
    with pytest.raises(MalformedError):
        Scripted({"result": answer}).ask(SUBMIT)


@pytest.mark.parametrize("answer", [1, "7", 2**53 - 1])
def test_a_height_is_a_number_or_a_string(answer: Any) -> None:
    assert Scripted({"result": answer}).ask(SUBMIT) == int(answer)


class Endless(httpx.AsyncByteStream):
    """A body without end, which counts what was taken of it."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk, self.taken, self.closed = chunk, 0, False
        self.begun, self.ended = threading.Event(), threading.Event()

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun.set()
        while True:
            self.taken += len(self.chunk)
            yield self.chunk
            await anyio.lowlevel.checkpoint()

    @override
    async def aclose(self) -> None:
        self.closed = True
        self.ended.set()


def test_an_answer_is_bounded_while_it_streams() -> None:
    for call, options, most in (
        (READY, {}, READY.most),
        (calls.share_get_eds(1), {"most_bytes": 3 * 2**20}, 3 * 2**20),
    ):
        body = Endless(b" " * 2**16)
        with pytest.raises(MalformedError, match="more than"):
            Scripted(httpx.Response(200, stream=body)).ask(call, **options)
        assert most < body.taken <= most + 2**16
        assert body.closed


def test_a_transport_that_would_block_is_refused() -> None:
    class Blocking(httpx.SyncByteStream):
        pass

    with pytest.raises(RuntimeError, match="sync stream"):
        Scripted(httpx.Response(200, stream=Blocking())).ask(READY)


def test_a_trickle_ends_at_the_deadline() -> None:
    body = Endless(b"")
    call = Call("node.Ready", (), lambda answer: answer, seconds=0.01)
    with pytest.raises(DeadlineError) as caught:
        Scripted(httpx.Response(200, stream=body)).ask(call)
    assert (caught.value.kind, caught.value.is_refusal) == ("lost", False)
    assert body.closed


def test_the_deadline_is_for_all_tries_together() -> None:
    node = Scripted(*[BUSY] * 4)
    call = Call("node.Ready", (), lambda answer: answer, seconds=0.01)

    async def ask() -> None:
        transport = httpx.MockTransport(node)
        await AsyncNode("http://localhost", transport=transport, sleep=_forever).ask(call)

    with pytest.raises(DeadlineError):
        anyio.run(ask)
    assert len(node.requests) == 1


async def _forever(_seconds: float) -> None:
    await anyio.sleep_forever()


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_answer_is_refused(coding: str) -> None:
    body = Endless(b"\x1f\x8b")
    response = httpx.Response(200, headers={"content-encoding": coding}, stream=body)
    with pytest.raises(MalformedError, match="compressed"):
        Scripted(response).ask(READY)
    assert body.taken == 0


ECHO = {"error": {"code": 1, "message": f"token {SECRET} is bad"}}


@pytest.mark.parametrize(
    "step",
    [
        ECHO,
        {"result": {SECRET: 1}},
        httpx.Response(401),
        httpx.ConnectError(f"no {SECRET}"),
        httpx.ReadError("x"),
        httpx.Response(200, content=SECRET.encode()),
    ],
)
def test_no_log_and_no_error_shows_token_or_path(
    step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    for name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "asyncio"):
        logging.getLogger(name).setLevel(0)
    with pytest.raises((NodeError, MalformedError)) as caught:
        Scripted(*[step] * 4).ask(calls.blob_get_all(1, [bytes(19) + b"clienttest"]))
    shown = str(caught.value) + "".join(record.getMessage() for record in caplog.records)
    assert SECRET not in shown
    assert "secret-path" not in shown


def test_a_token_that_is_asked_about_is_not_shown() -> None:
    other = Token("another.secret.token")
    call = calls.node_auth_verify(other)
    with pytest.raises(NodeError) as caught:
        Scripted({"error": {"code": 1, "message": f"bad: {other.text}"}}).ask(call)
    assert other.text not in str(caught.value) + repr(call)
    assert other.text not in "".join(traceback.format_exception(caught.value))


def test_a_new_token_is_not_shown() -> None:
    token = Scripted({"result": "new.secret.token"}).ask(calls.node_auth_new(["read"]))
    assert token.text == "new.secret.token"
    assert "secret" not in repr(token)


def test_the_sync_face_is_the_same_client() -> None:
    node = Scripted(TRUE, BUSY, TRUE, ECHO)
    with Node(node.node()) as client:
        assert client.ask(READY) is True
        assert client.ask(READY) is True
        with pytest.raises(NodeError, match="secret"):
            client.ask(READY)
    client.close()


def test_threads_share_the_sync_face() -> None:
    node = Scripted(*[TRUE] * 40)
    results: list[bool] = []
    with Node(node.node()) as client:
        threads = [
            threading.Thread(target=lambda: results.extend(client.ask(READY) for _ in range(5)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * 40


def test_a_program_that_never_closes_its_node_ends_all_the_same() -> None:
    code = (
        "from storage.celestia.client.client import MOST_AT_ONCE, AsyncNode, Node\n"
        "kept = [Node(AsyncNode('http://localhost:1'))]\nraise SystemExit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 7


class Crowded(httpx.AsyncBaseTransport):
    """A transport that counts how many calls it carries at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.lowlevel.checkpoint()
        self.now -= 1
        number = json.loads(request.content)["id"]
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": number, **TRUE})


def test_more_calls_than_places_wait_for_one_and_are_answered() -> None:
    crowd, answers = Crowded(), list[bool]()

    async def ask() -> None:
        client = AsyncNode("http://localhost", transport=crowd)

        async def one() -> None:
            answers.append(await client.ask(READY))

        async with anyio.create_task_group() as group:
            for _ in range(3 * MOST_AT_ONCE):
                group.start_soon(one)

    anyio.run(ask)
    assert answers == [True] * (3 * MOST_AT_ONCE)
    assert crowd.most == MOST_AT_ONCE


def test_an_interrupted_wait_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while waiting: the call in the other thread is cancelled, closing returns."""
    body = Endless(b"")
    with Node(Scripted(httpx.Response(200, stream=body)).node()) as client:

        def interrupt(function: Callable[..., Any], *args: Any) -> Any:
            future = start(function, *args)
            body.begun.wait()
            monkeypatch.setattr(future, "result", _interrupt)
            return future

        start: Callable[..., Any] = asyncio.run_coroutine_threadsafe
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "run_coroutine_threadsafe", interrupt)
            with pytest.raises(KeyboardInterrupt):
                client.ask(READY)
        assert body.ended.wait(READY.seconds / 2), "the call went on to its deadline"


def _interrupt() -> None:
    raise KeyboardInterrupt
