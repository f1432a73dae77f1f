"""The outbox: whatever is killed when, no number is ever posted with two different contents."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import MAX_BLOB
from storage.outbox import Entry, Outbox
from storage.posting import Attempt

ROOT: Final = Path(__file__).parents[2]
LOG: Final = Digest(b"l" * 32)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path)


def test_a_batch_goes_from_pending_to_receipted(outbox: Outbox) -> None:
    fixed = outbox.fix(LOG, 0, b"header", b"")
    assert fixed == Entry(LOG, 0, b"header", b"")
    assert fixed.state == "pending"
    attempted = outbox.attempted(fixed, Attempt(5, 5, 1, 99))
    assert (attempted.state, attempted.attempt) == ("attempted", Attempt(5, 5, 1, 99))
    submitted = outbox.submitted(attempted, 7)
    assert (submitted.state, submitted.height) == ("submitted", 7)
    assert outbox.waiting() == (submitted,)
    receipted = outbox.receipted(submitted, b"receipt")
    assert (receipted.state, receipted.receipt) == ("receipted", b"receipt")
    assert outbox.waiting() == ()
    assert outbox.last(LOG) == receipted


def test_each_step_taken_twice_is_taken_once(outbox: Outbox) -> None:
    first = outbox.fix(LOG, 0, b"header", b"entries")
    assert outbox.fix(LOG, 0, b"header", b"entries") == first
    submitted = outbox.submitted(first, 7)
    assert outbox.submitted(first, 7) == submitted
    receipted = outbox.receipted(submitted, b"receipt")
    assert outbox.receipted(submitted, b"another receipt of the same posting") == receipted
    assert outbox.fix(LOG, 0, b"header", b"entries") == receipted


@pytest.mark.parametrize(("header", "entries"), [(b"other", b"entries"), (b"header", b"other")])
def test_other_bytes_for_a_number_are_refused(
    outbox: Outbox, header: bytes, entries: bytes
) -> None:
    first = outbox.fix(LOG, 0, b"header", b"entries")
    with pytest.raises(VerificationError, match="other bytes are fixed for batch 0"):
        outbox.fix(LOG, 0, header, entries)
    assert outbox.last(LOG) == first


def test_each_attempt_counts_from_the_one_before(outbox: Outbox) -> None:
    fixed = outbox.fix(LOG, 0, b"header", b"")
    outbox.attempted(fixed, Attempt(5, 5, 1, 99))
    path = outbox.folder / LOG.hex() / ("0" * 20) / "attempted"
    assert path.read_bytes() == (
        b'{"attempts":1,"first":5,"kind":"rootline/attempted/v1","latest":5,"time":99}'
    )
    outbox.attempted(fixed, Attempt(5, 30, 2, 200))
    assert outbox.read(LOG, 0).attempt == Attempt(5, 30, 2, 200)
    for wrong in (
        Attempt(30, 30, 1, 200),
        Attempt(5, 30, 2, 200),
        Attempt(5, 31, 4, 300),
        Attempt(6, 31, 3, 300),
        Attempt(5, 29, 3, 300),
        Attempt(5, 31, 3, 199),
    ):
        with pytest.raises(VerificationError, match="batch 0: Attempt"):
            outbox.attempted(fixed, wrong)
    assert outbox.read(LOG, 0).attempt == Attempt(5, 30, 2, 200)


def test_what_stands_on_the_ledger_is_not_attempted_again(outbox: Outbox) -> None:
    fixed = outbox.fix(LOG, 0, b"header", b"")
    outbox.submitted(fixed, 7)
    with pytest.raises(VerificationError, match="batch 0 is on the ledger at 7"):
        outbox.attempted(fixed, Attempt(5, 5, 1, 99))


def test_header_and_entries_fit_into_one_transaction(outbox: Outbox) -> None:
    with pytest.raises(MalformedError, match=f"batch 0 of 9 and {MAX_BLOB - 8} bytes"):
        outbox.fix(LOG, 0, bytes(9), bytes(MAX_BLOB - 8))
    assert outbox.fix(LOG, 0, bytes(8), bytes(MAX_BLOB - 8)).state == "pending"


def test_a_height_is_not_changed(outbox: Outbox) -> None:
    fixed = outbox.fix(LOG, 0, b"header", b"")
    outbox.submitted(fixed, 7)
    with pytest.raises(VerificationError, match="says height 7, not 8"):
        outbox.submitted(fixed, 8)


def test_numbers_leave_no_gap(outbox: Outbox) -> None:
    outbox.fix(LOG, 5, b"the first one here, after a restore", b"")
    with pytest.raises(MalformedError, match="batch 7 would follow 5"):
        outbox.fix(LOG, 7, b"", b"")
    outbox.fix(LOG, 6, b"", b"")
    assert [entry.sequence for entry in outbox.batches(LOG)] == [5, 6]


def test_logs_do_not_mix(outbox: Outbox) -> None:
    other = Digest(b"m" * 32)
    mine, theirs = outbox.fix(LOG, 0, b"mine", b""), outbox.fix(other, 0, b"theirs", b"")
    assert outbox.waiting() == (mine, theirs)
    assert outbox.last(Digest(b"n" * 32)) is None


def test_what_is_not_a_batch_is_not_listed(outbox: Outbox) -> None:
    entry = outbox.fix(LOG, 0, b"header", b"")
    (outbox.folder / "notes").mkdir()
    (outbox.folder / LOG.hex() / "1").mkdir()
    with outbox.locked():
        assert outbox.waiting() == (entry,)


def test_a_receipt_needs_a_submission(outbox: Outbox) -> None:
    fixed = outbox.fix(LOG, 0, b"header", b"")
    with pytest.raises(MalformedError, match="before it was submitted"):
        outbox.receipted(fixed, b"receipt")


@pytest.mark.parametrize(("sequence", "size"), [(-1, 1), (2**53, 1), (0, MAX_BLOB + 1)])
def test_what_no_log_holds_is_refused(outbox: Outbox, sequence: int, size: int) -> None:
    with pytest.raises(MalformedError, match=f"batch {sequence} of {size} and 0 bytes"):
        outbox.fix(LOG, sequence, bytes(size), b"")


def test_a_missing_batch_is_named(outbox: Outbox) -> None:
    with pytest.raises(UnavailableError, match="no batch 3"):
        outbox.read(LOG, 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "7",
        '{"height":0,"kind":"rootline/submitted/v1"}',
        '{"height":7,"kind":"rootline/submitted/v2"}',
        '{"height":7,"kind":"rootline/submitted/v1","more":1}',
    ],
)
def test_a_damaged_step_is_refused(outbox: Outbox, text: str) -> None:
    outbox.fix(LOG, 0, b"header", b"")
    path = outbox.folder / LOG.hex() / ("0" * 20) / "submitted"
    path.write_text(text)
    with pytest.raises(MalformedError, match="submitted: "):
        outbox.last(LOG)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"attempts":1,"first":5,"kind":"rootline/attempted/v2","latest":5,"time":99}',
        '{"attempts":1,"first":5,"kind":"rootline/attempted/v1","latest":4,"time":99}',
        '{"attempts":0,"first":5,"kind":"rootline/attempted/v1","latest":5,"time":99}',
        '{"attempts":1,"first":-1,"kind":"rootline/attempted/v1","latest":5,"time":99}',
        '{"attempts":1,"first":5,"kind":"rootline/attempted/v1","latest":5}',
        '{"attempts":1,"first":5,"kind":"rootline/attempted/v1","latest":5,"more":1,"time":99}',
        '{"attempts":1,"first":5,"kind":"rootline/attempted/v1","latest":5,"time":"99"}',
        '{"attempts":1, "first":5,"kind":"rootline/attempted/v1","latest":5,"time":99}',
        '{"attempts":1,"first":5,"kind":"rootline/attempted/v1","latest":9007199254740992,"time":9}',
    ],
)
def test_a_damaged_attempt_is_refused(outbox: Outbox, text: str) -> None:
    outbox.fix(LOG, 0, b"header", b"")
    path = outbox.folder / LOG.hex() / ("0" * 20) / "attempted"
    path.write_text(text)
    with pytest.raises(MalformedError, match="attempted: "):
        outbox.last(LOG)


STEPS = st.lists(
    st.tuples(st.sampled_from(["fix", "submit", "receipt"]), st.integers(0, 3), st.integers(0, 1))
)


@given(STEPS)
@settings(deadline=None, max_examples=20)
def test_what_was_fixed_first_stays(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    outbox = Outbox(tmp_path_factory.mktemp("outbox"))
    model: dict[int, list[int]] = {}
    for verb, number, variant in steps:
        try:
            take(outbox, verb, number, variant)
        except (MalformedError, VerificationError, UnavailableError):
            continue
        model.setdefault(number, []).append(variant)
        assert outbox.read(LOG, number).header == b"%d" % model[number][0]
    assert [entry.sequence for entry in outbox.batches(LOG)] == sorted(model)


def take(outbox: Outbox, verb: str, number: int, variant: int) -> None:
    if verb == "fix":
        outbox.fix(LOG, number, b"%d" % variant, b"")
    elif verb == "submit":
        outbox.submitted(outbox.read(LOG, number), number + 1)
    else:
        outbox.receipted(outbox.read(LOG, number), b"%d" % variant)


# The child dies at its k-th system call of note, for every k; then the next run goes on.
KILLED = """
import os, signal, sys, tempfile
from pathlib import Path
from provenance.errors import VerificationError
from provenance.field import Digest
from storage.outbox import Outbox
from storage.posting import Attempt

