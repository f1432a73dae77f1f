"""Reading an issuer's log off the ledger, and signing what was seen: the monitor.

Blobs by strangers in the namespace are passed over: only what the log's key signed counts, and a
blob of entries only beside the header that names it. Anybody can post a header's bytes again, so
what counts is the first posting of it that has its entries beside it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from provenance import canonical, checkpoint
from provenance.checkpoint import Checkpoint
from provenance.envelope import PublicKey, Signer
from provenance.errors import ProvenanceError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.history import History, Problem, Sighting, examine
from provenance.log import SealedHeader, verify_entries, verify_header
from provenance.receipt import LedgerVerifier
from storage.celestia.share import Blob
from storage.ledger import Ledger


def scan(ledger: Ledger, namespace: bytes, keys: Sequence[PublicKey], last: int) -> History:
    """Return the log that a namespace holds up to the block `last`.

    Args:
        ledger: Where the log is posted.
        namespace: The issuer's, 29 bytes.
        keys: Keys that sign the log's headers and entries.
        last: Highest block to read.
    """
    found: dict[Digest, Sighting] = {}
    problems: list[Problem] = []
    for height in range(1, last + 1):
        blobs = ledger.blobs(height, namespace)
        beside = {canonical.digest(blob.data): blob.data for blob in blobs}
        for blob in blobs:
            sealed = _header(blob, keys)
            if sealed is None:
                continue
            known = found.get(sealed.header.digest)
            if known is None or known.entries is None:
                entries = _entries(sealed, beside, problems)
                if known is None or entries is not None:
                    found[sealed.header.digest] = Sighting(sealed, height, entries)
    history = examine(found.values(), keys, {})
    return replace(history, problems=(*history.problems, *problems, *_alone(history)))


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
        VerificationError: The log is forked, rewritten or has a gap: nothing is signed.
    """
    last = ledger.head()
    history = scan(ledger, namespace, keys, last)
    if not history.headers:
        raise UnavailableError("no log in this namespace yet: `rootline publish` starts it")
    if history.problems:
        first = history.problems[0]
        raise VerificationError(f"{first.subject}: {first.kind}: {first.words}; nothing is signed")
    _check_place(history, ledger, namespace)
    head = history.headers[-1].sealed.header
    seen = Checkpoint(
        chain=ledger.chain,
        log=head.log_id,
        head=head.digest,
        sequence=head.sequence,
        first=history.headers[0].height or 1,
        last=last,
        block=verifier.signed_block(ledger.header(last)).hash,
        namespace=namespace,
        keys=tuple(sorted({key.key_id for key in keys})),
    )
    return seen, checkpoint.sign(seen, monitor)


def _check_place(history: History, ledger: Ledger, namespace: bytes) -> None:
    genesis = history.headers[0].sealed.header.genesis
    place = (ledger.kind, ledger.chain, namespace)
    if genesis is None or (genesis.ledger, genesis.chain, genesis.namespace) != place:
        raise VerificationError(
            "the log names another ledger, chain or namespace as its own: nothing is signed"
        )


def _header(blob: Blob, keys: Sequence[PublicKey]) -> SealedHeader | None:
    try:
        return verify_header(blob.data, keys)
    except ProvenanceError:
        return None


def _entries(
    sealed: SealedHeader, beside: Mapping[Digest, bytes], problems: list[Problem]
) -> tuple[bytes, ...] | None:
    header = sealed.header
    if header.blob is None:
        return ()
    if header.blob not in beside:
        return None
    try:
        return verify_entries(header, beside[header.blob])
    except ProvenanceError as error:
        problems.append(Problem("bad-entries", f"batch {header.sequence}", str(error)))
        return ()


def _alone(history: History) -> Iterator[Problem]:
    for sequence in history.unseen:
        words = "it was posted without its entries: they are not beside their header"
        yield Problem("entries-missing", f"batch {sequence}", words)
