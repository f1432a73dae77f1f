"""A batch's way onto the ledger: what `storage.posting` decides is done here, and nothing else.

The attempt is on the disk before the submission, and the height only once the block was seen to
hold the batch. Whatever is killed, lost or refused in between, the next run looks first.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from pipelines.flow.workspace import Workspace
from provenance.canonical import Fields
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.receipt import Receipt
from storage.celestia.client.errors import NodeError
from storage.celestia.share import Blob
from storage.ledger import Ledger, OutcomeUnknownError
from storage.outbox import Entry, Outbox
from storage.posting import GiveUp, Look, Search, Submit, Wait

T = TypeVar("T")
Sleep = Callable[[float], None]

DELAYS: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries to ask what may be asked again."""
_AGAIN: Final = frozenset({"unreachable", "lost", "busy", "future"})


@dataclass(frozen=True, slots=True)
class Sight:
    """A block that was seen to hold a batch, and how many times."""

    height: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class Placing:
    """Puts batches of one home on its ledger; whoever uses it holds the outbox's lock."""

    space: Workspace
    box: Outbox
    sleep: Sleep

    @property
    def ledger(self) -> Ledger:
        """The home's ledger."""
        return self.space.ledger

    def place(self, entry: Entry) -> tuple[Entry, Sight]:
        """Return the batch once a block was seen to hold it, and that block is on the disk.

        Raises:
            UnavailableError: It may or may not stand there, and the next run looks for it; or it
                was refused, and the message says what to change.
        """
        search = Search.resumed(self.ledger.patience, entry.attempt)
        why: UnavailableError | None = None
        reached = pauses = 0
        while True:
            seen: Sight | None = None
            head = max(self.ask(self.ledger.head), reached)
            match search.following(head, self._now()):
                case Submit() if pauses < search.tries:
                    self.sleep(DELAYS[min(pauses, len(DELAYS) - 1)])
                    pauses += 1
                case Submit(attempt):
                    entry = self.box.attempted(entry, attempt)
                    seen, why = self._submit(entry)
                    search = search.submitted(attempt, _trouble(why), self._now())
                case Look(first, last):
                    seen, search = self._look(entry, search, range(first, last + 1))
                case Wait(height):
                    self._wait(entry, height)
                    reached = height
                case GiveUp(advice):
                    raise UnavailableError(f"{_name(entry)} waits: {why}; {advice}") from why
            if seen is not None:
                return self.box.submitted(entry, seen.height), seen

    def receipt(self, entry: Entry, height: int) -> Receipt:
        """Return the receipt that the ledger gives for a placed batch; it is not verified yet."""
        return self.ask(lambda: self.ledger.receipt(height, self.blobs(entry)[0]))

    def second(self, entry: Entry, seen: Sight) -> int | None:
        """Return a height at which a placed batch stands once more, or None if none was seen.

        Neither an error nor a finding: a node may send twice what it was given once.
        """
        if not self.ledger.patience or entry.attempt is None:
            return None
        if seen.times > 1:
            return seen.height
        blobs, first = self.blobs(entry), entry.attempt.first
        try:
            if entry.attempt.number > 1:
                least = self.ledger.find(blobs, first)
                if least != seen.height:
                    return least
            return self.ledger.find(blobs, seen.height)
        except UnavailableError:
            return None  # the receipt is there; this is only worth a word

    def blobs(self, entry: Entry) -> tuple[Blob, ...]:
        """Return what is submitted for a batch: its header, and its entries if there are any."""
        parts = (entry.header, entry.entries) if entry.entries else (entry.header,)
        return tuple(Blob(self.space.genesis.namespace, part) for part in parts)

    def ask(self, question: Callable[[], T]) -> T:
        """Return the answer of the ledger, asked a few times where a failure may pass."""
        for delay in DELAYS:
            try:
                return question()
            except NodeError as error:
                if error.kind not in _AGAIN:
                    raise
            self.sleep(delay)
        return question()

    def _submit(self, entry: Entry) -> tuple[Sight | None, UnavailableError]:
        """Submit; return the block that was seen to hold the batch, and what went wrong if none."""
        try:
            height = self.ledger.submit(self.blobs(entry))
        except (OutcomeUnknownError, NodeError) as error:
            return None, error
        lost = OutcomeUnknownError(f"block {height}, which the node named, was not seen to hold it")
        try:
            return self._seen(entry, height), lost
        except (UnavailableError, VerificationError, MalformedError):
            return None, lost

    def _look(self, entry: Entry, search: Search, heights: range) -> tuple[Sight | None, Search]:
        """Return the first of `heights` that holds the batch, or None, and where the search is."""
        if not search.patience:
            blobs = self.blobs(entry)
            found = self.ask(lambda: self.ledger.find(blobs, heights.start - 1))
            search = search.without(heights[-1], self._now())
            return (None if found is None else Sight(found)), search
        with self.space.progress.stage(f"look for {_name(entry)}", len(heights)) as stage:
            for height in heights:
                with _named(entry, height):
                    seen = self._seen(entry, height)
                    if seen is not None:
                        return seen, search
                    search = search.without(height, self._time(height))
                stage.advance()
        return None, search

    def _wait(self, entry: Entry, height: int) -> None:
        with self.space.progress.stage(f"wait for block {height}, for {_name(entry)}"):
            self.ask(lambda: self.ledger.reach(height))

    def _seen(self, entry: Entry, height: int) -> Sight | None:
        """Return the block if it holds the whole batch, as all that it holds for the log shows."""
        blobs = self.blobs(entry)
        held = self.ask(lambda: self.ledger.blobs(height, blobs[0].namespace))
        times = min(map(held.count, blobs))
        return Sight(height, times) if times else None

    def _now(self) -> int:
        return self.space.clock() // 10**6

    def _time(self, height: int) -> int:
        """Return a block's time in milliseconds; the ledger has verified the header already."""
        header = self.ask(lambda: self.ledger.header(height))
        plain = Fields.of(header, "header").inner("header").members
        return self.space.verifier.linked_block(plain).time // 10**6


def _trouble(error: UnavailableError) -> str:
    return error.kind if isinstance(error, NodeError) else "lost"


def _name(entry: Entry) -> str:
    return f"batch {entry.sequence}"


@contextmanager
def _named(entry: Entry, height: int) -> Iterator[None]:
    """Say of an error what was being looked for: without that block nothing may be posted again."""
    try:
        yield
    except UnavailableError as error:
        raise UnavailableError(
            f"{_name(entry)} may stand in block {height}, which cannot be read, so it is not "
            f"posted again: {error}; ask a node that has this block"
        ) from error
