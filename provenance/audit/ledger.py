"""The log in the evidence: its batch headers, and which are believed to be published, and where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provenance.anchor import Blocks
from provenance.audit.case import Case
from provenance.audit.checkpoints import monitored
from provenance.audit.ground import Ground
from provenance.audit.own_reading import own_reading
from provenance.audit.receipts import (
    BLOCKS_KIND,
    MAX_BLOCKS,
    anchors_of,
    believed_blocks,
    blocks_document,
    posted_in,
    verifier_of,
)
from provenance.canonical import digest as document_digest
from provenance.checkpoint import Checkpoint
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.history import History, Sighting, examine
from provenance.log import Genesis, SealedHeader, verify_entries, verify_header
from provenance.receipt import Block

__all__ = ["BLOCKS_KIND", "MAX_BLOCKS", "Published", "blocks_document", "published"]


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
    anchors, verifier = anchors_of(case, genesis), verifier_of(case, genesis)
    blocks = believed_blocks(case, anchors, verifier)
    posted = posted_in(case, sealed, genesis, blocks, verifier)
    history = _history(case, sealed, posted)
    own = case.scanned
    is_lone = own is not None and own.blocks.is_lone
    ground = Ground.under(genesis, blocks, posted.values(), is_lone=is_lone)
    found = monitored(case, history, ground)
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
