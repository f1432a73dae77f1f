"""The rows of the embedded ledger's two tables, read and written."""

from collections.abc import Sequence
from sqlite3 import Connection

from provenance import canonical
from provenance.canonical import JsonObject
from provenance.errors import UnavailableError
from storage.celestia.extended import ExtendedHeader
from storage.celestia.share import Blob, share_commitment


def insert(database: Connection, block: ExtendedHeader, blobs: Sequence[Blob]) -> None:
    """Write one block and its blobs."""
    height = block.header.height
    row = (height, canonical.encode(block.to_json()))
    database.execute("INSERT INTO block VALUES (?, ?)", row)
    database.executemany(
        "INSERT INTO blob VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (height, i, b.namespace, share_commitment(b), b.version, b.signer, b.data)
            for i, b in enumerate(blobs)
        ],
    )


def head(database: Connection) -> int:
    """Return the height of the newest block, 0 if there is none."""
    (height,) = database.execute("SELECT coalesce(max(height), 0) FROM block").fetchone()
    return int(height)


def header(database: Connection, height: int) -> JsonObject:
    """Return the extended header of one block, or raise UnavailableError."""
    row = database.execute("SELECT header FROM block WHERE height = ?", (height,)).fetchone()
    if row is None:
        raise UnavailableError(f"there is no block {height}; the newest is {head(database)}")
    return canonical.decode(row[0])


def height_named(database: Connection, name: str) -> int | None:
    """Return the height of the block whose hash is `name`, upper-case hex, or None."""
    row = database.execute(
        "SELECT height FROM block WHERE CAST(header AS TEXT) ->> '$.commit.block_id.hash' = ?",
        (name,),
    ).fetchone()
    return None if row is None else int(row[0])


def is_any(database: Connection, height: int) -> bool:
    """Whether a block holds any blobs."""
    query = "SELECT EXISTS (SELECT 1 FROM blob WHERE height = ?)"
    return bool(database.execute(query, (height,)).fetchone()[0])


def blobs(database: Connection, height: int) -> tuple[Blob, ...]:
    """Return the blobs of one block in the order of their submission."""
    rows = database.execute(
        "SELECT namespace, data, version, signer FROM blob WHERE height = ? ORDER BY position",
        (height,),
    )
    return tuple(Blob(*row) for row in rows)


def height_of(
    database: Connection, names: Sequence[tuple[bytes, bytes]], since: int = 0
) -> int | None:
    """Return the least height above `since` whose block holds all blobs that are named.

    A blob's name is its share commitment and its namespace.
    """
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
