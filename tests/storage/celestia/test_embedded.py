"""The embedded ledger under crashes, rivals and tampering."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance import canonical
from provenance.envelope import PublicKey
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.receipt import Receipt
from storage.celestia.block import chain_id, make_block
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.extended import ExtendedHeader
from storage.celestia.share import Blob
from storage.celestia.square import availability, lay_out
from storage.celestia.verifier import CelestiaVerifier

ROOT = Path(__file__).parents[3]
SPACE, OTHER = bytes(19) + b"rootline01", bytes(19) + b"rootline02"
VERIFIER = CelestiaVerifier()


class Key:
    def __init__(self, seed: int = 1) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self.private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


CHAIN = chain_id(Key().public_key)


def open_ledger(path: Path, *, seed: int = 1, chain: str = CHAIN, start: int = 0) -> EmbeddedLedger:
    return EmbeddedLedger(path, Key(seed), chain, count(start).__next__, wait_seconds=20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> EmbeddedLedger:
    return open_ledger(path)


def blob(number: int, size: int = 300) -> Blob:
    return Blob(SPACE, number.to_bytes(4, "big") + bytes(size))


def test_a_ledger_is_the_same_when_opened_again(ledger: EmbeddedLedger, path: Path) -> None:
    heights = [ledger.submit([blob(n), Blob(OTHER, b"entries")]) for n in range(3)]
    again = open_ledger(path)
    assert again.head() == ledger.head() == 4
    assert heights == [2, 3, 4]
    assert again.headers(1, 4) == ledger.headers(1, 4)
    assert [again.submit([blob(n), Blob(OTHER, b"entries")]) for n in range(3)] == heights
    assert again.head() == 4
    assert again.submit([blob(9)]) == 5
    again.verify_history()


def test_time_rises_when_the_clock_was_set_back(path: Path) -> None:
    open_ledger(path, start=10**9).submit([blob(1)])
    back = open_ledger(path, start=5)
    back.submit([blob(2)])
    times = [VERIFIER.linked_block(header).time for header in back.headers(1, 3)]
    assert times == [10**9, 10**9 + 1, 10**9 + 2]


def test_another_key_or_chain_is_refused(ledger: EmbeddedLedger, path: Path) -> None:
    assert ledger.head() == 1
    with pytest.raises(MalformedError, match="another key"):
        open_ledger(path, seed=2)
    with pytest.raises(MalformedError, match=f"holds chain '{CHAIN}', not 'other-1'"):
        open_ledger(path, chain="other-1")


def test_blobs_of_share_version_1_are_kept_but_have_no_receipt(ledger: EmbeddedLedger) -> None:
    signed = Blob(SPACE, b"data", 1, b"s" * 20)
    height = ledger.submit([signed, Blob(SPACE, b"data")])
    assert ledger.blobs(height, SPACE) == (signed, Blob(SPACE, b"data"))
    with pytest.raises(MalformedError, match="share version 0"):
        ledger.receipt(height, signed)


def test_a_submission_that_does_not_fit_leaves_no_trace(ledger: EmbeddedLedger) -> None:
    big = [Blob(SPACE, bytes([n]) * (5 * 2**20)) for n in range(2)]
    with pytest.raises(MalformedError, match="several blocks"):
        ledger.submit(big)
    assert ledger.head() == 1


WORKER = f"""
import sys
from itertools import count
from pathlib import Path
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from test_embedded import blob, open_ledger
"""


def worker(code: str, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WORKER + code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, **options)


def test_several_processes_share_a_ledger_from_its_making_on(path: Path) -> None:
    code = """
ledger = open_ledger(Path(sys.argv[1]))
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    print(n, ledger.submit([blob(n)]))
"""
    ranges = [("0", "16"), ("8", "24")]
    workers = [worker(code, str(path), *each) for each in ranges]
    lines = [line for each in workers for line in each.communicate()[0].splitlines()]
    assert [each.returncode for each in workers] == [0, 0]
    heights = {tuple(map(int, line.split())) for line in lines}
    assert sorted(n for n, _ in heights) == list(range(24))
    assert sorted(height for _, height in heights) == list(range(2, 26))
    ledger = open_ledger(path)
    assert ledger.head() == 25
    ledger.verify_history()


@pytest.mark.parametrize("after", [1, 4])
def test_a_process_killed_at_any_time_leaves_whole_blocks(path: Path, after: int) -> None:
    code = """
ledger = open_ledger(Path(sys.argv[1]))
for n in range(1000):
    print(ledger.submit([blob(n, 20_000)]), flush=True)
"""
    with worker(code, str(path)) as process:
        assert process.stdout is not None
        seen = [int(process.stdout.readline()) for _ in range(after)]
        process.kill()
    ledger = open_ledger(path)
    assert ledger.head() >= seen[-1]
    ledger.verify_history()
    head = ledger.head()
    assert [ledger.submit([blob(n, 20_000)]) for n in range(after)] == seen
    assert ledger.head() == head


KILLS = {
    "before the block is made": "class Die: __next__ = lambda _: os.kill(os.getpid(), 9)\n"
    "ledger._clock = Die().__next__",
    "between the block and its commit": "Path.unlink = lambda *_, **__: os.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize("point", KILLS)
def test_a_process_killed_inside_the_transaction_adds_nothing(path: Path, point: str) -> None:
    code = f"""
