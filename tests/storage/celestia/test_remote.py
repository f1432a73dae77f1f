"""A ledger behind a node that may lie: what is true comes through, what is not is refused."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from typing_extensions import override

from pipelines.flow.following import Claiming
from provenance.anchor import Anchor
from provenance.errors import MalformedError, ProvenanceError, UnavailableError, VerificationError
from provenance.field import Digest
from storage.celestia.answers import node_header
from storage.celestia.block import chain_id
from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header_source import NodeHeaders
from storage.celestia.header_store import HeaderStore
from storage.celestia.light import LightClient
from storage.celestia.remote import CelestiaLedger
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.tokens import Tokens
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.keys import SigningKey
from storage.ledger import OutcomeUnknownError

SPACE, OTHER = bytes(19) + b"rootline01", bytes(19) + b"rootline02"
WEEK = 7 * 86400 * 10**9
ONE, TWO = Blob(SPACE, b"one" * 400), Blob(SPACE, b"two")
Change = Callable[[Any], Any]


class Liar(httpx.AsyncBaseTransport):
    """A node in between, which changes the answers to some methods, or drops them."""

    def __init__(self, app: NodeApp) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self.changes: dict[str, Change] = {}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        response = await self._inner.handle_async_request(request)
        change = self.changes.get(asked["method"])
        if change is None:
            return response
        body = json.loads(await response.aread())
        changed = {**body, "result": change(body.get("result"))}
        return httpx.Response(200, json=changed)


class Setting:
    """An embedded ledger of somebody else's, served, and asked through a node that may lie."""

    def __init__(self, folder: Path, role: str = "write") -> None:
        key = SigningKey.from_seed(bytes(range(32)))
        ticks = count(1_700_000_000 * 10**9, 10**9)
        self.file = EmbeddedLedger(
            folder / "ledger.sqlite", key, chain_id(key.public_key), ticks.__next__
        )
        tokens = Tokens.draw()
        self.app = NodeApp(self.file, tokens, pace=0)
        self.liar = Liar(self.app)
        block = CelestiaVerifier().signed_block(self.file.header(1))
        self.anchor = Anchor("embedded", block.chain, 1, block.hash)
        node = Node(
            AsyncNode("http://localhost", getattr(tokens, role), transport=self.liar, sleep=_now)
        )
        store = HeaderStore(folder / "headers.sqlite")
        clock = count(1_700_000_000 * 10**9 + 10**12).__next__
        light = LightClient(NodeHeaders(node), store, self.anchor, clock, WEEK)
        self.ledger = CelestiaLedger(node, light, self.anchor)

    def close(self) -> None:
        self.ledger.close()
        self.app.close()


async def _now(seconds: float) -> None:
    assert seconds >= 0


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    made = Setting(tmp_path)
    yield made
    made.close()


def test_what_is_posted_is_read_back_with_its_receipt(setting: Setting) -> None:
    ledger = setting.ledger
    height = ledger.submit([ONE, TWO, Blob(OTHER, b"elsewhere")])
    assert ledger.blobs(height, SPACE) == (ONE, TWO)
    assert ledger.blobs(1, SPACE) == ()
    assert ledger.head() == height
    receipt = ledger.receipt(height, ONE)
    assert receipt.encoded == setting.file.receipt(height, ONE).encoded
    assert ledger.header(height) == setting.file.header(height)
    assert ledger.headers(1, height) == setting.file.headers(1, height)


def test_a_served_embedded_ledger_is_not_called_celestia(setting: Setting) -> None:
    assert setting.ledger.kind == "embedded"
    assert setting.ledger.receipt(setting.ledger.submit([ONE]), ONE).ledger == "embedded"


def test_a_submission_is_found_only_whole_and_only_above_where_the_search_begins(
    setting: Setting,
) -> None:
    ledger = setting.ledger
    first, second = ledger.submit([ONE]), ledger.submit([ONE, TWO])
    assert ledger.find([ONE], 0) == first
    assert ledger.find([ONE], first) == second
    assert ledger.find([ONE, TWO], 0) == second
    assert ledger.find([TWO], second) is None


def test_a_node_that_fell_behind_is_seen_to(setting: Setting) -> None:
    first, second = setting.ledger.submit([ONE]), setting.ledger.submit([TWO])
    stale = node_header(ExtendedHeader.from_json(setting.file.header(first)))
    setting.liar.changes = {"header.LocalHead": lambda _: stale}
    assert setting.ledger.head() == second
    assert setting.ledger.claimed_head() == first
    assert isinstance(setting.ledger, Claiming)


def test_a_block_is_waited_for(setting: Setting) -> None:
    setting.ledger.reach(4)
    assert setting.file.head() >= 4


