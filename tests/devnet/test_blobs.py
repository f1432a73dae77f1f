"""Blobs of every size and number go in and come out; what cannot go in is refused by kind."""

import functools
from hashlib import shake_256

import anyio
import pytest

from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.client.options import TxOptions
from storage.celestia.share import MAX_BLOB_BYTES, Blob, share_commitment
from tests.devnet import raw
from tests.devnet.conftest import Devnet

pytestmark = pytest.mark.devnet
SIZES = [1, 457, 458, 459, 460, 478, 479, 941, 10_000, 2**16, 2**20, MAX_BLOB_BYTES]


def bytes_of(size: int, seed: int = 0) -> bytes:
    return shake_256(seed.to_bytes(8, "big") + size.to_bytes(8, "big")).digest(size)


def holds(node: Node, height: int, blobs: tuple[Blob, ...]) -> None:
    """Check that a block's blobs are `blobs`, in order, and each is found by its commitment."""
    space = blobs[0].namespace
    found = node.ask(calls.blob_get_all(height, (space,)))
    assert [each.blob for each in found] == list(blobs)
    for each in found[:3]:
        assert each.commitment == share_commitment(each.blob)
        assert node.ask(calls.blob_get(height, space, each.commitment)) == each


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_of_any_size_comes_back(node: Node, namespace: bytes, size: int) -> None:
    blob = Blob(namespace, bytes_of(size))
    height = node.ask(calls.blob_submit((blob,), TxOptions()))
    holds(node, height, (blob,))


def test_a_thousand_small_blobs_in_one_call(node: Node, namespace: bytes) -> None:
    blobs = tuple(Blob(namespace, bytes_of(1 + n % 300, n)) for n in range(1000))
    height = node.ask(calls.blob_submit(blobs, TxOptions()))
    holds(node, height, blobs)


def test_a_thousand_small_blobs_in_25_calls(node: Node, namespace: bytes) -> None:
    blobs = [Blob(namespace, bytes_of(50, n)) for n in range(1000)]
    for start in range(0, 1000, 40):
        some = tuple(blobs[start : start + 40])
        holds(node, node.ask(calls.blob_submit(some, TxOptions())), some)


def test_forty_submissions_at_once_all_land_once(devnet: Devnet, namespace: bytes) -> None:
    blobs = [Blob(namespace, bytes_of(100, n)) for n in range(40)]

    async def submit_all() -> list[int]:
        heights: list[int] = []

        async def submit(blob: Blob) -> None:
            heights.append(await node.ask(calls.blob_submit((blob,), TxOptions())))

        async with devnet.asynchronous() as node, anyio.create_task_group() as group:
            for blob in blobs:
                group.start_soon(submit, blob)
        return heights

    heights = set(anyio.run(submit_all))
    with devnet.node("read") as node:
        found = [b.blob for h in heights for b in node.ask(calls.blob_get_all(h, (namespace,)))]
    assert sorted(b.data for b in found) == sorted(b.data for b in blobs)


def test_several_namespaces_in_one_call(node: Node, namespace: bytes) -> None:
    other = namespace[:-1] + b"\xff"
    blobs = (Blob(other, b"of one"), Blob(namespace, b"of the other"), Blob(other, b"of one again"))
    height = node.ask(calls.blob_submit(blobs, TxOptions()))
    holds(node, height, (blobs[1],))
    holds(node, height, (blobs[0], blobs[2]))
    assert len(node.ask(calls.blob_get_all(height, (namespace, other)))) == 3


def test_share_version_1_names_its_signer(devnet: Devnet, node: Node, namespace: bytes) -> None:
    signer = bytes_of_address(devnet.bridge.account)
    blob = Blob(namespace, b"signed by an account", 1, signer)
    holds(node, node.ask(calls.blob_submit((blob,), TxOptions())), (blob,))


def test_share_version_1_with_anothers_signer_is_refused(node: Node, namespace: bytes) -> None:
    blob = Blob(namespace, b"signed by somebody else", 1, bytes(20))
    with pytest.raises(NodeError) as refused:
        node.ask(calls.blob_submit((blob,), TxOptions()))
    assert refused.value.is_refusal


def test_pay_for_blob_in_a_transactions_words(node: Node, namespace: bytes) -> None:
    blob = Blob(namespace, b"in a transaction's words")
    answer = node.ask(calls.state_submit_pay_for_blob((blob,), TxOptions(priority=3)))
    assert answer.code == 0
    holds(node, answer.height, (blob,))


