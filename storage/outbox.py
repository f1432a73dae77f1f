"""What is posted, and what still has to be: the batches of a log, fixed before they are submitted.

    outbox/<log id>/00000000000000000004/
      header        envelope bytes of the batch's header     written first, together,
      entries       the entries' blob, empty if none         and never changed
      attempted     {"attempts":2,"first":7,"kind":"rootline/attempted/v1","latest":31,"time":…}
      submitted     {"height":33,"kind":"rootline/submitted/v1"}
      receipt       the receipt's bytes

A batch is `pending`, `attempted` as soon as somebody may have submitted it, `submitted` at a height
where it was seen, then `receipted`; each step is one file that appears whole. Whatever is killed
when, the next run finds one of these states and goes on, with the same bytes: a log that posts two
headers for one number is a fork, and that cannot be undone.
"""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from provenance import canonical
from provenance.canonical import Fields
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import MAX_BLOB, MAX_SEQUENCE
from provenance.receipt import MAX_HEIGHT
from storage.atomic import create_atomic, make_folder, new_folder, read_bounded, sweep, write_atomic
from storage.lock import PATIENCE, locked
from storage.posting import MAX_ATTEMPTS, MAX_TIME, Attempt

KIND: Final = "rootline/submitted/v1"
ATTEMPTED: Final = "rootline/attempted/v1"
MAX_RECEIPT: Final = canonical.MAX_BYTES
_FOLDER: Final = re.compile(r"[0-9]{20}")
_LOG: Final = re.compile(r"[0-9a-f]{64}")

