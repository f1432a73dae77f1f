"""The file below the embedded ledger: whole or absent, one writer, and who holds it."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from provenance.errors import MalformedError, UnavailableError
from storage.celestia.ledger_file import LedgerFile

INSERT = "INSERT INTO block VALUES (1, x'00')"


def fill(database: sqlite3.Connection) -> None:
    database.execute(INSERT)


def count(file: LedgerFile) -> int:
    with file.reading() as database:
        return int(database.execute("SELECT count(*) FROM block").fetchone()[0])


@pytest.fixture
def file(tmp_path: Path) -> LedgerFile:
    made = LedgerFile(tmp_path / "ledger.sqlite", 0.05)
    made.ensure(fill)
    return made


def test_a_new_file_is_whole_and_alone_in_its_folder(file: LedgerFile) -> None:
    assert count(file) == 1
    assert [each.name for each in file.path.parent.iterdir()] == ["ledger.sqlite"]


def test_a_file_that_is_there_is_left_as_it_is(file: LedgerFile) -> None:
    before = file.path.read_bytes()
    file.ensure(fill)
    assert file.path.read_bytes() == before


def test_the_file_keeps_a_write_ahead_log(file: LedgerFile) -> None:
    with file.reading() as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_whoever_makes_the_file_second_uses_the_first(tmp_path: Path) -> None:
    one, other = (LedgerFile(tmp_path / "ledger.sqlite", 0.05) for _ in range(2))

    def race(database: sqlite3.Connection) -> None:
        other.ensure(fill)
        database.execute("INSERT INTO block VALUES (2, x'00')")

    one.ensure(race)
    with one.reading() as database:
        assert database.execute("SELECT height FROM block").fetchall() == [(1,)]


def test_nothing_is_made_when_filling_fails(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "ledger.sqlite", 0.05)

    def fail(_: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        file.ensure(fail)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_after_an_exception(file: LedgerFile) -> None:
    def fail() -> None:
        with file.writing() as database:
            database.execute("INSERT INTO block VALUES (2, x'00')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(file) == 1


def test_who_waits_in_vain_is_told_whom_for(file: LedgerFile) -> None:
    holder = f"locked by process {os.getpid()}; waited 0.05 s"
    with file.writing(), pytest.raises(UnavailableError, match=holder), file.writing():
        pass
    with file.writing() as database:
        database.execute("INSERT INTO block VALUES (2, x'00')")
    assert count(file) == 2


def test_a_holder_that_leaves_no_name_is_another_program(file: LedgerFile) -> None:
    with closing(sqlite3.connect(file.path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="another program"), file.writing():
            pass


def test_a_dead_holder_is_not_blamed(file: LedgerFile) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    file.path.with_name("ledger.sqlite.writer").write_text(done.stdout.strip())
    with closing(sqlite3.connect(file.path, isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="another program"), file.writing():
            pass


def test_readers_do_not_wait_for_the_writer(file: LedgerFile) -> None:
    with file.writing() as database:
        database.execute("INSERT INTO block VALUES (2, x'00')")
        assert count(file) == 1


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "ledger.sqlite", 0.05)
    file.path.write_bytes(b"not a database" * 100)
    with pytest.raises(MalformedError, match="is not a ledger"):
        count(file)


def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "ledger.sqlite", 0.05)
    with closing(sqlite3.connect(file.path)) as database:
        database.execute("CREATE TABLE other (x)")
    with pytest.raises(MalformedError, match="no such table"):
        count(file)


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "nowhere" / "ledger.sqlite", 0.05)
    with pytest.raises(UnavailableError, match="nowhere"):
        file.ensure(fill)
    with pytest.raises(UnavailableError, match="unable to open"):
        count(file)


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "a #1? 100% ü.sqlite", 0.05)
    file.ensure(fill)
    assert count(file) == 1


def test_connections_are_kept_while_somebody_uses_them_and_closed_after(file: LedgerFile) -> None:
    with file.kept_open():
        with file.reading() as first:
            pass
        with file.writing() as second:
            assert second is first
            second.execute("INSERT INTO block VALUES (2, x'00')")
        with file.reading() as third, file.reading() as other:
            assert third is first
            assert other is not first
        assert count(file) == 2
    with pytest.raises(sqlite3.ProgrammingError):
        first.execute("SELECT 1")
    assert [each.name for each in file.path.parent.iterdir()] == ["ledger.sqlite"]


def test_a_kept_connection_is_in_no_transaction(file: LedgerFile) -> None:
    with file.kept_open():
        with file.reading() as database:
            database.execute("SELECT * FROM block").fetchall()
        assert not database.in_transaction
        with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
            other.execute("INSERT INTO block VALUES (2, x'00')")
        assert count(file) == 2


def test_a_connection_that_met_an_error_is_not_kept(file: LedgerFile) -> None:
    used = []

    def fail() -> None:
        with file.writing() as database:
            used.append(database)
            database.execute("INSERT INTO block VALUES (2, x'00')")
            raise ZeroDivisionError

    with file.kept_open():
        with pytest.raises(ZeroDivisionError):
            fail()
        with pytest.raises(sqlite3.ProgrammingError):
            used[0].execute("SELECT 1")
        assert count(file) == 1


def test_a_file_that_was_replaced_is_not_written_through_an_old_connection(
    file: LedgerFile, tmp_path: Path
) -> None:
    other = LedgerFile(tmp_path / "other.sqlite", 0.05)
    other.ensure(fill)
    with other.writing() as database:
        database.execute("INSERT INTO block VALUES (2, x'00')")
    with file.kept_open():
        assert count(file) == 1
        other.path.replace(file.path)
        assert count(file) == 2
        with file.writing() as database:
            database.execute("INSERT INTO block VALUES (3, x'00')")
    assert count(file) == 3


def test_a_file_that_went_away_is_not_written(file: LedgerFile) -> None:
    with file.kept_open():
        assert count(file) == 1
        file.path.unlink()
        with pytest.raises(UnavailableError, match="unable to open"), file.writing():
            pass
