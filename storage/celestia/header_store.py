"""Verified extended headers in one SQLite file, because pruned nodes forget them.

Only what a light client verified goes in, so what stands here is believed, as this user's own file;
each read still recomputes the hashes. A second, different header for one height is never dropped:
both are kept as a dispute, and from that height on nothing is given out until somebody decides.

A call is one transaction, written through to the disk: a process that is killed leaves all or
nothing of it.
"""

import contextlib
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from sqlite3 import Connection
from typing import Final, NoReturn

from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from storage.celestia import header_rows as rows
from storage.celestia.extended import ExtendedHeader

_LAYOUT: Final = 1
_SCHEMA: Final = resources.files("storage.celestia").joinpath("header_store.sql").read_text()


class EquivocationError(VerificationError):
    """Two different blocks for one height, both signed by those who may: an alarm, not a retry."""


class HeaderStore:
    """The file at `path`, made when it is missing; several processes may use it."""

    def __init__(self, path: Path, *, wait_seconds: float = 10.0) -> None:
        """Open or make the file; its folder exists.

        Raises:
            UnavailableError: It cannot be read or written.
            MalformedError: It is no file of headers, or another version's.
        """
        self._path, self._wait = path, wait_seconds
        self._sets: rows.Sets = {}
        if not path.exists():
            self._make()
        with self._open() as database:
            (layout,) = database.execute("PRAGMA user_version").fetchone()
        if layout != _LAYOUT:
            raise MalformedError(f"{path}: another version of this program made it")

    def get(self, chain: str, height: int) -> ExtendedHeader | None:
        """Return the verified header of one block, or None.

        Raises:
            EquivocationError: It lies at or above a height in dispute.
            VerificationError: The row is not what was written.
        """
        return self._one(chain, rows.AT, height)

    def below(self, chain: str, height: int) -> ExtendedHeader | None:
        """Return the highest verified header below `height`, or None; errors as for `get`."""
        return self._one(chain, rows.BELOW, height)

    def above(self, chain: str, height: int) -> ExtendedHeader | None:
        """Return the lowest verified header above `height`, or None if it lies in a dispute."""
        try:
            return self._one(chain, rows.ABOVE, height)
        except EquivocationError:
            return None

    def top(self, chain: str) -> int:
        """Return the height of the highest verified header, 0 if there is none."""
        query = "SELECT coalesce(max(height), 0) FROM header WHERE chain = ?"
        with self._open() as database:
            (height,) = database.execute(query, (chain,)).fetchone()
        return int(height)

    def put(self, headers: Sequence[ExtendedHeader]) -> None:
        """Keep verified headers; the same ones again change nothing.

        Raises:
            EquivocationError: Another verified header of that height is there; both are kept.
        """
        with self._writing() as database:
            rivals = [each for each in headers if not rows.insert(database, each)]
            pairs = [(self._rival(database, each), each) for each in rivals]
            for pair in pairs:
                rows.dispute(database, pair[1].header.height, pair)
        if pairs:
            raise self._equivocation(pairs[0][1].header.height, pairs[0])

    def dispute(self, height: int, headers: Sequence[ExtendedHeader]) -> NoReturn:
        """Keep headers that contradict each other about block `height`, and stop there.

        Raises:
            EquivocationError: Always; when somebody has decided, the other side is still wrong.
        """
        with self._writing() as database:
            rows.dispute(database, height, headers)
        raise self._equivocation(height, headers)

    def disputed(self, chain: str) -> tuple[tuple[int, ExtendedHeader], ...]:
        """Return undecided heights in dispute, lowest first, each with every header about it."""
        with self._open() as database:
            return rows.disputed(database, chain)

    def decide(self, chain: str, height: int, digest: Digest) -> None:
        """Settle the dispute at `height` for the block `digest`; the evidence stays.

        If another one was believed, all from that height on is forgotten: it may hang on it.
        """
        with self._writing() as database:
            database.execute(
                "DELETE FROM header WHERE chain = ?1 AND height >= ?2 AND NOT EXISTS ("
                "SELECT 1 FROM header WHERE chain = ?1 AND height = ?2 AND hash = ?3)",
                (chain, height, digest),
            )
            database.execute(
                "UPDATE dispute SET decided = 1 WHERE chain = ? AND height = ?", (chain, height)
            )

    def _make(self) -> None:
        """Put an empty file at the path, whole, unless another process is faster."""
        prefix = f".{self._path.name}-"
        try:
            with tempfile.TemporaryDirectory(dir=self._path.parent, prefix=prefix) as folder:
                fresh = Path(folder, self._path.name)
                with _connected(fresh, self._wait) as database:
                    database.execute("PRAGMA journal_mode = WAL")
                    database.executescript(_SCHEMA)
                    database.execute(f"PRAGMA user_version = {_LAYOUT}")
                with contextlib.suppress(FileExistsError):
                    os.link(fresh, self._path)
        except OSError as error:
            raise UnavailableError(f"{self._path}: {error}; see to it, then retry") from error

    def _one(self, chain: str, query: str, height: int) -> ExtendedHeader | None:
        with self._open() as database:
            database.execute("BEGIN")
            found = rows.read(database, self._sets, query, chain, height)
            low = rows.lowest_dispute(database, chain)
            if found is not None and low is not None and found.header.height >= low:
                raise self._equivocation(
                    low, [each for at, each in rows.disputed(database, chain) if at == low]
                )
        return found

    def _rival(self, database: Connection, other: ExtendedHeader) -> ExtendedHeader:
        header = other.header
        kept = rows.read(database, self._sets, rows.AT, header.chain, header.height)
        return kept or other

    def _equivocation(self, height: int, headers: Sequence[ExtendedHeader]) -> EquivocationError:
        names = " and ".join(f"{each.header.height} {each.header.hash.hex()}" for each in headers)
        return EquivocationError(
            f"{headers[0].header.chain}: two signed histories at block {height} ({names}), both "
            f"kept in {self._path}; nothing from there on is believed until an operator finds out "
            "which stands and makes that block the anchor"
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Open the file for writing; all is written at the end, or nothing after an exception."""
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")

    @contextlib.contextmanager
    def _open(self) -> Iterator[Connection]:
        try:
            with _connected(self._path, self._wait) as database:
                yield database
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"{self._path}: {error}; see to it, then retry") from error
        except (sqlite3.DatabaseError, zlib.error, ValueError) as error:
            raise MalformedError(f"{self._path} is no file of headers: {error}") from error


@contextlib.contextmanager
def _connected(path: Path, wait_seconds: float) -> Iterator[Connection]:
    with contextlib.closing(
        sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
    ) as database:
        database.execute("PRAGMA synchronous = FULL")
        yield database
