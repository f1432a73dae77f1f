"""Reading a namespace off a ledger, block by block: nothing left out, nobody believed.

A ledger that is asked over a network shows by itself that a namespace's blobs are complete and that
its headers hang on an anchor. One that is a file of its owner's is not believed either: each
block's signature and link are checked, and the rows of its square that could hold the namespace are
computed anew from the blobs in the file.

Blobs by strangers are passed over after a look at their last bytes: only what names one of the
log's keys is looked through, only what that key signed is read as JSON, and a blob of entries only
beside the header that names it. Anybody can post
a header's bytes again, so what counts is the first posting of it that has its entries beside it.
"""

import base64
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, runtime_checkable

from provenance import canonical
from provenance.envelope import PublicKey, pre_authentication_encoding
from provenance.errors import ProvenanceError, SignatureError, VerificationError
from provenance.field import Digest
from provenance.history import Added, Chronicle, Problem, Sighting
from provenance.log import PAYLOAD_TYPE, SealedHeader, key_named, verify_entries, verify_header
from provenance.receipt import Block
from storage.celestia import nmt, square
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import Header
from storage.celestia.header_store import EquivocationError
from storage.celestia.namespace_data import is_absent
from storage.celestia.share import Blob
from storage.ledger import Ledger


@runtime_checkable
class OwnFile(Protocol):
    """A ledger whose blocks come out of its owner's file, which he may have changed."""

    def all_blobs(self, height: int) -> tuple[Blob, ...]:
        """Return the blobs of one block in every namespace, in the order of their submission."""
        ...

    def kept_open(self) -> AbstractContextManager[None]:
        """Keep the file open while the block runs, for whoever calls often."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One block as it was read: what its header says, and all blobs of each namespace asked for."""

    block: Block
    blobs: Mapping[bytes, tuple[Blob, ...]]


def pages(
    ledger: Ledger, namespaces: Sequence[bytes], first: int, last: int, below: Digest | None
) -> Iterator[Page]:
    """Yield the blocks `first` to `last`, each once it was found to follow the one before.

    Args:
        ledger: Where to read.
        namespaces: Whose blobs to read, 29 bytes each.
        first: The lowest height.
        last: The highest height.
        below: Hash of the block below `first`, as it was read before; None if it was not.

    Raises:
        UnavailableError: A block cannot be read, or not now.
        EquivocationError: A block does not follow the one that was read before it.
        VerificationError: What the ledger gave is not proved by the block, or is another's.
    """
    with ledger.kept_open() if isinstance(ledger, OwnFile) else nullcontext():
        for height in range(first, last + 1):
            page = _page(ledger, namespaces, height)
            if below is not None and page.block.previous != below:
                raise EquivocationError(
                    f"block {height} of {ledger.chain} follows another block than the one that "
                    f"was read before it, {below.hex()[:16]}…: the ledger's history was rewritten"
                )
            below = page.block.hash
            yield page


def block_at(ledger: Ledger, height: int) -> Block:
    """Return one block, under the checks that `pages` makes, without its blobs."""
    if isinstance(ledger, OwnFile):
        return _own(ledger, height).block
    (plain,) = ledger.headers(height, height)
    return _of_height(Header.from_json(plain).block, ledger, height)


def _page(ledger: Ledger, namespaces: Sequence[bytes], height: int) -> Page:
    if isinstance(ledger, OwnFile):
        extended = _own(ledger, height)
        return Page(extended.block, _own_blobs(ledger, extended, namespaces))
    blobs = {namespace: ledger.blobs(height, namespace) for namespace in namespaces}
    return Page(block_at(ledger, height), blobs)


def _own(ledger: Ledger, height: int) -> ExtendedHeader:
    extended = ExtendedHeader.from_json(ledger.header(height))
    _of_height(extended.header.block, ledger, height)
    extended.verify()
    return extended


def _of_height(block: Block, ledger: Ledger, height: int) -> Block:
    if (block.chain, block.height) != (ledger.chain, height):
        raise VerificationError(
            f"asked for block {height} of {ledger.chain}, the ledger gave block {block.height} of "
            f"{block.chain}"
        )
    return block


def _own_blobs(
    ledger: OwnFile, extended: ExtendedHeader, namespaces: Sequence[bytes]
) -> Mapping[bytes, tuple[Blob, ...]]:
    present = [name for name in namespaces if not is_absent(name, extended.availability)]
    blobs: tuple[Blob, ...] = ()
    if present:
        blobs = ledger.all_blobs(extended.header.height)
        _verify_rows(extended, blobs, present)
    return {name: tuple(b for b in blobs if b.namespace == name) for name in namespaces}


