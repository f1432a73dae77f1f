"""What a node has forgotten: it says so, nobody takes it for absence, and the evidence stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.flow.following import Event
from pipelines.flow.publishing import log_id, publish, receipt_of, receipts, verify_receipt
from pipelines.flow.queueing import queue
from pipelines.flow.watches import monitoring, watch_of
from provenance.errors import UnavailableError
from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.share import Blob, share_commitment
from tests.devnet.building import Binaries
from tests.devnet.homes import new_home, opened
from tests.devnet.nodes import Bridge, Chain, Shape
from tests.pipelines.flow.test_publishing import start

pytestmark = pytest.mark.devnet


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A home whose log begins below the tail of its node."""

    home: Path
    bridge: Bridge
    height: int
    tail: int


@pytest.fixture(scope="module")
def forgotten(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forgotten]:
    folder = tmp_path_factory.mktemp("pruned")
    with (
        Chain(folder, binaries, Shape()) as chain,
        chain.bridge(archival=False) as bridge,
        new_home(folder / "home", bridge) as space,
    ):
        publish(space)
        height = receipt_of(space, 0).height
        tail = height + 6
        with Node(AsyncNode(bridge.url, bridge.token("read"))) as node:
            node.ask(calls.header_wait_for_height(tail + 2))
        _watch(folder / "home")
        bridge.stop()
        bridge.forget(tail)
        yield Forgotten(folder / "home", bridge, height, tail)


def _watch(home: Path) -> tuple[bool, list[Event]]:
    """Let the home's monitor read to the head; return whether its checkpoint covers the log."""
    events: list[Event] = []
    with opened(home) as space:
        watch = watch_of(space, [], None, None)
        with monitoring(space, watch, log_id(space), None, 0, events.append) as monitor:
            monitor.catch_up()
            return monitor.is_current, events


def test_each_call_says_that_the_block_is_pruned(forgotten: Forgotten, namespace: bytes) -> None:
    height, blob = forgotten.height, Blob(namespace, b"forgotten")
    place = (height, namespace, share_commitment(blob))
    questions: list[Any] = [
        calls.header_get_by_height(height),
        calls.blob_get(*place),
        calls.blob_get_all(height, (namespace,)),
        calls.blob_get_proof(*place),
        calls.blob_get_commitment_proof(*place),
        calls.share_get_namespace_data(height, namespace),
        calls.share_get_eds(height),
        calls.share_get_range(height, 0, 1),
        calls.share_available(height),
    ]
    with Node(AsyncNode(forgotten.bridge.url, forgotten.bridge.token("read"))) as node:
        assert node.ask(calls.header_tail()).header.height == forgotten.tail
        for question in questions:
            with pytest.raises(NodeError, match="below Tail") as gone:
                node.ask(question)
            assert gone.value.kind == "pruned"


def test_waiting_for_a_pruned_block_does_not_hang(forgotten: Forgotten) -> None:
    with (
        Node(AsyncNode(forgotten.bridge.url, forgotten.bridge.token("read"))) as node,
        pytest.raises(NodeError, match="header: not found") as gone,
    ):
        node.ask(calls.header_wait_for_height(forgotten.height))
    assert gone.value.kind in {"not-found", "pruned"}


def test_a_pruned_block_is_no_empty_one(forgotten: Forgotten) -> None:
    with opened(forgotten.home) as space, pytest.raises(UnavailableError, match="below Tail"):
        space.ledger.blobs(forgotten.height, space.genesis.namespace)


def test_receipts_stand_and_the_log_goes_on(forgotten: Forgotten) -> None:
    with opened(forgotten.home) as space:
        for receipt in receipts(space):
            verify_receipt(space, receipt)
        queue(space, start(space, "after"))
        posted = publish(space)[-1]
        assert posted.receipt.height > forgotten.tail


def test_a_monitor_that_read_before_goes_on(forgotten: Forgotten) -> None:
    is_current, events = _watch(forgotten.home)
    assert is_current
    assert "problem" not in {event.kind for event in events}


def test_a_monitor_that_comes_too_late_signs_nothing(forgotten: Forgotten) -> None:
    events: list[Event] = []
    with opened(forgotten.home) as space:
        late = watch_of(space, [], None, space.ledger.first + 1)
        with monitoring(space, late, log_id(space), None, 0, events.append) as monitor:
            with pytest.raises(UnavailableError, match="below Tail"):
                monitor.catch_up()
            assert not monitor.is_current
    assert "checkpoint" not in {event.kind for event in events}
