"""Whatever the node does, each blob of the outbox ends on the ledger once, with a receipt."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from typing_extensions import override

from pipelines.flow.placing import DELAYS, Placing
from pipelines.flow.publishing import (
    Posted,
    log_id,
    outbox,
    publish,
    publishing,
    receipts,
    verify_receipt,
)
from pipelines.flow.queueing import queue, waiting
from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError, ProvenanceError, UnavailableError, VerificationError
from provenance.receipt import Receipt
from storage.celestia.client.errors import Kind, NodeError
from storage.celestia.share import Blob
from storage.home import Home
from storage.ledger import MemoryLedger, OutcomeUnknownError
from storage.posting import TRIES
from tests.pipelines.flow.faulty import (
    CHAIN,
    FAULTS,
    PATIENCE,
    Chain,
    Fault,
    FaultyLedger,
    Killed,
    schedule,
)
from tests.pipelines.flow.test_publishing import start

RUNS = 60
"""Runs of one schedule; faults grow rarer with each, so that it ends."""


@dataclass
class Site:
    """A home, the chain that it posts to, and what its processes slept."""

    home: Path
    chain: Chain = field(default_factory=Chain)
    slept: list[float] = field(default_factory=list)

    def open(self, ledger: FaultyLedger) -> Workspace:
        """Return the home as a new process finds it, posting through `ledger`."""
        space = Workspace(Home(self.home), clock=lambda: self.chain.now)
        space.__dict__["ledger"] = ledger
        return space

    def node(self, *faults: Fault, at: str = "submit", seed: int = 0) -> FaultyLedger:
        """Return a node that fails in these ways, one after the other, at calls of that name."""
        left = list(faults)
        return FaultyLedger(
            self.chain,
            lambda name: left.pop(0) if left and name == at else "none",
            schedule(seed),
        )

    def publish(self, ledger: FaultyLedger) -> tuple[Posted, ...]:
        """Post what waits, as a process of its own would."""
        return publish(self.open(ledger), sleep=self.slept.append)

    def check(self, twice: list[Blob]) -> int:
        """Check that all stands on the chain once, with receipts; return how many blobs."""
        self.chain.settle()
        space = self.open(self.node())
        assert not waiting(space)
        placing, seen = Placing(space, outbox(space), self.slept.append), 0
        for entry in outbox(space).batches(log_id(space)):
            for blob in placing.blobs(entry):
                heights = self.chain.heights_of(blob)
                assert len(heights) == 1 or (blob in twice and len(heights) == 2), heights
                assert entry.height in heights
                seen += 1
        for receipt in receipts(space):
            verify_receipt(space, receipt)
        assert not outbox(space).waiting()
        return seen


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A home with a log, in memory where there is such a folder."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # no fixed name in it
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        path = Path(folder) / "template"
        Workspace.create(path)
        yield path


@pytest.fixture
def site(template: Path) -> Iterator[Site]:
    """A fresh home with one statement that waits."""
    with _copied(template) as site:
        queue(site.open(site.node()), start(site.open(site.node()), "one"))
        yield site


@contextmanager
def _copied(template: Path) -> Iterator[Site]:
    path = Path(tempfile.mkdtemp(dir=template.parent)) / "home"
    shutil.copytree(template, path)
    yield Site(path)
    shutil.rmtree(path.parent)


def test_an_honest_node_is_asked_once(site: Site) -> None:
    posted = site.publish(site.node())
    assert [(each.attempts, each.again, each.blobs) for each in posted] == [(1, None, 1)] * 2
    assert site.check([]) == 2
    assert site.slept == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "fault", ["lost", "wrong height", "future height", "silent"], ids=lambda name: name
)
def test_an_unknown_outcome_is_looked_for(site: Site, fault: Fault, seed: int) -> None:
    """The random numbers decide whether the node acted, and when the submission lands."""
    header, statement = site.publish(site.node(fault, seed=seed))
    assert header.attempts in (1, 2)
    assert statement.attempts == 1
    assert site.check([]) == 2


def test_what_was_not_taken_is_submitted_again_only_after_patience(site: Site) -> None:
    head = site.chain.ledger.head()
    posted, _ = site.publish(site.node("silent"))
    assert posted.attempts == 2
    assert posted.receipt.height > head + PATIENCE + 1
    assert site.slept == [DELAYS[0]]


@pytest.mark.parametrize("kind", ["busy", "unreachable", "sequence"])
def test_what_passes_is_tried_again_and_then_reported(site: Site, kind: Kind) -> None:
    node = Refusing(site.chain, kind)
    with pytest.raises(UnavailableError, match="batch 0 waits: not now") as caught:
        site.publish(node)
    assert isinstance(caught.value.__cause__, NodeError)
    assert node.asked == TRIES
    assert site.slept == list(DELAYS[: TRIES - 1])
    assert "\n" not in str(caught.value)
    site.publish(site.node())
    assert site.check([]) == 2


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("gas", "raise the gas price, or its cap"),
        ("too-large", "ask another one"),
        ("permission", "the token may not write"),
        ("other", "run this again later"),
    ],
)
def test_a_refusal_is_not_tried_again_unchanged(site: Site, kind: Kind, advice: str) -> None:
    node = Refusing(site.chain, kind)
    with pytest.raises(UnavailableError, match=f"batch 0 waits: not now.*{advice}"):
        site.publish(node)
    assert node.asked == 1
    site.publish(site.node())
    assert site.check([]) == 2


class Refusing(FaultyLedger):
    """A node that refuses each submission in one way, and takes none."""

    def __init__(self, chain: Chain, kind: Kind) -> None:
        super().__init__(chain, lambda _: "none", schedule(0))
        self._refusal, self.asked = kind, 0

    @override
    def submit(self, blobs: Sequence[Blob]) -> int:
        """Refuse."""
        self.asked += bool(blobs)
        raise NodeError(self._refusal, "not now")


def test_a_node_that_says_no_and_acts_is_found_out(site: Site) -> None:
    """Every kind of refusal, after the node took the blobs."""

    class Lying(FaultyLedger):
        @override
        def submit(self, blobs: Sequence[Blob]) -> int:
            self.behind.take(blobs, PATIENCE)
            raise NodeError("sequence", "not taken")

    header, statement = site.publish(Lying(site.chain, lambda _: "none", schedule(0)))
    assert (header.attempts, statement.attempts) == (1, 1)
    assert site.check([]) == 2


def test_a_node_that_shows_an_old_head_and_submits_does_not_make_two(site: Site) -> None:
    """The head it shows is 60 blocks old; then it catches up, before the submission has landed."""
    for _ in range(60):
        site.chain.grow()

    class Lagging(FaultyLedger):
        shown = 2

        @override
        def head(self) -> int:
            return min(self.shown, self.behind.ledger.head())

        @override
        def submit(self, blobs: Sequence[Blob]) -> int:
            self.behind.take(blobs, PATIENCE)
            self.shown = 10**6
            raise OutcomeUnknownError("the answer was lost")

    header, statement = site.publish(Lagging(site.chain, lambda _: "none", schedule(0)))
    assert (header.attempts, statement.attempts) == (1, 1)
    assert site.check([]) == 2


def test_a_block_that_is_gone_ends_the_search_without_a_second_submission(site: Site) -> None:
    space = site.open(site.node())
    with pytest.raises(Killed):
        publish(site.open(site.node("killed")), sleep=site.slept.append)
    for _ in range(9):
        site.chain.grow()
    lost: list[Fault] = ["lost"] * (len(DELAYS) + 1)
    node = site.node(*lost, at="blobs")
    with pytest.raises(
        UnavailableError, match=r"batch 0 may stand in block 2, .* not posted again"
    ):
        site.publish(node)
    [entry] = outbox(space).waiting()
    assert entry.attempt is not None
    assert entry.attempt.number == 1
    site.publish(site.node())
    assert site.check([]) == 2


def test_a_second_landing_that_the_node_causes_is_told_and_no_error(site: Site) -> None:

    class Twice(FaultyLedger):
        @override
        def submit(self, blobs: Sequence[Blob]) -> int:
            for delay in (1, 2):
                self.behind.take(blobs, delay)
            self.behind.grow()
            return self.behind.grow() - 1

    posted = site.publish(Twice(site.chain, lambda _: "none", schedule(0)))
    assert [each.again for each in posted] == [each.receipt.height + 1 for each in posted]


@pytest.mark.parametrize("seed", range(7))
def test_a_receipt_that_proves_something_else_is_not_stored(site: Site, seed: int) -> None:
    with pytest.raises((VerificationError, MalformedError)):
        site.publish(site.node("forged", at="receipt", seed=seed))
    assert list(receipts(site.open(site.node()))) == []
    site.publish(site.node())
    assert site.check([]) == 2


def test_a_true_receipt_of_another_blob_is_not_stored(site: Site) -> None:
    class Another(FaultyLedger):
        asked: list[tuple[int, Blob]] = []  # noqa: RUF012  # of this test alone

        @override
        def receipt(self, height: int, blob: Blob) -> Receipt:
            self.asked.append((height, blob))
            return super().receipt(*self.asked[0])

    with pytest.raises(VerificationError, match=r"receipt for batch 1 .* is of another blob"):
        site.publish(Another(site.chain, lambda _: "none", schedule(0)))
    assert len(list(receipts(site.open(site.node())))) == 1
    site.publish(site.node())
    assert site.check([]) == 2


def test_a_batch_is_posted_as_soon_as_it_is_asked_for_and_not_before(site: Site) -> None:
    """Whoever stops half-way, as Ctrl-C does, leaves the rest waiting."""
    space = site.open(site.node())
    with publishing(space, sleep=site.slept.append) as posted:
        assert next(posted).header.sequence == 0
    assert len(waiting(space)) == 1
    site.publish(site.node())
    assert site.check([]) == 2


def test_two_threads_of_a_process_post_one_after_the_other(site: Site) -> None:
    posted: list[tuple[Posted, ...]] = []
    threads = [
        threading.Thread(target=lambda: posted.append(site.publish(site.node()))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, posted)) == [0, 0, 2]
    assert site.check([]) == 2


def test_what_an_older_version_submitted_is_found_by_its_ledger(site: Site) -> None:
    """Its outbox has no attempts; only ledgers that know blobs again were posted to."""
    space = site.open(site.node())
    ledger = MemoryLedger(CHAIN)
    space.__dict__["ledger"] = ledger
    publish(space)
    for path in outbox(space).folder.rglob("attempted"):
        path.unlink()
    for name in ("receipt", "submitted"):
        (outbox(space).folder / log_id(space).hex() / f"{1:020d}" / name).unlink()
    head = ledger.head()
    [posted] = publish(space)
    assert posted.receipt.height == ledger.head() == head


def run_schedule(template: Path, seed: int) -> int:
    """Post through a node that fails at random until all is posted; return after how many runs."""
    random, twice = schedule(seed), list[Blob]()
    with _copied(template) as site:
        for name in ("one", "two")[: random.randint(1, 2)]:
            queue(site.open(site.node()), start(site.open(site.node()), name))
        for run in range(RUNS):
            rate = random.uniform(0, 0.9 ** (run + 1))
            node = FaultyLedger(site.chain, _faults(random, rate), random, twice)
            try:
                site.publish(node)
            except (ProvenanceError, Killed):
                continue
            site.check(twice)
            return run + 1
    raise AssertionError(f"schedule {seed} did not end")


def _faults(random: Random, rate: float) -> Callable[[str], Fault]:
    """Return faults for a node: at most of its submissions, and at a few of the other calls."""

    def choose(name: str) -> Fault:
        chance = rate if name == "submit" else rate / 8
        return random.choice(FAULTS) if random.random() < chance else "none"

    return choose


@pytest.mark.parametrize("hundred", [0])
def test_under_a_hundred_random_schedules_all_is_posted_once(template: Path, hundred: int) -> None:
    runs = [run_schedule(template, 100 * hundred + seed) for seed in range(100)]
    assert max(runs) > 3


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(1, 10))
def test_under_a_thousand_random_schedules_all_is_posted_once(template: Path, hundred: int) -> None:
    for seed in range(100):
        run_schedule(template, 100 * hundred + seed)