@pytest.mark.parametrize(
    "options",
    [
        TxOptions(gas_price=0.02),
        TxOptions(gas_price=0.02, gas=200_000),
        TxOptions(max_gas_price=1.0),
        TxOptions(priority=1),
        TxOptions(priority=3, max_gas_price=5.0),
        TxOptions(key_name="my_celes_key"),
    ],
)
def test_what_a_submission_may_cost(node: Node, namespace: bytes, options: TxOptions) -> None:
    blob = Blob(namespace, repr(options).encode())
    holds(node, node.ask(calls.blob_submit((blob,), options)), (blob,))


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (TxOptions(gas_price=0.000001), "gas"),
        (TxOptions(max_gas_price=0.000001), "gas"),
        (TxOptions(gas_price=0.02, gas=1000), "gas"),
        (TxOptions(key_name="nobody"), "other"),
        (TxOptions(signer_address="celestia1nobody"), "other"),
        (TxOptions(fee_granter="celestia1nobody"), "other"),
    ],
)
def test_what_is_refused_lands_nowhere(
    devnet: Devnet, node: Node, namespace: bytes, options: TxOptions, kind: str
) -> None:
    before = devnet.chain.height()
    with pytest.raises(NodeError) as refused:
        node.ask(calls.blob_submit((Blob(namespace, b"never"),), options))
    assert (refused.value.kind, refused.value.is_refusal) == (kind, True)
    devnet.chain.wait_for(before + 3)
    after = devnet.chain.height()
    node.ask(calls.header_wait_for_height(after))
    for height in range(before, after + 1):
        assert not node.ask(calls.blob_get_all(height, (namespace,)))


@pytest.mark.parametrize("size", [8_493_466, 11_000_000])
def test_too_large_for_a_transaction(devnet: Devnet, namespace: bytes, size: int) -> None:
    # `Blob` itself takes no more than 7 MiB, so two together make it.
    half = functools.partial(Blob, namespace)
    blobs = (half(bytes_of(size // 2)), half(bytes_of(size - size // 2, 1)))
    with devnet.node() as node, pytest.raises(NodeError) as refused:
        node.ask(calls.blob_submit(blobs, TxOptions()))
    assert (refused.value.kind, refused.value.is_refusal) == ("too-large", True)


def test_more_than_a_request_holds_is_not_sent(node: Node, namespace: bytes) -> None:
    blobs = tuple(Blob(namespace, bytes_of(MAX_BLOB_BYTES, n)) for n in range(2))
    with pytest.raises(NodeError) as refused:
        node.ask(calls.blob_submit(blobs, TxOptions()))
    assert (refused.value.kind, refused.value.is_refusal) == ("too-large", True)


def test_the_same_blob_again_lands_again(node: Node, namespace: bytes) -> None:
    blob = Blob(namespace, b"twice")
    heights = {node.ask(calls.blob_submit((blob,), TxOptions())) for _ in range(2)}
    assert len(heights) == 2
    for height in heights:
        holds(node, height, (blob,))


def test_one_account_through_two_nodes(devnet: Devnet, namespace: bytes) -> None:
    """Two nodes that sign with one key at once: their transactions' numbers clash, and settle."""
    blobs = [Blob(namespace, bytes_of(100, n)) for n in range(12)]
    heights: set[int] = set()

    async def submit(node: AsyncNode, blob: Blob) -> None:
        heights.add(await node.ask(calls.blob_submit((blob,), TxOptions())))

    async def submit_all(here: AsyncNode, there: AsyncNode) -> None:
        async with here, there, anyio.create_task_group() as group:
            for number, blob in enumerate(blobs):
                group.start_soon(submit, (here, there)[number % 2], blob)

    with devnet.chain.twin(0) as twin:
        there = AsyncNode(twin.url, twin.token("write"))
        anyio.run(submit_all, devnet.asynchronous(), there)
    with devnet.node("read") as node:
        found = [b.blob for h in heights for b in node.ask(calls.blob_get_all(h, (namespace,)))]
    assert sorted(b.data for b in found) == sorted(b.data for b in blobs)


def bytes_of_address(account: str) -> bytes:
    """Return the 20 bytes of a bech32 address (BIP 173), its checksum taken on trust."""
    values = ["qpzry9x8gf2tvdw0s3jn54khce6mua7l".index(c) for c in account.split("1", 1)[1][:-6]]
    number = functools.reduce(lambda sum_, value: sum_ << 5 | value, values, 0)
    return number.to_bytes(20, "big")


def test_the_nodes_own_words_come_through(devnet: Devnet) -> None:
    with pytest.raises(ValueError, match=r"method 'blob\.Nothing' not found"):
        raw.ask(devnet.bridge.url, "blob.Nothing", token=devnet.bridge.token("read"))
