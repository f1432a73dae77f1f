"""Publishing: each statement once, in order, whatever is killed when."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from pipelines.flow.catalogue import Version, attestations, store
from pipelines.flow.placing import Placing
from pipelines.flow.publishing import (
    await_block,
    headers,
    is_published,
    log_id,
    outbox,
    publish,
    publish_above,
    receipt_of,
    receipts,
    sequence_of,
    verify_receipt,
)
from pipelines.flow.queueing import MAX_ENVELOPE, queue, signing, waiting
from pipelines.flow.workspace import Workspace
from provenance.attestation import attest
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import split_entries
from provenance.training import RunStart
from storage.atomic import read_bounded
from storage.lock import locked

Add = Callable[[str, int], Version]
ROOT: Final = Path(__file__).parents[3]


def start(space: Workspace, name: str, seed_height: int = 9) -> bytes:
    made = RunStart(
        issuer=space.issuer.public_key.key_id,
        log=log_id(space),
        name=name,
        datasets={"train": Digest(bytes(32))},
        base=None,
        code={},
        environment=Digest(bytes(32)),
        hyperparameters={},
        optimiser="external/1",
        sampler="external/1",
        initial="external/1",
        state="bytes/1",
        seed_height=seed_height,
    )
    return attest(made, space.issuer).encoded


def test_an_empty_queue_posts_the_first_header_and_then_nothing(space: Workspace) -> None:
    [posted] = publish(space)
    assert posted.header.digest == log_id(space)
    assert publish(space) == ()


def test_what_is_published_again_is_posted_once(space: Workspace, add: Add) -> None:
    version = add("v1", 20)
    assert not is_published(space, "rows@v1")
    assert len(publish(space)) == 2
    assert is_published(space, "rows@v1")
    head = space.ledger.head()
    queue(space, version.attestation.envelope)
    assert publish(space) == ()
    assert (space.ledger.head(), waiting(space)) == (head, ())


def test_statements_that_wait_together_share_a_batch(space: Workspace, add: Add) -> None:
    items = [add(f"v{n}", 20 + n).attestation for n in range(3)]
    _, batch = publish(space)
    assert batch.header.entries == 3
    assert [sequence_of(space, item) for item in items] == [1, 1, 1]
    entry = outbox(space).read(log_id(space), 1)
    assert [data[5:] for data in split_entries(entry.entries)] == [i.envelope for i in items]


def test_run_statements_stand_alone_in_a_header_and_keep_their_place(
    space: Workspace, add: Add
) -> None:
    add("v1", 20)
    one, two = queue(space, start(space, "one")), queue(space, start(space, "two"))
    add("v2", 21)
    publish(space)
    found = [(header.entries, header.statement) for header in headers(space)]
    assert found == [(0, None), (1, None), (0, one.envelope), (0, two.envelope), (1, None)]


def test_every_receipt_verifies_and_a_changed_one_does_not(space: Workspace, add: Add) -> None:
    item = add("v1", 20).attestation
    publish(space)
    for receipt in receipts(space):
        verify_receipt(space, receipt)
    receipt = receipt_of(space, sequence_of(space, item))
    with pytest.raises(VerificationError, match="history was rewritten"):
        verify_receipt(_elsewhere(space), receipt)


def _elsewhere(space: Workspace) -> Workspace:
    """Return the same home whose operator makes another chain under the same key, later."""
    space.home.ledger.rename(space.home.path / "earlier.sqlite")
    other = Workspace(space.home)
    other.ledger.reach(5)
    return other


def test_what_is_in_no_batch_has_no_receipt(space: Workspace, add: Add) -> None:
    item = add("v1", 20).attestation
    with pytest.raises(UnavailableError, match="in no batch yet: `rootline publish`"):
        sequence_of(space, item)


def test_a_statement_too_long_to_be_posted_is_refused_at_once(space: Workspace) -> None:
    with pytest.raises(MalformedError, match="say less"):
        queue(space, bytes(MAX_ENVELOPE + 1))
    assert waiting(space) == ()


def test_a_statement_by_another_key_is_not_queued(space: Workspace, tmp_path: Path) -> None:
    stranger = Workspace.create(tmp_path / "stranger")
    foreign = start(stranger, "foreign")
    with pytest.raises(VerificationError):
        queue(space, foreign)
    publish(space)
    assert list(attestations(space)) == []


def test_a_statement_above_a_height_is_made_when_the_queue_is_empty(
    space: Workspace, add: Add
) -> None:
    add("v1", 20)
    seen: list[int] = []

    def write(head: int) -> bytes:
        seen.append(head)
        assert is_published(space, "rows@v1")
        return start(space, "one", head + 3)

    item, posted = publish_above(space, write)
    assert posted.header.statement == item.envelope
    assert posted.receipt.height == seen[0] + 1 == space.ledger.head()


def test_a_block_is_awaited_and_not_overshot(space: Workspace) -> None:
    height = space.ledger.head() + 4
    threads = [threading.Thread(target=await_block, args=(space, height)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert space.ledger.head() == height
    block = space.verifier.signed_block(space.ledger.header(height))
    assert await_block(space, height) == block.hash


def test_a_locked_outbox_says_who_holds_it(space: Workspace) -> None:
    with (
        locked(space.home.outbox / "lock"),
        pytest.raises(UnavailableError, match=f"locked by process {os.getpid()} since"),
        outbox(space).locked(wait=0),
    ):
        pass


def test_a_statement_can_be_signed_while_another_process_publishes(
    space: Workspace, add: Add
) -> None:
    with outbox(space).locked():
        add("v1", 20)
    assert len(publish(space)) == 2


def test_many_processes_sign_and_publish_and_each_statement_is_posted_once(
    space: Workspace,
) -> None:
    code = """
