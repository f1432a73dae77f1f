"""Signed statements -> batches of the log -> the ledger -> receipts. Nothing lost, nothing twice.

A statement waits as a file in `outbox/queue/` until its batch is fixed; the batch's bytes are fixed
before they are submitted. Whatever is killed when, the next `publish` goes on from there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.flow.catalogue import find_version, store
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation, verify
from provenance.canonical import digest
from provenance.envelope import MAX_PAYLOAD
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import Batch, Header, append, full_entry, open_log, split_entries, verify_header
from provenance.receipt import Receipt
from provenance.training import Run, RunStart
from storage.atomic import create_atomic, read_bounded
from storage.celestia.share import Blob
from storage.outbox import Entry, Outbox

MAX_TOGETHER = 256


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
    key = (space.issuer.public_key,)
    return tuple(
        verify_header(entry.header, key).header for entry in outbox(space).batches(log_id(space))
    )


def queue(space: Workspace, envelope: bytes) -> Attestation:
    """Return the attestation in `envelope`, stored and waiting to be posted."""
    item = store(space, envelope)
    folder = _queue(space)
    number = max((int(path.name.partition("-")[0]) for path in folder.iterdir()), default=0) + 1
    create_atomic(folder / f"{number:012d}-{item.digest.hex()}", b"")
    return item


def waiting(space: Workspace) -> tuple[Path, ...]:
    """Return the queue's entries in order."""
    return tuple(sorted(path for path in _queue(space).iterdir() if path.name[0] != "."))


def publish(space: Workspace) -> tuple[Posted, ...]:
    """Post everything that waits, in order, and return what was posted.

    Raises:
        UnavailableError: Another process publishes, or the ledger could not be reached; what
            waits goes on waiting.
        VerificationError: What the ledger gave back does not prove the posting.
    """
    box = outbox(space)
    posted: list[Posted] = []
    with box.locked():
        first = _first(space)
        box.fix(first.header.digest, 0, first.envelope, b"")
        posted.extend(_post(space, box, entry) for entry in box.waiting())
        for batch in _batches(space, box):
            entry = box.fix(
                batch.header.log_id, batch.header.sequence, batch.envelope, batch.entries
            )
            _forget(space, batch)
            posted.append(_post(space, box, entry))
    return tuple(posted)


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
        sealed = verify_header(batch.header, (space.issuer.public_key,))
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
    return open_log(space.genesis, space.issuer)


def _queue(space: Workspace) -> Path:
    folder = space.home.outbox / "queue"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


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
    return Posted(verify_header(entry.header, (space.issuer.public_key,)).header, receipt)


def _batches(space: Workspace, box: Outbox) -> Iterator[Batch]:
    """Yield the batches that the queue makes: entries together, a run's statement by itself."""
    _forget_last(space, box)
    while pending := [_opened(space, path) for path in waiting(space)]:
        head = headers(space)[-1]
        entries: list[bytes] = []
        statement: bytes | None = None
        for item in pending[:MAX_TOGETHER]:
            if isinstance(item.commitment, Run | RunStart):
                statement = item.envelope if not entries else None
                break
            entries.append(full_entry(item.envelope))
        yield append(head, entries, statement, space.issuer)


def _opened(space: Workspace, path: Path) -> Attestation:
    name = path.name.partition("-")[2]
    data = read_bounded(space.home.attestations / f"{name}.json", 2 * MAX_PAYLOAD)
    return verify(data, (space.issuer.public_key,))


def _forget_last(space: Workspace, box: Outbox) -> None:
    """Cross off what the newest batch holds: a kill may have come between fixing and this."""
    entry = box.last(log_id(space))
    if entry is not None:
        header = verify_header(entry.header, (space.issuer.public_key,)).header
        _forget(space, Batch(header, entry.header, entry.entries))


def _forget(space: Workspace, batch: Batch) -> None:
    posted: Sequence[bytes] = [entry[5:] for entry in split_entries(batch.entries)]
    if batch.header.statement is not None:
        posted = [*posted, batch.header.statement]
    done = {digest(data).hex() for data in posted}
    for path in waiting(space):
        if path.name.partition("-")[2] in done:
            path.unlink(missing_ok=True)