import os
ledger = open_ledger(Path(sys.argv[1]))
ledger.submit([blob(1)])
{KILLS[point]}
ledger.submit([blob(2)])
"""
    with worker(code, str(path)) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    ledger = open_ledger(path)
    assert ledger.head() == 2
    assert ledger.submit([blob(2)]) == 3
    ledger.verify_history()
    assert [each.name for each in path.parent.iterdir()] == ["ledger.sqlite"]


def test_a_full_disk_is_reported_and_leaves_the_ledger_as_it_was(path: Path) -> None:
    code = """
import resource, signal
from provenance.errors import UnavailableError
ledger = open_ledger(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import sys; sys.dont_write_bytecode = True  # Python would keep half a module
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    ledger.submit([blob(1, 100_000)])
except UnavailableError as error:
    print(error)
"""
    with worker(code, str(path)) as process:
        said, _ = process.communicate()
    assert "see to it" in said
    ledger = open_ledger(path)
    assert ledger.head() == 1
    ledger.verify_history()


def test_a_locked_ledger_says_who_holds_it(ledger: EmbeddedLedger, path: Path) -> None:
    code = """
with open_ledger(Path(sys.argv[1]))._file.writing():
    print("held", flush=True)
    sys.stdin.read()
"""
    impatient = EmbeddedLedger(path, Key(), CHAIN, count().__next__, wait_seconds=0.05)
    with worker(code, str(path), stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UnavailableError, match=f"locked by process {process.pid}"):
            impatient.submit([blob(1)])
        assert impatient.head() == 1
        process.communicate("")
    assert ledger.submit([blob(1)]) == 2


@pytest.fixture
def history(ledger: EmbeddedLedger, path: Path) -> Iterator[sqlite3.Connection]:
    for n in range(1, 4):
        ledger.submit([blob(n), Blob(OTHER, bytes([n]) * 2000)])
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def rewrite(database: sqlite3.Connection, height: int, header: Any) -> None:
    data = canonical.encode(header)
    database.execute("UPDATE block SET header = ? WHERE height = ?", (data, height))


def test_an_honest_history_holds(ledger: EmbeddedLedger, history: sqlite3.Connection) -> None:
    assert history.execute("SELECT count(*) FROM blob").fetchone() == (6,)
    ledger.verify_history()


TAMPERINGS = {
    "a blob's data": "UPDATE blob SET data = x'00' WHERE height = 3 AND position = 0",
    "a blob's commitment": "UPDATE blob SET commitment = zeroblob(32) WHERE height = 3",
    "a blob's namespace": "UPDATE blob SET namespace = x'01' WHERE height = 3",
    "a blob dropped": "DELETE FROM blob WHERE height = 3 AND position = 1",
    "a blob moved": "UPDATE blob SET height = 4, position = 9 WHERE height = 3 AND position = 1",
    "a blob above the head": "UPDATE blob SET height = 9 WHERE height = 3",
    "two blocks swapped": "UPDATE block SET height = 7 - height WHERE height IN (3, 4)",
    "a block dropped": "DELETE FROM block WHERE height = 3",
    "a block below the first, one dropped": "UPDATE block SET height = 0 WHERE height = 3",
    "a block below the first": "INSERT INTO block SELECT 0, header FROM block WHERE height = 1",
    "the first block dropped": "DELETE FROM block WHERE height = 1",
    "a header that is no JSON": "UPDATE block SET header = x'00' WHERE height = 3",
    "a block's header put in another's place": "UPDATE block SET header = "
    "(SELECT header FROM block WHERE height = 2) WHERE height = 3",
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_history_is_detected(
    name: str, ledger: EmbeddedLedger, history: sqlite3.Connection
) -> None:
    if "swapped" in name:
        history.execute("UPDATE block SET height = 100 + height WHERE height IN (3, 4)")
        history.execute("UPDATE block SET height = 107 - height WHERE height IN (103, 104)")
    else:
        history.execute(TAMPERINGS[name])
    with pytest.raises((MalformedError, VerificationError)):
        ledger.verify_history()


def test_a_block_signed_anew_breaks_the_link_of_the_next(
    ledger: EmbeddedLedger, history: sqlite3.Connection
) -> None:
    """The operator has the key, so only the links and whoever saw the old block can tell."""
    below = ExtendedHeader.from_json(ledger.header(2))
    roots = availability(lay_out(ledger.blobs(3, SPACE) + ledger.blobs(3, OTHER)))
    rewrite(history, 3, make_block(below, roots, CHAIN, 10**9, Key()).to_json())
    with pytest.raises(VerificationError, match="block 4 does not follow"):
        ledger.verify_history()


def test_a_whole_history_signed_anew_has_other_hashes(
    ledger: EmbeddedLedger, history: sqlite3.Connection
) -> None:
    """Nothing inside the file can show this; an anchor that was fixed before does."""
    honest = VERIFIER.signed_block(ledger.header(4))
    below = ExtendedHeader.from_json(ledger.header(2))
    history.execute("DELETE FROM blob WHERE height = 3")
    for height, found in ((3, ()), (4, ledger.blobs(4, SPACE) + ledger.blobs(4, OTHER))):
        below = make_block(below, availability(lay_out(found)), CHAIN, 10**9, Key())
        rewrite(history, height, below.to_json())
    ledger.verify_history()
    assert VERIFIER.signed_block(ledger.header(4)).hash != honest.hash


def test_nothing_is_built_on_a_tampered_head(
    ledger: EmbeddedLedger, history: sqlite3.Connection, path: Path
) -> None:
    header: Any = json.loads(canonical.encode(ledger.header(4)))
    header["header"]["app_hash"] = "00" * 32
    rewrite(history, 4, header)
    for attempt in (ledger.advance, lambda: ledger.submit([blob(9)]), lambda: open_ledger(path)):
        with pytest.raises(VerificationError):
            attempt()
    assert ledger.head() == 4


def test_a_ledger_that_lost_its_blocks_does_not_begin_anew(
    ledger: EmbeddedLedger, history: sqlite3.Connection, path: Path
) -> None:
    history.execute("DELETE FROM block")
    for attempt in (ledger.advance, lambda: ledger.submit([blob(9)]), lambda: open_ledger(path)):
        with pytest.raises(VerificationError, match="lost its blocks"):
            attempt()
    with pytest.raises(VerificationError):
        ledger.verify_history()


def test_a_later_commit_hash_or_time_is_checked(
    ledger: EmbeddedLedger, history: sqlite3.Connection
) -> None:
    below = ExtendedHeader.from_json(ledger.header(3))
    roots = ExtendedHeader.from_json(ledger.header(4)).availability
    late = replace(below, header=replace(below.header, time=-(10**9)))
    forged = make_block(late, roots, CHAIN, -(10**9), Key())
    rewrite(history, 4, forged.to_json())
    with pytest.raises(VerificationError, match="another time or commit"):
        ledger.verify_history()


def test_a_receipt_from_a_tampered_ledger_does_not_verify(
    ledger: EmbeddedLedger, history: sqlite3.Connection
) -> None:
    honest = ledger.receipt(3, blob(2))
    history.execute("UPDATE blob SET data = ? WHERE height = 3 AND position = 0", (b"other",))
    forged = ledger.receipt(3, Blob(SPACE, b"other"))
    block = VERIFIER.signed_block(honest.header)
    VERIFIER.verify_inclusion(Receipt.parse(honest.encoded), block)
    with pytest.raises(ProvenanceError):
        VERIFIER.verify_inclusion(forged, block)


def many(path: Path, first: int, last: int) -> None:
    """Put blocks of one blob into the file without making them; their headers say nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TEMP TABLE number (i INTEGER)")
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO number VALUES (?)", [(i,) for i in range(first, last + 1)]
        )
        database.execute("INSERT INTO block SELECT i, x'00' FROM number")
        database.execute(
            "INSERT INTO blob SELECT i, 0, ?, randomblob(32), 0, x'', x'00' FROM number", (SPACE,)
        )
        database.execute("COMMIT")


