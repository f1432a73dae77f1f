"""Which ledger a home posts to: a node, the block that is known of its chain, and what it may cost.

Whoever has no block from elsewhere pins the one that the node shows now: what comes later must hang
on it, but a node that lies from the first moment is not found out by that. So the pinned block is
told, to be compared with another source.
"""

from provenance.anchor import Anchor
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest
from provenance.receipt import MAX_HEIGHT
from storage.celestia.block import kind_of
from storage.celestia.client import calls
from storage.celestia.client.address import Address
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.options import TxOptions
from storage.ledger_settings import LedgerSettings

FIRST_USE = (
    "pinned at first use, on the node's word: compare height and hash with another source (an "
    "explorer, another node) before you rely on receipts"
)


def prepared(
    before: LedgerSettings | None,
    url: str,
    token: str | None,
    fees: TxOptions,
    known: tuple[int, Digest] | None = None,
) -> LedgerSettings:
    """Return what a home's choice of a ledger will be, once the node was asked: nothing is written.

    Args:
        before: The home's choice so far, or None; the same again is returned unasked.
        url: A node, such as http://127.0.0.1:26658.
        token: The node's token, or None.
        fees: What a submission may cost.
        known: Height and hash of a block of its chain that is known from elsewhere.

    Raises:
        UnavailableError: The node cannot be asked.
        VerificationError: It shows another block than the known one.
    """
    if before is not None and before.url == url and known in (None, _known(before.anchor)):
        return before
    return LedgerSettings(url, pin(url, token, known), fees)


def pin(url: str, token: str | None, known: tuple[int, Digest] | None) -> Anchor:
    """Return the known block as an anchor once the node shows it, or the newest one it shows."""
    with Node(AsyncNode(url, token)) as node:
        call = (
            calls.header_network_head() if known is None else calls.header_get_by_height(known[0])
        )
        header = node.ask(call)
    header.verify()
    block = header.block
    if known is not None and known != (block.height, block.hash):
        raise VerificationError(
            f"{Address.parse(url).origin} shows block {block.height} {block.hash.hex()}, not "
            f"{known[0]} {known[1].hex()}: another chain, or a node that lies"
        )
    return Anchor(kind_of(block.chain), block.chain, block.height, block.hash)


def parse_known(text: str) -> tuple[int, Digest]:
    """Return the block that HEIGHT:HASH names, or raise MalformedError."""
    height, _, name = text.partition(":")
    if not height.isascii() or not height.isdigit() or not 1 <= int(height[:17]) <= MAX_HEIGHT:
        raise MalformedError(f"{text[:100]!r}: a known block is HEIGHT:HASH, the hash in hex")
    return int(height), Digest.parse(name.lower())


def _known(anchor: Anchor) -> tuple[int, Digest]:
    return anchor.height, anchor.hash
