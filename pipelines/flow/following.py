"""The monitor: reads a log for months, and signs what it saw for as long as nothing is wrong.

It stands at a height that is on the disk (`storage/scans.py`), reads from there to the ledger's
head, and signs a checkpoint where the log has a new head. No height is passed over: where one
cannot be read, the monitor stays below it, and no checkpoint spans it. Whatever is killed when, the
next round goes on from the last block that was written down, and signs the same bytes again or
none.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from pipelines.flow.monitoring import Watch
from pipelines.flow.scanning import Page, block_at, pages, sightings
from provenance import canonical, checkpoint
from provenance.checkpoint import Checkpoint
from provenance.envelope import Signer
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.field import Digest
from provenance.history import Examination, Place, Problem
from storage.atomic import create_atomic, read_bounded, sweep, write_atomic
from storage.celestia.client.errors import NodeError
from storage.celestia.header_store import EquivocationError
from storage.ledger import Ledger
from storage.scans import Scan

KIND: Final = "rootline/scan/v2"
TOGETHER: Final = 64
"""Blocks that are written down in one transaction."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
"""Seconds between attempts while the ledger cannot be read: doubled up to the longest."""
MAX_CHECKPOINT: Final = 2**20


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a monitor tells: `checkpoint`, `problem`, `read`, or why it cannot go on."""

    kind: str
    words: str
    values: Mapping[str, int | str] = field(default_factory=dict)


@runtime_checkable
class Claiming(Protocol):
    """A ledger whose `head` covers what was verified before, whatever its node knows now."""

    def claimed_head(self) -> int:
        """Return the height that the node itself calls its newest."""
        ...


def watched(ledger: Ledger, watch: Watch, log: Digest | None) -> bytes:
    """Return what a scan is of, as canonical JSON; a scan of anything else begins anew."""
    return canonical.encode(
        {
            "kind": KIND,
            "ledger": ledger.kind,
            "chain": ledger.chain,
            "log": None if log is None else log.hex(),
            "namespace": watch.namespace.hex(),
            "keys": sorted(key.hex() for key in watch.keys),
            "first": watch.first,
        }
    )


@dataclass(frozen=True, slots=True)
class Monitor:
    """One log under watch.

    Attributes:
        ledger: Where it is read.
        watch: Namespace, keys and the first height.
        log: The log's id; None takes the first one in the namespace.
        scan: What was read before, on the disk.
        signer: The monitor's key.
        folder: Where checkpoints are put.
        every: Blocks after which a checkpoint is signed although the log has no new head; 0: never.
        tell: Takes what is to be told.
        past: What this key signed before, by height, in this namespace: the scan that it was signed
            from may be lost or older. It is not signed anew, and not contradicted.
    """

    ledger: Ledger
    watch: Watch
    log: Digest | None
    scan: Scan
    signer: Signer
    folder: Path
    every: int
    tell: Callable[[Event], None]
    past: Mapping[int, tuple[Checkpoint, ...]] = field(default_factory=dict)

    @property
    def examination(self) -> Examination:
        """The log as it was met so far."""
        logs = frozenset(() if self.log is None else (self.log,))
        place = Place(self.ledger.kind, self.ledger.chain, self.watch.namespace, logs)
        return Examination(self.scan, self.watch.keys, {}, place)

    def catch_up(self) -> None:
        """Read to the ledger's head and sign what is to be signed.

        Raises:
            EquivocationError: The ledger has two histories; it is written down as a problem.
            UnavailableError: A block cannot be read, or the node is behind what was read; that is
                written down.
            VerificationError, MalformedError: What the ledger gave is not proved, or is nothing.
        """
        self._publish()
        begun = self.scan.place.height
        try:
            self._check_last()
            head = self.ledger.head()
            while (height := self.scan.place.height) <= head:
                self._read(height, min(head, height + TOGETHER - 1))
        except EquivocationError as error:
            height = self.scan.place.height
            with self.scan.writing():
                self._report(height, Problem("two-blocks", f"block {height}", str(error)))
            raise
        finally:
            self._tell_read(begun, self.scan.place.height - 1)
        self._sign()
        self._check_claimed(head)

    @property
    def is_current(self) -> bool:
        """Whether a checkpoint covers the newest batch that was met."""
        data, head = self.scan.signed(), self.examination.head
        if data is None or head is None:
            return False
        return checkpoint.verify(data, (self.signer.public_key,)).head == head[1]

    def problems(self) -> tuple[tuple[int, Problem], ...]:
        """Return what is wrong for good, with the heights where it was met."""
        return self.scan.problems()

    def _tell_read(self, first: int, last: int) -> None:
        if last < first:
            return
        head, unopened = self.examination.head, self.scan.count("unopened")
        batches = 0 if head is None else head[0] + 1
        words = f"read blocks {first} to {last}: the log has {batches} batches"
        more = f", {unopened} entries of which only the digest was posted" if unopened else ""
        if foreign := self.scan.count("foreign"):
            more += f"; headers of {foreign} logs that did not begin here were passed over"
        values = {"first": first, "last": last, "batches": batches, "unopened": unopened}
        self.tell(Event("read", words + more, values))

    def _check_last(self) -> None:
        """Check that the ledger still has the block that was read last."""
        place = self.scan.place
        if place.block is None:
            return
        found = block_at(self.ledger, place.height - 1)
        if found.hash != place.block:
            raise EquivocationError(
                f"block {found.height} of {self.ledger.chain} is {found.hash.hex()[:16]}… now, "
                f"{place.block.hex()[:16]}… was read: the ledger's history was rewritten"
            )

    def _check_claimed(self, head: int) -> None:
        """Check that the node knows of what was read; else nothing new can come from it."""
        claimed = self.ledger.claimed_head() if isinstance(self.ledger, Claiming) else head
        if claimed < (read := self.scan.place.height - 1):
            raise UnavailableError(
                f"the node's newest block is {claimed}, block {read} was read: it is behind, or "
                "follows another chain; if it stays so, ask another node"
            )

    def _read(self, first: int, last: int) -> None:
        failed: ProvenanceError | None = None
        namespaces = (self.watch.namespace,)
        reading = pages(self.ledger, namespaces, first, last, self.scan.place.block)
        with self.scan.writing():  # what was read before an error stays
            while True:
                try:
                    page = next(reading, None)
                except ProvenanceError as error:
                    failed = error
                    break
                if page is None:
                    break
                self._take(page)
        if failed is not None:
            raise failed

    def _take(self, page: Page) -> None:
        """Write down what one block shows."""
        height, examination = page.block.height, self.examination
        keys, known = self.watch.keys, examination.is_known
        for sighting, problem in sightings(page, self.watch.namespace, keys, known):
            added = examination.add(sighting)
            sealed = sighting.sealed
            self.scan.keep(canonical.digest(sealed.envelope), height, sealed.envelope)
            wrong = () if problem is None else (problem,)
            for each in (*added.problems, *wrong):
                self._report(height, each)
        self.scan.move(height + 1, page.block.hash)
        self._compare(height, page.block.hash)

    def _report(self, height: int, problem: Problem) -> None:
        if self.scan.report(height, problem):
            self.tell(told(height, problem))

    # Checkpoints

    def _sign(self) -> None:
        """Sign up to the block that was read last, if something is new and nothing is wrong."""
        place, head = self.scan.place, self.examination.head
        if place.block is None or head is None or place.height - 1 <= place.signed:
            return
        if self.scan.problems():
            return
        if waiting := self.examination.waiting():
            self.tell(Event("waiting", f"{waiting[0].subject}: {waiting[0].words}", {}))
            return
        if not self._is_due(head[0], place.height - 1 - place.signed):
            return
        log = self.examination.digest_of(0)
        seen = self.watch.seen(self.ledger.chain, log, head, place.height - 1, place.block)
        if not self._is_above(seen):
            return
        with self.scan.writing():
            self.scan.sign(seen.last, checkpoint.sign(seen, self.signer))
        self._publish()
        words = f"signed: log {log.hex()[:16]}… up to batch {head[0]}, blocks {seen.first} to "
        values: dict[str, int | str] = {"log": log.hex(), "sequence": head[0]}
        values |= {"first": seen.first, "last": seen.last}
        self.tell(Event("checkpoint", f"{words}{seen.last}", values))

    def _is_due(self, sequence: int, blocks: int) -> bool:
        data = self.scan.signed()
        if data is None:
            return True
        if sequence > checkpoint.verify(data, (self.signer.public_key,)).sequence:
            return True
        return bool(self.every) and blocks >= self.every

    def _publish(self) -> None:
        """Put the newest checkpoint into the folder: a kill may have come before."""
        data = self.scan.signed()
        if data is None:
            return
        seen = checkpoint.verify(data, (self.signer.public_key,))
        sweep(self.folder)
        path = self.folder / f"{seen.log.hex()}-{seen.last}.json"
        create_atomic(path, data)
        if read_bounded(path, MAX_CHECKPOINT) != data:
            words = f"{path} says something else than what was read; it is left as it is"
            with self.scan.writing():
                self._report(seen.last, Problem("contradiction", f"block {seen.last}", words))
            return
        write_atomic(self.folder / f"{seen.log.hex()}-latest.json", data)

    def _is_above(self, seen: Checkpoint) -> bool:
        """Whether a checkpoint lies above all of the log that this key signed, or is the last."""
        same = [each for several in self.past.values() for each in several if each.log == seen.log]
        return all(each.last < seen.last or each == seen for each in same)

    def _compare(self, height: int, block: Digest) -> None:
        """Report where this monitor signed something else before.

        The block is the same whatever was watched; the head only of the same log, under the same
        keys: with another key there are more headers.
        """
        for seen in self.past.get(height, ()):
            if seen.block != block or (self._is_same(seen) and seen.head != self._head()):
                words = "another block or log head than in the checkpoint that this key signed here"
                self._report(height, Problem("contradiction", f"block {height}", words))

    def _head(self) -> Digest | None:
        head = self.examination.head
        return None if head is None else head[1]

    def _is_same(self, seen: Checkpoint) -> bool:
        log = self.log if self._head() is None else self.examination.digest_of(0)
        return log in (None, seen.log) and set(seen.keys) == {k.key_id for k in self.watch.keys}


def signed_before(
    folder: Path, ledger: Ledger, watch: Watch, signer: Signer
) -> dict[int, tuple[Checkpoint, ...]]:
    """Return the checkpoints in a folder that this key signed for this namespace, by height."""
    found: dict[int, tuple[Checkpoint, ...]] = {}
    for path in folder.glob("*-[0-9]*.json"):
        with suppress(ProvenanceError):  # another's
            data = read_bounded(path, MAX_CHECKPOINT)
            seen = checkpoint.verify(data, (signer.public_key,))
            if (seen.chain, seen.namespace) == (ledger.chain, watch.namespace):
                found[seen.last] = (*found.get(seen.last, ()), seen)
    return found


def told(height: int, problem: Problem) -> Event:
    """Return what is told of a problem."""
    words = f"block {height}: {problem.subject}: {problem.kind}: {problem.words}"
    return Event("problem", words, {"height": height, "what": problem.kind})


def follow(
    monitor: Monitor, sleep: Callable[[float], None], pause: float, rounds: int | None = None
) -> None:
    """Read and sign for good; outages are waited for, ever longer up to a bound.

    Args:
        monitor: What is watched.
        sleep: Waits for so many seconds.
        pause: Seconds between two looks at the ledger's head.
        rounds: Looks after which to end; None: never.

    Raises:
        EquivocationError: The ledger has two histories; nothing above is believed.
    """
    wait = FIRST_PAUSE
    done = 0
    while rounds is None or done < rounds:
        done += 1
        try:
            monitor.catch_up()
            wait = FIRST_PAUSE
            sleep(pause)
        except EquivocationError:
            raise
        except (UnavailableError, VerificationError, MalformedError) as error:
            monitor.tell(unread(error, monitor.scan.place.height))
            sleep(wait)
            wait = min(2 * wait, LONGEST_PAUSE)


def unread(error: ProvenanceError, height: int) -> Event:
    """Return what is told where a monitor cannot go on at `height`."""
    values = {"height": height}
    if isinstance(error, NodeError) and error.kind == "pruned":
        words = (
            f"block {height} can no longer be read from this node: no checkpoint will span it; ask "
            f"an archival node, which still has it ({error})"
        )
        return Event("pruned", words, values)
    if isinstance(error, UnavailableError):
        return Event("unavailable", f"block {height}: {error}", values)
    return Event("refused", f"block {height}: the ledger's answer is not proved: {error}", values)
