"""What an auditor read of the log himself, in the place of a monitor's checkpoint."""

from collections.abc import Mapping

from provenance.audit.case import Case, Scanned
from provenance.audit.checkpoints import check_begin
from provenance.audit.ground import Ground
from provenance.checkpoint import Checkpoint
from provenance.errors import ProvenanceError, UnavailableError, VerificationError
from provenance.findings import Level
from provenance.history import History
from provenance.log import Genesis
from provenance.receipt import Block


def own_reading(
    case: Case,
    scan: Scanned,
    history: History,
    genesis: Genesis,
    posted: Mapping[int, Block],
) -> Checkpoint | None:
    """Return what the auditor read himself as a checkpoint over these headers, or None.

    What is wrong with the log that he read is found wherever it stands, beyond these headers too.
    """
    subject = history.headers[0].sealed.header.log_id.hex()[:16]
    for problem in scan.history.problems:
        case.fails("log", problem.subject, f"{problem.kind}: {problem.words}")
    try:
        own = _own_checkpoint(scan, history, genesis, posted)
        check_begin(case, genesis, scan.first)
    except UnavailableError as error:
        case.unknown("log", subject, f"what the auditor read does not speak for it: {error}")
        return None
    except ProvenanceError as error:
        case.fails("log", subject, str(error))
        return None
    if not history.problems and not scan.history.problems:
        newest = len(scan.history.headers) - 1
        ground = Ground.under(genesis, scan.blocks, scan.blocks.believed.values())
        more = f"; the log goes on to header {newest}, which is not in the evidence"
        case.holds(
            "log",
            subject,
            Level.L1,
            f"headers 0 to {own.sequence} are one chain; blocks {own.first} to {own.last} of "
            f"{ground.name} were read by the auditor himself"
            f"{more if newest > own.sequence else ''}",
            rests_on=ground.rests(scan.blocks.at(scan.last)),
            notes=(f"read at {scan.source}, up to block {scan.last}", *scan.notes, *OWN_LIMITS),
        )
    return own


OWN_LIMITS = (
    "it is not proved that the ledger took everything that was sent to it (censorship)",
    "nor that there is no other log in another namespace or under another key",
    "nor that the blobs stay available, or that there are no blocks above those read",
)


def _own_checkpoint(
    scan: Scanned, history: History, genesis: Genesis, posted: Mapping[int, Block]
) -> Checkpoint:
    mine, count = scan.history.headers, len(history.headers)
    if (scan.ledger, scan.blocks.chain, scan.namespace) != (
        genesis.ledger,
        genesis.chain,
        genesis.namespace,
    ):
        raise UnavailableError("another ledger, chain or namespace was read than the log's")
    for sequence, block in posted.items():
        _check_own(scan, sequence, block)
    for theirs, own in zip(history.headers, mine, strict=False):
        if theirs.sealed.digest != own.sealed.digest:
            number = own.sealed.header.sequence
            raise VerificationError(f"the ledger holds another header {number}: a fork")
    if len(mine) < count:
        raise UnavailableError(f"batch {len(mine)} is not in blocks {scan.first} to {scan.last}")
    last, digest = scan.last, scan.blocks.at(scan.last).hash
    if len(mine) > count:
        above = scan.blocks.at(mine[count].height or 0)
        last, digest = above.height - 1, above.previous or digest
    if last < (mine[count - 1].height or 0):
        raise UnavailableError("its last block holds more of the log: ask for a newer export")
    return Checkpoint(
        chain=genesis.chain,
        log=mine[0].sealed.digest,
        head=mine[count - 1].sealed.digest,
        sequence=count - 1,
        first=scan.first,
        last=last,
        block=digest,
        namespace=scan.namespace,
        keys=tuple(sorted({key.key_id for key in scan.keys})),
    )


def _check_own(scan: Scanned, sequence: int, block: Block) -> None:
    """Check that a receipt's block is among those that were read, and agrees with them."""
    if not scan.first <= block.height <= scan.last:
        raise UnavailableError(
            f"batch {sequence} stands in block {block.height}, which is not read"
        )
    if (read := scan.hashes[block.height]) != block.hash:
        raise VerificationError(
            f"block {block.height} is {read.hex()[:16]}… on the ledger, the evidence has "
            f"{block.hash.hex()[:16]}…: two blocks for one height"
        )
    headers = scan.history.headers
    # A copy may be posted above the place where the header was read first, but none below it.
    if sequence >= len(headers) or block.height < (headers[sequence].height or 0):
        raise VerificationError(
            f"batch {sequence} has a receipt for block {block.height}, which was read and does "
            "not hold it under a key that is good there, with its entries beside it"
        )
