"""The SQLite file below the embedded ledger: made whole or not at all, one writer at a time.

Beside the file stands, while somebody writes, `<file>.writer` with the number of his process, so
that whoever waits in vain can be told whom for.

A connection is opened for each use and closed after it, unless the file is `kept_open`: then up to
eight stay, and each is used only while the file at the path is the one that it opened.
"""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from sqlite3 import Connection
from threading import Lock
from typing import Final

from provenance.errors import MalformedError, UnavailableError

_SCHEMA: Final = resources.files("storage.celestia").joinpath("embedded.sql").read_text()
_PASSING: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}


_MOST_IDLE: Final = 8
Identity = tuple[int, int] | None
"""Device and inode: which file it is that stands at a path; None: there was none to be seen."""


class _Idle:
    """Connections that wait for their next use, each with the file that it opened."""

    def __init__(self) -> None:
        self._lock, self._users = Lock(), 0
        self._free: list[tuple[Identity, Connection]] = []

    def take(self, wanted: Identity) -> Connection | None:
        """Return a connection to that file, and close those to another that stood there before."""
        with self._lock:
            old = [each for each in self._free if each[0] != wanted]
            self._free = [each for each in self._free if each[0] == wanted]
            taken = self._free.pop()[1] if self._free else None
        for _, connection in old:
            connection.close()
        return taken

    def give(self, identity: Identity, connection: Connection) -> None:
        """Keep a connection that is in no transaction, or close it."""
        with self._lock:
            if identity and self._users and len(self._free) < _MOST_IDLE:
                self._free.append((identity, connection))
                return
        connection.close()

    @contextlib.contextmanager
    def used(self) -> Iterator[None]:
        """Keep connections while the block runs."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                old = [] if self._users else self._free
                self._free = self._free if self._users else []
            for _, connection in old:
                connection.close()


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A file of blocks, and how long to wait for another process that is writing to it."""

    path: Path
    wait_seconds: float
    _idle: _Idle = field(default_factory=_Idle, repr=False, compare=False)

    def ensure(self, fill: Callable[[Connection], object]) -> None:
        """Make the file with what `fill` writes into it, unless it is there already."""
        if self.path.exists():
            return
        with (
            self._translated(),
            tempfile.TemporaryDirectory(
                dir=self.path.parent, prefix=f".{self.path.name}-"
            ) as folder,
        ):
            fresh = Path(folder, self.path.name)
            with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    database.execute(statement)
                fill(database)
                database.execute("COMMIT")
            with contextlib.suppress(FileExistsError):  # another process was faster
                os.link(fresh, self.path)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open the file for reading, as it is at this moment."""
        with self._open() as database:
            database.execute("BEGIN")
            yield database

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the file for writing; all is written at the end, or nothing after an exception."""
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            self._writer.write_text(str(os.getpid()))
            try:
                yield database
            finally:
                self._writer.unlink(missing_ok=True)
            database.execute("COMMIT")

    def kept_open(self) -> contextlib.AbstractContextManager[None]:
        """Keep connections open between uses, by any thread, while the block runs."""
        return self._idle.used()

    @contextlib.contextmanager
    def _open(self) -> Iterator[Connection]:
        with self._translated():
            identity = self._identity()
            database = self._idle.take(identity) or self._connect()
            try:
                yield database
                if database.in_transaction:
                    database.execute("ROLLBACK")
            except BaseException:
                database.close()
                raise
            self._idle.give(identity, database)

    def _identity(self) -> Identity:
        try:
            stands = self.path.stat()
        except OSError:  # SQLite says what is wrong
            return None
        return (stands.st_dev, stands.st_ino)

    def _connect(self) -> Connection:
        database = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=self.wait_seconds,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            database.execute("PRAGMA synchronous = FULL")
        except BaseException:
            database.close()
            raise
        return database

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_BUSY:
                raise UnavailableError(self._held()) from error
            if code in _PASSING:
                raise UnavailableError(
                    f"ledger {self.path}: {error}; see to it, then retry"
                ) from error
            raise MalformedError(f"{self.path} is not a ledger: {error}") from error
        except OSError as error:
            raise UnavailableError(f"ledger {self.path}: {error}") from error

    def _held(self) -> str:
        try:
            process = int(self._writer.read_text())
            os.kill(process, 0)
            holder = f"process {process}"
        except (OSError, ValueError):  # no mark, or one left by a process that was killed
            holder = "another program"
        return (
            f"ledger {self.path} is locked by {holder}; waited {self.wait_seconds:g} s: "
            "try again when it is done"
        )

    @property
    def _writer(self) -> Path:
        return self.path.with_name(f"{self.path.name}.writer")
