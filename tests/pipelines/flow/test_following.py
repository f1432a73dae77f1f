"""The monitor: goes on from where it was, signs what it saw, and nothing that it did not see."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipelines.flow.following import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    TOGETHER,
    Event,
    Monitor,
    follow,
    signed_before,
    watched,
)
from pipelines.flow.monitoring import Watch
from provenance import checkpoint
from provenance.checkpoint import Checkpoint
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import digest_entry, full_entry
from storage.celestia.client.errors import NodeError
from storage.celestia.header_store import EquivocationError
from storage.celestia.share import Blob
from storage.ledger import MemoryLedger
from storage.scans import MAX_PROBLEMS, Scan
from tests.pipelines.flow.logs import NAMESPACE, Log, entry
from tests.provenance.world import ISSUER, MONITOR, ROTATED, STRANGER

KEYS = (ISSUER.public_key,)


@dataclass
class Desk:
    """A monitor's place of work; each `monitor()` is a process that starts anew."""

    folder: Path
    ledger: MemoryLedger
    every: int = 0
    log: Digest | None = None
    keys: tuple[bytes, ...] = KEYS
    told: list[Event] = field(default_factory=list)

    @contextmanager
    def monitor(self) -> Iterator[Monitor]:
        watch = Watch(NAMESPACE, self.keys, 1)  # type: ignore[arg-type]
        path, signed = self.folder / "scan.sqlite", self.folder / "signed"
        signed.mkdir(exist_ok=True)
        with Scan.opened(path, watched(self.ledger, watch, self.log), 1) as scan:
            past = signed_before(signed, self.ledger, watch, MONITOR)
            add = self.told.append
            yield Monitor(
                self.ledger, watch, self.log, scan, MONITOR, signed, self.every, add, past
            )

    def catch_up(self) -> list[str]:
        """Start, read to the head, end; return what was told."""
        self.told.clear()
        with self.monitor() as monitor:
            monitor.catch_up()
        return [event.kind for event in self.told]

    def problems(self) -> list[tuple[int, str]]:
        with self.monitor() as monitor:
            return [(height, problem.kind) for height, problem in monitor.problems()]

    def checkpoints(self) -> list[Checkpoint]:
        paths = (self.folder / "signed").glob("*-[0-9]*.json")
        found = [checkpoint.verify(p.read_bytes(), (MONITOR.public_key,)) for p in paths]
        return sorted(found, key=lambda seen: seen.last)


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger("followed")


@pytest.fixture
def log(ledger: MemoryLedger) -> Log:
    made = Log(ledger)
    made.begin()
    made.add("one")
    return made


@pytest.fixture
def desk(tmp_path: Path, ledger: MemoryLedger) -> Desk:
    return Desk(tmp_path, ledger)


def test_a_checkpoint_is_signed_at_each_new_head_and_at_no_other_time(desk: Desk, log: Log) -> None:
    assert desk.catch_up() == ["read", "checkpoint"]
    assert desk.catch_up() == []
    desk.ledger.advance()
    assert desk.catch_up() == ["read"]
    log.add("two", "three")
    assert desk.catch_up() == ["read", "checkpoint"]
    first, second = desk.checkpoints()
    assert (first.sequence, first.first, first.last) == (1, 1, 3)
    assert (second.sequence, second.first, second.last) == (3, 1, 6)
    assert second.head == log.batches[-1].header.digest
    latest = desk.folder / "signed" / f"{second.log.hex()}-latest.json"
    assert checkpoint.verify(latest.read_bytes(), (MONITOR.public_key,)) == second


def test_one_is_signed_after_so_many_blocks_where_that_is_asked_for(desk: Desk, log: Log) -> None:
    desk.every = 3
    desk.catch_up()
    seen = []
    for _ in range(7):
        desk.ledger.advance()
        seen.append("checkpoint" in desk.catch_up())
    assert seen == [False, False, True, False, False, True, False]
    assert [c.last for c in desk.checkpoints()] == [3, 6, 9]
    assert len(log.batches) == 2


