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
from typing import Final, Protocol

from provenance.anchor import DRIFT, Anchor, Step, check_times
from provenance.errors import MalformedError, UnavailableError, VerificationError
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
        self._clock, self._trusting = clock, trusting
        self._is_anchored = False
        self._head = 0

    def at(self, height: int) -> ExtendedHeader:
        """Return the verified header of one block.

        Raises:
            UnavailableError: The node has no such block, or the newest verified header is too old.
            VerificationError: What the node answered does not hang on the anchor.
            EquivocationError: Two blocks were signed for one height, here or below.
        """
        return self._at(height, height)

    def head(self) -> ExtendedHeader:
        """Return the newest header of the node, verified.

        Raises:
            UnavailableError: It lies below one that was verified before: the node is behind.
        """
        self._ensure_anchor()
        found, top = self._source.head(), self._store.top(self._anchor.chain)
        height = found.header.height
        if height < top:
            raise UnavailableError(
                f"the node's head is block {height} of {self._anchor.chain}, behind block {top}, "
                "which was verified before: wait for it, or ask another node"
            )
        verified = self._same(found) if height == top else self._climb(height, found)
        self._head = height
        return verified

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
        above, below = self._store.above(chain, height), self._store.below(chain, height)
        if above is not None and (
            above.header.height - height <= PAGE or below is None or not self._is_fresh(below)
        ):
            return self._descend(above, height)
        trusted = self._fresh(height)
        if height == trusted.header.height + 1:
            return self._next(trusted, max(self._head, ahead))
        return self._climb(height, self._source.at(height))

    def _ensure_anchor(self) -> None:
        """Have the anchor's header in the store, and settle a dispute at its height by it."""
        if self._is_anchored:
            return
        chain, height, digest = self._anchor.chain, self._anchor.height, self._anchor.hash
        if height in {at for at, _ in self._store.disputed(chain)}:
            self._store.decide(chain, height, digest)
        stored = self._store.get(chain, height)
        found = stored or self._checked(self._source.at(height), height)
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
        above = self._store.above(self._anchor.chain, found.header.height)
        if above is None or Step(found.block).leads_to(above.block):
            self._keep((found,))
        elif self._descend(above, found.header.height).header.hash != found.header.hash:
            raise VerificationError(
                f"{self._anchor.chain}: block {found.header.height} of the anchor is not below the "
                f"verified block {above.header.height}: two anchors of two histories"
            )

    def _checked(self, found: ExtendedHeader, height: int) -> ExtendedHeader:
        """Return a header that agrees with itself and is the one that was asked for."""
        header = found.header
        if (header.chain, header.height) != (self._anchor.chain, height):
            raise VerificationError(
                f"the node answered block {header.height} of {header.chain} when asked for block "
                f"{height} of {self._anchor.chain}"
            )
        found.verify()
        return found

    def _climb(self, height: int, found: ExtendedHeader) -> ExtendedHeader:
        """Go up to `found` from the next verified header below, halving jumps while they fail."""
        trusted = self._fresh(height)
        wanted = [self._checked(found, height)]
        while wanted:
            block = wanted[-1]
            if self._leads(trusted, block):
                self._keep((block,))
                trusted = wanted.pop()
            else:
                middle = (trusted.header.height + block.header.height) // 2
                wanted.append(self._checked(self._source.at(middle), middle))
        return found

    def _fresh(self, height: int) -> ExtendedHeader:
        """Return the highest verified header below `height`, which must not be too old to leave."""
        chain = self._anchor.chain
        trusted = self._store.below(chain, height)
        if trusted is None:
            raise UnavailableError(f"{chain}: nothing below block {height} is verified")
        if not self._is_fresh(trusted):
            raise UnavailableError(
                f"{chain}: the newest verified block {trusted.header.height} is older than the "
                "trusting period: find out a recent block from somebody you trust and make it the "
                "anchor"
            )
        return trusted

    def _leads(self, trusted: ExtendedHeader, block: ExtendedHeader) -> bool:
        """Whether a verified header leads to `block`; False only where a smaller jump may."""
        below, here = trusted.block, block.block
        check_times(below, here)
        if here.time > self._clock() + DRIFT:
            raise VerificationError(
                f"{here.chain}: the node's block {here.height} is dated in the future; check this "
                "machine's clock"
            )
        if Step(below).leads_to(here):
            return True
        if here.height > below.height + 1:
            return False
        if here.validators == below.next_validators:
            self._store.dispute(below.height, (trusted, block))
        raise VerificationError(
            f"{here.chain}: the node's block {here.height} does not follow the verified block "
            f"{below.height}: it is signed by validators that nobody announced"
        )

    def _next(self, trusted: ExtendedHeader, ahead: int) -> ExtendedHeader:
        """Return the header after `trusted`, and keep those after it up to `ahead` too."""
        first, believed = trusted.header.height + 1, []
        page = self._page(trusted, first, min(ahead, trusted.header.height + PAGE))
        try:
            for height, block in enumerate(page, first):
                self._leads(trusted, self._checked(block, height))
                believed.append(block)
                trusted = block
        finally:
            if believed:
                self._keep(believed)
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
            self._link(page, low, above)
            above = first
        return above

    def _link(self, page: Sequence[ExtendedHeader], low: int, above: ExtendedHeader) -> None:
        """Keep the headers from `low` up to `above`, which is verified, if they link to it."""
        if len(page) != above.header.height - low:
            raise UnavailableError(
                f"the node answered {len(page)} headers of {above.header.height - low} from block "
                f"{low} of {self._anchor.chain}"
            )
        for height, block, upper in zip(
            range(low, above.header.height), page, (*page[1:], above), strict=True
        ):
            self._checked(block, height)
            if upper.header.previous is None or upper.header.previous.hash != block.header.hash:
                raise VerificationError(
                    f"{self._anchor.chain}: the node's block {height} is not the one that the "
                    f"verified block {above.header.height} leads down to"
                )
            check_times(block.block, upper.block)
        self._keep(page)

    def _keep(self, page: Sequence[ExtendedHeader]) -> None:
        """Keep linked headers, unless they contradict what was verified just below or above."""
        chain, low, high = self._anchor.chain, page[0].header.height, page[-1].header.height
        for below, upper in (
            (self._store.get(chain, low - 1), page[0]),
            (page[-1], self._store.get(chain, high + 1)),
        ):
            if below and upper and below.commit.block_id != upper.header.previous:
                self._store.dispute(below.header.height, (below, upper))
        self._store.put(page)

    def _same(self, found: ExtendedHeader) -> ExtendedHeader:
        """Return the verified header of `found`'s height, if that is what `found` is."""
        chain, height = self._anchor.chain, found.header.height
        stored = self._store.get(chain, height)
        if stored is None or stored.header.hash == found.header.hash:
            return stored or self.at(height)
        self._checked(found, height)
        below = self._store.below(chain, height)
        is_signed = found.header.validators == stored.header.validators
        if self._is_fresh(stored) and (
            is_signed or (below and Step(below.block).leads_to(found.block))
        ):
            self._store.put((found,))
        # Signed by nobody that counts, or with keys that are no longer worth anything.
        raise VerificationError(
            f"{chain}: the node's block {height} is {found.header.hash.hex()}, another than the "
            f"verified {stored.header.hash.hex()}"
        )

    def _is_fresh(self, trusted: ExtendedHeader) -> bool:
        return trusted.header.time + self._trusting > self._clock()