def test_a_blob_that_the_node_leaves_out_is_missed(setting: Setting) -> None:
    height = setting.ledger.submit([ONE, TWO])

    def shorter(rows: Any) -> Any:
        return [{**rows[0], "shares": rows[0]["shares"][:-1]}, *rows[1:]]

    for change in (shorter, lambda _: [], lambda _: None, lambda rows: [*rows, *rows]):
        setting.liar.changes = {"share.GetNamespaceData": change}
        with pytest.raises((VerificationError, MalformedError)):
            setting.ledger.blobs(height, SPACE)


def test_the_blobs_of_another_block_are_refused(setting: Setting) -> None:
    first, second = setting.ledger.submit([ONE]), setting.ledger.submit([TWO])
    node = setting.ledger._node
    rows = node.ask(calls.share_get_namespace_data(first, SPACE)).to_json()
    setting.liar.changes = {"share.GetNamespaceData": lambda _: rows}
    with pytest.raises((VerificationError, MalformedError)):
        setting.ledger.blobs(second, SPACE)


@pytest.mark.parametrize("said", [1, 2])
def test_a_submission_at_a_height_that_does_not_hold_it_is_unknown(
    setting: Setting, said: int
) -> None:
    setting.ledger.submit([TWO])
    setting.liar.changes = {"blob.Submit": lambda _: said}
    with pytest.raises(OutcomeUnknownError, match=f"block {said}"):
        setting.ledger.submit([ONE])
    setting.liar.changes = {}
    assert setting.ledger.find([ONE], 2) == 3


def test_a_height_far_above_the_head_is_not_waited_for(setting: Setting) -> None:
    setting.liar.changes = {"blob.Submit": lambda height: height + 10**9}
    with pytest.raises(OutcomeUnknownError, match="the newest block is 2"):
        setting.ledger.submit([ONE])
    assert setting.ledger.find([ONE], 0) == 2


@pytest.mark.parametrize("answer", [None, "7", -1, 0, 2**60, [3], {"height": 3}, True, 2.5])
def test_an_answer_that_is_no_height_leaves_the_outcome_unknown(
    setting: Setting, answer: object
) -> None:
    setting.liar.changes = {"blob.Submit": lambda _: answer}
    with pytest.raises(OutcomeUnknownError):
        setting.ledger.submit([ONE])


def test_a_forged_proof_gives_no_receipt(setting: Setting) -> None:
    height = setting.ledger.submit([ONE, TWO])
    other = setting.file.receipt(height, TWO).proof
    for change in (lambda _: other, lambda _: None, lambda _: {}):
        setting.liar.changes = {"blob.GetCommitmentProof": change}
        with pytest.raises((VerificationError, MalformedError)):
            setting.ledger.receipt(height, ONE)


def test_a_refused_submission_was_not_taken(tmp_path: Path) -> None:
    made = Setting(tmp_path, role="read")
    with pytest.raises(NodeError, match="permission") as caught:
        made.ledger.submit([ONE])
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert made.file.head() == 1
    made.close()


def test_too_much_for_a_transaction_is_refused_before_it_is_sent(setting: Setting) -> None:
    halves = [Blob(SPACE, bytes([n]) * (4 * 2**20)) for n in (1, 2)]
    with pytest.raises(MalformedError, match="fit into a transaction"):
        setting.ledger.submit(halves)
    assert setting.file.head() == 1


def test_another_chain_than_the_anchors_is_refused(tmp_path: Path) -> None:
    made = Setting(tmp_path)
    made.anchor = Anchor("embedded", made.anchor.chain, 1, Digest(bytes(32)))
    light = LightClient(
        made.ledger._light._source, HeaderStore(tmp_path / "h"), made.anchor, count().__next__, WEEK
    )
    ledger = CelestiaLedger(made.ledger._node, light, made.anchor)
    for ask in (ledger.head, lambda: ledger.header(1), lambda: ledger.blobs(1, SPACE)):
        with pytest.raises((VerificationError, UnavailableError)):
            ask()
    made.close()


def test_nothing_that_a_lying_node_does_to_a_header_passes(setting: Setting) -> None:
    setting.file.submit([ONE])

    def other_root(header: Any) -> Any:
        return {**header, "header": {**header["header"], "data_hash": "00" * 32}}

    changes: list[Change] = [other_root, lambda _: None, lambda _: {}]
    for change in changes:
        setting.liar.changes = dict.fromkeys(_HEADERS, change)
        with pytest.raises(ProvenanceError):
            setting.ledger.header(2)


_HEADERS = ("header.GetByHeight", "header.NetworkHead", "header.LocalHead", "header.WaitForHeight")