def _verify_rows(
    extended: ExtendedHeader, blobs: Sequence[Blob], namespaces: Sequence[bytes]
) -> None:
    """Check that the rows that could hold one of `namespaces` hold just what `blobs` make of them.

    Raises:
        VerificationError: A blob was changed, left out or added.
    """
    laid, roots = square.lay_out(blobs), extended.availability.rows
    rows = [
        row
        for row, root in enumerate(roots)
        if any(root.least <= name <= root.greatest for name in namespaces)
    ]
    fits = laid.size == extended.availability.size and rows[-1] < laid.size
    found = [nmt.root(leaves) for leaves in square.row_leaves(laid, rows[0], rows[-1])]
    if not fits or found != list(roots[rows[0] : rows[-1] + 1]):
        raise VerificationError(
            f"block {extended.header.height} of {extended.header.chain}: the blobs in the file are "
            "not those of the block: one was changed, left out or added"
        )


def sightings(
    page: Page,
    namespace: bytes,
    keys: Sequence[PublicKey],
    known: Callable[[Digest], bool] = lambda _: False,
) -> Iterator[tuple[Sighting, Problem | None]]:
    """Yield the headers that one block holds, in the order of their numbers, each once.

    Beside a header stands what is wrong with its entries.

    Args:
        page: The block.
        namespace: One that the page was read for.
        keys: Keys that sign the log's headers.
        known: Whether a header, by SHA-256 of its envelope, need not be looked at again.
    """
    blobs = page.blobs[namespace]
    if not blobs:
        return
    found = {sealed.digest: sealed for sealed in _headers(blobs, keys, known)}
    if not found:
        return
    beside = {canonical.digest(blob.data): blob.data for blob in blobs}
    for sealed in sorted(found.values(), key=lambda sealed: sealed.header.sequence):
        entries, problem = _entries(sealed, beside)
        yield Sighting(sealed, page.block.height, entries), problem


def _headers(
    blobs: Iterable[Blob], keys: Sequence[PublicKey], known: Callable[[Digest], bool]
) -> Iterator[SealedHeader]:
    by_id = {key.key_id: key for key in keys}
    looked: set[Digest] = set()
    for blob in blobs:
        key = by_id.get(key_named(blob.data) or "")
        if key is None:
            continue
        name = Digest(sha256(blob.data).digest())
        if name in looked or known(name):
            continue
        looked.add(name)
        if not _is_signed(blob.data, key):
            continue  # a stranger's: whoever wants to can write a key id
        with suppress(ProvenanceError):  # the key signed something else than a header
            yield verify_header(blob.data, (key,))


_ENVELOPE: Final = re.compile(
    rb'\{"payload":"([A-Za-z0-9+/]+={0,2})","payloadType":"%b","signatures":\[\{"keyid":"[0-9a-f]{64}",'
    rb'"sig":"([A-Za-z0-9+/]{86}==)"\}\]\}' % re.escape(PAYLOAD_TYPE.encode())
)
"""A header's envelope, which is canonical JSON and so has one spelling."""


def _is_signed(data: bytes, key: PublicKey) -> bool:
    """Whether `key` signed an envelope's payload, at the price of the signature alone.

    A block holds room for a hundred thousand forgeries; JSON is read only after this.
    """
    found = _ENVELOPE.fullmatch(data)
    if found is None:
        return False
    try:
        payload = base64.b64decode(found[1], validate=True)
        message = pre_authentication_encoding(PAYLOAD_TYPE, payload)
        key.verify(message, base64.b64decode(found[2]))
    except (ValueError, SignatureError):
        return False
    return True


def _entries(
    sealed: SealedHeader, beside: Mapping[Digest, bytes]
) -> tuple[tuple[bytes, ...] | None, Problem | None]:
    header = sealed.header
    if header.blob is None:
        return (), None
    if header.blob not in beside:
        return None, None
    try:
        return verify_entries(header, beside[header.blob]), None
    except ProvenanceError as error:
        return (), Problem("bad-entries", f"batch {header.sequence}", str(error))


def note(
    page: Page, namespace: bytes, keys: Sequence[PublicKey], chronicle: Chronicle
) -> tuple[Added, ...]:
    """Return what one block shows of the log in a namespace, once it is written down."""
    found = []
    for sighting, problem in sightings(page, namespace, keys, chronicle.examination.is_known):
        found.append(chronicle.add(sighting))
        if problem is not None:
            chronicle.report([problem])
    return tuple(found)
