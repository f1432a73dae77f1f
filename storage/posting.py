"""What to do next with a batch that must stand on a ledger once: decided here, done elsewhere.

A node's word decides nothing: whatever it answered, even that it refused, the submission may have
been taken, and may land within `patience` blocks. So a batch is looked for, block by block, and
submitted again only when it can no longer land (docs/spec/home.md, "Attempts").

    no attempt ─▶ Submit ─▶ Look ─▶ Wait ─▶ Look ─▶ … ─▶ Submit again, or GiveUp
                              └ found: the end
"""

from dataclasses import dataclass, replace
from typing import Final, Self

from provenance.errors import MalformedError
from provenance.receipt import MAX_HEIGHT

MAX_ATTEMPTS: Final = 2**32
MAX_TIME: Final = 2**53 - 1
TRIES: Final = 4
"""Submissions of one batch in one run."""
PASSING: Final = frozenset({"lost", "unreachable", "busy", "sequence"})
"""Troubles that pass by themselves, as `NodeError.kind` names them."""
_ADVICE: Final = {
    "sequence": "the node's account sends from elsewhere too, or its transactions are stuck: stop "
    "what else uses its key, or restart the node, then run this again",
    "gas": "raise the gas price, or its cap, of the ledger's settings, then run this again",
    "too-large": "this node takes less in one transaction than others: ask another one",
    "permission": "the token may not write: name another one in the ledger's settings",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is written down before a submission.

    Attributes:
        first: Height of the newest block before the first submission of the batch.
        latest: The same before the newest submission.
        number: How many submissions there were, the newest counted.
        time: The clock before the newest one, milliseconds since 1970, UTC.
    """

    first: int
    latest: int
    number: int
    time: int

    def __post_init__(self) -> None:
        """Raise MalformedError where no attempts can have left these figures."""
        heights = 0 <= self.first <= self.latest <= MAX_HEIGHT
        if not heights or not 1 <= self.number <= MAX_ATTEMPTS or not 0 <= self.time <= MAX_TIME:
            raise MalformedError(f"no attempts leave these figures: {self}")

    @classmethod
    def after(cls, before: Self | None, head: int, time: int) -> Self:
        """Return the next attempt, begun when the newest block is `head`; never below `before`."""
        if before is None:
            return cls(head, head, 1, time)
        latest, time = max(head, before.latest), max(time, before.time)
        return cls(before.first, latest, before.number + 1, time)


@dataclass(frozen=True, slots=True)
class Submit:
    """Submit the batch, once `attempt` is on the disk."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Look:
    """Look into the blocks `first` to `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for the block `height`."""

    height: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Stop for now; `advice` says what to change."""

    advice: str


Next = Submit | Look | Wait | GiveUp


@dataclass(frozen=True, slots=True)
class Search:
    """Where the search for one batch stands, on a ledger with that much `patience`.

    Attributes:
        patience: Blocks for which a submission may still land.
        attempt: The newest one, or None before the first.
        looked: Every block above `attempt.first` up to here was looked at and does not hold it.
        base: The newest block that may be older than the newest attempt.
        ended: When its call ended, milliseconds; unless that was seen, when it began.
        tries: Submissions in this run.
        trouble: How the newest of them ended, as `NodeError.kind` names it, or None.
    """

    patience: int
    attempt: Attempt | None = None
    looked: int = 0
    base: int = 0
    ended: int = 0
    tries: int = 0
    trouble: str | None = None

    @classmethod
    def resumed(cls, patience: int, attempt: Attempt | None) -> Self:
        """Return the search of a run that finds `attempt` on the disk."""
        if attempt is None:
            return cls(patience)
        looked, base = attempt.first, attempt.latest
        return cls(patience, attempt, looked=looked, base=base, ended=attempt.time)

    def following(self, head: int, time: int) -> Next:
        """Return what to do now that the newest block is `head` and the clock says `time`."""
        if self.attempt is None:
            return Submit(Attempt.after(None, head, time))
        if self.looked < head:
            return Look(self.looked + 1, head)
        if self.trouble is not None and self._is_over():
            return GiveUp(_ADVICE.get(self.trouble, "run this again later"))
        if self.patience and self.looked <= self.base + self.patience:
            return Wait(self.looked + 1)
        # A node that lags shows a head below what was looked at already.
        return Submit(Attempt.after(self.attempt, max(head, self.looked), time))

    def submitted(self, attempt: Attempt, trouble: str, time: int) -> Self:
        """Return the search after a submission that ended in `trouble` at `time`."""
        looked = attempt.first if self.attempt is None else self.looked
        return replace(
            self,
            attempt=attempt,
            looked=looked,
            base=attempt.latest,
            ended=max(attempt.time, time),
            tries=self.tries + 1,
            trouble=trouble,
        )

    def without(self, height: int, time: int) -> Self:
        """Return the search after the block `height`, made at `time`, does not hold the batch."""
        base = max(self.base, height) if time <= self.ended else self.base
        return replace(self, looked=height, base=base)

    def _is_over(self) -> bool:
        return self.trouble not in PASSING or self.tries >= TRIES
