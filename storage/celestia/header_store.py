"""Verified extended headers in one SQLite file, because pruned nodes forget them.

Only what a light client verified goes in, so what stands here is believed, as this user's own file;
each read still recomputes the hashes. A second, different header for one height is never dropped:
both are kept as a dispute, and from that height on nothing is given out until somebody decides.

A row is written through to the disk, a call is one transaction: a process that is killed leaves all
or nothing of it.
"""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from sqlite3 import Connection
from typing import Final, NoReturn

from provenance import canonical
from provenance.canonical import JsonObject
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from storage.celestia.extended import ExtendedHeader

MAX_HEADER_BYTES: Final = 2**22
_SCHEMA: Final = resources.files("storage.celestia").joinpath("header_store.sql").read_text()


class EquivocationError(VerificationError):
    """Two different blocks for one height, both signed by those who may: an alarm, not a retry."""


class HeaderStore:
    """The file at `path`, made when it is missing; several processes may use it."""

    def __init__(self, path: Path, *, wait_seconds: float = 10.0) -> None:
        """Open or make the file; its folder exists.

        Raises:
            UnavailableError: It cannot be read or written.
            MalformedError: It is no file of headers.
        """
        self._path, self._wait = path, wait_seconds
        with self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            for statement in _SCHEMA.split(";"):
                database.execute(statement)

    def get(self, chain: str, height: int) -> ExtendedHeader | None:
        """Return the verified header of one block, or None.

        Raises:
            EquivocationError: It lies at or above a height in dispute.
            VerificationError: The row is not what was written.
        """
        return self._one(chain, "height = ?", height)

    def below(self, chain: str, height: int) -> ExtendedHeader | None:
        """Return the highest verified header below `height`, or None."""
        return self._one(chain, "height < ? ORDER BY height DESC", height)

    def above(self, chain: str, height: int) -> ExtendedHeader | None:
        """Return the lowest verified header above `height`, or None."""
        return self._one(chain, "height > ? ORDER BY height", height)

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
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            rivals = [pair for each in headers if (pair := _insert(database, each))]
            for pair in rivals:
                _dispute(database, pair[0].header.height, pair)
            database.execute("COMMIT")
        if rivals:
            raise self._equivocation(rivals[0][0].header.height, rivals[0])

    def dispute(self, height: int, headers: Sequence[ExtendedHeader]) -> NoReturn:
        """Keep headers that contradict each other about block `height`, and stop there.

        Raises:
            EquivocationError: Always; when somebody has decided, the other side is still wrong.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            _dispute(database, height, headers)
            database.execute("COMMIT")
        raise self._equivocation(height, headers)

    def disputed(self, chain: str) -> tuple[tuple[int, ExtendedHeader], ...]:
        """Return the headers in dispute with the heights that they dispute, lowest first."""
        query = (
            "SELECT height, data FROM dispute WHERE chain = ? AND NOT decided ORDER BY height, hash"
        )
        with self._open() as database:
            rows = database.execute(query, (chain,)).fetchall()
        return tuple((int(height), _whole(data)) for height, data in rows)

    def decide(self, chain: str, height: int, digest: Digest) -> None:
        """Settle the dispute at `height` for the block `digest`; the evidence stays.

        What was verified at that height and above is forgotten, since it may hang on the other.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            kept = _read(database, chain, "height = ?", height)
            if kept is None or kept.header.hash != digest:
                database.execute(
                    "DELETE FROM header WHERE chain = ? AND height >= ?", (chain, height)
                )
            database.execute(
                "UPDATE dispute SET decided = 1 WHERE chain = ? AND height = ?", (chain, height)
            )
            database.execute("COMMIT")

    def _one(self, chain: str, where: str, height: int) -> ExtendedHeader | None:
        with self._open() as database:
            found = _read(database, chain, where, height)
        if found is not None:
            self._check(chain, found.header.height)
        return found

    def _check(self, chain: str, height: int) -> None:
        """Raise EquivocationError if `height` lies at or above a dispute."""
        low = min((at for at, _ in self.disputed(chain)), default=height + 1)
        if low <= height:
            rivals = [header for at, header in self.disputed(chain) if at == low]
            raise self._equivocation(low, rivals)

    def _equivocation(self, height: int, headers: Sequence[ExtendedHeader]) -> EquivocationError:
        names = " and ".join(f"{e.header.height}: {e.header.hash.hex()}" for e in headers)
        return EquivocationError(
            f"{headers[0].header.chain}: two signed histories at block {height} ({names}), both "
            f"kept in {self._path}; nothing from there on is believed until an operator finds out "
            "which stands and makes that block the anchor"
        )

    @contextlib.contextmanager
    def _open(self) -> Iterator[Connection]:
        try:
            with contextlib.closing(
                sqlite3.connect(self._path, timeout=self._wait, isolation_level=None)
            ) as database:
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except sqlite3.OperationalError as error:
            raise UnavailableError(f"{self._path}: {error}; see to it, then retry") from error
        except sqlite3.DatabaseError as error:
            raise MalformedError(f"{self._path} is no file of headers: {error}") from error


def _insert(
    database: Connection, extended: ExtendedHeader
) -> tuple[ExtendedHeader, ExtendedHeader] | None:
    """Write a header; return the one that stands there and this one if they differ."""
    chain, height, digest = extended.header.chain, extended.header.height, extended.header.hash
    query = "SELECT hash FROM header WHERE chain = ? AND height = ?"
    row = database.execute(query, (chain, height)).fetchone()
    if row is not None:
        kept = _read(database, chain, "height = ?", height)
        return None if row[0] == digest or kept is None else (kept, extended)
    whole = dict(extended.to_json())
    validators = whole.pop("validator_set")
    database.execute(
        "INSERT OR IGNORE INTO validators VALUES (?, ?)",
        (extended.header.validators, _pack({"validator_set": validators})),
    )
    database.execute(
        "INSERT INTO header VALUES (?, ?, ?, ?, ?)",
        (chain, height, digest, extended.header.validators, _pack(whole)),
    )
    return None


def _read(database: Connection, chain: str, where: str, height: int) -> ExtendedHeader | None:
    row = database.execute(
        "SELECT h.hash, h.data, v.data FROM header AS h"  # noqa: S608  # `where` is one of ours
        f" JOIN validators AS v ON v.hash = h.validators WHERE chain = ? AND {where} LIMIT 1",
        (chain, height),
    ).fetchone()
    if row is None:
        return None
    extended = ExtendedHeader.from_json({**_unpack(row[1]), **_unpack(row[2])})
    extended.verify_parts()
    if extended.header.hash != row[0]:
        raise VerificationError(f"{chain}: the stored header {extended.header.height} was changed")
    return extended


def _dispute(database: Connection, height: int, headers: Sequence[ExtendedHeader]) -> None:
    database.executemany(
        "INSERT OR IGNORE INTO dispute (chain, height, hash, data) VALUES (?, ?, ?, ?)",
        [(e.header.chain, height, e.header.hash, _pack(e.to_json())) for e in headers],
    )


def _whole(data: bytes) -> ExtendedHeader:
    return ExtendedHeader.from_json(_unpack(data))


def _pack(value: JsonObject) -> bytes:
    return zlib.compress(canonical.encode(value), 1)


def _unpack(data: bytes) -> JsonObject:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(data, MAX_HEADER_BYTES)
    if inflater.unconsumed_tail:
        raise MalformedError("a stored header is longer than any header")
    return canonical.decode(plain)
