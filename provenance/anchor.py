"""Which blocks an auditor may believe: those that hang on an anchor of his policy.

Downwards from a believed block every block is fixed by its successor's `previous`; believed
neighbours must link, and the upper one's validators be those that the lower one announced. Upwards
from an anchor a signed block counts in one of two ways, and only while the anchor is within the
trusting period at the time of the check (keys that validators have given up could sign another
history):

- the next block, if it names the block below as its previous one and is signed by the validators
  that the block below announced;
- any higher block, if validators with more than a third of the power of the believed block below
  voted for it. Then at least one honest one did, as long as less than a third is dishonest.

Source: celestiaorg/celestia-core v0.40.2, light/verifier.go; celestia-node v0.31.4,
header/header.go (Verify); go-header v0.8.5, verify.go. Why so: docs/adr/0015-leaving-an-anchor.md.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import Final

from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.receipt import Block

DRIFT: Final = 10 * 10**9
"""Nanoseconds by which a block's time may be ahead of the clock: go-header's clockDrift."""
MAX_LIMITS: Final = 4


@dataclass(frozen=True, slots=True)
class Anchor:
    """A block that the auditor knows from elsewhere."""

    ledger: str
    chain: str
    height: int
    hash: Digest

    @property
    def label(self) -> str:
        """How findings name it."""
        return f"anchor {self.hash.hex()[:16]}… (block {self.height} of {self.chain})"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The believed blocks of one chain by height.

    Attributes:
        anchors: Of the policy, the highest first.
        believed: Blocks that hang on an anchor.
        hung: The anchor on which each of them hangs; of several the highest.
        limits: Why others are not believed.
        is_lone: Whether one validator alone could have made some of them: he holds more than two
            thirds of the power, or more than a third where blocks were skipped.
    """

    anchors: tuple[Anchor, ...]
    believed: Mapping[int, Block]
    hung: Mapping[int, Anchor]
    limits: tuple[str, ...]
    is_lone: bool
    _heights: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort the heights once: every receipt that hangs on nothing asks for the next one."""
        object.__setattr__(self, "_heights", tuple(sorted(self.believed)))

    @property
    def chain(self) -> str:
        """The chain id."""
        return self.anchors[0].chain

    def at(self, height: int) -> Block:
        """Return the believed block at `height`, or raise UnavailableError."""
        if height not in self.believed:
            raise UnavailableError(
                f"block {height} of {self.chain} does not hang on the policy's anchor: "
                f"{self._why_not(height)}"
            )
        return self.believed[height]

    def anchor_of(self, height: int) -> Anchor:
        """Return the anchor on which the block at `height` hangs, or raise UnavailableError."""
        self.at(height)
        return self.hung[height]

    def _why_not(self, height: int) -> str:
        place = bisect_right(self._heights, height)
        above = self._heights[place : place + 1]
        linked = tuple(f"the links end at block {other}" for other in above)
        words = (*linked, *self.limits[:MAX_LIMITS])
        return "; ".join(words) or "the evidence holds no block of that height"


class Step:
    """What a believed block says about blocks above it."""

    def __init__(self, block: Block) -> None:
        """Leave `block`, which is believed; its power is empty if only its header was read."""
        self.block = block
        self._power = dict(block.power)
        self._total = sum(self._power.values())

    def leads_to(self, block: Block) -> bool:
        """Whether `block`, whose commit was verified, is believed if this one is; see the module.

        A vote counts with the power that its key has in *this* block's set, each key once.
        """
        if block.chain != self.block.chain or block.height <= self.block.height:
            return False
        if block.height == self.block.height + 1:
            announced = block.validators == self.block.next_validators
            return announced and block.previous == self.block.hash
        return 3 * sum(self._power.get(key, 0) for key in block.signers) > self._total

    def is_held(self, *, thirds: int) -> bool:
        """Whether one validator holds more than so many thirds of the power."""
        return 3 * max(self._power.values(), default=0) > thirds * self._total


def check_neighbours(below: Block, block: Block) -> None:
    """Raise VerificationError if two believed blocks of adjacent heights do not follow each other.

    Where hash links are right and only the validators are not the announced ones, whoever vouched
    for a block above made up its validators: light/verifier.go, VerifyAdjacent, there upwards only.
    """
    if block.previous != below.hash:
        raise VerificationError(
            f"{block.chain}: the believed block {block.height} does not follow block "
            f"{below.height}, {below.hash.hex()}, which is believed too: the chain has a fork"
        )
    if block.validators != below.next_validators:
        raise VerificationError(
            f"{block.chain}: block {block.height} is by validators whom block {below.height} did "
            "not announce: whoever vouched for it, or for one above it, broke the chain's rules"
        )


def check_times(below: Block, block: Block) -> None:
    """Raise VerificationError if `block` is not later than `below`."""
    if block.time <= below.time:
        raise VerificationError(
            f"{block.chain}: block {block.height} is not later than block {below.height}"
        )


def believe(
    linked: Sequence[Block],
    signed: Sequence[Block],
    anchors: Sequence[Anchor],
    now: int,
    trusting: int,
) -> Blocks:
    """Return the blocks that hang on one of `anchors`; each starts a walk of its own.

    A walk looks once at each block and once at each vote, and ends where it meets another anchor's,
    so time grows with the evidence, not with its square.

    Args:
        linked: Blocks read from plain headers; their hashes are computed, nothing else is known.
        signed: Blocks whose commit signatures were verified against their own validators.
        anchors: From the policy, at least one, all of one chain.
        now: Time of the check, nanoseconds since 1970, UTC.
        trusting: Trusting period, nanoseconds.

    Raises:
        VerificationError: Another block than an anchor at its height, two believed blocks for one
            height, neighbours that do not follow each other, or times that do not rise.
    """
    ranked = tuple(sorted(anchors, key=lambda anchor: -anchor.height))
    walk = _Walk(ranked, linked, signed, now, trusting)
    for anchor in ranked:
        walk.start(anchor)
    for below, block in pairwise(sorted(walk.believed)):
        check_times(walk.believed[below], walk.believed[block])
        if block == below + 1:
            check_neighbours(walk.believed[below], walk.believed[block])
    limits = tuple(dict.fromkeys(walk.limits))
    return Blocks(ranked, walk.believed, walk.hung, limits, walk.is_lone)


class _Walk:
    """Blocks found so far; later anchors must agree with what earlier ones led to."""

    def __init__(
        self,
        anchors: Sequence[Anchor],
        linked: Sequence[Block],
        signed: Sequence[Block],
        now: int,
        trusting: int,
    ) -> None:
        chain = anchors[0].chain
        self._signed = _by_height(block for block in signed if block.chain == chain)
        self._by_hash = {b.hash: b for b in (*linked, *signed) if b.chain == chain}
        self._now, self._trusting = now, trusting
        self._left: set[int] = set()
        self.believed: dict[int, Block] = {}
        self.hung: dict[int, Anchor] = {}
        self.limits: list[str] = []
        self.is_lone = False
        _check_anchors(anchors, self._by_hash)

    def start(self, anchor: Anchor) -> None:
        """Believe what hangs on `anchor`."""
        block = self._by_hash.get(anchor.hash)
        if block is None:
            self.limits.append(self._missing(anchor))
            return
        self._downwards(block, anchor)
        self._upwards(block, anchor)

    def _missing(self, anchor: Anchor) -> str:
        top = max((block.height for block in self._by_hash.values()), default=0)
        missing = f"the anchor's block {anchor.height} is not in the evidence"
        if top >= anchor.height:
            return missing
        return (
            f"{missing}, which ends at block {top}: ask for a newer export or use an older anchor"
        )

    def _downwards(self, block: Block, anchor: Anchor) -> None:
        """Believe `block` and all below that links to it, down to what is believed already."""
        while self._take(block, anchor):
            below = self._by_hash.get(block.previous) if block.previous else None
            if below is None:
                return
            if below.height != block.height - 1:
                raise VerificationError(f"block {block.height} follows a block {below.height}")
            block = below

    def _take(self, block: Block, anchor: Anchor) -> bool:
        """Believe `block` and return whether it was new."""
        known = self.believed.setdefault(block.height, block)
        if known.hash != block.hash:
            raise VerificationError(
                f"{block.chain}: two believed blocks {block.height}: {known.hash.hex()} hangs on "
                f"{self.hung[block.height].label}, {block.hash.hex()} on {anchor.label}: the "
                "chain has a fork"
            )
        if block.height in self.hung:
            return False
        self.hung[block.height] = anchor
        self.is_lone |= Step(block).is_held(thirds=2)
        return True

    def _upwards(self, start: Block, anchor: Anchor) -> None:
        lowest = bisect_right(self._signed, start.height, key=lambda blocks: blocks[0].height)
        if lowest == len(self._signed):
            return
        # Blocks above are younger than the anchor, so its age is the one that decides at each step.
        if start.time + self._trusting <= self._now:
            words = "the anchor is older than the trusting period, so nothing above it counts"
            self.limits.append(words)
            return
        if not self._is_past(start):
            return
        step = Step(start)
        self._left.add(start.height)
        for blocks in islice(self._signed, lowest, None):
            following = [block for block in blocks if step.leads_to(block)]
            if len({block.hash for block in following}) > 1:
                raise VerificationError(
                    f"{start.chain}: two signed blocks for height {blocks[0].height}: "
                    f"{' and '.join(sorted(b.hash.hex() for b in following))}: an equivocation"
                )
            if following and self._is_past(following[0]):
                step = self._climb(step, following[0], anchor)
                if step.block.height in self._left:  # from here on it is another anchor's walk
                    return
                self._left.add(step.block.height)
        self.limits.append(f"the signed blocks that follow end at block {step.block.height}")

    def _is_past(self, block: Block) -> bool:
        if block.time <= self._now + DRIFT:
            return True
        self.limits.append(f"block {block.height} is dated later than this check")
        return False

    def _climb(self, step: Step, block: Block, anchor: Anchor) -> Step:
        if block.height > step.block.height + 1:
            self.is_lone |= step.is_held(thirds=1)
        self._downwards(block, anchor)
        return Step(block)


def _by_height(blocks: Iterable[Block]) -> list[list[Block]]:
    """Return signed blocks in rising order, those of one height together."""
    found: dict[int, list[Block]] = {}
    for block in blocks:
        found.setdefault(block.height, []).append(block)
    return [found[height] for height in sorted(found)]


def _check_anchors(anchors: Sequence[Anchor], blocks: Mapping[Digest, Block]) -> None:
    """Check that nothing in the evidence stands where an anchor says that another block does."""
    fixed: dict[int, Digest] = {}
    for anchor in anchors:
        found = blocks.get(anchor.hash)
        if found is not None and found.height != anchor.height:
            raise VerificationError(f"{anchor.chain}: the anchor's block has height {found.height}")
        if fixed.setdefault(anchor.height, anchor.hash) != anchor.hash:
            raise VerificationError(
                f"{anchor.chain}: the policy has two anchors for block {anchor.height}"
            )
    for block in blocks.values():
        if fixed.get(block.height, block.hash) != block.hash:
            raise VerificationError(
                f"{block.chain}: the evidence has another block {block.height} than the anchor "
                f"{fixed[block.height].hex()[:16]}…: {block.hash.hex()}"
            )
