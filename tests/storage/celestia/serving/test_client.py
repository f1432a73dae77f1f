"""The one client against the served ledger: every call that both have."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest

from provenance.errors import ProvenanceError
from storage.celestia import nmt
from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.client.following import follow
from storage.celestia.client.options import TxOptions
from storage.celestia.client.token import Token
from storage.celestia.commitment_proof import CommitmentProof, verify_commitment_proof
from storage.celestia.namespace_data import verify_namespace
from storage.celestia.nmt import PARITY, Subtree
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.tokens import Tokens
from storage.celestia.share import Blob, share_commitment, split
from tests.storage.celestia.serving.calling import OTHER, SPACE, Caller

FIRST, SECOND, THIRD = Blob(SPACE, b"a" * 3000), Blob(SPACE, b"b" * 9000), Blob(OTHER, b"c" * 100)
BLOBS = (FIRST, SECOND, THIRD)
PRICED = TxOptions()


def asked(app: NodeApp, token: str | None) -> AsyncNode:
    return AsyncNode("http://localhost", token, transport=httpx.ASGITransport(app))


@pytest.fixture
def node(ask: Caller, tokens: Tokens) -> Iterator[Node]:
    with Node(asked(ask.app, tokens.admin)) as made:
        yield made


def test_blobs_go_in_and_come_out_proved(node: Node) -> None:
    height = node.ask(calls.blob_submit(BLOBS, PRICED))
    header = node.ask(calls.header_get_by_height(height))
    header.verify()
    for blob in BLOBS:
        name = (height, blob.namespace, share_commitment(blob))
        found = node.ask(calls.blob_get(*name))
        assert (found.blob, found.commitment) == (blob, name[2])
        proof = CommitmentProof.from_json(node.ask(calls.blob_get_commitment_proof(*name)))
        verify_commitment_proof(proof, blob, header.header.data_root)
        ranges = node.ask(calls.blob_get_proof(*name))
        assert node.ask(calls.blob_included(*name[:2], ranges, name[2])) is True
    every = node.ask(calls.blob_get_all(height, (OTHER, SPACE)))
    assert [each.blob for each in every] == [THIRD, FIRST, SECOND]
    data = node.ask(calls.share_get_namespace_data(height, SPACE))
    placed = verify_namespace(data, SPACE, header.availability)
    assert [each.blob for each in placed] == [FIRST, SECOND]


def test_headers_come_by_height_by_hash_and_in_ranges(node: Node) -> None:
    node.ask(calls.blob_submit((FIRST,), PRICED))
    node.ask(calls.blob_submit((SECOND,), PRICED))
    first, head = node.ask(calls.header_tail()), node.ask(calls.header_local_head())
    assert (first.header.height, head.header.height) == (1, 3)
    assert node.ask(calls.header_network_head()) == head
    assert node.ask(calls.header_get_by_hash(head.header.hash)) == head
    assert node.ask(calls.header_get_range_by_height(first, 4))[-1] == head
    assert node.ask(calls.header_wait_for_height(3)) == head
    state = node.ask(calls.header_sync_state())
    assert (state.height, state.from_height, state.to_height, state.error) == (3, 3, 3, "")
    node.ask(calls.header_sync_wait())


def test_shares_are_proved_to_the_roots_of_the_header(node: Node) -> None:
    height = node.ask(calls.blob_submit(BLOBS, PRICED))
    header = node.ask(calls.header_get_by_height(height))
    width = len(header.availability.rows)
    node.ask(calls.share_available(height))
    row = node.ask(calls.share_get_row(height, 0))
    share = node.ask(calls.share_get_share(height, 0, 0))
    assert share == row.shares[0] == split(FIRST)[0]
    found = node.ask(calls.share_get_range(height, 0, 3))
    assert tuple(found.shares) == split(FIRST)[:3]
    places = ((0, 1), (width - 1, 0), (2, width - 1))
    samples = node.ask(calls.share_get_samples(height, places))
    for (index, column), sample in zip(places, samples, strict=True):
        is_original = index < width // 2 and column < width // 2
        leaf = nmt.leaf(sample.share[:29] if is_original else PARITY, sample.share)
        computed = nmt.range_root(width, [Subtree(column, 1, leaf)], sample.proof.nodes)
        assert computed == header.availability.rows[index]
    assert len(node.ask(calls.share_get_eds(height)).shares) == width * width


def test_what_the_node_is_and_may_do(node: Node, tokens: Tokens) -> None:
    info = node.ask(calls.node_info())
    assert (info.type, info.version) == ("Embedded", "embedded")
    assert node.ask(calls.node_ready()) is True
    assert node.ask(calls.node_auth_verify(Token(tokens.read))) == ("public", "read")
    assert node.ask(calls.state_balance()).amount == 0
    with pytest.raises(NodeError, match=r"method 'node\.AuthNew' not found"):
        node.ask(calls.node_auth_new(["read"]))


KINDS: dict[str, tuple[Any, str]] = {
    "not-found": (calls.blob_get(1, SPACE, bytes(32)), "blob: not found"),
    "future": (calls.header_get_by_height(9), "networkHeight: 1, requestedHeight: 9"),
    "too-large": (
        calls.blob_submit([Blob(SPACE, bytes([n]) * (5 * 2**20)) for n in (1, 2)], PRICED),
        "tx too large",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_of_the_kind_that_they_would_be_elsewhere(node: Node, kind: str) -> None:
    call, words = KINDS[kind]
    with pytest.raises(NodeError, match=words) as caught:
        node.ask(call)
    assert caught.value.kind == kind
    assert caught.value.is_refusal


@pytest.mark.parametrize("token", [None, "x" * 43])
def test_without_a_token_or_with_another_there_is_no_permission(
    ask: Caller, token: str | None
) -> None:
    with Node(asked(ask.app, token)) as stranger, pytest.raises(NodeError) as caught:
        stranger.ask(calls.header_local_head())
    assert caught.value.kind == "permission"


def test_a_namespace_is_followed_while_another_writes(ask: Caller, tokens: Tokens) -> None:
    async def run() -> list[tuple[int, bytes]]:
        seen: list[tuple[int, bytes]] = []
        reader, writer = asked(ask.app, tokens.read), asked(ask.app, tokens.write)

        async def write() -> None:
            for blob in (FIRST, THIRD, SECOND):
                await writer.ask(calls.blob_submit((blob,), PRICED))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            async for header, found in follow(reader, SPACE, 2, report=_raise):
                seen += [(header.header.height, each.blob.data[:1]) for each in found]
                if header.header.height == 4:
                    break
        return seen

    assert asyncio.run(run()) == [(2, b"a"), (4, b"b")]


def _raise(_height: int, error: ProvenanceError) -> None:
    raise error