State = Literal["pending", "attempted", "submitted", "receipted"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch of the outbox, as it stood when it was read."""

    log: Digest
    sequence: int
    header: bytes
    entries: bytes
    height: int | None = None
    receipt: bytes | None = None
    attempt: Attempt | None = None

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.receipt is not None:
            return "receipted"
        if self.height is not None:
            return "submitted"
        return "pending" if self.attempt is None else "attempted"


@dataclass(frozen=True, slots=True)
class Outbox:
    """The batches in a folder. Hold `locked` from fixing a batch until its receipt is stored."""

    folder: Path

    def locked(self, *, wait: float = PATIENCE) -> AbstractContextManager[None]:
        """Hold the outbox for one process, or raise UnavailableError that says who has it."""
        return locked(self.folder / "lock", wait=wait)

    def fix(self, log: Digest, sequence: int, header: bytes, entries: bytes) -> Entry:
        """Return the batch with this number, stored on the disk before anybody submits it.

        The same bytes again give the batch that is there, in the state it is in.

        Raises:
            VerificationError: Other bytes were fixed for this number: that would be a fork.
            MalformedError: The number leaves a gap, or no transaction holds so many bytes.
            UnavailableError: It cannot be written.
        """
        if not 0 <= sequence <= MAX_SEQUENCE or len(header) + len(entries) > MAX_BLOB:
            raise MalformedError(f"batch {sequence} of {len(header)} and {len(entries)} bytes")
        path = self._path(log, sequence)
        if not self._path(log, sequence - 1).is_dir():
            newest = max(self._sequences(log), default=sequence)
            if sequence > newest + 1:
                raise MalformedError(f"batch {sequence} would follow {newest}: a gap in the log")
        make_folder(path.parent)
        sweep(path.parent)
        try:
            with new_folder(path) as folder:
                write_atomic(folder / "header", header)
                write_atomic(folder / "entries", entries)
        except FileExistsError:
            pass
        found = self.read(log, sequence)
        if (found.header, found.entries) != (header, entries):
            raise VerificationError(f"{path}: other bytes are fixed for batch {sequence}: no fork")
        return found

    def check_only(self, log: Digest) -> None:
        """Raise MalformedError if the outbox holds batches of another log than `log`."""
        others = sorted(set(self._logs()) - {log.hex()})
        if others:
            raise MalformedError(
                f"{self.folder} holds log {others[0][:16]}…, but keys and ledger of this home make "
                f"log {log.hex()[:16]}…: its ledger.json or its first issuer key is missing or "
                "another; put it back"
            )

    def attempted(self, entry: Entry, attempt: Attempt) -> Entry:
        """Return the batch once it is on the disk that it is about to be submitted.

        Raises:
            VerificationError: It is not the attempt after the one that is there, or the batch was
                seen on the ledger already.
            UnavailableError: It cannot be written: nothing may be submitted.
        """
        found = self.read(entry.log, entry.sequence)
        if found.height is not None:
            raise VerificationError(f"batch {entry.sequence} is on the ledger at {found.height}")
        if attempt != Attempt.after(found.attempt, attempt.latest, attempt.time):
            raise VerificationError(f"batch {entry.sequence}: {attempt} after {found.attempt}")
        path = self._path(entry.log, entry.sequence) / "attempted"
        sweep(path.parent)
        write_atomic(path, _written(attempt))
        return replace(found, attempt=attempt)

    def submitted(self, entry: Entry, height: int) -> Entry:
        """Return the batch once it is written down at which height the ledger holds it.

        Raises:
            VerificationError: Another height was written down before.
        """
        path = self._path(entry.log, entry.sequence) / "submitted"
        sweep(path.parent)
        create_atomic(path, canonical.encode({"kind": KIND, "height": height}))
        if (before := _height(path)) != height:
            raise VerificationError(f"{path} says height {before}, not {height}; it is not changed")
        return self.read(entry.log, entry.sequence)

    def receipted(self, entry: Entry, receipt: bytes) -> Entry:
        """Return the batch with its receipt stored; of several receipts the first stays.

        Raises:
            MalformedError: It was not submitted.
        """
        if self.read(entry.log, entry.sequence).height is None:
            raise MalformedError(f"batch {entry.sequence} has a receipt before it was submitted")
        path = self._path(entry.log, entry.sequence) / "receipt"
        sweep(path.parent)
        create_atomic(path, receipt)
        return self.read(entry.log, entry.sequence)

    def waiting(self) -> tuple[Entry, ...]:
        """Return the batches without a receipt, in each log's order."""
        return tuple(
            self.read(log, sequence)
            for log in map(Digest.parse, self._logs())
            for sequence in self._sequences(log, lacking="/receipt")
        )

    def batches(self, log: Digest) -> Iterator[Entry]:
        """Yield all batches of a log in order, read one at a time."""
        for sequence in self._sequences(log):
            yield self.read(log, sequence)

    def last(self, log: Digest) -> Entry | None:
        """Return the newest batch of a log, or None."""
        sequences = self._sequences(log)
        return self.read(log, sequences[-1]) if sequences else None

    def read(self, log: Digest, sequence: int) -> Entry:
        """Return one batch.

        Raises:
            UnavailableError: There is none with this number.
            MalformedError: A file of it is damaged.
        """
        path = self._path(log, sequence)
        if not path.is_dir():
            raise UnavailableError(f"no batch {sequence} in {path.parent}")
        submitted, receipt, attempted = path / "submitted", path / "receipt", path / "attempted"
        return Entry(
            log,
            sequence,
            read_bounded(path / "header", MAX_BLOB),
            read_bounded(path / "entries", MAX_BLOB),
            _height(submitted) if submitted.exists() else None,
            read_bounded(receipt, MAX_RECEIPT) if receipt.exists() else None,
            _attempt(attempted) if attempted.exists() else None,
        )

    def _logs(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if _LOG.fullmatch(path.name))

    def _sequences(self, log: Digest, *, lacking: str | None = None) -> list[int]:
        """Return the numbers of a log's batches, or only of those whose folder lacks a file."""
        folder = self.folder / log.hex()
        if not folder.is_dir():
            return []
        # A Path for each of thousands of batches would take ten times as long.
        with os.scandir(folder) as found:
            return sorted(
                int(each.name)
                for each in found
                if _FOLDER.fullmatch(each.name)
                and not (lacking is not None and os.path.exists(each.path + lacking))  # noqa: PTH110  # as above
            )

    def _path(self, log: Digest, sequence: int) -> Path:
        return self.folder / log.hex() / f"{sequence:020d}"


def _height(path: Path) -> int:
    try:
        fields = Fields.parse(read_bounded(path, 4096), KIND)
        height = fields.integer("height", 1, MAX_HEIGHT)
        fields.done()
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error
    return height


def _attempt(path: Path) -> Attempt:
    try:
        fields = Fields.parse(read_bounded(path, 4096), ATTEMPTED)
        found = Attempt(
            first=fields.integer("first", 0, MAX_HEIGHT),
            latest=fields.integer("latest", 0, MAX_HEIGHT),
            number=fields.integer("attempts", 1, MAX_ATTEMPTS),
            time=fields.integer("time", 0, MAX_TIME),
        )
        fields.done()
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}") from error
    return found


def _written(attempt: Attempt) -> bytes:
    return canonical.encode(
        {
            "kind": ATTEMPTED,
            "attempts": attempt.number,
            "first": attempt.first,
            "latest": attempt.latest,
            "time": attempt.time,
        }
    )