def steps(ledger: EmbeddedLedger, work: Callable[[], object]) -> int:
    """How many instructions of its machine SQLite takes for `work`, to the hundred."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with ledger.kept_open():
        with ledger._file.reading() as database:
            database.set_progress_handler(count, 100)
        work()
    return taken


def test_a_hundred_thousand_blobs_cost_the_database_no_more_than_ten(path: Path) -> None:
    ledger = open_ledger(path)
    for n in range(10):
        ledger.submit([blob(n)])
    works: dict[str, Callable[[], object]] = {
        "submit": lambda: [ledger.submit([blob(100 + ledger.head())]) for _ in range(50)],
        "again": lambda: [ledger.submit([blob(3)]) for _ in range(50)],
        "head": lambda: [ledger.head() for _ in range(50)],
        "blobs": lambda: [ledger.blobs(3, SPACE) for _ in range(50)],
        "header": lambda: [ledger.header(3) for _ in range(50)],
        "hash": lambda: [ledger.height_named("00" * 32) for _ in range(50)],
        "find": lambda: [ledger.find([blob(3)], 1) for _ in range(50)],
    }
    few = {name: steps(ledger, work) for name, work in works.items()}
    tip = ExtendedHeader.from_json(ledger.header(ledger.head()))
    many(path, tip.header.height + 1, 100_001)
    moved = replace(tip, header=replace(tip.header, height=100_001))
    head = make_block(moved, tip.availability, CHAIN, 10**18, Key())
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        data = canonical.encode(head.to_json())
        database.execute("INSERT INTO block VALUES (?, ?)", (100_002, data))
    assert ledger.head() == 100_002
    for name, work in works.items():
        assert steps(ledger, work) <= 1.5 * few[name] + 5, name
