"""The rows of a header store's three tables, written and read; every read recomputes the hashes."""

import json
import zlib
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError, VerificationError
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.commit import Commit
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import Header
from storage.celestia.validators import ValidatorSet

MAX_BYTES: Final = 2**22
"""Of one packed value; a thousand validators and a square of 512 make about 1 MiB."""

Sets = dict[bytes, ValidatorSet]
"""Validator sets that were read, by their hashes: they seldom change and are slow to read."""
MAX_SETS: Final = 16
_COLUMNS: Final = "SELECT height, hash, validators, plain, rest FROM header WHERE chain = ? AND "
AT: Final = _COLUMNS + "height = ?"
BELOW: Final = _COLUMNS + "height < ? ORDER BY height DESC LIMIT 1"
ABOVE: Final = _COLUMNS + "height > ? ORDER BY height LIMIT 1"


def insert(database: Connection, extended: ExtendedHeader) -> bool:
    """Write a header; return whether it stands there now, not another one."""
    header, rest = extended.header, dict(extended.to_json())
    query = "SELECT hash FROM header WHERE chain = ? AND height = ?"
    row = database.execute(query, (header.chain, header.height)).fetchone()
    if row is not None:
        return bool(row[0] == header.hash)
    plain, validators = canonical.encode(header.to_json()), rest.pop("validator_set")
    del rest["header"]
    database.execute(
        "INSERT OR IGNORE INTO validators VALUES (?, ?)",
        (header.validators, _pack({"validator_set": validators})),
    )
    database.execute(
        "INSERT INTO header VALUES (?, ?, ?, ?, ?, ?)",
        (header.chain, header.height, header.hash, header.validators, plain, _pack(rest)),
    )
    return True


def read(
    database: Connection, sets: Sets, query: str, chain: str, height: int
) -> ExtendedHeader | None:
    """Return the header that `AT`, `BELOW` or `ABOVE` finds, or None.

    Raises:
        VerificationError: The row is not what was written.
    """
    row = database.execute(query, (chain, height)).fetchone()
    if row is None:
        return None
    at, name, validators, plain, rest = row
    parts = Fields.of(_unpack(rest), "stored header")
    extended = ExtendedHeader(
        header=Header.from_json(json.loads(plain)),
        validators=_validators(database, sets, validators),
        commit=Commit.from_fields(parts.inner("commit")),
        availability=DataAvailabilityHeader.from_fields(parts.inner("dah")),
    )
    extended.verify_parts()
    if (extended.header.chain, extended.header.height, extended.header.hash) != (chain, at, name):
        raise VerificationError(f"{chain}: the stored header {at} is not the one that was verified")
    return extended


def dispute(database: Connection, height: int, headers: Sequence[ExtendedHeader]) -> None:
    """Write headers that contradict each other about block `height`."""
    database.executemany(
        "INSERT OR IGNORE INTO dispute (chain, height, hash, data) VALUES (?, ?, ?, ?)",
        [(e.header.chain, height, e.header.hash, _pack(e.to_json())) for e in headers],
    )


def lowest_dispute(database: Connection, chain: str) -> int | None:
    """Return the lowest height in dispute that nobody has decided, or None."""
    query = "SELECT min(height) FROM dispute WHERE chain = ? AND NOT decided"
    (height,) = database.execute(query, (chain,)).fetchone()
    return None if height is None else int(height)


def disputed(database: Connection, chain: str) -> tuple[tuple[int, ExtendedHeader], ...]:
    """Return the undecided heights in dispute, lowest first, each with every header about it."""
    rows = database.execute(
        "SELECT height, data FROM dispute WHERE chain = ? AND NOT decided ORDER BY height, hash",
        (chain,),
    )
    return tuple((int(height), ExtendedHeader.from_json(_unpack(data))) for height, data in rows)


def _validators(database: Connection, sets: Sets, name: bytes) -> ValidatorSet:
    if name not in sets:
        query = "SELECT data FROM validators WHERE hash = ?"
        row = database.execute(query, (name,)).fetchone()
        if row is None:
            raise MalformedError("the validators of a stored header are gone")
        while len(sets) >= MAX_SETS:
            del sets[next(iter(sets))]
        sets[name] = ValidatorSet.from_fields(
            Fields.of(_unpack(row[0]), "stored validators").inner("validator_set")
        )
    return sets[name]


def _pack(value: JsonObject) -> bytes:
    return zlib.compress(canonical.encode(value), 1)


def _unpack(data: bytes) -> JsonObject:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(data, MAX_BYTES)
    if inflater.unconsumed_tail or not inflater.eof:
        raise MalformedError("a stored header is cut off, or longer than any header")
    value = json.loads(plain)
    if not isinstance(value, dict):
        raise MalformedError("a stored header is not an object")
    return value
