"""What a monitor has read of one log, on the disk: so that it goes on where it was, come what may.

    monitor/<log>-<digest of what is watched>.sqlite

One file for each log, namespace, set of keys and first height that was asked for: with another key
there are other headers to look for, and all must be read again. A block is read in one transaction,
or several together, and with it the next height, the block's hash, what was met (`Facts`), headers
as they were posted, and problems. A process that is killed at any point leaves the file as it was
before or after such a transaction. See docs/spec/checkpoint.md.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from provenance.history import Problem

MAX_PROBLEMS: Final = 1000
"""Problems that are kept; an issuer could make any number."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS scan (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  watched BLOB NOT NULL, -- canonical JSON
  height INTEGER NOT NULL, -- the next one to read
  block BLOB, -- hash of the block below it
  signed INTEGER NOT NULL -- the highest block of a checkpoint, 0 if there is none
) STRICT;
CREATE TABLE IF NOT EXISTS fact (
  kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS header (
  digest BLOB PRIMARY KEY, height INTEGER NOT NULL, envelope BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS problem (
  height INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, words TEXT NOT NULL,
  UNIQUE (kind, subject, words)
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint (last INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
"""
_PASSING: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a monitor stands: the next height, the hash of the block below it, what was signed."""

    height: int
    block: Digest | None
    signed: int


class Scan:
    """The file of one scan, opened for one process."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database, self.path = database, path

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path, watched: bytes, first: int) -> Iterator[Self]:
        """Open the file at `path`, or make it, to begin at the height `first`.

        Args:
            path: The file; its folder exists.
            watched: What is watched, canonical JSON.
            first: The height to begin at, where the file is new.

        Raises:
            MalformedError: It is no such file, or one of another scan.
            UnavailableError: It cannot be opened or written.
        """
        with (
            _told(path),
            contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database,
        ):
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            scan = cls(database, path)
            with scan.writing():
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
                database.execute(
                    "INSERT OR IGNORE INTO scan VALUES (1, ?, ?, NULL, 0)", (watched, first)
                )
            if database.execute("SELECT watched FROM scan").fetchone() != (watched,):
                raise MalformedError(f"{path} is the scan of another log: move it away")
            yield scan

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write all that the block does, or nothing of it after an exception."""
        with _told(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @property
    def place(self) -> Place:
        """Where the scan stands."""
        query = "SELECT height, block, signed FROM scan"
        height, block, signed = self._database.execute(query).fetchone()
        return Place(height, None if block is None else Digest(block), signed)

    def move(self, height: int, block: Digest) -> None:
        """Stand at `height`, above the block with this hash."""
        self._database.execute("UPDATE scan SET height = ?, block = ?", (height, bytes(block)))

    def keep(self, digest: Digest, height: int, envelope: bytes) -> None:
        """Keep a header as it was first met; two for one place are the evidence of a fork."""
        row = (bytes(digest), height, envelope)
        self._database.execute("INSERT OR IGNORE INTO header VALUES (?, ?, ?)", row)

    def headers(self) -> Iterator[tuple[int, bytes]]:
        """Yield the headers that were met: heights and envelopes, in the order of the heights."""
        yield from self._database.execute("SELECT height, envelope FROM header ORDER BY height")

    def report(self, height: int, problem: Problem) -> bool:
        """Keep a problem that was met at a height; return whether it is a new one."""
        row = (height, problem.kind, problem.subject, problem.words, MAX_PROBLEMS)
        done = self._database.execute(
            "INSERT OR IGNORE INTO problem SELECT ?, ?, ?, ? "
            "WHERE (SELECT count(*) FROM problem) < ?",
            row,
        )
        return done.rowcount > 0

    def problems(self) -> tuple[tuple[int, Problem], ...]:
        """Return the problems that were met, with their heights, in order."""
        rows = self._database.execute("SELECT height, kind, subject, words FROM problem")
        return tuple((height, Problem(*words)) for height, *words in rows.fetchall())

    def sign(self, last: int, envelope: bytes) -> None:
        """Keep the checkpoint that speaks up to `last`; those before it are in their files."""
        self._database.execute("DELETE FROM checkpoint")
        self._database.execute("INSERT INTO checkpoint VALUES (?, ?)", (last, envelope))
        self._database.execute("UPDATE scan SET signed = ?", (last,))

    def signed(self) -> bytes | None:
        """Return the newest checkpoint's envelope, or None."""
        row = self._database.execute("SELECT envelope FROM checkpoint").fetchone()
        return None if row is None else bytes(row[0])

    # What provenance.history.Facts asks for.

    def get(self, kind: str, key: str) -> str | None:
        """Return what is known, or None."""
        query = "SELECT value FROM fact WHERE kind = ? AND key = ?"
        row = self._database.execute(query, (kind, key)).fetchone()
        return None if row is None else str(row[0])

    def put(self, kind: str, key: str, value: str) -> None:
        """Remember it, in place of what was known."""
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?)", (kind, key, value))

    def drop(self, kind: str, key: str) -> None:
        """Forget it."""
        self._database.execute("DELETE FROM fact WHERE kind = ? AND key = ?", (kind, key))

    def count(self, kind: str) -> int:
        """Return how many facts of a kind are known."""
        query = "SELECT count(*) FROM fact WHERE kind = ?"
        (number,) = self._database.execute(query, (kind,)).fetchone()
        return int(number)

    def keys(self, kind: str, most: int) -> tuple[str, ...]:
        """Return some keys of a kind, at most so many."""
        query = "SELECT key FROM fact WHERE kind = ? LIMIT ?"
        return tuple(key for (key,) in self._database.execute(query, (kind, most)).fetchall())


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING:
            raise UnavailableError(f"{path}: {error}; see to it, then retry") from error
        raise MalformedError(
            f"{path} is damaged: {error}; remove it, and the log is read again"
        ) from error
