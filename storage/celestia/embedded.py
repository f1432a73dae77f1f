"""The default ledger: Celestia-shaped blocks in one SQLite file, signed by one key, no server.

It shows order and integrity to whoever trusts the key's holder, and nothing more. A block is one
transaction, written through to the disk, so a process that is killed at any point leaves the file
as it was before or after the block. Several processes may use the file: whoever writes waits for
the other, up to a bound. The file is opened for each call and closed after it, unless it is
`kept_open`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, JsonObject, decode
from provenance.envelope import Signer
from provenance.errors import MalformedError, VerificationError
from provenance.receipt import Receipt
from storage.celestia import ledger_rows
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.block import (
    distinct,
    heights,
    make_block,
    make_receipt,
    sole_validator,
)
from storage.celestia.extended import ExtendedHeader
from storage.celestia.ledger_file import LedgerFile
from storage.celestia.share import Blob, share_commitment
from storage.celestia.square import availability, lay_out, square_size


class EmbeddedLedger:
    """A ledger in the file `path`; see `storage.ledger.Ledger` for what its methods promise."""

    kind: Final = "embedded"
    first: Final = 1
    margin: Final = 3
    patience: Final = 0

    def __init__(
        self,
        path: Path,
        signer: Signer,
        chain: str,
        clock: Callable[[], int],
        *,
        wait_seconds: float = 10.0,
    ) -> None:
        """Open the ledger, or make it with an empty block 1.

        Args:
            path: The file; its folder exists.
            signer: The key that signs blocks.
            chain: Chain id, `storage.celestia.block.chain_id` of the key.
            clock: Nanoseconds since 1970, UTC.
            wait_seconds: How long to wait for another process that is writing.

        Raises:
            MalformedError: The file is no ledger, or that of another chain or key.
            UnavailableError: The file cannot be opened, or stays locked.
            VerificationError: The newest block was tampered with.
        """
        self.chain = chain
        self._signer, self._clock = signer, clock
        self._file = LedgerFile(path, wait_seconds)
        self._known: tuple[bytes, ExtendedHeader] | None = None
        self._file.ensure(lambda database: self._add(database, None, _NOTHING, _EMPTY))
        with self._file.reading() as database:
            self._tip(database)

    def kept_open(self) -> AbstractContextManager[None]:
        """Keep the file open between calls while the block runs, for whoever calls often."""
        return self._file.kept_open()

    def head(self) -> int:
        """Return the height of the newest block."""
        with self._file.reading() as database:
            return ledger_rows.head(database)

    def submit(self, blobs: Sequence[Blob]) -> int:
        """Return the height of a block that holds all `blobs`, a new one if there is none.

        Raises:
            MalformedError: No blobs, or more than fit into a block.
            UnavailableError: Another process keeps writing, or the disk is full.
            VerificationError: The newest block was tampered with.
        """
        (told,) = self.submit_all([blobs])
        if isinstance(told, MalformedError):
            raise told
        return told

    def submit_all(self, submissions: Sequence[Sequence[Blob]]) -> tuple[int | MalformedError, ...]:
        """Return what `submit` says to each of `submissions`; all that is new is written at once.

        Each is a block of its own, in order, in one transaction: one wait for the disk.

        Raises:
            UnavailableError: As for `submit`; then none was written.
            VerificationError: As for `submit`; then none was written.
        """
        entries = [_Entry.of(blobs) for blobs in submissions]
        with self._file.reading() as database:
            found = [_found(entry, database) for entry in entries]
        made = [availability(lay_out(e.blobs)) if isinstance(e, _Entry) else _EMPTY for e in found]
        told = tuple(entry for entry in found if not isinstance(entry, _Entry))
        if len(told) == len(found):
            return told
        with self._file.writing() as database:
            pairs = zip(found, made, strict=True)
            return tuple(self._taken(database, entry, roots) for entry, roots in pairs)

    def advance(self) -> int:
        """Append an empty block and return its height; a later block can serve as a seed."""
        with self._file.writing() as database:
            return self._append(database, _NOTHING, _EMPTY)

    def reach(self, height: int) -> None:
        """Append empty blocks until there is a block `height`."""
        while self.head() < height:
            self.advance()

    def find(self, blobs: Sequence[Blob], since: int) -> int | None:
        """Return the least height above `since` whose block holds all `blobs`, or None."""
        names = [(share_commitment(blob), blob.namespace) for blob in distinct(blobs)]
        with self._file.reading() as database:
            return ledger_rows.height_of(database, names, since)

    def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:
        """Return the blobs of one block under `namespace`, in order."""
        with self._file.reading() as database:
            ledger_rows.header(database, height)
            return tuple(b for b in ledger_rows.blobs(database, height) if b.namespace == namespace)

    def told(self, first: int, last: int, namespace: bytes) -> Iterator[tuple[int, Blob]]:
        """Give the blobs of a namespace in the blocks `first` to `last` with their heights."""
        with self._file.reading() as database:
            found = ledger_rows.blobs_between(database, first, last, namespace)
        yield from found

    def all_blobs(self, height: int) -> tuple[Blob, ...]:
        """Return all blobs of one block, in the order in which they were submitted."""
        with self._file.reading() as database:
            ledger_rows.header(database, height)
            return ledger_rows.blobs(database, height)

    def written_header(self, height: int) -> bytes:
        """Return the extended header of one block as it stands in the file."""
        with self._file.reading() as database:
            return ledger_rows.written_header(database, height)

    def height_named(self, name: str) -> int | None:
        """Return the height of the block whose hash is `name`, upper-case hex, or None."""
        with self._file.reading() as database:
            return ledger_rows.height_named(database, name)

    def header(self, height: int) -> JsonObject:
        """Return the extended header of one block."""
        with self._file.reading() as database:
            return ledger_rows.header(database, height)

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:
        """Return the plain headers of the blocks `first` to `last`."""
        wanted = heights(first, last)
        with self._file.reading() as database:
            found = [ledger_rows.header(database, height)["header"] for height in wanted]
        return tuple(Fields.of(each, "header").members for each in found)

    def receipt(self, height: int, blob: Blob) -> Receipt:
        """Return the receipt that proves that `blob` stands in the block at `height`."""
        with self._file.reading() as database:
            header = ledger_rows.header(database, height)
            blobs = ledger_rows.blobs(database, height)
        return make_receipt(self.kind, header, blobs, blob)

    def verify_history(self) -> None:
        """Check every block, its links and its blobs.

        Raises:
            MalformedError: A row cannot be read as what it is meant to be.
            VerificationError: The history was rewritten; the message names the height.
        """
        below: ExtendedHeader | None = None
        with self._file.reading() as database:
            _check_rows(database)
            for height in range(1, ledger_rows.head(database) + 1):
                block = self._verified(ledger_rows.header(database, height))
                _check_link(block, below, height)
                if availability(lay_out(ledger_rows.blobs(database, height))) != block.availability:
                    raise VerificationError(f"block {height} does not hold the blobs beside it")
                below = block

    def _taken(
        self,
        database: Connection,
        entry: "int | MalformedError | _Entry",
        roots: DataAvailabilityHeader,
    ) -> int | MalformedError:
        if not isinstance(entry, _Entry):
            return entry
        # Another process, or an entry before this one, may have written it meanwhile.
        return entry.found(database) or self._append(database, entry, roots)

    def _append(self, database: Connection, entry: "_Entry", roots: DataAvailabilityHeader) -> int:
        return self._add(database, self._tip(database), entry, roots)

    def _add(
        self,
        database: Connection,
        below: ExtendedHeader | None,
        entry: "_Entry",
        roots: DataAvailabilityHeader,
    ) -> int:
        block = make_block(below, roots, self.chain, self._clock(), self._signer)
        written, height = canonical.encode(block.to_json()), block.header.height
        ledger_rows.insert(database, height, written, entry.blobs, entry.names)
        self._known = (written, block)
        return height

    def _tip(self, database: Connection) -> ExtendedHeader:
        head = ledger_rows.head(database)
        if head == 0:
            raise VerificationError(f"{self._file.path} has lost its blocks: restore it")
        written, known = ledger_rows.written_header(database, head), self._known
        # Bytes that were made or verified here need no second look, whoever else wrote meanwhile.
        block = known[1] if known and known[0] == written else self._verified(decode(written))
        if block.header.height != head:
            raise VerificationError(f"block {block.header.height} stands in the place of {head}")
        self._known = (written, block)
        return block

    def _verified(self, header: JsonObject) -> ExtendedHeader:
        block = ExtendedHeader.from_json(header)
        block.verify()
        if block.header.chain != self.chain:
            raise MalformedError(
                f"{self._file.path} holds chain {block.header.chain!r}, not {self.chain!r}"
            )
        if block.validators != sole_validator(self._signer.public_key):
            raise MalformedError(f"{self._file.path} is signed by another key than this one")
        return block


@dataclass(frozen=True, slots=True)
class _Entry:
    """A submission's blobs, each once, and the names by which they are found."""

    blobs: tuple[Blob, ...]
    names: tuple[ledger_rows.Name, ...]

    @classmethod
    def of(cls, blobs: Sequence[Blob]) -> "_Entry | MalformedError":
        """Return the entry, or why there is none; too much is refused before it is hashed."""
        try:
            each = distinct(blobs)
            square_size(each)
        except MalformedError as error:
            return error
        return cls(each, tuple((share_commitment(blob), blob.namespace) for blob in each))

    def found(self, database: Connection) -> int | None:
        """Return the height of the block that holds all of them."""
        return ledger_rows.height_of(database, self.names)