import sys
from pathlib import Path
from pipelines.flow.publishing import publish
from pipelines.flow.queueing import queue
from pipelines.flow.workspace import Workspace
from storage.home import Home
from tests.pipelines.flow.test_publishing import start

space = Workspace(Home(Path(sys.argv[1])))
for number in range(5):
    queue(space, start(space, f"run-{sys.argv[2]}-{number}"))
publish(space)
"""
    command = [sys.executable, "-c", code, str(space.home.path)]
    children = [subprocess.Popen([*command, str(n)], cwd=ROOT) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    posted = [header.statement for header in headers(space) if header.statement]
    assert len(posted) == len(set(posted)) == 15
    assert waiting(space) == ()


def test_a_statement_queued_but_not_stored_is_stored_by_the_next(space: Workspace) -> None:
    """A kill came between the two; neither signing nor publishing may lose it."""
    envelope = start(space, "one")
    folder = space.home.outbox / "queue"
    folder.mkdir()
    path = folder / f"000000000001-{sha256(envelope).hexdigest()}.json"
    path.write_bytes(envelope)
    with signing(space):
        assert [item.envelope for item in attestations(space)] == [envelope]
    publish(space)
    assert [header.statement for header in headers(space)] == [None, envelope]


def test_a_queued_file_that_is_damaged_is_named(space: Workspace) -> None:
    queue(space, start(space, "one"))
    [path] = waiting(space)
    path.write_bytes(b"{}")
    with pytest.raises(MalformedError):
        publish(space)
    assert path.exists()


def test_storing_again_changes_nothing(space: Workspace) -> None:
    item = store(space, start(space, "one"))
    path = space.home.attestations / f"{item.digest.hex()}.json"
    before = path.stat()
    assert store(space, item.envelope) == item
    assert path.stat() == before
    assert read_bounded(path, 2**20) == item.envelope


def stands_once(space: Workspace) -> bool:
    """Return whether each blob of the outbox stands in exactly one block."""
    ledger, placing = space.ledger, Placing(space, outbox(space), time.sleep)
    held = [
        blob
        for height in range(1, ledger.head() + 1)
        for blob in ledger.blobs(height, space.genesis.namespace)
    ]
    expected = [
        blob for entry in outbox(space).batches(log_id(space)) for blob in placing.blobs(entry)
    ]
    return sorted(blob.data for blob in held) == sorted(blob.data for blob in expected)


# A child dies at its k-th file operation, for many k; then the next run goes on.
KILLED: Final = """
import itertools, os, shutil, signal, sys
from pathlib import Path
from pipelines.flow.catalogue import attestations
from pipelines.flow.monitoring import scan
from pipelines.flow.publishing import publish, receipts, verify_receipt
from pipelines.flow.queueing import queue, waiting
from pipelines.flow.registering import Request, register
from pipelines.flow import workspace
from pipelines.flow.workspace import Workspace
from storage.home import Home
from tests.pipelines.flow.conftest import table
from tests.pipelines.flow.test_publishing import start, stands_once
from tests.pipelines.flow.wire import Anew

workspace.EmbeddedLedger = Anew  # the usual one would hide a second submission
WATCHED = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock")
folder, first, stride = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
Workspace.create(folder / "new")
DATASET = table(20)

def work(space):
    register(space, DATASET, Request("rows", "v1"))
    queue(space, start(space, "one"))
    publish(space)

def die_at(last):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in WATCHED and str(arguments[0]).startswith(str(folder)):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

def check(space, expected=None):
    keys, ledger = [space.issuer.public_key], space.ledger
    history = scan(ledger, space.genesis.namespace, keys, ledger.head())
    assert not history.problems, history.problems
    posted = [item.digest for _, item in history.attestations]
    stored = {item.digest for item in attestations(space)}
    assert len(posted) == len(set(posted)) and set(posted) == stored, (posted, stored)
    assert expected in (None, len(posted)) and not waiting(space)
    found = list(receipts(space))
    assert len(found) == len(history.headers)
    assert stands_once(space)
    for receipt in found:
        verify_receipt(space, receipt)

counts = set()
for k in itertools.count(first, stride):
    path = folder / "home"
    shutil.copytree(folder / "new", path)
    child = os.fork()
    if child == 0:
        die_at(k)
        work(Workspace(Home(path)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    space = Workspace(Home(path))
    publish(space)
    check(space)
    counts.add(len(list(attestations(space))))
    work(space)
    check(space, 2)
    left = [file for file in path.rglob("*.tmp") if file.parent.name in ("queue", "attestations")]
    assert not left, (k, left)
    shutil.rmtree(path)
    if status == 0:
        break
print(k, *sorted(counts))
"""


def killed(first: int, stride: int) -> tuple[int, list[str]]:
    """Return at how many operations the work was killed, and what had been signed by then."""
    # In memory where there is such a folder: thousands of flushes to a disk take long.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # no fixed name in it
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        command = [sys.executable, "-c", KILLED, folder, str(first), str(stride)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    last, *counts = done.stdout.split()
    return int(last), counts


def test_killed_at_many_points_the_next_publish_completes_and_nothing_stands_twice() -> None:
    last, counts = killed(1, 11)
    assert last > 60
    assert counts == ["0", "1", "2"]


@pytest.mark.slow
def test_killed_at_any_point_the_next_publish_completes_and_nothing_stands_twice() -> None:
    last, counts = killed(1, 1)
    assert last > 60
    assert counts == ["0", "1", "2"]
