"""A monitor follows a log while its node is killed, restarted, and lags behind."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import anyio
import pytest

from pipelines.flow.following import Event, follow
from pipelines.flow.publishing import log_id, publish
from pipelines.flow.queueing import queue
from pipelines.flow.watches import monitoring, watch_of
from pipelines.flow.workspace import Workspace
from provenance import checkpoint
from storage.celestia.client import calls
from storage.celestia.client.following import follow as follow_blocks
from storage.celestia.client.options import TxOptions
from storage.celestia.share import Blob
from tests.devnet.conftest import Devnet
from tests.devnet.homes import new_home, opened
from tests.devnet.test_crash import publish_in_the_end
from tests.pipelines.flow.test_publishing import start

pytestmark = pytest.mark.devnet


def test_a_monitor_goes_on_through_restarts_of_its_node(devnet: Devnet, tmp_path: Path) -> None:
    home, events, ended = tmp_path / "home", list[Event](), threading.Event()

    def pause(seconds: float) -> None:
        time.sleep(min(seconds, 0.3))
        if ended.is_set():
            raise InterruptedError

    def watch_on() -> bool:
        with opened(home) as own:
            watch = watch_of(own, [], None, None)
            with monitoring(own, watch, log_id(own), None, 0, events.append) as monitor:
                with suppress(InterruptedError):
                    follow(monitor, pause, 0.3)
                monitor.catch_up()
                return monitor.is_current and not monitor.problems()

    with new_home(home, devnet.bridge) as space, ThreadPoolExecutor(1) as pool:
        publish(space)
        watching = pool.submit(watch_on)
        for number in range(4):
            time.sleep(0.7)
            devnet.bridge.kill()
            time.sleep(0.7)
            devnet.bridge.restart()
            queue(space, start(space, f"run-{number}"))
            publish_in_the_end(home)
        ended.set()
        assert watching.result()
        _check_last(space, [event for event in events if event.kind == "checkpoint"][-1])
    assert "problem" not in {event.kind for event in events}
    _check_contiguous(events, space.ledger.first)


def _check_last(space: Workspace, event: Event) -> None:
    folder = space.home.path / "monitor" / "checkpoints"
    data = (folder / f"{log_id(space).hex()}-latest.json").read_bytes()
    seen = checkpoint.verify(data, (space.monitor.public_key,))
    assert (seen.sequence, seen.last) == (event.values["sequence"], event.values["last"])
    assert seen.sequence == 4


def _check_contiguous(events: list[Event], first: int) -> None:
    spans = [(e.values["first"], e.values["last"]) for e in events if e.kind == "read"]
    assert spans[0][0] == first
    for (_, last), (begin, _) in pairwise(spans):
        assert isinstance(last, int)
        assert begin == last + 1


def test_following_a_namespace_misses_no_block_when_the_node_restarts(
    devnet: Devnet, namespace: bytes
) -> None:
    first = devnet.chain.height()
    seen: list[tuple[int, list[bytes]]] = []
    posted: list[bytes] = []
    failures: list[object] = []

    async def watch(last: int) -> None:
        async with devnet.asynchronous("read") as node:
            blocks = follow_blocks(
                node, namespace, first, report=lambda *failed: failures.append(failed)
            )
            async for header, found in blocks:
                seen.append((header.header.height, [each.blob.data for each in found]))
                if header.header.height >= last:
                    return

    async def run() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(watch, first + 30)
            for number in range(3):
                await anyio.sleep(1)
                devnet.bridge.kill()
                await anyio.sleep(0.6)
                devnet.bridge.restart()
                posted.append(b"after restart %d" % number)
                async with devnet.asynchronous() as node:
                    await node.ask(calls.blob_submit((Blob(namespace, posted[-1]),), TxOptions()))

    anyio.run(run)
    assert [height for height, _ in seen] == [*range(first, first + 31)]
    assert [data for _, found in seen for data in found] == posted
    assert failures
