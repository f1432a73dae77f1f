"""Signed statements -> batches of the log -> the ledger -> receipts. Nothing lost, nothing twice.

A statement waits in the queue (`queueing.py`) until its batch is fixed; the batch's bytes are fixed
before they are submitted (`placing.py`). Whatever is killed when, the next `publish` goes on from
there.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelines.flow.alone import check_alone
from pipelines.flow.catalogue import find_version, trusted_keys
from pipelines.flow.placing import Placing, Sight, Sleep
from pipelines.flow.queueing import Queued, forget, queue, settle, waiting
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import Batch, Header, append, full_entry, open_log, split_entries, verify_header
from provenance.receipt import Receipt
from storage.outbox import Entry, Outbox

MAX_TOGETHER: Final = 1024
MAX_BATCH: Final = 480_000
"""Bytes of entries in a batch, if one entry alone is not longer: with its header such a batch just
fits into a square of 32 rows, and far into a transaction, which holds 7 MiB of blobs."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A batch that is on the ledger, with its verified receipt.

    Attributes:
        header: The batch's header.
        receipt: The receipt for it.
        blobs: How many blobs were submitted together.
        size: Their bytes.
        attempts: How often they were submitted.
        again: A height at which they stand once more, where that was seen; no finding.
    """

    header: Header
    receipt: Receipt
    blobs: int
    size: int
    attempts: int
    again: int | None

    @property
    def statements(self) -> int:
        """How many statements the batch holds."""
        return self.header.entries + (self.header.statement is not None)


def outbox(space: Workspace) -> Outbox:
    """Return the home's outbox."""
    return Outbox(space.home.outbox)


def log_id(space: Workspace) -> Digest:
    """Return the id of the home's log: the digest of its first header, fixed when first asked."""
    return _first(space).header.digest


def headers(space: Workspace) -> tuple[Header, ...]:
    """Return the log's headers in order, posted or fixed."""
    keys = trusted_keys(space)
    return tuple(
        verify_header(entry.header, keys).header for entry in outbox(space).batches(log_id(space))
    )


def publish(space: Workspace, *, sleep: Sleep = time.sleep) -> tuple[Posted, ...]:
    """Post everything that waits, in order, and return what was posted.

    Args:
        space: The home.
        sleep: Waits so many seconds, between two tries to reach the ledger.

    Raises:
        UnavailableError: Another process publishes, the ledger could not be reached, or refused
            with something that has to be changed; what waits goes on waiting.
        VerificationError: What the ledger gave back does not prove the posting.
    """
    with publishing(space, sleep=sleep) as posted:
        return tuple(posted)


@contextmanager
def publishing(space: Workspace, *, sleep: Sleep = time.sleep) -> Iterator[Iterator[Posted]]:
    """Give what `publish` posts, one batch after the other, each posted when it is asked for."""
    box = outbox(space)
    with box.locked():
        yield _publish(Placing(space, box, sleep))


def publish_above(
    space: Workspace, write: Callable[[int], bytes], *, sleep: Sleep = time.sleep
) -> tuple[Attestation, Posted]:
    """Post everything that waits, then what `write` makes of the ledger's height of that moment.

    No other process of this home posts or waits for a block meanwhile, so the statement stands in
    one of the next blocks, but for the others' statements that were queued in this very moment.

    Args:
        space: The home.
        write: From the ledger's head to the envelope of a run start or run statement.
        sleep: As for `publish`.

    Raises:
        UnavailableError, VerificationError: As for `publish`.
    """
    box = outbox(space)
    with box.locked():
        placing = Placing(space, box, sleep)
        for _ in _publish(placing):
            pass
        item = queue(space, write(placing.ask(placing.ledger.head)))
        posted = tuple(_publish(placing))
    return item, next(p for p in posted if p.header.statement == item.envelope)


def await_block(space: Workspace, height: int) -> Digest:
    """Return the hash of a block, once the ledger has it; the embedded ledger makes it.

    Raises:
        UnavailableError: Another process publishes and does not end.
    """
    ledger = space.ledger
    with outbox(space).locked():
        ledger.reach(height)
    return space.verifier.signed_block(ledger.header(height)).hash


def receipt_of(space: Workspace, sequence: int) -> Receipt:
    """Return the verified receipt of a batch, or raise UnavailableError."""
    entry = outbox(space).read(log_id(space), sequence)
    if entry.receipt is None:
        raise UnavailableError(f"batch {sequence} is not on the ledger yet: `rootline publish`")
    return Receipt.parse(entry.receipt)


def receipts(space: Workspace) -> Iterator[Receipt]:
    """Yield the receipts of all batches that have one, in order."""
    for entry in outbox(space).batches(log_id(space)):
        if entry.receipt is not None:
            yield Receipt.parse(entry.receipt)


def sequence_of(space: Workspace, item: Attestation) -> int:
    """Return the number of the batch that holds an attestation, or raise UnavailableError."""
    entry, keys = full_entry(item.envelope), trusted_keys(space)
    for batch in outbox(space).batches(log_id(space)):
        sealed = verify_header(batch.header, keys)
        if sealed.header.statement == item.envelope or entry in split_entries(batch.entries):
            return batch.sequence
    raise UnavailableError(f"{item.name} is in no batch yet: `rootline publish`")


