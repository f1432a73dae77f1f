"""Headers asked of a node over the client: what is asked, and what its errors say."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from provenance.anchor import Anchor
from provenance.errors import MalformedError
from storage.celestia.answers import normalise_header
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header_source import NodeHeaders
from storage.celestia.header_store import HeaderStore
from storage.celestia.light import LightClient
from tests.storage.celestia.chains import SECOND, WEEK

ROOT = Path(__file__).parents[3]
DEVNET: dict[str, Any] = json.loads((ROOT / "tests/vectors/celestia_devnet.json").read_text())
RAW: dict[int, Any] = {int(each["header"]["height"]): each for each in DEVNET["headers"]}
HEADERS = {height: ExtendedHeader.from_json(normalise_header(RAW[height])) for height in RAW}
LOW, HIGH = min(RAW), max(RAW)
CHAIN = HEADERS[LOW].header.chain


class Recorded:
    """What a real node said about its blocks, said again."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.change: Callable[[list[Any]], list[Any]] = list

    def __call__(self, request: httpx.Request) -> httpx.Response:
        call = json.loads(request.content)
        self.asked.append(call["method"])
        answer = self._answer(call["method"], call["params"])
        kind = "error" if isinstance(answer, str) else "result"
        value = {"code": 1, "message": answer} if kind == "error" else answer
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": call["id"], kind: value})

    def _answer(self, method: str, params: list[Any]) -> Any:
        if method == "header.LocalHead":
            return RAW[HIGH]
        if method == "header.GetRangeByHeight":
            first, to = int(params[0]["header"]["height"]) + 1, params[1]
            return self.change([RAW[height] for height in range(first, to)])
        [height] = params
        if height < LOW:
            return f"requested header ({height}) is below Tail ({LOW})"
        if height > HIGH:
            return (
                "header: given height is from the future: "
                f"networkHeight: {HIGH}, requestedHeight: {height}"
            )
        return RAW[height]


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def source(recorded: Recorded) -> Iterator[NodeHeaders]:
    with Node(AsyncNode("http://localhost", transport=httpx.MockTransport(recorded))) as node:
        yield NodeHeaders(node)


def light(source: NodeHeaders, folder: Path, height: int) -> LightClient:
    anchor = Anchor("celestia", CHAIN, height, HEADERS[height].header.hash)
    now = HEADERS[HIGH].header.time + SECOND
    return LightClient(source, HeaderStore(folder / "headers.sqlite"), anchor, lambda: now, WEEK)


def test_the_recorded_blocks_of_a_real_node_hang_on_their_first(
    source: NodeHeaders, recorded: Recorded, tmp_path: Path
) -> None:
    client = light(source, tmp_path, LOW)
    assert client.head() == HEADERS[HIGH]
    assert list(client.between(LOW, HIGH)) == [HEADERS[height] for height in sorted(RAW)]
    assert recorded.asked == [
        "header.GetByHeight",
        "header.LocalHead",
        "header.GetByHeight",
        "header.GetRangeByHeight",
    ]


def test_the_recorded_blocks_of_a_real_node_hang_on_their_last(
    source: NodeHeaders, tmp_path: Path
) -> None:
    assert light(source, tmp_path, HIGH).at(LOW) == HEADERS[LOW]


def test_why_a_node_has_no_header_is_told(source: NodeHeaders, tmp_path: Path) -> None:
    for height, kind in ((LOW - 1, "pruned"), (HIGH + 1, "future")):
        with pytest.raises(NodeError) as caught:
            light(source, tmp_path, LOW).at(height)
        assert caught.value.kind == kind


def test_nothing_is_asked_for_a_range_of_nothing(source: NodeHeaders, recorded: Recorded) -> None:
    assert source.between(HEADERS[LOW], LOW) == ()
    assert recorded.asked == []


@pytest.mark.parametrize(
    "change",
    [lambda page: page[:-1], lambda page: page[::-1], lambda page: [*page[:-1], page[0]]],
    ids=["one short", "reversed", "one twice"],
)
def test_a_range_that_is_not_what_was_asked_for_is_refused(
    source: NodeHeaders, recorded: Recorded, change: Callable[[list[Any]], list[Any]]
) -> None:
    recorded.change = change
    with pytest.raises(MalformedError, match=re.escape("not the headers that were asked for")):
        source.between(HEADERS[LOW], HIGH)
