"""What is decided about a submission: against every world that a small ledger can be, all tried."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, product

import pytest

from provenance.errors import MalformedError
from storage.posting import (
    PASSING,
    TRIES,
    Attempt,
    GiveUp,
    Look,
    Next,
    Search,
    Submit,
    Wait,
)

BLOCK = 6000
"""Milliseconds between two blocks of the world below."""


def test_the_first_submission_is_written_down_with_the_newest_block() -> None:
    assert Search.resumed(20, None).following(7, 99) == Submit(Attempt(7, 7, 1, 99))


def test_the_next_attempt_keeps_the_first_height_and_never_goes_back() -> None:
    first = Attempt.after(None, 7, 99)
    assert Attempt.after(first, 31, 500) == Attempt(7, 31, 2, 500)
    assert Attempt.after(Attempt(7, 31, 2, 500), 9, 1) == Attempt(7, 31, 3, 500)


@pytest.mark.parametrize(
    "figures",
    [
        (-1, 0, 1, 0),
        (3, 2, 1, 0),
        (0, 2**53, 1, 0),
        (0, 0, 0, 0),
        (0, 0, 2**32 + 1, 0),
        (0, 0, 1, -1),
        (0, 0, 1, 2**53),
    ],
)
def test_figures_that_no_attempt_leaves_are_refused(figures: tuple[int, int, int, int]) -> None:
    with pytest.raises(MalformedError, match="no attempts leave these figures"):
        Attempt(*figures)


def test_after_a_crash_it_is_looked_for_before_anything_else() -> None:
    search = Search.resumed(2, Attempt(7, 9, 2, 9 * BLOCK))
    assert search.following(12, 0) == Look(8, 12)
    for height in range(8, 13):
        search = search.without(height, height * BLOCK)
    assert search.following(12, 0) == Submit(Attempt(7, 12, 3, 9 * BLOCK))


def test_blocks_up_to_patience_are_awaited_one_by_one() -> None:
    search = Search.resumed(2, Attempt(7, 7, 1, 7 * BLOCK))
    seen: list[Next] = []
    for head in (7, 8, 9, 10):
        while isinstance(step := search.following(head, 0), Look):
            search = search.without(step.last, step.last * BLOCK)
        seen.append(step)
    assert seen == [Wait(8), Wait(9), Wait(10), Submit(Attempt(7, 10, 2, 7 * BLOCK))]


def test_blocks_older_than_the_attempt_are_not_counted_as_waited_for() -> None:
    """The node showed block 7 and had taken the submission when block 50 was made."""
    search = Search.resumed(2, Attempt(7, 7, 1, 50 * BLOCK + 1))
    for height in range(8, 53):
        search = search.without(height, height * BLOCK)
    assert search.following(52, 0) == Wait(53)
    search = search.without(53, 53 * BLOCK)
    assert isinstance(search.following(53, 0), Submit)


def test_blocks_made_while_the_call_lasted_are_not_counted_either() -> None:
    """It timed out after a minute; whatever the node had done with it may have begun just then."""
    search = Search(2).submitted(Attempt(7, 7, 1, 7 * BLOCK), "lost", 17 * BLOCK)
    for height in range(8, 20):
        search = search.without(height, height * BLOCK)
    assert search.following(19, 0) == Wait(20)
    assert isinstance(search.without(20, 20 * BLOCK).following(20, 0), Submit)


def test_a_head_that_falls_back_counts_for_nothing() -> None:
    search = Search.resumed(2, Attempt(7, 9, 1, 9 * BLOCK)).without(10, 10 * BLOCK)
    assert search.following(4, 0) == Wait(11)


def test_without_patience_it_is_found_or_it_is_not_there() -> None:
    search = Search.resumed(0, Attempt(7, 7, 1, 0))
    assert search.following(9, 5) == Look(8, 9)
    assert search.without(9, 5).following(9, 5) == Submit(Attempt(7, 9, 2, 5))


@pytest.mark.parametrize("trouble", ["gas", "too-large", "permission", "other", "pruned"])
def test_a_refusal_is_looked_after_once_and_not_tried_again(trouble: str) -> None:
    attempt = Attempt(7, 7, 1, 7 * BLOCK)
    search = Search(2).submitted(attempt, trouble, 7 * BLOCK)
    assert search.following(8, 0) == Look(8, 8)
    found = search.without(8, 8 * BLOCK).following(8, 0)
    assert isinstance(found, GiveUp)
    assert ("run this again" in found.advice) == (trouble in {"gas", "other", "pruned"})


@pytest.mark.parametrize("trouble", sorted(PASSING))
def test_what_passes_is_tried_again_so_many_times_and_no_more(trouble: str) -> None:
    search, tries, head = Search(3), 0, 0
    while not isinstance(step := search.following(head, head * BLOCK), GiveUp):
        if isinstance(step, Submit):
            tries += 1
            search = search.submitted(step.attempt, trouble, head * BLOCK)
        head += isinstance(step, Wait)
        if isinstance(step, Look):
            search = search.without(step.last, step.last * BLOCK)
    assert tries == TRIES
    assert search.attempt is not None
    assert search.attempt.number == TRIES


Plan = tuple[int | None, tuple[int, ...], bool]


@dataclass
class World:
    """A ledger that takes a submission, or does not, and shows its head late.

    Each submission follows the next of `plans`: after how many blocks it lands (None: never), how
    many blocks the node is behind, each time that it is asked, and whether the run is killed then.
    """

    patience: int
    plans: Iterator[Plan]
    head: int = 9
    landings: list[int] = field(default_factory=list)
    attempt: Attempt | None = None
    is_found: bool = False

    def run(self) -> str:
        """Return how one run ends."""
        search = Search.resumed(self.patience, self.attempt)
        lands, lags, is_killed = next(self.plans)
        behind = cycle(lags)
        while True:
            step = search.following(self.head - next(behind), self.head * BLOCK + 1)
            if isinstance(step, GiveUp):
                return "given up"
            if isinstance(step, Submit):
                self.attempt = step.attempt
                if lands is not None:
                    self.landings.append(self.head + lands)
                if is_killed:
                    return "killed"
                search = search.submitted(step.attempt, "lost", self.head * BLOCK + 2)
                lands, lags, is_killed = next(self.plans)
                behind = cycle(lags)
            elif isinstance(step, Wait):
                self.head += 1
            else:
                assert isinstance(step, Look)
                for height in range(step.first, step.last + 1):
                    if height in self.landings:
                        self.is_found = True
                        return "found"
                    search = search.without(height, height * BLOCK)


@pytest.mark.parametrize("patience", [1, 2])
def test_in_every_world_it_stands_once(patience: int) -> None:
    """Two submissions of any fate, kills in between, a third that lands: never two landings."""
    fates = [*range(1, patience + 1), None]
    lags = ((0,), (0, 5), (4, 0), (5, 1, 3))
    plans: list[Plan] = list(product(fates, lags, (False, True)))
    attempts = set()
    for first, second in product(plans, plans):
        world = World(patience, iter([first, second, *[(1, (0,), False)] * 9]))
        ends = [world.run() for _ in range(3) if not world.is_found]
        assert ends[-1] == "found", (first, second)
        assert len(world.landings) == 1, (first, second)
        assert world.attempt is not None
        attempts.add(world.attempt.number)
    assert attempts == {1, 2, 3}
