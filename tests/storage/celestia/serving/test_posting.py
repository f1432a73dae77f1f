"""Submissions that wait share one transaction, and nobody waits in vain."""

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from provenance.errors import MalformedError, UnavailableError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.posting import MOST_AT_ONCE, MOST_WAITING_BYTES, Poster
from storage.celestia.serving.protocol import BusyError
from storage.celestia.share import Blob
from tests.storage.celestia.serving.calling import SPACE, open_ledger

if TYPE_CHECKING:
    from concurrent.futures import Future


class Gate:
    """A ledger that waits at a gate before it writes, and counts how often it is asked."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self.ledger, self.opened, self.asked = ledger, Event(), list[int]()
        self.began = Event()
        self.error: Exception | None = None

    def submit_all(self, submissions: Sequence[Sequence[Blob]]) -> Any:
        self.began.set()
        assert self.opened.wait(10)
        self.asked.append(len(submissions))
        if self.error:
            raise self.error
        return self.ledger.submit_all(submissions)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(open_ledger(tmp_path / "ledger.sqlite"))


def blob(number: int, size: int = 10) -> Blob:
    return Blob(SPACE, number.to_bytes(4, "big") + bytes(size))


def held(gate: Gate, count: int) -> tuple[Poster, "list[Future[int]]"]:
    """A poster whose first submission is at the gate while `count` more came."""
    poster = Poster(gate)  # type: ignore[arg-type]  # only submit_all is used
    first = poster.submit([blob(0)])
    assert gate.began.wait(10)
    return poster, [first, *(poster.submit([blob(n)]) for n in range(1, count + 1))]


def test_what_waits_is_written_at_once_each_in_its_own_block(gate: Gate) -> None:
    poster, told = held(gate, MOST_AT_ONCE + 5)
    gate.opened.set()
    assert [each.result(10) for each in told] == list(range(2, MOST_AT_ONCE + 8))
    assert gate.asked == [1, MOST_AT_ONCE, 5]
    poster.close()
    gate.ledger.verify_history()


def test_large_submissions_do_not_hold_up_many_small_ones(gate: Gate) -> None:
    poster, told = held(gate, 0)
    more = [poster.submit([blob(n, size)]) for n, size in enumerate((9, 2**19, 2**19, 9, 9), 1)]
    gate.opened.set()
    assert [each.result(10) for each in (*told, *more)] == list(range(2, 8))
    assert gate.asked == [1, 3, 2]
    poster.close()


def test_everybody_hears_of_a_failure_and_the_next_go_on(gate: Gate) -> None:
    gate.error = UnavailableError("the disk is full")
    poster, told = held(gate, 3)
    gate.opened.set()
    assert [str(each.exception(10)) for each in told] == ["the disk is full"] * 4
    gate.error = None
    assert poster.submit([blob(7)]).result(10) == 2
    poster.close()


def test_one_that_is_refused_leaves_the_others_alone(gate: Gate) -> None:
    poster, told = held(gate, 1)
    refused, last = poster.submit([]), poster.submit([blob(9)])
    gate.opened.set()
    assert isinstance(refused.exception(10), MalformedError)
    assert [told[1].result(10), last.result(10)] == [3, 4]
    poster.close()


def test_a_caller_that_goes_away_changes_nothing_for_the_others(gate: Gate) -> None:
    poster, told = held(gate, 2)
    assert told[1].cancel()
    gate.opened.set()
    assert [told[0].result(10), told[2].result(10)] == [2, 4]
    poster.close()


def test_too_many_bytes_that_wait_are_refused_and_one_alone_is_not(gate: Gate) -> None:
    poster, told = held(gate, 0)
    large = blob(1, 7 * 2**20 - 4)
    more = [poster.submit([large]) for _ in range(MOST_WAITING_BYTES // len(large.data))]
    with pytest.raises(BusyError):
        poster.submit([large])
    gate.error = UnavailableError("enough")
    gate.opened.set()
    for each in (*told, *more):
        assert each.exception(10)
    gate.error = None
    assert poster.submit([blob(3)]).result(10) == 2
    poster.close()


def test_closing_writes_what_waits(gate: Gate) -> None:
    poster, told = held(gate, 2)
    gate.opened.set()
    poster.close()
    assert [each.result(0) for each in told] == [2, 3, 4]


def test_one_transaction_holds_all_or_none(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, calls = gate.ledger, 0

    def clock() -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return 2 * 10**18 + calls

    monkeypatch.setattr(ledger, "_clock", clock)
    with pytest.raises(KeyboardInterrupt):
        ledger.submit_all([[blob(1)], [blob(2)], [blob(3)]])
    assert ledger.head() == 1
    assert ledger.submit_all([[blob(1)], [], [blob(1)], [blob(2), blob(2)]])[::2] == (2, 2)
    assert ledger.head() == 3
    ledger.verify_history()
