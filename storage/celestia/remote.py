"""A ledger behind a node: Celestia, or an embedded ledger that somebody serves.

The node is asked and never believed. Block headers hang on a pinned anchor (`light.py`), a
namespace's blobs are shown complete by the block's roots, an inclusion proof is checked against
bytes and a share commitment of our own, and the height that a submission reports is only where to
look first.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from provenance.anchor import Anchor
from provenance.canonical import JsonObject
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.receipt import Receipt
from storage.celestia.block import distinct, heights, kind_of
from storage.celestia.client import calls
from storage.celestia.client.blob_calls import Found
from storage.celestia.client.client import MOST_AT_ONCE, AsyncNode, Node
from storage.celestia.client.errors import NodeError
from storage.celestia.client.options import TxOptions
from storage.celestia.header_source import NodeHeaders
from storage.celestia.header_store import HeaderStore
from storage.celestia.light import LightClient
from storage.celestia.namespace_data import is_absent, verify_namespace
from storage.celestia.share import MAX_BLOB_BYTES, Blob, share_commitment
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import OutcomeUnknownError

MARGIN: Final = 8
"""Blocks in which a submission lands: it takes two, and as many again when a block is full."""
PATIENCE: Final = 20
"""A transaction leaves the mempool after 12 blocks (celestia-app v9, TTLNumBlocks); some more."""
MAX_STALL: Final = 20
"""Waits for a next block, each as long as its call may take, before the chain counts as halted."""


class CelestiaLedger:
    """A chain asked through one node; see `storage.ledger.Ledger` for what its methods promise."""

    margin: Final = MARGIN

    def __init__(
        self, node: Node, light: LightClient, anchor: Anchor, fees: TxOptions | None = None
    ) -> None:
        """Ask `node` about the chain of `anchor`; nothing is asked yet.

        Args:
            node: The client.
            light: Gives headers that hang on `anchor`.
            anchor: A block known from elsewhere; heights below it are not asked for.
            fees: What a submission may cost.
        """
        self.kind, self.chain = kind_of(anchor.chain), anchor.chain
        self.first = anchor.height
        # A served embedded ledger answers the same blobs with the same height, however late.
        self.patience = 0 if self.kind == "embedded" else PATIENCE
        self._node, self._light, self._fees = node, light, fees or TxOptions()
        self._verifier = CelestiaVerifier()

    def __enter__(self) -> Self:
        """Use the ledger, and close its connections at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._node.close()

    @property
    def is_lone(self) -> bool:
        """Whether one validator could alone have led to what was read; see `LightClient`."""
        return self._light.is_lone

    def claimed_head(self) -> int:
        """Return the node's own head when `head` was called last, 0 before."""
        return self._light.shown

    def head(self) -> int:
        """Return the height of the newest block that the node shows."""
        return self._light.head().header.height

    def reach(self, height: int) -> None:
        """Return once there is a block `height`.

        Raises:
            UnavailableError: The node shows no new block for long.
        """
        known = self.head()
        stalled = 0
        while known < height:
            try:
                self._node.ask(calls.header_wait_for_height(known + 1))
            except NodeError as error:
                if error.kind in {"permission", "pruned"}:
                    raise
            before, known = known, self.head()
            stalled = 0 if known > before else stalled + 1
            if stalled == MAX_STALL:
                raise UnavailableError(f"{self.chain}: no block follows {known}: ask another node")

    def submit(self, blobs: Sequence[Blob]) -> int:
        """Return the height of the block that holds all `blobs`, once it was seen to hold them.

        Raises:
            MalformedError: No blobs, or more than a transaction can hold.
            OutcomeUnknownError: The answer was lost, or names a block that does not hold them.
            UnavailableError: Refused or unreachable: by the node's word nothing was taken.
        """
        blobs = distinct(blobs)
        if (size := sum(len(blob.data) for blob in blobs)) > MAX_BLOB_BYTES:
            raise MalformedError(
                f"{size} bytes in one submission; {MAX_BLOB_BYTES} fit into a transaction"
            )
        try:
            height = self._node.ask(calls.blob_submit(blobs, self._fees))
        except MalformedError as error:
            raise OutcomeUnknownError(f"the node's answer cannot be read: {error}") from error
        except NodeError as error:
            if error.is_refusal:
                raise
            raise OutcomeUnknownError(str(error)) from error
        try:
            taken = self._took(height, blobs)
        except (UnavailableError, MalformedError, VerificationError) as error:
            raise OutcomeUnknownError(f"block {height} could not be read: {error}") from error
        if not taken:
            raise OutcomeUnknownError(
                f"the node says that block {height} holds the blobs; it does not"
            )
        return height

    def find(self, blobs: Sequence[Blob], since: int) -> int | None:
        """Return the least height above `since` whose one block holds all `blobs`, or None."""
        blobs = distinct(blobs)
        span = range(max(since + 1, self.first), self.head() + 1)
        return next((height for height in span if self._holds(height, blobs)), None)

    def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:
        """Return all blobs of one block under `namespace`, in order, shown complete by its roots.

        Raises:
            VerificationError: The node left one out, or answered with others.
        """
        roots = self._light.at(height).availability
        if is_absent(namespace, roots):
            return ()
        data = self._node.ask(calls.share_get_namespace_data(height, namespace))
        return tuple(placed.blob for placed in verify_namespace(data, namespace, roots))

    def told(self, first: int, last: int, namespace: bytes) -> Iterator[tuple[int, Blob]]:
        """Give the blobs of a namespace in the blocks `first` to `last` that the node still has.

        Its word alone: blocks are not verified, and many are asked for at once.
        """
        tail = self._node.ask(calls.header_tail()).header.height

        def ask(height: int) -> tuple[Found, ...]:
            return self._node.ask(calls.blob_get_all(height, (namespace,)))

        span = range(max(first, tail), last + 1)
        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            for height, found in zip(span, pool.map(ask, span), strict=True):
                yield from ((height, each.blob) for each in found)

    def receipt(self, height: int, blob: Blob) -> Receipt:
        """Return the verified receipt that proves that `blob` stands in the block at `height`."""
        if blob.version:
            raise MalformedError("receipts are for blobs of share version 0")
        header, commitment = self._light.at(height), share_commitment(blob)
        proof = self._node.ask(calls.blob_get_commitment_proof(height, blob.namespace, commitment))
        receipt = Receipt(
            ledger=self.kind,
            chain=self.chain,
            height=height,
            namespace=blob.namespace,
            commitment=commitment,
            blob=blob.data,
            proof=proof,
            header=header.to_json(),
        )
        self._verifier.verify_inclusion(receipt, header.block)
        return receipt

    def header(self, height: int) -> JsonObject:
        """Return the extended header of one block, which hangs on the anchor."""
        return self._light.at(height).to_json()

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:
        """Return the plain headers of the blocks `first` to `last`, which link by hash."""
        span = heights(first, last)
        found = self._light.between(span.start, span.stop - 1)
        return tuple(each.header.to_json() for each in found)

    def _took(self, height: int, blobs: Sequence[Blob]) -> bool:
        """Return whether a block that the node names holds `blobs`; one far ahead is no answer."""
        if height > (head := self.head()) + self.margin:
            raise UnavailableError(f"the newest block is {head}")
        self.reach(height)
        return self._holds(height, blobs)

    def _holds(self, height: int, blobs: Sequence[Blob]) -> bool:
        wanted = {blob.namespace for blob in blobs}
        held = {blob for namespace in wanted for blob in self.blobs(height, namespace)}
        return set(blobs) <= held


def open_ledger(
    url: str,
    token: str | None,
    anchor: Anchor,
    store: Path,
    clock: Callable[[], int],
    trusting: int,
    fees: TxOptions | None = None,
) -> CelestiaLedger:
    """Return the ledger behind a node; nothing is asked yet.

    Args:
        url: The node's, such as http://127.0.0.1:26658.
        token: Its token, or None.
        anchor: A block that the caller knows from elsewhere.
        store: File where verified headers are kept.
        clock: Nanoseconds since 1970, UTC.
        trusting: Trusting period, nanoseconds.
        fees: What a submission may cost.
    """
    node = Node(AsyncNode(url, token))
    light = LightClient(NodeHeaders(node), HeaderStore(store), anchor, clock, trusting)
    return CelestiaLedger(node, light, anchor, fees)
