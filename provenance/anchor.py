"""Which blocks an auditor may believe: those that hang on an anchor of his policy.

Downwards from the anchor every block is fixed by its successor's `previous`. Upwards a block counts
only if it names the block below as its previous one, is signed by the validators that the block
below announced, and the anchor is within the trusting period at the time of the check: after that,
keys that validators have given up could sign another history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.receipt import Block


@dataclass(frozen=True, slots=True)
class Anchor:
    """A block that the auditor knows from elsewhere."""

    ledger: str
    chain: str
    height: int
    hash: Digest


@dataclass(frozen=True, slots=True)
class Blocks:
    """The believed blocks of one chain by height; `limits` says why others are not believed."""

    anchor: Anchor
    believed: Mapping[int, Block]
    limits: tuple[str, ...]

    def at(self, height: int) -> Block:
        """Return the believed block at `height`, or raise UnavailableError."""
        if height not in self.believed:
            why = "; ".join(self.limits) or "the evidence holds no block of that height"
            raise UnavailableError(
                f"block {height} of {self.anchor.chain} does not hang on the policy's anchor: {why}"
            )
        return self.believed[height]


def believe(
    linked: Sequence[Block],
    signed: Sequence[Block],
    anchor: Anchor,
    now: int,
    trusting: int,
    others: Sequence[Anchor] = (),
) -> Blocks:
    """Return the blocks that hang on `anchor`.

    Args:
        linked: Blocks read from plain headers; their hashes are computed, nothing else is known.
        signed: Blocks whose commit signatures were verified against their own validators.
        anchor: From the policy.
        now: Time of the check, nanoseconds since 1970, UTC.
        trusting: Trusting period, nanoseconds.
        others: Further anchors of the same chain; a believed block must not contradict them.

    Raises:
        VerificationError: Two blocks for one height that both claim to be the anchor's, another
            block than an anchor at its height, or times that do not rise.
    """
    by_hash = {block.hash: block for block in (*linked, *signed) if block.chain == anchor.chain}
    start = by_hash.get(anchor.hash)
    if start is None:
        if any(block.height == anchor.height for block in by_hash.values()):
            raise VerificationError(
                f"{anchor.chain}: the evidence has another block {anchor.height} than the anchor "
                f"{anchor.hash.hex()[:16]}…"
            )
        missing = f"the anchor's block {anchor.height} is not in the evidence"
        top = max((block.height for block in by_hash.values()), default=0)
        if top < anchor.height:
            missing += f", which ends at block {top}: ask for a newer export or use an older anchor"
        return Blocks(anchor, {}, (missing,))
    if start.height != anchor.height:
        raise VerificationError(f"{anchor.chain}: the anchor's block has height {start.height}")
    believed, limits = _downwards(start, by_hash)
    above, why = _upwards(start, signed, now, trusting)
    found = Blocks(anchor, {**believed, **above}, (*limits, *why))
    for other in others:
        if other.height in found.believed and found.believed[other.height].hash != other.hash:
            raise VerificationError(
                f"{anchor.chain}: block {other.height} is another than the policy's second anchor"
            )
    return found


def _downwards(
    start: Block, by_hash: Mapping[Digest, Block]
) -> tuple[dict[int, Block], tuple[str, ...]]:
    believed, block = {start.height: start}, start
    while block.previous is not None and block.previous in by_hash:
        below = by_hash[block.previous]
        if below.height != block.height - 1:
            raise VerificationError(f"block {block.height} follows a block {below.height}")
        _check_times(below, block)
        believed[below.height] = block = below
    return believed, () if block.height == 1 else (f"the links end at block {block.height}",)


def _upwards(
    start: Block, signed: Sequence[Block], now: int, trusting: int
) -> tuple[dict[int, Block], tuple[str, ...]]:
    higher = [b for b in signed if b.height > start.height and b.chain == start.chain]
    if not higher:
        return {}, ()
    if not start.time <= now <= start.time + trusting:
        return {}, ("the anchor is older than the trusting period, so nothing above it counts",)
    believed, block = {}, start
    while following := [b for b in higher if _follows(b, block)]:
        if len({b.hash for b in following}) > 1:
            raise VerificationError(
                f"{start.chain}: two signed blocks for height {block.height + 1}: an equivocation"
            )
        _check_times(block, following[0])
        block = following[0]
        believed[block.height] = block
    return believed, (f"the signed blocks end at {block.height}",)


def _check_times(below: Block, block: Block) -> None:
    if block.time <= below.time:
        raise VerificationError(
            f"{block.chain}: block {block.height} is not later than block {below.height}"
        )


def _follows(block: Block, below: Block) -> bool:
    return (
        block.height == below.height + 1
        and block.previous == below.hash
        and block.validators == below.next_validators
    )
