"""A wire to a served ledger on which everything goes wrong that can go wrong on a wire.

The ledger behind it is honest, but for one thing: it takes what it is given anew each time, as
Celestia does and an embedded ledger does not, so that a second submission is a second landing.
"""

import json
import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, get_args

import httpx
from typing_extensions import override

from provenance.anchor import Anchor
from provenance.errors import MalformedError
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.header_source import NodeHeaders
from storage.celestia.header_store import HeaderStore
from storage.celestia.light import LightClient
from storage.celestia.remote import CelestiaLedger
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.tokens import Tokens
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.keys import SigningKey
from storage.ledger import FIRST_TIME

CHAIN: Final = "faulty-2"
PATIENCE: Final = 3
STRANGER: Final = bytes(19) + b"strangers!"
WEEK: Final = 7 * 86400 * 10**9

Fault = Literal[
    "none",
    "no connection",
    "time-out before",
    "time-out after",
    "late",
    "dropped",
    "twice",
    "another's answer",
    "401",
    "403",
    "429",
    "500",
    "503",
    "half",
    "wrong",
    "stale",
]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
Json = Any


class Anew(EmbeddedLedger):
    """An embedded ledger that does not know again what it holds."""

    @override
    def submit_all(self, submissions: Sequence[Sequence[Blob]]) -> tuple[int | MalformedError, ...]:
        """Put each submission into a block of its own, with a stranger's blob that is new."""
        return super().submit_all(
            [[*blobs, Blob(STRANGER, os.urandom(16))] for blobs in submissions]
        )


class Wire(httpx.AsyncBaseTransport):
    """Carries requests to a node, or does something else, as `choose` says for each method."""

    def __init__(self, app: NodeApp, choose: Callable[[str], Fault], random: Random) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self._choose, self._random = choose, random
        self._late: list[httpx.Request] = []
        self._heads: list[Json] = []
        self._before = b"{}"
        self.twice: list[str] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        method: str = asked["method"]
        await self._deliver_late(method)
        fault = self._choose(method)
        if fault == "no connection":
            raise httpx.ConnectError("refused")
        if fault == "late":
            self._late.append(request)
        if fault in ("time-out before", "late"):
            raise httpx.ReadTimeout("nothing came")
        if fault.isdecimal() and self._random.random() < 0.5:
            return httpx.Response(int(fault), content=b"no")
        return await self._answered(request, asked, fault)

    async def _answered(self, request: httpx.Request, asked: Json, fault: Fault) -> httpx.Response:
        method = asked["method"]
        body = await self._carried(request)
        if fault == "twice":
            if method == "blob.Submit":
                self.twice += [blob["data"] for blob in asked["params"][0]]
            body = await self._carried(request)
        if fault == "time-out after":
            raise httpx.ReadTimeout("nothing came")
        if fault == "dropped":
            raise httpx.RemoteProtocolError("gone")
        if fault.isdecimal():
            return httpx.Response(int(fault), content=b"no")
        answer = json.loads(body)
        if method == "header.LocalHead" and "result" in answer:
            self._heads.append(answer["result"])
            if fault == "stale":
                answer["result"] = self._random.choice(self._heads)
        if fault == "wrong" and answer.get("result"):
            answer["result"] = self._changed(answer["result"])
        before, self._before = self._before, body
        whole = before if fault == "another's answer" else json.dumps(answer).encode()
        return httpx.Response(200, content=whole[: len(whole) // 2] if fault == "half" else whole)

    async def _carried(self, request: httpx.Request) -> bytes:
        again = httpx.Request("POST", request.url, headers=request.headers, content=request.content)
        response = await self._inner.handle_async_request(again)
        return await response.aread()

    async def _deliver_late(self, method: str) -> None:
        """Deliver what was held back, before the next block is made for whoever waits for it."""
        if method == "header.WaitForHeight":
            await self.flush()

    async def flush(self) -> None:
        """Deliver what is held back."""
        late, self._late = self._late, []
        for request in late:
            await self._carried(request)

    def _changed(self, value: Json) -> Json:
        """Return an answer with one thing in it changed: a height, a letter, a figure."""
        if isinstance(value, int):
            return self._random.choice([max(1, value - 1), value + 1, value + 10**9])
        places = list(_leaves(value))
        holder, name = self._random.choice(places)
        old = holder[name]
        if isinstance(old, str) and len(old) > 8:
            at = self._random.randrange(len(old) - 4)
            holder[name] = old[:at] + ("B" if old[at] != "B" else "C") + old[at + 1 :]
        else:
            holder[name] = 7
        return value


def _leaves(value: Json) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in items:
        if isinstance(inner, dict | list):
            yield from _leaves(inner)
        else:
            yield value, name


class Served:
    """A ledger behind an honest node; `through` asks it over a wire of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = count(FIRST_TIME, 10**9).__next__
        self._folder = folder
        self.file = Anew(
            folder / "chain.sqlite", SigningKey.from_seed(bytes(range(32))), CHAIN, self.clock
        )
        self.tokens = Tokens.draw()
        self.app = NodeApp(self.file, self.tokens, pace=0)
        block = CelestiaVerifier().signed_block(self.file.header(1))
        self.anchor = Anchor("celestia", CHAIN, 1, block.hash)

    def through(self, wire: Wire) -> CelestiaLedger:
        """Return the ledger as a new process sees it over `wire`."""
        node = Node(AsyncNode("http://localhost", self.tokens.write, transport=wire, sleep=_now))
        store = HeaderStore(self._folder / "headers.sqlite")
        light = LightClient(NodeHeaders(node), store, self.anchor, self.clock, WEEK)
        ledger = CelestiaLedger(node, light, self.anchor)
        ledger.__dict__["patience"] = PATIENCE  # 20 blocks would only take longer
        return ledger

    def heights_of(self, blob: Blob) -> list[int]:
        """Return where a blob stands."""
        heights = range(1, self.file.head() + 1)
        return [h for h in heights if blob in self.file.blobs(h, blob.namespace)]


async def _now(_: float) -> None:
    """Wait for nothing."""
