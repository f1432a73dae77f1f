"""What a light client believes: the rules by which a header that a node gave is kept or refused.

No node is asked here. Believed are the headers in the store; a new one joins them if a believed one
leads to it (`provenance.anchor`), or names it as the block below. Two that contradict each other,
both signed by validators that count, go to the store as a dispute and stop everything above.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from provenance.anchor import DRIFT, Step, check_times
from provenance.errors import UnavailableError, VerificationError
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header_store import HeaderStore


class Believed:
    """The believed headers of one chain; errors are those of `light.LightClient.at`."""

    def __init__(
        self, store: HeaderStore, chain: str, clock: Callable[[], int], trusting: int
    ) -> None:
        """Believe what is in `store`; see `light.LightClient` for clock and period."""
        self.store, self.chain = store, chain
        self._clock, self._trusting = clock, trusting

    def checked(self, found: ExtendedHeader, height: int) -> ExtendedHeader:
        """Return a header that agrees with itself and is the one that was asked for."""
        header = found.header
        if (header.chain, header.height) != (self.chain, height):
            raise VerificationError(
                f"the node answered block {header.height} of {header.chain} when asked for block "
                f"{height} of {self.chain}"
            )
        found.verify()
        return found

    def is_fresh(self, trusted: ExtendedHeader) -> bool:
        """Whether a believed header is young enough to be left upwards."""
        return trusted.header.time + self._trusting > self._clock()

    def below(self, height: int) -> ExtendedHeader:
        """Return the next believed header below `height`, which must be young enough."""
        trusted = self.store.below(self.chain, height)
        if trusted is None:
            raise UnavailableError(f"{self.chain}: nothing below block {height} is verified")
        if not self.is_fresh(trusted):
            raise UnavailableError(
                f"{self.chain}: the newest verified block {trusted.header.height} is older than "
                "the trusting period: find out a recent block from somebody you trust and make it "
                "the anchor (of the policy, or in the home's ledger.json)"
            )
        return trusted

    def leads(self, trusted: ExtendedHeader, block: ExtendedHeader) -> bool:
        """Whether a believed header leads to `block`; False only where a smaller jump may."""
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
            self.store.dispute(below.height, (trusted, block))
        raise VerificationError(
            f"{here.chain}: the node's block {here.height} does not follow the verified block "
            f"{below.height}: it is signed by validators that nobody announced"
        )

    def link(self, page: Sequence[ExtendedHeader], low: int, above: ExtendedHeader) -> None:
        """Keep the headers from `low` up to the believed one `above`, if they link to it.

        Links fix them, whoever signed them; that each also names the validators of the next one
        shows that `above` was not made up by a third of the power.
        """
        if len(page) != above.header.height - low:
            raise UnavailableError(
                f"the node answered {len(page)} headers of {above.header.height - low} from block "
                f"{low} of {self.chain}"
            )
        for height, block, upper in zip(
            range(low, above.header.height), page, (*page[1:], above), strict=True
        ):
            self.checked(block, height)
            if not _is_linked(block, upper):
                raise VerificationError(
                    f"{self.chain}: the node's block {height} is not the one that the verified "
                    f"block {above.header.height} leads down to"
                )
            check_times(block.block, upper.block)
        for block, upper in pairwise((*page, above)):
            self._agree(block, upper)
        self.keep(page)

    def keep(self, page: Sequence[ExtendedHeader]) -> None:
        """Keep headers of adjacent blocks, unless what is believed just below or above differs."""
        low, high = page[0].header.height, page[-1].header.height
        for below, upper in (
            (self.store.get(self.chain, low - 1), page[0]),
            (page[-1], self.store.get(self.chain, high + 1)),
        ):
            if below and upper:
                self._agree(below, upper)
        self.store.put(page)

    def _agree(self, below: ExtendedHeader, upper: ExtendedHeader) -> None:
        """Stop if one of two neighbours that count is not of the other's history.

        Either may be believed already. If only the validators are not the announced ones, it is
        the upper block that needs a decision: everything that hangs on it was made up with it.
        """
        if not _is_linked(below, upper):
            self.store.dispute(below.header.height, (below, upper))
        if upper.header.validators != below.header.next_validators:
            self.store.dispute(upper.header.height, (below, upper))

    def same(self, found: ExtendedHeader) -> ExtendedHeader:
        """Return the believed header of `found`'s height, if that is what `found` is."""
        height = found.header.height
        stored = self.store.get(self.chain, height)
        if stored is None:
            raise UnavailableError(f"{self.chain}: block {height} is not verified")
        if stored.header.hash == found.header.hash:
            return stored
        self.checked(found, height)
        below = self.store.below(self.chain, height)
        is_same_set = found.header.validators == stored.header.validators
        if self.is_fresh(stored) and (
            is_same_set or (below and Step(below.block).leads_to(found.block))
        ):
            self.store.put((found,))
        # Signed by nobody that counts, or with keys that are no longer worth anything.
        raise VerificationError(
            f"{self.chain}: the node's block {height} is {found.header.hash.hex()}, another than "
            f"the verified {stored.header.hash.hex()}"
        )


def _is_linked(below: ExtendedHeader, upper: ExtendedHeader) -> bool:
    previous = upper.header.previous
    return previous is not None and previous.hash == below.header.hash