LOG = Digest(bytes(32))
WATCHED = ("open", "os.rename", "os.link", "os.mkdir", "os.remove", "os.rmdir", "fcntl.flock")

def one_posting(outbox, posted, header):
    with outbox.locked(wait=0):
        entry = outbox.fix(LOG, 0, header, b"entries")
        entry = outbox.attempted(entry, Attempt.after(entry.attempt, 5, 99))
        posted.write(entry.header + b"\\n")
        posted.flush()
        outbox.receipted(outbox.submitted(entry, 7), b"receipt")

def die_at(last):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in WATCHED:
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)

states = set()
for k in range(1, 1000):
    folder = Path(tempfile.mkdtemp(dir=sys.argv[1]))
    outbox = Outbox(folder / "outbox")
    outbox.folder.mkdir()
    with (folder / "posted").open("ab") as posted:
        child = os.fork()
        if child == 0:
            die_at(k)
            one_posting(outbox, posted, b"from the killed run")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        last = outbox.last(LOG)
        states.add(last.state if last else "nothing")
        if last is None or last.height is None:
            try:
                one_posting(outbox, posted, b"from the next run")
            except VerificationError:
                one_posting(outbox, posted, last.header)
        else:
            outbox.receipted(last, b"receipt")
    found = outbox.last(LOG)
    contents = set((folder / "posted").read_bytes().split(b"\\n")) - {b""}
    assert contents == {found.header}, (k, contents)
    assert found.state == "receipted" and not outbox.waiting(), k
    left = [path.name for path in folder.rglob("*.tmp")]
    assert not left, (k, left)
    if status == 0:
        break
print(k, *sorted(states))
"""


def test_killed_at_any_point_the_next_run_completes_with_the_same_bytes() -> None:
    # In memory where there is such a folder: hundreds of flushes to a disk take long.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # no fixed name in it
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        command = [sys.executable, "-c", KILLED, folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    steps, *states = done.stdout.split()
    assert int(steps) > 20
    assert states == ["attempted", "nothing", "pending", "receipted", "submitted"]
