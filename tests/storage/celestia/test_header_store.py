"""Headers that stay: killed writers, several processes, changed rows, disputes."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenance.errors import (
    MalformedError,
    UnavailableError,
    VerificationError,
)
from provenance.field import Digest
from storage.celestia import header_rows
from storage.celestia.header_store import EquivocationError, HeaderStore
from tests.storage.celestia.chains import Chain, Crew, forged

ROOT = Path(__file__).parents[3]
CREW = Crew.of("a", "b", "c", "d")
CHAIN = Chain("many-1", CREW, 12)
OTHER = forged(CHAIN.at(7), CREW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "headers.sqlite"


@pytest.fixture
def store(path: Path) -> HeaderStore:
    HeaderStore(path).put([CHAIN.at(3), CHAIN.at(7), CHAIN.at(12)])
    return HeaderStore(path)


def test_headers_come_out_as_they_went_in(store: HeaderStore, path: Path) -> None:
    store.put([CHAIN.at(7)])
    for opened in (store, HeaderStore(path)):
        assert opened.get("many-1", 7) == CHAIN.at(7)
        assert opened.get("many-1", 8) is None
        assert opened.get("many-2", 7) is None
        assert (opened.top("many-1"), opened.top("many-2")) == (12, 0)


def test_neighbours_are_found(store: HeaderStore) -> None:
    assert store.below("many-1", 7) == CHAIN.at(3)
    assert store.below("many-1", 8) == CHAIN.at(7)
    assert store.below("many-1", 3) is None
    assert store.above("many-1", 7) == CHAIN.at(12)
    assert store.above("many-1", 6) == CHAIN.at(7)
    assert store.above("many-1", 12) is None


def test_validator_sets_stand_once_and_come_and_go(path: Path) -> None:
    chain = Chain("many-1", CREW, 0)
    crews = [Crew.of(f"x{n}", f"y{n}") for n in range(header_rows.MAX_SETS + 3)]
    for crew in crews:
        chain.extend(2, crew)
    store = HeaderStore(path)
    store.put(chain.blocks)
    for _ in range(2):
        assert [store.get("many-1", n + 1) for n in range(len(chain.blocks))] == chain.blocks
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM validators").fetchone() == (len(crews),)


# disputes


def test_a_second_header_for_one_height_is_kept_and_stops_what_is_above(
    store: HeaderStore, path: Path
) -> None:
    with pytest.raises(EquivocationError) as caught:
        store.put([CHAIN.at(6), OTHER])
    assert all(each.header.hash.hex() in str(caught.value) for each in (CHAIN.at(7), OTHER))
    assert str(path) in str(caught.value)
    for opened in (store, HeaderStore(path)):
        assert {each.header.hash for _, each in opened.disputed("many-1")} == {
            CHAIN.at(7).header.hash,
            OTHER.header.hash,
        }
        assert opened.get("many-1", 6) == CHAIN.at(6)
        for height in (7, 12):
            with pytest.raises(EquivocationError, match="two signed histories at block 7 "):
                opened.get("many-1", height)
        with pytest.raises(EquivocationError):
            opened.below("many-1", 10)
        assert opened.above("many-1", 10) is None
        assert opened.above("many-1", 3) == CHAIN.at(6)
        assert opened.above("many-1", 6) is None


def test_the_lowest_dispute_counts(store: HeaderStore) -> None:
    for height in (12, 7):
        with pytest.raises(EquivocationError):
            store.put([forged(CHAIN.at(height), CREW)])
    with pytest.raises(EquivocationError, match="at block 7 "):
        store.get("many-1", 12)


def test_a_dispute_is_of_one_chain_only(store: HeaderStore) -> None:
    store.put([forged(CHAIN.at(9), CREW, chain="many-2")])
    with pytest.raises(EquivocationError):
        store.put([OTHER])
    assert store.get("many-2", 9) is not None
    assert store.disputed("many-2") == ()


@pytest.mark.parametrize("kept", [CHAIN.at(7), OTHER], ids=["the first", "the second"])
def test_a_decision_lets_what_hangs_on_it_go_on(
    store: HeaderStore, path: Path, kept: object
) -> None:
    with pytest.raises(EquivocationError):
        store.put([OTHER])
    is_first = kept is not OTHER
    store.decide("many-1", 7, (CHAIN.at(7) if is_first else OTHER).header.hash)
    assert store.disputed("many-1") == ()
    assert store.get("many-1", 7) == (CHAIN.at(7) if is_first else None)
    assert store.get("many-1", 12) == (CHAIN.at(12) if is_first else None)
    assert store.get("many-1", 3) == CHAIN.at(3)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM dispute").fetchone() == (2,)


def test_the_other_side_of_a_decision_is_still_refused(store: HeaderStore) -> None:
    with pytest.raises(EquivocationError):
        store.put([OTHER])
    store.decide("many-1", 7, CHAIN.at(7).header.hash)
    with pytest.raises(EquivocationError):
        store.put([OTHER])
    with pytest.raises(EquivocationError):
        store.dispute(7, [CHAIN.at(7), OTHER])
    assert store.get("many-1", 7) == CHAIN.at(7)


def test_a_decision_for_neither_forgets_both(store: HeaderStore) -> None:
    with pytest.raises(EquivocationError):
        store.put([OTHER])
    store.decide("many-1", 7, Digest(bytes(32)))
    assert store.top("many-1") == 3


# files that others changed


def changed(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as database:
        assert database.execute(statement, values).rowcount > 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE header SET hash = zeroblob(32) WHERE height = 7",
        "UPDATE header SET plain = (SELECT plain FROM header WHERE height = 3) WHERE height = 7",
        "UPDATE header SET rest = (SELECT rest FROM header WHERE height = 3) WHERE height = 7",
        "UPDATE header SET height = 9 WHERE height = 7",
        "UPDATE header SET chain = 'many-2' WHERE height = 7",
        "UPDATE header SET plain = CAST(replace(plain, '\"7\"', '\"8\"') AS BLOB) WHERE height = 7",
        "UPDATE header SET plain = CAST('[]' AS BLOB) WHERE height = 7",
        "UPDATE header SET rest = zeroblob(9) WHERE height = 7",
        "UPDATE header SET rest = substr(rest, 1, 200) WHERE height = 7",
        "UPDATE header SET rest = CAST('null' AS BLOB) WHERE height = 7",
        "UPDATE validators SET data = substr(data, 1, 50)",
        "UPDATE validators SET hash = zeroblob(32)",
    ],
)
def test_a_row_that_was_changed_is_refused(store: HeaderStore, path: Path, statement: str) -> None:
    changed(path, statement)
    with pytest.raises((VerificationError, MalformedError)):
        assert store.get("many-1", 7) or store.get("many-1", 9) or store.get("many-2", 7)


def test_a_row_that_swells_is_refused(store: HeaderStore, path: Path) -> None:
    bomb = zlib.compress(bytes(header_rows.MAX_BYTES + 1))
    changed(path, "UPDATE header SET rest = ? WHERE height = 7", bomb)
    with pytest.raises(MalformedError, match="longer than any header"):
        store.get("many-1", 7)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(MalformedError, match="no file of headers"):
        HeaderStore(tmp_path / "text")
    with sqlite3.connect(tmp_path / "later") as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(MalformedError, match="another version"):
        HeaderStore(tmp_path / "later")
    with pytest.raises(UnavailableError):
        HeaderStore(tmp_path / "no folder" / "headers.sqlite")


def test_a_file_that_another_holds_is_unavailable(store: HeaderStore, path: Path) -> None:
    hasty = HeaderStore(path, wait_seconds=0)
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="locked"):
            hasty.put([CHAIN.at(1)])
        assert store.get("many-1", 7) == CHAIN.at(7)


# killed and crowded

WRITER = """
    import sys
    from pathlib import Path
    from storage.celestia.header_store import HeaderStore
    from tests.storage.celestia.chains import Chain, Crew
    chain = Chain("many-1", Crew.of("a", "b", "c", "d"), 40)
    print("ready", flush=True)
    sys.stdin.readline()
    store = HeaderStore(Path(sys.argv[1]))
    for height in range(0, 40, 2):
        store.put(chain.blocks[height:height + 2])
        print(height + 2, flush=True)
"""


def writer(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def begin(*children: subprocess.Popen[str]) -> None:
    """Let children go on together, once all are ready."""
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()


@pytest.fixture
def children(path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    made = [writer(path) for _ in range(2)]
    yield made
    for child in made:
        child.kill()
        child.communicate()


def test_a_killed_writer_leaves_all_or_nothing_of_each_call(
    children: list[subprocess.Popen[str]], path: Path
) -> None:
    whole, told = Chain("many-1", CREW, 40), 0
    begin(*children)
    store = HeaderStore(path)  # three make the file at once
    for turn, child in enumerate(children):
        assert child.stdout
        while told < 8 + 6 * turn:
            told = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        top = store.top("many-1")
        assert top >= told
        assert top % 2 == 0
        assert [store.get("many-1", n) for n in range(1, top + 1)] == whole.blocks[:top]
    store.put(whole.blocks)
    assert store.top("many-1") == 40
