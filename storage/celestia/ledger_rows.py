"""The rows of the embedded ledger's two tables, read and written."""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Final

from provenance import canonical
from provenance.canonical import JsonObject
from provenance.errors import UnavailableError
from storage.celestia.share import Blob

Name = tuple[bytes, bytes]
"""A blob's share commitment and its namespace."""
_BY_HASH: Final = """
    SELECT height FROM block WHERE CASE WHEN json_valid(CAST(header AS TEXT))
    THEN CAST(header AS TEXT) ->> '$.commit.block_id.hash' END = ?
"""


def insert(
    database: Connection, height: int, header: bytes, blobs: Sequence[Blob], names: Sequence[Name]
) -> None:
    """Write one block and its blobs, each under its name."""
    database.execute("INSERT INTO block VALUES (?, ?)", (height, header))
    database.executemany(
        "INSERT INTO blob VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (height, i, blob.namespace, commitment, blob.version, blob.signer, blob.data)
            for i, (blob, (commitment, _)) in enumerate(zip(blobs, names, strict=True))
        ],
    )


def head(database: Connection) -> int:
    """Return the height of the newest block, 0 if there is none."""
    (height,) = database.execute("SELECT coalesce(max(height), 0) FROM block").fetchone()
    return int(height)


def header(database: Connection, height: int) -> JsonObject:
    """Return the extended header of one block, or raise UnavailableError."""
    return canonical.decode(written_header(database, height))


def written_header(database: Connection, height: int) -> bytes:
    """Return the extended header of one block as it was written, or raise UnavailableError."""
    row = database.execute("SELECT header FROM block WHERE height = ?", (height,)).fetchone()
    if row is None:
        raise UnavailableError(f"there is no block {height}; the newest is {head(database)}")
    return bytes(row[0])


def height_named(database: Connection, name: str) -> int | None:
    """Return the height of the block whose hash is `name`, upper-case hex, or None.

    Files made before there was an index on it are read whole.
    """
    row = database.execute(_BY_HASH, (name,)).fetchone()
    return None if row is None else int(row[0])


def blobs(database: Connection, height: int) -> tuple[Blob, ...]:
    """Return the blobs of one block in the order of their submission."""
    rows = database.execute(
        "SELECT namespace, data, version, signer FROM blob WHERE height = ? ORDER BY position",
        (height,),
    )
    return tuple(Blob(*row) for row in rows)


def blobs_between(
    database: Connection, first: int, last: int, namespace: bytes
) -> tuple[tuple[int, Blob], ...]:
    """Return the blobs of a namespace in the blocks `first` to `last` with their heights."""
    rows = database.execute(
        "SELECT height, namespace, data, version, signer FROM blob"
        " WHERE height BETWEEN ? AND ? AND namespace = ? ORDER BY height, position",
        (first, last, namespace),
    )
    return tuple((height, Blob(*row)) for height, *row in rows)


def height_of(database: Connection, names: Sequence[Name], since: int = 0) -> int | None:
    """Return the least height above `since` whose block holds all blobs that are named."""
    found = [
        {
            height
            for (height,) in database.execute(
                "SELECT height FROM blob WHERE commitment = ? AND namespace = ? AND height > ?",
                (*name, since),
            )
        }
        for name in names
    ]
    return min(set.intersection(*found), default=None)
