"""A chain whose node fails in every way that a schedule of random faults can think of.

The chain below is honest: blocks come one after the other, a submission that the node took lands
within `PATIENCE` blocks, and each submission lands anew. The node in front of it is not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Final, Literal, get_args

from provenance.canonical import JsonObject
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.receipt import Receipt
from storage.celestia.client.errors import Kind, NodeError
from storage.celestia.share import Blob
from storage.ledger import FIRST_TIME, MemoryLedger, OutcomeUnknownError

CHAIN: Final = "faulty-1"
PATIENCE: Final = 4
SECONDS: Final = 6 * 10**9
STRANGER: Final = bytes(19) + b"strangers!"

Fault = Literal[
    "none",
    "lost",
    "refused",
    "wrong height",
    "future height",
    "silent",
    "twice",
    "forged",
    "stale",
    "killed",
]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)


REFUSALS: Final[tuple[Kind, ...]] = ("busy", "unreachable", "permission", "future", "other")


class Killed(BaseException):
    """The process ends here, whatever it was doing."""


@dataclass
class Chain:
    """An honest chain: time passes with its blocks, and what was taken lands."""

    now: int = FIRST_TIME
    waiting: list[tuple[int, tuple[Blob, ...]]] = field(default_factory=list)
    fillers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        """Begin with an empty block."""
        self.ledger = MemoryLedger(CHAIN, clock=lambda: self.now)

    def take(self, blobs: Sequence[Blob], delay: int) -> None:
        """Let blobs land after so many blocks, whether they stand on the chain already or not."""
        self.waiting.append((self.ledger.head() + delay, tuple(blobs)))

    def grow(self) -> int:
        """Make a block of what is due, and return its height."""
        self.now += SECONDS
        due = self.ledger.head() + 1
        landing = [blob for height, blobs in self.waiting if height <= due for blob in blobs]
        self.waiting = [item for item in self.waiting if item[0] > due]
        if not landing:
            return self.ledger.advance()
        # Without it the ledger in memory would know the blobs again, and hold them once.
        filler = Blob(STRANGER, b"%d" % next(self.fillers))
        return self.ledger.submit([*dict.fromkeys(landing), filler])

    def settle(self) -> None:
        """Let all that was taken land."""
        while self.waiting:
            self.grow()

    def heights_of(self, blob: Blob) -> list[int]:
        """Return where a blob stands."""
        heights = range(1, self.ledger.head() + 1)
        return [h for h in heights if blob in self.ledger.blobs(h, blob.namespace)]


def schedule(seed: int) -> Random:
    """Return the random numbers of one schedule."""
    return Random(seed)  # noqa: S311  # faults, no secrets


@dataclass
class FaultyLedger:
    """The node in front of a chain. `choose` says what goes wrong at each call, by its name."""

    behind: Chain
    choose: Callable[[str], Fault]
    random: Random
    twice: list[Blob] = field(default_factory=list)
    kind: str = "celestia"
    chain: str = CHAIN
    first: int = 1
    margin: int = 8
    patience: int = PATIENCE

    def head(self) -> int:
        """Return the newest block's height, or that of a block before it."""
        fault = self._fail("head")
        self._pass()
        head = self.behind.ledger.head()
        return max(1, head - self.random.randint(1, 9)) if fault == "stale" else head

    def reach(self, height: int) -> None:
        """Make blocks until there is one at `height`."""
        self._fail("reach")
        while self.behind.ledger.head() < height:
            self.behind.grow()

    def submit(self, blobs: Sequence[Blob]) -> int:
        """Take the blobs, or not, and say something about it."""
        fault = self.choose("submit")
        acts = fault in ("none", "wrong height", "twice") or self.random.random() < 0.5
        if fault == "silent":
            return self.behind.ledger.head() + 1
        if acts:
            for _ in range(2 if fault == "twice" else 1):
                self.behind.take(blobs, self.random.randint(1, PATIENCE))
        if fault == "twice":
            self.twice += blobs
        if fault == "killed":
            raise Killed
        if fault in ("none", "twice"):
            return self._landed(blobs)
        if fault == "refused":
            raise NodeError(self.random.choice(get_args(Kind)), "the node says no")
        if fault == "wrong height":
            return self.random.randint(1, self.behind.ledger.head())
        if fault == "future height":
            return self.behind.ledger.head() + self.random.choice((3, 10**9))
        raise OutcomeUnknownError("the answer was lost")

    def find(self, blobs: Sequence[Blob], since: int) -> int | None:
        """Return the least height above `since` that holds `blobs`."""
        self._fail("find")
        return self.behind.ledger.find(blobs, since)

    def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:
        """Return all blobs of a block under a namespace."""
        if self._fail("blobs") == "forged":
            raise VerificationError("the node left out a blob")
        return self.behind.ledger.blobs(height, namespace)

    def told(self, first: int, last: int, namespace: bytes) -> Iterator[tuple[int, Blob]]:
        """Give the blobs of a namespace, as the node tells them."""
        self._fail("told")
        return self.behind.ledger.told(first, last, namespace)

    def receipt(self, height: int, blob: Blob) -> Receipt:
        """Return a receipt, sometimes one that proves nothing, or something else."""
        fault = self._fail("receipt")
        found = replace(self.behind.ledger.receipt(height, blob), ledger=self.kind)
        if fault != "forged":
            return found
        others = [
            replace(found, blob=found.blob + b"!"),
            replace(found, height=found.height + 1),
            replace(found, ledger="embedded"),
            replace(found, chain="another-1"),
            replace(found, namespace=STRANGER),
            replace(found, commitment=Digest(bytes(32))),
            replace(found, header=self.behind.ledger.header(1)),
        ]
        return self.random.choice(others)

    def header(self, height: int) -> JsonObject:
        """Return a block's header."""
        self._fail("header")
        return self.behind.ledger.header(height)

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:
        """Return plain headers."""
        return self.behind.ledger.headers(first, last)

    def _landed(self, blobs: Sequence[Blob]) -> int:
        since = self.behind.ledger.head()
        while (height := self.behind.ledger.find(blobs, since)) is None:
            self.behind.grow()
        return height

    def _pass(self) -> None:
        """Time passes whether anybody waits or not."""
        if self.random.random() < 0.3:
            self.behind.grow()

    def _fail(self, name: str) -> Fault:
        fault = self.choose(name)
        if fault == "killed":
            raise Killed
        if fault == "lost":
            raise NodeError("lost", "no answer")
        if fault == "refused":
            raise NodeError(self.random.choice(REFUSALS), "the node says no")
        if fault == "silent":
            raise UnavailableError("no block follows")
        return fault