def _found(
    entry: "_Entry | MalformedError", database: Connection
) -> "int | MalformedError | _Entry":
    """Return the height at which an entry stands already, or the entry."""
    return entry if isinstance(entry, MalformedError) else entry.found(database) or entry


def _check_link(block: ExtendedHeader, below: ExtendedHeader | None, height: int) -> None:
    header = block.header
    if header.height != height or header.previous != (below.commit.block_id if below else None):
        raise VerificationError(f"block {height} does not follow the block below it")
    if below and (header.time <= below.header.time or header.last_commit != below.commit.hash):
        raise VerificationError(f"block {height} has another time or commit than it must have")


def _check_rows(database: Connection) -> None:
    head = ledger_rows.head(database)
    count, least = database.execute("SELECT count(*), min(height) FROM block").fetchone()
    if (count, least) != (head, 1):
        raise VerificationError(f"the newest block is {head}, but there are {count} in all")
    for height, commitment, *blob in database.execute(
        "SELECT height, commitment, namespace, data, version, signer FROM blob"
    ):
        if not 1 <= height <= head or share_commitment(Blob(*blob)) != commitment:
            raise VerificationError(f"a blob beside block {height} is not what was submitted")


_EMPTY: Final = availability(lay_out(()))
_NOTHING: Final = _Entry((), ())
