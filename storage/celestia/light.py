"""A light client: whatever a node says about headers, only those that hang on the anchor come out.

It leaves a believed block by the rules of `provenance.anchor`: to the next one, or by a jump that a
third of the power vouches for; if too much power changed hands, it halves the jump. Below a
believed block hash links decide. What was verified goes to the store and is not asked for again, so
the trusting period is counted from the newest verified header, as CometBFT does: each was verified
while the one it hangs on was fresh.

One node is asked. That it hides the newest blocks, or that a third of the power is dishonest and
only it shows the result, cannot be seen from here.

Source: celestiaorg/celestia-core v0.40.2, light/client.go (verifySkipping, backwards).
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, runtime_checkable

from provenance.anchor import Anchor, Step
from provenance.errors import MalformedError, UnavailableError, VerificationError
from storage.celestia.believed import Believed
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header_store import HeaderStore

PAGE: Final = 32
"""Headers asked for at once; with 100 validators a page is about 5 MB of JSON."""


class HeaderSource(Protocol):
    """Somebody who is asked for headers and not believed.

    Every method may raise UnavailableError (no answer, pruned, not there yet) or MalformedError.
    """

    def head(self) -> ExtendedHeader:
        """Return the newest header that it knows."""
        ...

    def at(self, height: int) -> ExtendedHeader:
        """Return the header of one block."""
        ...

    def between(self, lower: ExtendedHeader, last: int) -> tuple[ExtendedHeader, ...]:
        """Return the headers above `lower` up to height `last`, at most `PAGE`, perhaps none."""
        ...


@runtime_checkable
class Led(Protocol):
    """Whatever was read through a light client, such as a ledger behind a node."""

    @property
    def is_lone(self) -> bool:
        """Whether one validator could alone have led to what was read."""
        ...


class LightClient:
    """Headers of the anchor's chain, verified."""

    def __init__(
        self,
        source: HeaderSource,
        store: HeaderStore,
        anchor: Anchor,
        clock: Callable[[], int],
        trusting: int,
    ) -> None:
        """Ask `source`, keep what hangs on `anchor` in `store`; nothing is asked yet.

        Args:
            source: A node.
            store: Where verified headers are kept; several clients may share it.
            anchor: A block known from elsewhere. If its height is in dispute, it decides.
            clock: Nanoseconds since 1970, UTC.
            trusting: Trusting period, nanoseconds.
        """
        self._source, self._store, self._anchor = source, store, anchor
        self._believed = Believed(store, anchor.chain, clock, trusting)
        self._is_anchored = False
        self._head = 0
        self.shown = 0
        """Height of the newest header that the node showed last; `head` may know a higher one."""
        self.is_lone = False
        """Whether a block was left by a jump to which one validator could alone have led: he held
        more than a third of the power. Of jumps by clients that used the store before, nothing is
        known."""

    def at(self, height: int) -> ExtendedHeader:
        """Return the verified header of one block.

        Raises:
            UnavailableError: The node has no such block, or the newest verified header is too old.
            VerificationError: What the node answered does not hang on the anchor.
            EquivocationError: Two blocks were signed for one height, here or below.
        """
        return self._at(height, height)

    def head(self) -> ExtendedHeader:
        """Return the newest verified header, the node's or, while it is behind, the one before.

        A node that was started anew is a few blocks behind for some seconds; one that stays behind
        is found out by whoever waits for a block, or looks at `shown`. What it shows must belong to
        this chain all the same.
        """
        self._ensure_anchor()
        found, top = self._source.head(), self._store.top(self._anchor.chain)
        height = max(found.header.height, top)
        self.shown = found.header.height
        if found.header.height < top:
            self._check_old(found)
            verified = self._at(top, top)
        elif height == top:
            verified = self._believed.same(found)
        else:
            verified = self._climb(self._believed.below(height), height, found)
        self._head = height
        return verified

    def _check_old(self, found: ExtendedHeader) -> None:
        """Check a head below what is verified; one that nothing fresh leads to may pass."""
        height = found.header.height
        self._believed.checked(found, height)
        if self._store.get(self._anchor.chain, height) is not None:
            self._believed.same(found)
            return
        with contextlib.suppress(UnavailableError):
            self._climb(self._believed.below(height), height, found)

    def between(self, first: int, last: int) -> Iterator[ExtendedHeader]:
        """Give the verified headers of the blocks `first` to `last`, one after the other."""
        return (self._at(height, last) for height in range(first, last + 1))

    def _at(self, height: int, ahead: int) -> ExtendedHeader:
        """Return a verified header; those up to `ahead` will be asked for next."""
        if height < 1:
            raise MalformedError(f"there is no block {height}")
        self._ensure_anchor()
        chain = self._anchor.chain
        if (stored := self._store.get(chain, height)) is not None:
            return stored
        above = self._store.above(chain, height)
        if above is not None and self._is_better_linked(height, above):
            return self._descend(above, height)
        trusted = self._believed.below(height)
        if height == trusted.header.height + 1:
            return self._next(trusted, max(self._head, ahead))
        return self._climb(trusted, height, self._source.at(height))

    def _is_better_linked(self, height: int, above: ExtendedHeader) -> bool:
        """Whether links from above are few, or all that there is."""
        if above.header.height - height <= PAGE:
            return True
        below = self._store.below(self._anchor.chain, height)
        return below is None or not self._believed.is_fresh(below)

    def _ensure_anchor(self) -> None:
        """Have the anchor's header in the store, and settle a dispute at its height by it."""
        if self._is_anchored:
            return
        chain, height, digest = self._anchor.chain, self._anchor.height, self._anchor.hash
        if height in {at for at, _ in self._store.disputed(chain)}:
            self._store.decide(chain, height, digest)
        stored = self._store.get(chain, height)
        found = stored or self._believed.checked(self._source.at(height), height)
        if found.header.hash != digest:
            raise VerificationError(
                f"{chain}: block {height} is {found.header.hash.hex()}, the anchor says "
                f"{digest.hex()}: the wrong anchor, or another history"
            )
        if stored is None:
            self._join(found)
        self._is_anchored = True

    def _join(self, found: ExtendedHeader) -> None:
        """Keep a new anchor's header, which must belong to what was verified from others."""
        height = found.header.height
        above = self._store.above(self._anchor.chain, height)
        if above is None or Step(found.block).leads_to(above.block):
            self._believed.keep((found,))
        elif self._descend(above, height).header.hash != found.header.hash:
            raise VerificationError(
                f"{self._anchor.chain}: block {height} of the anchor is not below the verified "
                f"block {above.header.height}: two anchors of two histories"
            )

    def _climb(self, trusted: ExtendedHeader, height: int, found: ExtendedHeader) -> ExtendedHeader:
        """Go up to `found` from a verified header below, halving jumps while they fail."""
        wanted = [self._believed.checked(found, height)]
        while wanted:
            block = wanted[-1]
            if self._believed.leads(trusted, block):
                is_jump = block.header.height > trusted.header.height + 1
                self.is_lone |= is_jump and Step(trusted.block).is_held(thirds=1)
                self._believed.keep((block,))
                trusted = wanted.pop()
            else:
                middle = (trusted.header.height + block.header.height) // 2
                wanted.append(self._believed.checked(self._source.at(middle), middle))
        return found

    def _next(self, trusted: ExtendedHeader, ahead: int) -> ExtendedHeader:
        """Return the header after `trusted`, and keep those after it up to `ahead` too."""
        first, good = trusted.header.height + 1, []
        page = self._page(trusted, first, min(ahead, trusted.header.height + PAGE))
        try:
            for height, block in enumerate(page, first):
                self._believed.leads(trusted, self._believed.checked(block, height))
                good.append(block)
                trusted = block
        finally:
            if good:
                self._believed.keep(good)
        return page[0]

    def _page(self, trusted: ExtendedHeader, first: int, last: int) -> Sequence[ExtendedHeader]:
        if last > first:
            with contextlib.suppress(UnavailableError):  # perhaps only the last are not there yet
                return self._source.between(trusted, last) or (self._source.at(first),)
        return (self._source.at(first),)

    def _descend(self, above: ExtendedHeader, height: int) -> ExtendedHeader:
        """Go down from a verified header by hash links, a page at a time."""
        while above.header.height > height:
            low = max(height, above.header.height - PAGE)
            first = self._source.at(low)
            page = (first, *self._source.between(first, above.header.height - 1))
            self._believed.link(page, low, above)
            above = first
        return above
