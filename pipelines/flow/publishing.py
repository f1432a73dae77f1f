"""Signed statements -> batches of the log -> the ledger -> receipts. Nothing lost, nothing twice.

A statement waits in the queue (`queueing.py`) until its batch is fixed; the batch's bytes are fixed
before they are submitted. Whatever is killed when, the next `publish` goes on from there.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pipelines.flow.catalogue import find_version, trusted_keys
from pipelines.flow.queueing import forget, queue, settle
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import Batch, Header, append, full_entry, open_log, split_entries, verify_header
from provenance.receipt import Receipt
from provenance.training import Run, RunStart
from storage.celestia.share import Blob
from storage.outbox import Entry, Outbox

MAX_TOGETHER: Final = 256
MAX_BATCH: Final = 2**21
"""Bytes of entries after which a batch takes no more, so that it always fits into a block."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A batch that is on the ledger, with its verified receipt."""

    header: Header
    receipt: Receipt


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


def publish(space: Workspace) -> tuple[Posted, ...]:
    """Post everything that waits, in order, and return what was posted.

    Raises:
        UnavailableError: Another process publishes, or the ledger could not be reached; what
            waits goes on waiting.
        VerificationError: What the ledger gave back does not prove the posting.
    """
    box = outbox(space)
    with box.locked():
        return _publish(space, box)


def publish_above(space: Workspace, write: Callable[[int], bytes]) -> tuple[Attestation, Posted]:
    """Post everything that waits, then what `write` makes of the ledger's height of that moment.

    No other process of this home posts or waits for a block meanwhile, so the statement stands in
    one of the next blocks, but for the others' statements that were queued in this very moment.

    Args:
        space: The home.
        write: From the ledger's head to the envelope of a run start or run statement.

    Raises:
        UnavailableError, VerificationError: As for `publish`.
    """
    box = outbox(space)
    with box.locked():
        _publish(space, box)
        item = queue(space, write(space.ledger.head()))
        posted = _publish(space, box)
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
    entry = full_entry(item.envelope)
    for batch in outbox(space).batches(log_id(space)):
        sealed = verify_header(batch.header, trusted_keys(space))
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

    Raises:
        MalformedError: The receipt is not in its one form.
        VerificationError: It does not prove the posting.
    """
    block = space.verifier.signed_block(receipt.header)
    current = space.verifier.signed_block(space.ledger.header(receipt.height))
    if block.hash != current.hash:
        raise VerificationError(
            f"block {receipt.height} is {current.hash.hex()[:16]}… on the ledger, the receipt has "
            f"{block.hash.hex()[:16]}…: the ledger's history was rewritten"
        )
    space.verifier.verify_inclusion(receipt, block)


def _first(space: Workspace) -> Batch:
    return open_log(space.genesis, space.founder)


def _publish(space: Workspace, box: Outbox) -> tuple[Posted, ...]:
    first = _first(space)
    box.fix(first.header.digest, 0, first.envelope, b"")
    posted = [_post(space, box, entry) for entry in box.waiting()]
    for batch in _batches(space, box):
        entry = box.fix(batch.header.log_id, batch.header.sequence, batch.envelope, batch.entries)
        _forget(space, batch)
        posted.append(_post(space, box, entry))
    return tuple(posted)


def _post(space: Workspace, box: Outbox, entry: Entry) -> Posted:
    namespace = space.genesis.namespace
    header = Blob(namespace, entry.header)
    blobs = [header, Blob(namespace, entry.entries)] if entry.entries else [header]
    height = entry.height
    if height is None:
        height = space.ledger.submit(blobs)
        entry = box.submitted(entry, height)
    receipt = space.ledger.receipt(height, header)
    verify_receipt(space, receipt)
    box.receipted(entry, receipt.encoded)
    return Posted(verify_header(entry.header, trusted_keys(space)).header, receipt)


def _batches(space: Workspace, box: Outbox) -> Iterator[Batch]:
    """Yield the batches that the queue makes: entries together, a run's statement by itself."""
    _forget_last(space, box)
    while pending := settle(space):
        entries, statement = _together(pending[:MAX_TOGETHER])
        yield append(headers(space)[-1], entries, statement, space.issuer)


def _together(pending: Sequence[Attestation]) -> tuple[list[bytes], bytes | None]:
    """Return what the next batch holds of what waits: some entries, or one statement."""
    entries: list[bytes] = []
    size = 0
    for item in pending:
        if isinstance(item.commitment, Run | RunStart):
            return entries, None if entries else item.envelope
        entries.append(full_entry(item.envelope))
        size += len(entries[-1])
        if size > MAX_BATCH:
            break
    return entries, None


def _forget_last(space: Workspace, box: Outbox) -> None:
    """Cross off what the newest batch holds: a kill may have come between fixing and this."""
    entry = box.last(log_id(space))
    if entry is not None:
        header = verify_header(entry.header, trusted_keys(space)).header
        _forget(space, Batch(header, entry.header, entry.entries))


def _forget(space: Workspace, batch: Batch) -> None:
    posted = [entry[5:] for entry in split_entries(batch.entries)]
    if batch.header.statement is not None:
        posted.append(batch.header.statement)
    forget(space, posted)
