"""Following a namespace: every height once and in order, whatever breaks."""

import json
from typing import Any

import anyio
import httpx
import pytest
from typing_extensions import override

from provenance.errors import ProvenanceError
from storage.celestia.answers import node_header
from storage.celestia.client.client import AsyncNode
from storage.celestia.client.errors import NodeError
from storage.celestia.client.following import BACKOFF, follow
from storage.celestia.extended import ExtendedHeader
from storage.celestia.fields import base
from storage.celestia.share import Blob, share_commitment
from storage.ledger import MemoryLedger

SPACE = bytes(19) + b"followtest"


class Chain:
    """A node over a ledger in memory, which fails as it is told: method and height -> steps."""

    def __init__(self, blocks: int) -> None:
        self.ledger = MemoryLedger("follow-1")
        for number in range(2, blocks + 1):
            self.ledger.submit([Blob(SPACE, b"block %d" % number)])
        self.failures: dict[tuple[str, int], list[Any]] = {}
        self.pauses: list[float] = []
        self.reports: list[tuple[int, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        method, height = asked["method"], asked["params"][0]
        steps = self.failures.get((method, height), [])
        step = steps.pop(0) if steps else {}
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return step
        body = {"jsonrpc": "2.0", "id": asked["id"], "result": self.answer(method, height), **step}
        if "error" in body:
            del body["result"]
        return httpx.Response(200, json=body)

    def answer(self, method: str, height: int) -> Any:
        if method.startswith("header."):
            return node_header(ExtendedHeader.from_json(self.ledger.header(height)))
        blobs = self.ledger.blobs(height, SPACE)
        return [
            {
                "namespace": base(blob.namespace),
                "data": base(blob.data),
                "share_version": 0,
                "commitment": base(share_commitment(blob)),
                "index": 0,
            }
            for blob in blobs
        ] or None

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def report(self, height: int, error: ProvenanceError) -> None:
        self.reports.append((height, getattr(error, "kind", "malformed")))

    def follow(self, first: int, last: int) -> list[tuple[int, tuple[bytes, ...]]]:
        async def run() -> list[tuple[int, tuple[bytes, ...]]]:
            transport = httpx.MockTransport(self)
            node = AsyncNode("http://localhost", transport=transport, sleep=_at_once)
            seen = []
            blocks = follow(node, SPACE, first, report=self.report, sleep=self.sleep)
            async for header, found in blocks:
                seen.append((header.header.height, tuple(each.blob.data for each in found)))
                if header.header.height == last:
                    break
            await blocks.aclose()
            return seen

        return anyio.run(run)


async def _at_once(_seconds: float) -> None:
    pass


def expected(first: int, last: int) -> list[tuple[int, tuple[bytes, ...]]]:
    return [(h, (b"block %d" % h,) if h > 1 else ()) for h in range(first, last + 1)]


def test_every_block_comes_once_and_in_order() -> None:
    chain = Chain(9)
    assert chain.follow(1, 9) == expected(1, 9)
    assert chain.follow(4, 6) == expected(4, 6)
    assert not chain.reports


FAILURES: list[tuple[Any, str]] = [
    (httpx.ReadError("dropped"), "lost"),
    (httpx.Response(500), "lost"),
    (httpx.Response(401), "permission"),
    ({"error": {"code": 1, "message": "requested header (5) is below Tail (9)"}}, "pruned"),
    ({"result": "nonsense"}, "malformed"),
    ({"id": 999}, "malformed"),
]


@pytest.mark.parametrize(("failure", "kind"), FAILURES)
@pytest.mark.parametrize("method", ["header.WaitForHeight", "blob.GetAll"])
def test_a_break_is_told_and_leaves_no_gap(method: str, failure: Any, kind: str) -> None:
    chain = Chain(8)
    chain.failures = {(method, 5): [failure] * 3, (method, 7): [failure]}
    assert chain.follow(3, 8) == expected(3, 8)
    assert chain.reports == [(5, kind)] * 3 + [(7, kind)]
    assert chain.pauses == [*BACKOFF[:3], BACKOFF[0]]


def test_a_pruned_height_is_told_as_pruned_although_waiting_only_says_not_found() -> None:
    chain = Chain(8)
    gone = {"error": {"code": 1, "message": "height 5: header: not found"}}
    below = {"error": {"code": 1, "message": "requested header (5) is below Tail (6)"}}
    chain.failures = {
        ("header.WaitForHeight", 5): [gone, gone],
        ("header.GetByHeight", 5): [below],
    }
    assert chain.follow(4, 6) == expected(4, 6)
    assert chain.reports == [(5, "pruned")]


def test_a_node_that_answers_with_another_height_is_not_followed() -> None:
    chain = Chain(8)
    ahead = node_header(ExtendedHeader.from_json(chain.ledger.header(7)))
    chain.failures = {("header.WaitForHeight", 4): [{"result": ahead}]}
    assert chain.follow(3, 8) == expected(3, 8)
    assert chain.reports == [(4, "malformed")]


def test_waiting_for_a_block_is_no_failure() -> None:
    chain = Chain(5)

    class Resting(httpx.AsyncBaseTransport):
        waited = 0

        @override
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if b"WaitForHeight" in request.content and self.waited < 2:
                self.waited += 1
                await anyio.sleep_forever()
            return chain(request)

    async def run() -> int:
        node = AsyncNode("http://localhost", transport=Resting())
        blocks = follow(node, SPACE, 5, report=chain.report, sleep=chain.sleep, wait=0.01)
        header, _ = await anext(blocks)
        await blocks.aclose()
        return header.header.height

    assert anyio.run(run) == 5
    assert chain.reports == []
    assert chain.pauses == []


def test_backing_off_is_bounded_and_never_ends() -> None:
    chain = Chain(3)
    chain.failures = {("blob.GetAll", 2): [httpx.ReadError("x")] * 50}
    assert chain.follow(2, 3) == expected(2, 3)
    assert chain.pauses == [*BACKOFF, *[BACKOFF[-1]] * (50 - len(BACKOFF))]


def test_nobody_needs_to_be_told() -> None:
    chain = Chain(3)
    chain.failures = {("blob.GetAll", 2): [httpx.Response(500)]}

    async def run() -> list[int]:
        node = AsyncNode("http://localhost", transport=httpx.MockTransport(chain))
        blocks = follow(node, SPACE, 2, sleep=_at_once)
        return [(await anext(blocks))[0].header.height for _ in range(2)]

    assert anyio.run(run) == [2, 3]


def test_what_is_raised_on_a_report_ends_the_following() -> None:
    chain = Chain(3)
    chain.failures = {("blob.GetAll", 2): [httpx.Response(401)]}

    def report(_height: int, error: ProvenanceError) -> None:
        raise error

    async def run() -> None:
        node = AsyncNode("http://localhost", transport=httpx.MockTransport(chain))
        async for _ in follow(node, SPACE, 1, report=report, sleep=_at_once):
            pass

    with pytest.raises(NodeError, match="401"):
        anyio.run(run)


def test_cancelling_is_clean() -> None:
    """A follower that waits for ever lets go of its request when its task is cancelled."""
    let_go: list[str] = []

    class Silent(httpx.AsyncBaseTransport):
        @override
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            waiting.set()
            try:
                await anyio.sleep_forever()
            finally:
                let_go.append(json.loads(request.content)["method"])
            raise AssertionError

    async def listen() -> None:
        async for _ in follow(AsyncNode("http://localhost", transport=Silent()), SPACE, 1):
            pytest.fail("nothing was answered")

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            await waiting.wait()
            group.cancel_scope.cancel()

    waiting = anyio.Event()
    anyio.run(run)
    assert let_go == ["header.WaitForHeight"]