def is_published(space: Workspace, label: str) -> bool:
    """Return whether a dataset version name@version is on the ledger, with its receipt."""
    try:
        receipt_of(space, sequence_of(space, find_version(space, label).attestation))
    except UnavailableError:
        return False
    return True


def verify_receipt(space: Workspace, receipt: Receipt) -> None:
    """Check a receipt against the ledger's own block, as an auditor would against an anchor.

    The ledger's blocks hang on its anchor; the share commitment is computed from the blob.

    Raises:
        MalformedError: The receipt is not in its one form.
        VerificationError: It does not prove the posting, or is another ledger's.
    """
    if (receipt.ledger, receipt.chain) != (space.ledger.kind, space.ledger.chain):
        raise VerificationError(
            f"a receipt of {receipt.ledger} {receipt.chain}, not of this home's ledger "
            f"{space.ledger.kind} {space.ledger.chain}"
        )
    block = space.verifier.signed_block(receipt.header)
    current = space.verifier.signed_block(space.ledger.header(receipt.height))
    if block.hash != current.hash:
        raise VerificationError(
            f"block {receipt.height} is {current.hash.hex()[:16]}… on the ledger, the receipt has "
            f"{block.hash.hex()[:16]}…: the ledger's history was rewritten"
        )
    space.verifier.verify_inclusion(receipt, block)


def _publish(placing: Placing) -> Iterator[Posted]:
    """Post what waits; whatever is interrupted when, what was yielded has its receipt."""
    space, box, first = placing.space, placing.box, _first(placing.space)
    with space.progress.stage("statements posted", len(waiting(space))) as stage:
        log = first.header.digest
        box.check_only(log)
        if waiting(space) or box.waiting() or box.last(log) is None:
            check_alone(space, box, log, placing.ask)
        begun = box.fix(log, 0, first.envelope, b"")
        for entry in box.waiting():
            yield _post(placing, entry)
        for entry in _fixed(space, box, box.last(begun.log) or begun):
            posted = _post(placing, entry)
            stage.advance(posted.statements)
            yield posted


def _post(placing: Placing, entry: Entry) -> Posted:
    """Post one batch that is fixed, and return it once its receipt is verified and stored."""
    space = placing.space
    if entry.height is None:
        entry, seen = placing.place(entry)
    else:
        seen = Sight(entry.height)
    receipt = placing.receipt(entry, seen.height)
    _check_own(placing, entry, receipt)
    verify_receipt(space, receipt)
    placing.box.receipted(entry, receipt.encoded)
    return Posted(
        header=verify_header(entry.header, trusted_keys(space)).header,
        receipt=receipt,
        blobs=len(placing.blobs(entry)),
        size=len(entry.header) + len(entry.entries),
        attempts=entry.attempt.number if entry.attempt else 1,
        again=placing.second(entry, seen),
    )


def _check_own(placing: Placing, entry: Entry, receipt: Receipt) -> None:
    """Check that a receipt speaks of our bytes, where they were seen."""
    header = placing.blobs(entry)[0]
    ours = (entry.height, header.namespace, header.data)
    if (receipt.height, receipt.namespace, receipt.blob) != ours:
        raise VerificationError(
            f"the receipt for batch {entry.sequence} at height {entry.height} is of another blob, "
            f"at height {receipt.height}: it is not stored"
        )


def _fixed(space: Workspace, box: Outbox, last: Entry) -> Iterator[Entry]:
    """Yield the batches that the queue makes, each fixed; it is read until nothing is left."""
    head = verify_header(last.header, trusted_keys(space)).header
    # A kill may have come between fixing the newest batch and crossing off what it holds.
    forget(space, _held(head, last.entries))
    while waiting(space):
        for group in _together(settle(space)):
            batch = append(head, group.entries, group.statement, space.issuer)
            entry = box.fix(last.log, batch.header.sequence, batch.envelope, batch.entries)
            for path in group.paths:
                path.unlink(missing_ok=True)
            head = batch.header
            yield entry


@dataclass(slots=True)
class _Group:
    """What goes into one batch: entries, or one run statement by itself; and where they wait."""

    entries: list[bytes] = field(default_factory=list)
    statement: bytes | None = None
    paths: list[Path] = field(default_factory=list)
    size: int = 0

    def add(self, entry: bytes, path: Path) -> None:
        self.entries.append(entry)
        self.paths.append(path)
        self.size += len(entry)

    def takes(self, entry: bytes) -> bool:
        return len(self.entries) < MAX_TOGETHER and self.size + len(entry) <= MAX_BATCH


def _together(queued: Iterable[Queued]) -> Iterator[_Group]:
    """Yield the batches' contents, in the order of what waits."""
    group = _Group()
    for each in queued:
        entry = full_entry(each.envelope)
        if group.entries and (each.is_alone or not group.takes(entry)):
            yield group
            group = _Group()
        if each.is_alone:
            yield _Group(statement=each.envelope, paths=[each.path])
        else:
            group.add(entry, each.path)
    if group.entries:
        yield group


def _held(header: Header, entries: bytes) -> list[bytes]:
    """Return the envelopes that a batch holds."""
    statement = [header.statement] if header.statement is not None else []
    return [entry[5:] for entry in split_entries(entries)] + statement


def _first(space: Workspace) -> Batch:
    return open_log(space.genesis, space.founder)
