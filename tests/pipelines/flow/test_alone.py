"""A home that is older than its log posts nothing: a fork could not be taken back."""

import shutil
from pathlib import Path

import pytest

from pipelines.flow.alone import check_alone
from pipelines.flow.publishing import log_id, outbox, publish
from pipelines.flow.queueing import queue
from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError, VerificationError
from provenance.log import open_log
from storage.celestia.share import Blob
from storage.home import Home
from storage.keys import SigningKey
from storage.ledger import MemoryLedger
from tests.pipelines.flow.test_publishing import start


def at(path: Path, ledger: MemoryLedger) -> Workspace:
    """Return a home that posts to a ledger that others run."""
    space = Workspace(Home(path))
    space.__dict__["ledger"] = ledger
    return space


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger("shared-1")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("pipelines.flow.workspace.use", lambda _: None)
    return Workspace.create(tmp_path / "home").home.path


def post(space: Workspace, name: str) -> None:
    queue(space, start(space, name))
    publish(space)


def test_a_restored_backup_that_is_older_than_its_log_posts_nothing(
    home: Path, ledger: MemoryLedger, tmp_path: Path
) -> None:
    post(at(home, ledger), "monday")
    shutil.copytree(home, tmp_path / "backup")
    post(at(home, ledger), "tuesday")
    head = ledger.head()
    restored = at(tmp_path / "backup", ledger)
    queue(restored, start(restored, "wednesday"))
    for _ in range(2):
        with pytest.raises(VerificationError, match="older than its log"):
            publish(restored)
    assert ledger.head() == head
    post(at(home, ledger), "wednesday")


def test_restored_keys_alone_post_nothing_beside_the_log_that_they_have(
    home: Path, ledger: MemoryLedger, tmp_path: Path
) -> None:
    post(at(home, ledger), "monday")
    bare = Home.create(tmp_path / "bare")
    shutil.copytree(home / "keys", bare.keys, dirs_exist_ok=True)
    space = at(bare.path, ledger)
    queue(space, start(space, "tuesday"))
    with pytest.raises(VerificationError, match="batch 0 of this log"):
        publish(space)


def test_strangers_and_copies_of_its_own_batches_stop_nobody(
    home: Path, ledger: MemoryLedger
) -> None:
    space = at(home, ledger)
    post(space, "monday")
    place = space.genesis.namespace
    own = next(iter(outbox(space).batches(log_id(space)))).header
    stranger = open_log(space.genesis, SigningKey.generate()).envelope
    ledger.submit([Blob(place, own), Blob(place, stranger), Blob(place, own[:-1] + b"x")])
    post(space, "tuesday")
    assert len(tuple(outbox(space).batches(log_id(space)))) == 3


def test_what_was_read_is_not_read_again(
    home: Path, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = at(home, ledger)
    post(space, "monday")
    asked: list[tuple[int, int]] = []
    told = ledger.told

    def counted(first: int, last: int, namespace: bytes) -> object:
        asked.append((first, last))
        return told(first, last, namespace)

    monkeypatch.setattr(ledger, "told", counted)
    head = ledger.head()
    post(space, "tuesday")
    publish(space)
    assert [last for _, last in asked] == [head]
    check_alone(space, outbox(space), log_id(space), lambda question: question())
    assert asked[-1] == (head + 1, ledger.head())


def test_a_home_whose_ledger_is_gone_posts_its_batches_nowhere_else(
    home: Path, ledger: MemoryLedger
) -> None:
    post(at(home, ledger), "monday")
    with pytest.raises(MalformedError, match=r"ledger\.json or its first issuer key is missing"):
        publish(Workspace(Home(home)))
