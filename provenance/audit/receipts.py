"""Blocks and receipts in the evidence: in which believed block each batch header stands."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from provenance.anchor import Anchor, Blocks, believe
from provenance.audit.case import Case
from provenance.canonical import Fields, JsonObject
from provenance.errors import UnavailableError, VerificationError
from provenance.log import Genesis, SealedHeader
from provenance.receipt import Block, LedgerVerifier, Receipt

BLOCKS_KIND: Final = "rootline/blocks/v1"
MAX_BLOCKS: Final = 2**20
SECOND: Final = 10**9


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


def anchors_of(case: Case, genesis: Genesis) -> list[Anchor]:
    """Return the policy's anchors for the log's chain."""
    place = (genesis.ledger, genesis.chain)
    found = [anchor for anchor in case.policy.anchors if (anchor.ledger, anchor.chain) == place]
    if not found:
        raise UnavailableError(
            f"the policy has no anchor for {genesis.ledger} chain {genesis.chain!r}; an anchor "
            "that only the evidence names does not count"
        )
    return found


def verifier_of(case: Case, genesis: Genesis) -> LedgerVerifier:
    """Return the verifier for a log's ledger, or raise UnavailableError."""
    verifier = case.verifiers.ledgers.get(genesis.ledger)
    if verifier is None:
        raise UnavailableError(f"no verifier here for ledger {genesis.ledger!r}")
    return verifier


def believed_blocks(case: Case, anchors: Sequence[Anchor], verifier: LedgerVerifier) -> Blocks:
    """Return the blocks of `blocks.json` that hang on one of `anchors`.

    Raises:
        UnavailableError: There is no such member.
        MalformedError: It is not what it claims to be.
        VerificationError: Its blocks contradict each other, the anchors, or their signatures.
    """
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


def posted_in(
    case: Case,
    sealed: Sequence[SealedHeader],
    genesis: Genesis,
    blocks: Blocks,
    verifier: LedgerVerifier,
) -> dict[int, Block]:
    """Return the block in which each header stands by its receipt, by sequence number.

    A receipt that is false, and a header without one, become findings.
    """
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
