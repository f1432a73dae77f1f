"""Blocks, receipts and the log: which batch headers are believed to be published, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from provenance import checkpoint, envelope
from provenance.anchor import Anchor, Blocks, believe
from provenance.audit.case import Case, Scanned
from provenance.audit.ground import Ground
from provenance.canonical import Fields, JsonObject
from provenance.canonical import digest as document_digest
from provenance.checkpoint import Checkpoint
from provenance.errors import MalformedError, ProvenanceError, UnavailableError, VerificationError
from provenance.findings import Level
from provenance.history import History, Sighting, examine
from provenance.log import Genesis, SealedHeader, verify_entries, verify_header
from provenance.receipt import Block, LedgerVerifier, Receipt

BLOCKS_KIND = "rootline/blocks/v1"
MAX_BLOCKS = 2**20
SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Published:
    """The issuer's log as far as this evidence shows it.

    Attributes:
        genesis: Where the log is posted, and whose it is.
        history: Headers in order, and what they publish.
        blocks: Believed blocks of the log's chain.
        posted: The block in which each header was shown to stand, by sequence number.
        checkpoint: A monitor's checkpoint that was found to speak for this log, or None.
        ground: What it rests on that the log stands there.
    """

    genesis: Genesis
    history: History
    blocks: Blocks
    posted: Mapping[int, Block]
    checkpoint: Checkpoint | None
    ground: Ground

    def block_of(self, sequence: int) -> Block:
        """Return the block that holds a header, or raise UnavailableError."""
        if sequence not in self.posted:
            raise UnavailableError(f"batch {sequence} has no receipt that could be verified")
        return self.posted[sequence]

    @property
    def is_self_hosted(self) -> bool:
        """Whether somebody could have written this history alone."""
        return self.ground.is_self_hosted

    @property
    def operator(self) -> str:
        """Who could have written this history alone; empty if it takes several."""
        return self.ground.operator

    def rests(self, block: Block) -> tuple[str, ...]:
        """Return what it rests on that a header stands in `block`, and that the block stands."""
        return self.ground.rests(block)


def published(case: Case) -> Published:
    """Return the log that the evidence shows; what is wrong with it becomes findings.

    Raises:
        ProvenanceError: There is no log to speak of: no headers, another log than the policy's,
            or no anchor for its chain.
    """
    sealed = _headers(case)
    genesis = sealed[0].header.genesis
    if genesis is None:
        raise VerificationError("the log has a gap: it does not begin with its first header")
    anchors, verifier = _anchors(case, genesis), _verifier(case, genesis)
    blocks = _blocks(case, anchors, verifier)
    posted = _receipts(case, sealed, genesis, blocks, verifier)
    history = _history(case, sealed, posted)
    own = case.scanned
    is_lone = own is not None and own.blocks.is_lone
    ground = Ground.under(genesis, blocks, posted.values(), is_lone=is_lone)
    found = _checkpoint(case, history, ground)
    if own is not None:
        found = own_reading(case, own, history, genesis, posted) or found
    return Published(genesis, history, blocks, posted, found, ground)


def _headers(case: Case) -> list[SealedHeader]:
    members = case.bundle.under("log")
    if not members:
        raise MalformedError("the bundle holds no log: not one batch header")
    keys = case.policy.keys()
    sealed = [verify_header(data, keys) for _, data in sorted(members.items())]
    for number, (name, item) in enumerate(zip(sorted(members), sealed, strict=True)):
        if item.header.sequence != int(name):
            raise MalformedError(f"log/{name}.json holds header {item.header.sequence}")
        if item.header.sequence != (expected := sealed[0].header.sequence + number):
            raise VerificationError(f"the log has a gap: header {expected} is missing")
    log = sealed[0].header.log_id
    if log not in case.policy.logs:
        raise VerificationError(f"the policy does not know log {log.hex()[:16]}…")
    _check_owner(case, sealed)
    return sealed


def _check_owner(case: Case, sealed: Sequence[SealedHeader]) -> None:
    owner = sealed[0].key.key_id
    for item in sealed:
        if not case.policy.is_same_issuer(owner, item.key.key_id):
            raise VerificationError(
                f"batch {item.header.sequence} is signed by another issuer than the log's first"
            )


def _anchors(case: Case, genesis: Genesis) -> list[Anchor]:
    """Return the policy's anchors for the log's chain."""
    place = (genesis.ledger, genesis.chain)
    found = [anchor for anchor in case.policy.anchors if (anchor.ledger, anchor.chain) == place]
    if not found:
        raise UnavailableError(
            f"the policy has no anchor for {genesis.ledger} chain {genesis.chain!r}; an anchor "
            "that only the evidence names does not count"
        )
    return found


def _verifier(case: Case, genesis: Genesis) -> LedgerVerifier:
    verifier = case.verifiers.ledgers.get(genesis.ledger)
    if verifier is None:
        raise UnavailableError(f"no verifier here for ledger {genesis.ledger!r}")
    return verifier


def _blocks(case: Case, anchors: Sequence[Anchor], verifier: LedgerVerifier) -> Blocks:
    data = case.bundle.members.get("blocks.json")
    if data is None:
        raise UnavailableError("the bundle holds no block headers, so no receipt has an anchor")
    fields = Fields.parse(data, BLOCKS_KIND, limit=2**28)
    fields.constant("ledger", anchors[0].ledger)
    fields.constant("chain", anchors[0].chain)
    plain = [item.members for item in fields.objects("linked", MAX_BLOCKS)]
    extended = [item.members for item in fields.objects("signed", MAX_BLOCKS)]
    fields.done()
    linked = [verifier.linked_block(header) for header in plain]
    signed = [verifier.signed_block(header) for header in extended]
    _check_links(linked)
    _check_links(signed)
    trusting = case.policy.trusting_seconds * SECOND
    return believe(linked, signed, anchors, case.now, trusting)


def _check_links(blocks: Sequence[Block]) -> None:
    for below, block in pairwise(blocks):
        if block.height <= below.height:
            raise VerificationError(
                f"blocks.json: block {block.height} stands after block {below.height}"
            )
        if block.height == below.height + 1 and block.previous != below.hash:
            raise VerificationError(
                f"blocks.json: block {block.height} does not follow block {below.height} before it"
            )


def _receipts(
    case: Case,
    sealed: Sequence[SealedHeader],
    genesis: Genesis,
    blocks: Blocks,
    verifier: LedgerVerifier,
) -> dict[int, Block]:
    posted: dict[int, Block] = {}
    for name, data in case.bundle.under("receipts").items():
        sequence = int(name)

        def check(sequence: int = sequence, data: bytes = data) -> None:
            receipt = Receipt.parse(data)
            if sequence >= len(sealed) or receipt.blob != sealed[sequence].envelope:
                raise VerificationError(f"receipt {sequence} is for another header")
            block = _block_of(receipt, genesis, blocks, verifier)
            _check_key(case, sealed[sequence], block)
            posted[sequence] = block

        case.attempt("log", f"batch {sequence}", check)
    for sequence in sorted(set(range(len(sealed))) - posted.keys()):
        case.unknown("log", f"batch {sequence}", "no receipt shows where it was published")
    return posted


def _block_of(
    receipt: Receipt, genesis: Genesis, blocks: Blocks, verifier: LedgerVerifier
) -> Block:
    place = (receipt.ledger, receipt.chain, receipt.namespace)
    if place != (genesis.ledger, genesis.chain, genesis.namespace):
        raise VerificationError("the receipt is for another ledger, chain or namespace")
    block = verifier.signed_block(receipt.header)
    if (block.chain, block.height) != (receipt.chain, receipt.height):
        raise VerificationError("the receipt's block header is of another chain or height")
    believed = blocks.at(receipt.height)
    if believed.hash != block.hash:
        raise VerificationError(
            f"block {receipt.height}: the receipt has header {block.hash.hex()[:16]}…, the anchor "
            f"leads to {believed.hash.hex()[:16]}…: the ledger's history was rewritten"
        )
    verifier.verify_inclusion(receipt, block)
    return block


def _check_key(case: Case, sealed: SealedHeader, block: Block) -> None:
    if not case.policy.is_good(sealed.key, block.chain, block.height):
        raise VerificationError(
            f"batch {sealed.header.sequence}: its key is not good for block {block.height} of "
            f"{block.chain}"
        )


def _history(case: Case, sealed: Sequence[SealedHeader], posted: Mapping[int, Block]) -> History:
    blobs = case.bundle.under("entries")
    sightings = []
    for item in sealed:
        sequence = item.header.sequence
        blob = blobs.pop(f"{sequence:010d}", None)
        entries = None if blob is None else verify_entries(item.header, blob)
        height = posted[sequence].height if sequence in posted else None
        sightings.append(Sighting(item, height, entries))
    if blobs:
        raise MalformedError(f"entries/{min(blobs)}.bin belongs to no header in the bundle")
    opened = {document_digest(data): data for data in case.bundle.under("attestations").values()}
    history = examine(sightings, case.policy.keys(), opened)
    for problem in history.problems:
        case.fails("log", problem.subject, f"{problem.kind}: {problem.words}")
    return history


def _checkpoint(case: Case, history: History, ground: Ground) -> Checkpoint | None:
    blocks, genesis = ground.blocks, ground.genesis
    subject = history.headers[0].sealed.header.log_id.hex()[:16]
    best: Checkpoint | None = None
    reasons = []
    for name, data in case.bundle.under("checkpoints").items():
        try:
            found = _signed_by_monitor(case, data)
            _check_checkpoint(found, name, data, history, blocks)
            _check_begin(case, genesis, found.first)
            _check_scanned(case, found, genesis)
            best = found if best is None or found.last > best.last else best
        except UnavailableError as error:
            reasons.append(str(error))
        except ProvenanceError as error:
            case.fails("log", subject, f"checkpoint {name[:16]}…: {error}")
    if best is None and case.scanned is None:
        words = "; ".join(reasons) or "no checkpoint by a monitor whom the policy names"
        case.unknown("log", subject, f"whether the log has a fork or a gap is unknown: {words}")
    elif best is not None and not history.problems:
        case.holds(
            "log",
            subject,
            Level.L1,
            f"headers 0 to {best.sequence} are one chain; a monitor scanned to block {best.last} "
            f"of {ground.name}",
            rests_on=("the monitor's key", *ground.rests(blocks.at(best.last))),
        )
    return best


def _signed_by_monitor(case: Case, data: bytes) -> Checkpoint:
    known = {key.key_id for key in case.policy.monitors}
    if envelope.parse(data).key_id not in known:
        raise UnavailableError("a checkpoint is by a monitor whom the policy does not name")
    return checkpoint.verify(data, case.policy.monitors)


def _check_checkpoint(
    found: Checkpoint, name: str, data: bytes, history: History, blocks: Blocks
) -> None:
    headers = [sighting.sealed.header for sighting in history.headers]
    if document_digest(data).hex() != name:
        raise MalformedError("its name is not its digest")
    if (found.chain, found.log) != (blocks.chain, headers[0].log_id):
        raise VerificationError("it speaks of another chain or log")
    if found.sequence >= len(headers):
        raise UnavailableError("its head is beyond the headers in the bundle")
    if headers[found.sequence].digest != found.head:
        raise VerificationError(
            f"the monitor saw another header {found.sequence} than the bundle has: a fork"
        )
    if found.sequence != len(headers) - 1:
        raise UnavailableError(
            f"it speaks for headers up to {found.sequence}, the bundle has {len(headers) - 1}"
        )
    first = history.headers[0].height
    if first is None:
        raise UnavailableError("no receipt shows in which block the log begins")
    if found.first > first:
        raise UnavailableError(f"it begins at block {found.first}, the log begins before it")
    _check_heights(found, history, blocks)


def _check_heights(found: Checkpoint, history: History, blocks: Blocks) -> None:
    if any(sighting.height is None for sighting in history.headers):
        raise UnavailableError("not every header has a receipt that could be verified")
    if blocks.at(found.last).hash != found.block:
        raise VerificationError(f"it saw another block {found.last} than the anchor leads to")
    highest = max((s.height or 0 for s in history.headers), default=0)
    if highest > found.last:
        raise UnavailableError("a receipt lies above the heights that it scanned")


def _check_scanned(case: Case, found: Checkpoint, genesis: Genesis) -> None:
    """Check that the monitor read the log's own namespace, for all keys that may sign in it."""
    if found.namespace != genesis.namespace:
        raise VerificationError("it is of another namespace than the log's")
    owner = genesis.key.key_id
    trusted = case.policy.keys()
    keys = {key.key_id for key in trusted if case.policy.is_same_issuer(owner, key.key_id)}
    if not keys <= set(found.keys):
        raise UnavailableError("the monitor did not look for all of the issuer's keys")


def _check_begin(case: Case, genesis: Genesis, first: int) -> None:
    """Check that whoever read from block `first` on read where any of the issuer's keys counts.

    Below it another first header or a fork could stand: anybody can post the log's bytes again, so
    no receipt shows that the log does not begin before it.
    """
    issuers = case.policy.issuers
    owned = [i for i in issuers if case.policy.is_same_issuer(genesis.key.key_id, i.key.key_id)]
    spans = [span.first for i in owned for span in i.good if span.chain == genesis.chain]
    least = min(spans, default=first)
    if least < first:
        raise UnavailableError(
            f"it begins at block {first}, a key of the issuer is good from block {least}"
        )


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
        _check_begin(case, genesis, scan.first)
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
            notes=(f"read at {scan.source}, up to block {scan.last}", *OWN_LIMITS),
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


def blocks_document(
    ledger: str, chain: str, linked: Sequence[JsonObject], signed: Sequence[JsonObject]
) -> JsonObject:
    """Return the member blocks.json: plain headers that link, extended ones above an anchor."""
    return {
        "kind": BLOCKS_KIND,
        "ledger": ledger,
        "chain": chain,
        "linked": list(linked),
        "signed": list(signed),
    }