def test_a_monitor_that_starts_anew_reads_no_block_again(desk: Desk, log: Log) -> None:
    class Counting(MemoryLedger):
        asked: list[int]

        def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:  # type: ignore[explicit-override]
            self.asked.append(height)
            return super().blobs(height, namespace)

    counting = Counting("followed")
    counting.asked = []
    log.ledger = counting
    log.batches.clear()
    desk.ledger = counting
    log.begin()
    desk.catch_up()
    log.add("one")
    desk.catch_up()
    assert counting.asked == [1, 2, 3]


def test_what_an_incremental_reading_finds_is_what_a_whole_one_finds(desk: Desk, log: Log) -> None:
    for name in ("two", "three", "four"):
        log.add(name)
        desk.catch_up()
    again = Desk(desk.folder / "again", desk.ledger)
    again.folder.mkdir()
    again.catch_up()
    assert again.checkpoints()[-1] == desk.checkpoints()[-1]


ATTACKS: dict[str, tuple[str, Callable[[Log], object]]] = {
    "fork": ("fork", lambda log: log.post(log.make("other", after=log.batches[0]))),
    "gap": ("gap", lambda log: log.post(log.make("after", after=log.make("never-posted")))),
    "rewritten": (
        "rewritten",
        lambda log: log.post(log.make("after", after=log.make("x", after=log.batches[0]))),
    ),
    "start among entries": (
        "misplaced",
        lambda log: log.post(log.make("", entries=[entry(log, "hidden")])),
    ),
    "no attestation": ("bad-entry", lambda log: log.post(log.make("", entries=[full_entry(b"x")]))),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_issuer_who_lies_is_found_out_and_nothing_more_is_signed(
    desk: Desk, log: Log, name: str
) -> None:
    kind, attack = ATTACKS[name]
    desk.catch_up()
    attack(log)
    assert desk.catch_up() == ["problem", "read"]
    assert [problem for _, problem in desk.problems()] == [kind]
    log.batches[:] = log.batches[:2]
    log.add("honest-again")
    desk.catch_up()
    assert len(desk.checkpoints()) == 1


def test_a_fork_that_was_hidden_above_the_checkpoint_is_found(desk: Desk, log: Log) -> None:
    """It contradicts what was signed before: the checkpoint stays true, no other follows."""
    desk.catch_up()
    for _ in range(3):
        desk.ledger.advance()
    desk.catch_up()
    log.post(log.make("other", after=log.batches[0]))
    desk.catch_up()
    assert desk.problems() == [(7, "fork")]
    assert [c.last for c in desk.checkpoints()] == [3]
    with desk.monitor() as monitor:
        assert len(list(monitor.scan.headers())) == 3  # both headers are kept, as evidence


def test_a_fork_under_the_issuers_second_key_is_found(desk: Desk, log: Log) -> None:
    desk.keys = (*KEYS, ROTATED.public_key)
    log.post(log.make("other", after=log.batches[0], signer=ROTATED))
    desk.catch_up()
    assert desk.problems() == [(4, "fork")]


def test_a_second_log_that_the_issuer_begins_in_this_place_is_found(desk: Desk, log: Log) -> None:
    desk.keys = (*KEYS, ROTATED.public_key)
    desk.catch_up()
    second = Log(log.ledger, ROTATED).begin()
    assert desk.catch_up() == ["problem", "read"]
    assert desk.problems() == [(4, "second-log")]
    assert second.header.log_id != log.batches[0].header.log_id


@pytest.mark.parametrize("is_known", [False, True])
def test_the_issuers_other_logs_that_a_stranger_copies_here_stop_no_monitor(
    desk: Desk,
    *,
    is_known: bool,
) -> None:
    """Before the log begins and after: one on another chain, and one in the second key's place."""
    both = (*KEYS, ROTATED.public_key)
    elsewhere, second = Log(MemoryLedger("test-network")), Log(MemoryLedger("x"), ROTATED)
    for other in (elsewhere, second):
        other.begin()
        other.add("there", "too")
    copied = [Blob(NAMESPACE, b.envelope) for o in (elsewhere, second) for b in o.batches]
    desk.ledger.submit(copied)
    log = Log(desk.ledger)
    log.begin()
    desk.keys = both
    desk.log = log.batches[0].header.digest if is_known else None
    assert desk.catch_up() == ["read", "checkpoint"]
    desk.ledger.submit([*copied, Blob(NAMESPACE, b"again")])
    log.add("one")
    assert desk.catch_up() == ["read", "checkpoint"]
    assert desk.problems() == []
    assert desk.checkpoints()[-1].head == log.batches[-1].header.digest
    assert any("headers of 2 logs that did not begin here" in e.words for e in desk.told)


def test_a_header_before_the_first_one_of_its_log_is_told(desk: Desk) -> None:
    """Else a fork could stand below the first header, where nobody counts it."""
    log = Log(MemoryLedger("followed"))
    log.begin()
    hidden = log.make("hidden")
    desk.ledger.submit([Blob(NAMESPACE, hidden.envelope)])
    log.ledger = desk.ledger
    log.post(log.batches.pop())
    log.add("shown")
    desk.catch_up()
    assert desk.problems() == [(3, "rewritten")]


def test_another_log_than_the_one_that_is_watched_is_found(desk: Desk, log: Log) -> None:
    desk.log = Digest(b"\7" * 32)
    assert desk.catch_up() == ["problem", "read"]
    assert desk.problems() == [(2, "second-log")]
    assert log.batches


def test_a_stranger_cannot_stop_a_monitor(desk: Desk, log: Log) -> None:
    """He posts old headers again, a new one before the issuer's posting of it, and noise."""
    desk.catch_up()
    again = [Blob(NAMESPACE, batch.envelope) for batch in log.batches]
    desk.ledger.submit([*again, Blob(NAMESPACE, b"noise")])
    desk.ledger.submit([Blob(NAMESPACE, Log(MemoryLedger("followed"), STRANGER).begin().envelope)])
    fresh = log.make("", entries=[digest_entry(b"closed")])
    desk.ledger.submit([Blob(NAMESPACE, fresh.envelope), Blob(NAMESPACE, b"in front")])
    assert desk.catch_up() == ["read", "waiting"]
    assert desk.problems() == []
    log.post(fresh)
    assert desk.catch_up() == ["read", "checkpoint"]
    assert desk.checkpoints()[-1].sequence == 2


def test_a_header_posted_without_its_entries_stops_the_signing_until_they_come(
    desk: Desk, log: Log
) -> None:
    batch = log.post(log.make("", entries=[digest_entry(b"late")]), alone=True)
    assert desk.catch_up() == ["read", "waiting"]
    desk.ledger.submit([Blob(NAMESPACE, batch.entries)])
    assert desk.catch_up() == ["read", "waiting"]  # not beside their header
    log.batches.pop()
    log.post(batch)
    assert desk.catch_up() == ["read", "checkpoint"]


def test_entries_that_came_after_the_next_header_are_reported(desk: Desk, log: Log) -> None:
    batch = log.post(log.make("", entries=[digest_entry(b"late")]), alone=True)
    log.add("next")
    desk.catch_up()
    log.batches.append(batch)
    log.post(batch)
    desk.catch_up()
    assert desk.problems() == [(6, "rewritten")]


def test_digests_that_nothing_opens_are_counted(desk: Desk, log: Log) -> None:
    log.post(log.make("", entries=[digest_entry(b"closed"), digest_entry(b"too")]))
    desk.catch_up()
    (read,) = (event for event in desk.told if event.kind == "read")
    assert read.values["unopened"] == 2
    assert "2 entries of which only the digest" in read.words


class Failing(MemoryLedger):
    """A node that fails in a certain way at some heights, or altogether."""

    failures: dict[int, Exception]

    def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:  # type: ignore[explicit-override]
        if height in self.failures:
            raise self.failures[height]
        return super().blobs(height, namespace)


@pytest.fixture
def failing(desk: Desk) -> Failing:
    """A ledger of eight blocks with a log, of which block 5 cannot be read."""
    made = Failing("followed")
    made.failures = {5: UnavailableError("the node is restarting")}
    desk.ledger = made
    log = Log(made)
    log.begin()
    log.add("one", "two", "three", "four", "five", "six")
    return made


def test_no_height_is_passed_over(desk: Desk, failing: Failing) -> None:
    with pytest.raises(UnavailableError, match="restarting"):
        desk.catch_up()
    with desk.monitor() as monitor:
        assert monitor.scan.place.height == 5
    assert desk.checkpoints() == []  # the head is not read: nothing is known of what stands above
    failing.failures.clear()
    assert desk.catch_up() == ["read", "checkpoint"]
    assert [(c.first, c.last) for c in desk.checkpoints()] == [(1, 8)]


def waits(desk: Desk, rounds: int, mend: Callable[[int], None] = lambda _: None) -> list[float]:
    """Return for how long a monitor sleeps between its looks."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        mend(len(slept))

    with desk.monitor() as monitor:
        follow(monitor, sleep, 6.0, rounds)
    return slept


def test_outages_are_waited_for_ever_longer_up_to_a_bound(desk: Desk, failing: Failing) -> None:
    slept = waits(desk, 12, lambda n: failing.failures.clear() if n == 11 else None)
    doubled = [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(11)]
    assert slept == [*doubled, 6.0]
    assert [event.kind for event in desk.told].count("unavailable") == 11
    assert desk.told[-1].kind == "checkpoint"


def test_a_pruned_height_is_told_and_no_checkpoint_spans_it(desk: Desk, failing: Failing) -> None:
    failing.failures = {5: NodeError("pruned", "requested header (5) is below Tail (7)")}
    waits(desk, 2)
    pruned = [event for event in desk.told if event.kind == "pruned"]
    assert len(pruned) == 2
    assert "block 5 can no longer be read" in pruned[0].words
    assert "archival node" in pruned[0].words
    assert desk.checkpoints() == []


def test_an_answer_that_is_not_proved_is_refused_and_asked_for_again(
    desk: Desk, failing: Failing
) -> None:
    failing.failures = {5: VerificationError("4 rows, where 5 cover the namespace")}
    waits(desk, 2, lambda _: failing.failures.clear())
    assert [event.kind for event in desk.told] == ["read", "refused", "read", "checkpoint"]
    assert desk.problems() == []


def test_two_headers_at_one_height_are_a_finding(desk: Desk, failing: Failing) -> None:
    failing.failures = {5: EquivocationError("two signed histories at block 5")}
    with desk.monitor() as monitor, pytest.raises(EquivocationError):
        follow(monitor, lambda _: None, 6.0)
    assert desk.problems() == [(5, "two-blocks")]
    failing.failures.clear()
    assert "checkpoint" not in desk.catch_up()


def test_a_history_that_was_made_anew_is_found_at_the_last_block_read(desk: Desk, log: Log) -> None:
    desk.catch_up()
    other = MemoryLedger("followed", clock=iter(range(2 * 10**18, 3 * 10**18, 10**9)).__next__)
    for batch in log.batches:
        other.submit([Blob(NAMESPACE, batch.envelope)])
    desk.ledger = other
    with pytest.raises(EquivocationError, match=r"block 3 .* was read"):
        desk.catch_up()
    assert [kind for _, kind in desk.problems()] == ["two-blocks"]


def test_a_scan_that_was_lost_signs_nothing_that_contradicts_what_was_signed(
    desk: Desk, log: Log
) -> None:
    """The file is gone, and the operator shows another history."""
    desk.catch_up()
    for path in desk.folder.glob("scan.sqlite*"):
        path.unlink()
    other = MemoryLedger("followed", clock=iter(range(2 * 10**18, 3 * 10**18, 10**9)).__next__)
    desk.ledger = log.ledger = other
    first = log.batches[0]
    log.batches.clear()
    log.post(first)
    log.add("another", "and-more")
    assert desk.catch_up() == ["problem", "read"]
    assert desk.problems() == [(3, "contradiction")]
    assert len(desk.checkpoints()) == 1


def test_a_scan_that_was_put_back_signs_nothing_that_contradicts_what_was_signed(
    desk: Desk, log: Log
) -> None:
    """The file came out of a backup, and the operator made the blocks above it anew."""
    desk.catch_up()
    kept = {path: path.read_bytes() for path in desk.folder.glob("scan.sqlite*")}
    old = copy(desk.ledger)
    old._blocks = list(desk.ledger._blocks)
    log.add("two", "three")
    desk.catch_up()
    for path in desk.folder.glob("scan.sqlite*"):
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    desk.ledger = log.ledger = old
    del log.batches[2:]
    log.add("other-two", "other-three", "other-four")
    assert desk.catch_up() == ["problem", "read"]
    assert desk.problems() == [(5, "contradiction")]
    assert [c.last for c in desk.checkpoints()] == [3, 5]


def unscanned(desk: Desk) -> None:
    """Forget what was read: what is watched by another set of keys has another file."""
    for path in desk.folder.glob("scan.sqlite*"):
        path.unlink()


def test_a_monitor_that_learns_of_a_new_key_contradicts_nothing(desk: Desk, log: Log) -> None:
    """It signed a block that held a header under the new key, which it did not know."""
    desk.every = 1
    desk.catch_up()
    log.post(log.make("two", signer=ROTATED))
    desk.catch_up()
    assert [(c.sequence, c.last) for c in desk.checkpoints()] == [(1, 3), (1, 4)]
    unscanned(desk)
    desk.keys = (*KEYS, ROTATED.public_key)
    assert desk.catch_up() == ["read"]  # block 4 is signed already, under fewer keys
    desk.ledger.advance()
    assert desk.catch_up() == ["read", "checkpoint"]
    assert desk.problems() == []
    assert [(c.sequence, c.last) for c in desk.checkpoints()][-1] == (2, 5)


def test_two_logs_that_are_watched_in_one_namespace_contradict_nothing(
    desk: Desk, log: Log
) -> None:
    strangers = Log(log.ledger, STRANGER)
    strangers.begin()
    desk.catch_up()
    unscanned(desk)
    desk.keys = (STRANGER.public_key,)
    assert desk.catch_up() == ["read", "checkpoint"]
    assert {c.log for c in desk.checkpoints()} == {
        log.batches[0].header.digest,
        strangers.batches[0].header.digest,
    }


def test_two_logs_of_one_issuer_may_be_watched_by_their_ids(desk: Desk, log: Log) -> None:
    """The same keys, another log: only the block must be the same."""
    desk.log = log.batches[0].header.digest
    desk.catch_up()
    unscanned(desk)
    desk.log = Digest(b"\7" * 32)
    desk.catch_up()
    assert "contradiction" not in [kind for _, kind in desk.problems()]


def test_a_node_that_fell_behind_what_was_read_is_told(desk: Desk, log: Log) -> None:
    desk.catch_up()
    desk.ledger = stale = copy(desk.ledger)
    stale._blocks = stale._blocks[:2]
    with pytest.raises(UnavailableError):  # the file of an owner has no such block
        desk.catch_up()
    assert len(log.batches) == 2


class Verifying(MemoryLedger):
    """Like a ledger over a network: it knows what was verified before, the node may not."""

    claimed = 2

    def claimed_head(self) -> int:
        return self.claimed


def test_so_is_one_whose_head_is_hidden_by_what_was_verified_before(desk: Desk) -> None:
    desk.ledger = Verifying("followed")
    log = Log(desk.ledger)
    log.begin()
    log.add("one")
    with pytest.raises(UnavailableError, match="the node's newest block is 2, block 3 was read"):
        desk.catch_up()
    assert [event.kind for event in desk.told] == ["read", "checkpoint"]
    assert waits(desk, 2) == [FIRST_PAUSE, 2 * FIRST_PAUSE]
    desk.ledger.claimed = 3
    assert waits(desk, 1) == [6.0]


def test_a_scan_that_was_lost_is_made_anew_with_the_same_checkpoints(desk: Desk, log: Log) -> None:
    desk.catch_up()
    (before,) = (desk.folder / "signed").glob("*-3.json")
    data = before.read_bytes()
    for path in desk.folder.glob("scan.sqlite*"):
        path.unlink()
    assert desk.catch_up() == ["read", "checkpoint"]
    assert before.read_bytes() == data
    log.add("two")
    desk.catch_up()
    assert [c.last for c in desk.checkpoints()] == [3, 4]


def test_below_what_was_signed_nothing_is_signed_again(desk: Desk, log: Log) -> None:
    """A scan that was lost, and a node that is behind."""
    behind = MemoryLedger("followed")
    for batch in log.batches:
        behind.submit([Blob(NAMESPACE, batch.envelope)])
    desk.ledger.advance()
    desk.catch_up()
    for path in desk.folder.glob("scan.sqlite*"):
        path.unlink()
    desk.ledger = behind
    assert desk.catch_up() == ["read"]
    assert [c.last for c in desk.checkpoints()] == [4]


def test_another_file_in_a_checkpoints_place_is_left_and_told(desk: Desk, log: Log) -> None:
    place = desk.folder / "signed" / f"{log.batches[0].header.digest.hex()}-3.json"
    place.parent.mkdir()
    place.write_bytes(b"somebody else's")
    desk.catch_up()
    assert desk.problems() == [(3, "contradiction")]
    assert [path.name for path in place.parent.iterdir()] == [place.name]
    assert place.read_bytes() == b"somebody else's"


def test_problems_are_kept_up_to_a_bound(desk: Desk) -> None:
    from provenance.history import Problem

    with desk.monitor() as monitor, monitor.scan.writing():
        kept = [
            monitor.scan.report(1, Problem("fork", str(n), "")) for n in range(MAX_PROBLEMS + 9)
        ]
    assert sum(kept) == MAX_PROBLEMS


def test_a_scan_of_another_log_is_not_taken(desk: Desk, log: Log) -> None:
    desk.catch_up()
    desk.log = log.batches[0].header.digest
    with pytest.raises(MalformedError, match="the scan of another log"):
        desk.catch_up()


def test_a_damaged_scan_is_told(desk: Desk) -> None:
    (desk.folder / "scan.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(MalformedError, match="is damaged"):
        desk.catch_up()


def test_many_blocks_take_several_transactions(desk: Desk, log: Log) -> None:
    desk.ledger.reach(2 * TOGETHER + 9)
    assert desk.catch_up() == ["read", "checkpoint"]
    assert desk.checkpoints()[0].last == 2 * TOGETHER + 9
    assert len(log.batches) == 2


KILLED = """
import os, sqlite3, sys
from pathlib import Path
from tests.pipelines.flow import test_following as t
from storage import atomic, scans

folder, steps = Path(sys.argv[1]), int(sys.argv[2])
done = 0

def step(*_):
    global done
    done += 1
    if done == steps:
        os.kill(os.getpid(), 9)

sys.setprofile(lambda frame, event, arg: step() if event == "c_call" and (
    getattr(arg, "__self__", None).__class__ is sqlite3.Connection
    or arg in (os.fsync, os.link, os.replace, os.rename)
) else None)
t.Desk(folder, t.built()).catch_up()
sys.setprofile(None)
print(done)
"""


def built() -> MemoryLedger:
    """Return the same ledger each time, with a log of four batches in a few blocks."""
    ledger = MemoryLedger("followed")
    log = Log(ledger)
    log.begin()
    log.add("one", "two")
    log.post(log.make("", entries=[digest_entry(b"closed")]))
    return ledger


def killed(folder: Path, steps: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(folder), str(steps)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def survives(folder: Path, steps: int) -> bool:
    """Kill a monitor at its n-th step, start another; return whether there was such a step."""
    folder.mkdir()
    done = killed(folder, steps)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    desk = Desk(folder, built())
    desk.catch_up()
    (seen,) = desk.checkpoints()
    assert (seen.sequence, seen.first, seen.last) == (3, 1, 5)
    assert desk.problems() == []
    names = sorted(path.name for path in (folder / "signed").iterdir())
    assert names == [f"{seen.log.hex()}-5.json", f"{seen.log.hex()}-latest.json"]
    return done.returncode != 0


def test_a_monitor_that_is_killed_goes_on(tmp_path: Path) -> None:
    assert survives(tmp_path / "reading", 40)


@pytest.mark.slow
def test_a_monitor_may_be_killed_at_any_step(tmp_path: Path) -> None:
    steps = 1
    while survives(tmp_path / str(steps), steps):
        steps += 1
    assert steps > 60
