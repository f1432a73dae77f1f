"""Blocks of the self-hosted ledgers: Celestia's shape, one validator, no transactions.

The embedded and the memory ledger differ only in where they keep what is made here.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from provenance import rfc9162
from provenance.canonical import JsonObject
from provenance.envelope import PublicKey, Signer
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.receipt import Receipt
from storage.celestia import nmt, square
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.commit import (
    FOR_BLOCK,
    Commit,
    Vote,
    sign_bytes,
)
from storage.celestia.commitment_proof import CommitmentProof, RowRange
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import BlockId, Header
from storage.celestia.share import Blob, commitment_of, count_shares, subtree_roots
from storage.celestia.square import Square
from storage.celestia.validators import Validator, ValidatorSet

MAX_HEADERS: Final = 100_000
_SELF_HOSTED: Final = "embedded-"
_NOTHING: Final = sha256().digest()
"""Root of an empty RFC 9162 tree, which stands where these ledgers have nothing to say."""


def chain_id(key: PublicKey) -> str:
    """Return the name of the embedded chain whose blocks `key` signs."""
    return f"{_SELF_HOSTED}{key.key_id[:16]}"


def kind_of(chain: str) -> str:
    """Return what receipts call the ledger of a chain: a self-hosted one is never `celestia`."""
    return "embedded" if chain.startswith(_SELF_HOSTED) else "celestia"


def heights(first: int, last: int) -> range:
    """Return the heights `first` to `last`, or raise MalformedError if they are none or many."""
    if not 1 <= first <= last < first + MAX_HEADERS:
        raise MalformedError(f"headers {first} to {last}: ask for 1 to {MAX_HEADERS} of them")
    return range(first, last + 1)


def distinct(blobs: Sequence[Blob]) -> tuple[Blob, ...]:
    """Return the blobs of a submission, each once, or raise MalformedError if there are none."""
    if not blobs:
        raise MalformedError("a submission holds at least one blob")
    return tuple(dict.fromkeys(blobs))


def sole_validator(key: PublicKey) -> ValidatorSet:
    """Return the validator set of a self-hosted chain."""
    return ValidatorSet((Validator(key, 1),))


def make_block(
    previous: ExtendedHeader | None,
    roots: DataAvailabilityHeader,
    chain: str,
    now: int,
    signer: Signer,
) -> ExtendedHeader:
    """Return the signed block that stands on `previous`.

    Args:
        previous: The block below, or None for block 1.
        roots: Of the square that holds the block's blobs, from `square.availability`.
        chain: Chain id.
        now: Nanoseconds since 1970, UTC; the block's time is later than its predecessor's anyway.
        signer: The only validator.
    """
    validators = sole_validator(signer.public_key)
    below = previous.header if previous else None
    header = Header(
        app_version=0,
        chain=chain,
        height=below.height + 1 if below else 1,
        time=max(now, below.time + 1) if below else now,
        previous=previous.commit.block_id if previous else None,
        last_commit=previous.commit.hash if previous else _NOTHING,
        data_root=roots.data_root,
        validators=validators.hash,
        next_validators=validators.hash,
        consensus=_NOTHING,
        app=b"",
        last_results=_NOTHING,
        evidence=_NOTHING,
        proposer=validators.validators[0].address,
    )
    return ExtendedHeader(header, validators, _commit(header, signer), roots)


def _commit(header: Header, signer: Signer) -> Commit:
    block_id = BlockId(header.hash, 1, Digest(sha256(header.hash).digest()))
    vote = Vote(FOR_BLOCK, header.proposer, header.time, bytes(64))
    unsigned = Commit(header.height, 0, block_id, (vote,))
    signature = signer.sign(sign_bytes(header.chain, unsigned, vote))
    signed = Vote(FOR_BLOCK, header.proposer, header.time, signature)
    return Commit(header.height, 0, block_id, (signed,))


def make_receipt(ledger: str, header: JsonObject, blobs: Sequence[Blob], blob: Blob) -> Receipt:
    """Return the receipt for `blob`, one of `blobs`, which the block under `header` holds.

    Raises:
        MalformedError: The block does not hold it, or its share version is not 0.
    """
    extended = ExtendedHeader.from_json(header)
    height = extended.header.height
    if blob.version:
        raise MalformedError("receipts are for blobs of share version 0")
    if blob not in blobs:
        raise MalformedError(f"block {height} of {extended.header.chain} does not hold this blob")
    laid = square.lay_out(blobs)
    proof = prove(laid, laid.starts[list(blobs).index(blob)], blob, extended)
    return Receipt(
        ledger=ledger,
        chain=extended.header.chain,
        height=height,
        namespace=blob.namespace,
        commitment=commitment_of(proof.subtree_roots),
        blob=blob.data,
        proof=proof.to_json(),
        header=header,
    )


def prove(laid: Square, start: int, blob: Blob, extended: ExtendedHeader) -> CommitmentProof:
    """Return the proof that `blob` begins at share `start` of the square `laid`."""
    size, last = laid.size, start + count_shares(blob) - 1
    first_row, last_row = start // size, last // size
    axes = extended.availability.axes
    rows = []
    for row, leaves in enumerate(square.row_leaves(laid, first_row, last_row), first_row):
        begin = start % size if row == first_row else 0
        end = last % size + 1 if row == last_row else size
        nodes = nmt.prove_range(leaves, begin, end)
        root = extended.availability.rows[row]
        rows.append(RowRange(begin, end, nodes, root, rfc9162.path(axes, row)))
    return CommitmentProof(blob.namespace, subtree_roots(blob), tuple(rows))
