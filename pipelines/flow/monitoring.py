"""Reading an issuer's log off the ledger once, and signing what was seen: a monitor at one moment.

For one that goes on, see `following.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.flow.scanning import note, pages
from provenance import checkpoint
from provenance.checkpoint import Checkpoint
from provenance.envelope import PublicKey, Signer
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.history import Chronicle, History, Place
from provenance.receipt import Block, LedgerVerifier
from storage.celestia.header_store import EquivocationError
from storage.ledger import Ledger

Head = tuple[int, Digest]
"""A log's newest header: its number and its digest."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A log that is looked for: in which namespace, and under which keys, from which height."""

    namespace: bytes
    keys: tuple[PublicKey, ...]
    first: int

    def seen(self, chain: str, log: Digest, head: Head, last: int, block: Digest) -> Checkpoint:
        """Return what somebody saw who read up to the block `last` and found `head` there."""
        sequence, digest = head
        return Checkpoint(
            chain=chain,
            log=log,
            head=digest,
            sequence=sequence,
            first=self.first,
            last=last,
            block=block,
            namespace=self.namespace,
            keys=tuple(sorted({key.key_id for key in self.keys})),
        )


def scan(ledger: Ledger, namespace: bytes, keys: Sequence[PublicKey], last: int) -> History:
    """Return the log that a namespace holds up to the block `last`.

    Args:
        ledger: Where the log is posted.
        namespace: The issuer's, 29 bytes.
        keys: Keys that sign the log's headers and entries.
        last: Highest block to read.
    """
    return _read(ledger, Watch(namespace, tuple(keys), ledger.first), last)[0]


def sign_checkpoint(
    ledger: Ledger,
    verifier: LedgerVerifier,
    namespace: bytes,
    keys: Sequence[PublicKey],
    monitor: Signer,
) -> tuple[Checkpoint, bytes]:
    """Return what a monitor saw of a log up to the ledger's head, and its signed bytes.

    Raises:
        UnavailableError: There is no log in the namespace.
        VerificationError: The log is forked, rewritten or has a gap, or the ledger's blocks do not
            hold what the ledger gave: nothing is signed.
    """
    watch = Watch(namespace, tuple(keys), ledger.first)
    history, block = _read(ledger, watch, ledger.head())
    if not history.headers:
        raise UnavailableError("no log in this namespace yet: `rootline publish` starts it")
    if history.problems:
        first = history.problems[0]
        raise VerificationError(f"{first.subject}: {first.kind}: {first.words}; nothing is signed")
    if verifier.signed_block(ledger.header(block.height)).hash != block.hash:
        raise EquivocationError(f"block {block.height} was replaced while the log was read")
    head = history.headers[-1].sealed
    place = (head.header.sequence, head.digest)
    seen = watch.seen(ledger.chain, head.header.log_id, place, block.height, block.hash)
    return seen, checkpoint.sign(seen, monitor)


def _read(ledger: Ledger, watch: Watch, last: int) -> tuple[History, Block]:
    chronicle = Chronicle(watch.keys, {}, Place(ledger.kind, ledger.chain, watch.namespace))
    block: Block | None = None
    for page in pages(ledger, [watch.namespace], watch.first, last, None):
        note(page, watch.namespace, watch.keys, chronicle)
        block = page.block
    if block is None:
        raise UnavailableError(f"the ledger ends at block {last}, below block {watch.first}")
    return chronicle.whole(), block
