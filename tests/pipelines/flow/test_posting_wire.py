"""Posting over a wire that fails: each blob ends on the ledger once, with a verified receipt."""

import asyncio
import base64
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from pipelines.flow.placing import Placing
from pipelines.flow.publishing import (
    log_id,
    outbox,
    publish,
    receipts,
    verify_receipt,
)
from pipelines.flow.queueing import queue, waiting
from pipelines.flow.workspace import Workspace
from provenance.errors import ProvenanceError
from storage.home import Home
from tests.pipelines.flow.faulty import schedule
from tests.pipelines.flow.test_publishing import start
from tests.pipelines.flow.wire import FAULTS, Fault, Served, Wire

RUNS = 40


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A home, in memory where there is such a folder."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # no fixed name in it
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        Workspace.create(Path(folder) / "template")
        yield Path(folder) / "template"


class Site:
    """A home that posts to a served ledger."""

    def __init__(self, home: Path) -> None:
        self.home, self.served = home, Served(home.parent)

    @contextmanager
    def open(self, wire: Wire) -> Iterator[Workspace]:
        """Give the home as a new process finds it."""
        space = Workspace(Home(self.home), clock=self.served.clock)
        with self.served.through(wire) as ledger:
            space.__dict__["ledger"] = ledger
            yield space

    def wire(self, choose: Callable[[str], Fault], random: Random) -> Wire:
        """Return a wire that fails as `choose` says."""
        return Wire(self.served.app, choose, random)

    def check(self, twice: list[str]) -> None:
        """Check that all stands on the ledger once, but for what a node was made to send twice."""
        with self.open(self.wire(lambda _: "none", schedule(0))) as space:
            assert not waiting(space)
            assert not outbox(space).waiting()
            placing, injected = Placing(space, outbox(space), _slept), Counter(twice)
            for entry in outbox(space).batches(log_id(space)):
                for blob in placing.blobs(entry):
                    heights = self.served.heights_of(blob)
                    more = injected[base64.b64encode(blob.data).decode()]
                    assert len(heights) == 1 + more, (entry.sequence, heights, more)
                    assert entry.height in heights
            for receipt in receipts(space):
                verify_receipt(space, receipt)


@contextmanager
def _site(template: Path) -> Iterator[Site]:
    path = Path(tempfile.mkdtemp(dir=template.parent)) / "home"
    shutil.copytree(template, path)
    site = Site(path)
    try:
        yield site
    finally:
        site.served.app.close()
        shutil.rmtree(path.parent)


def _slept(_: float) -> None:
    """Sleep not at all."""


def _honest(_: str) -> Fault:
    return "none"


def _fill(site: Site, *names: str) -> None:
    with site.open(site.wire(_honest, schedule(0))) as space:
        for name in names:
            queue(space, start(space, name))


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "stale"])
def test_each_fault_of_a_submission_leaves_it_there_once(template: Path, fault: Fault) -> None:
    with _site(template) as site:
        _fill(site, "one")
        faults = [fault]
        wire = site.wire(
            lambda name: faults.pop() if faults and name == "blob.Submit" else "none", schedule(3)
        )
        for _ in range(2):  # a refusal ends a run
            try:
                with site.open(wire) as space:
                    publish(space, sleep=_slept)
                break
            except ProvenanceError:
                assert fault.isdecimal()
        assert not faults
        asyncio.run(wire.flush())
        site.check(wire.twice)


def run_schedule(template: Path, seed: int) -> int:
    """Post over a wire that fails at random until all is posted; return after how many runs."""
    random, twice = schedule(seed), list[str]()
    with _site(template) as site:
        _fill(site, *("one", "two")[: random.randint(1, 2)])
        for run in range(RUNS):
            wire = site.wire(_faults(random, random.uniform(0.3, 1) * 0.8**run), random)
            try:
                with site.open(wire) as space:
                    publish(space, sleep=_slept)
            except ProvenanceError:
                continue
            finally:
                asyncio.run(wire.flush())
                twice += wire.twice
            site.check(twice)
            return run + 1
    raise AssertionError(f"schedule {seed} did not end")


def _faults(random: Random, rate: float) -> Callable[[str], Fault]:
    """Return faults: at most submissions, and at a few of the other calls."""

    def choose(method: str) -> Fault:
        chance = rate if method == "blob.Submit" else rate / 5
        return random.choice(FAULTS) if random.random() < chance else "none"

    return choose


def test_under_random_schedules_all_is_posted_once(template: Path) -> None:
    for seed in range(3):
        run_schedule(template, seed)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10))
def test_under_a_thousand_random_schedules_all_is_posted_once(template: Path, hundred: int) -> None:
    for seed in range(100):
        run_schedule(template, 100 * hundred + seed)
