"""What it rests on that a log stands where it was shown to stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from provenance.anchor import Blocks, Step
from provenance.log import Genesis
from provenance.receipt import Block

PUBLIC: Final = "celestia"


@dataclass(frozen=True, slots=True)
class Ground:
    """The chain under a log.

    Attributes:
        genesis: Where the log is posted.
        blocks: Believed blocks of that chain.
        is_self_hosted: Whether somebody could have written this history alone: the operator of a
            ledger that is not Celestia, or one validator. So too if no header shows the power.
    """

    genesis: Genesis
    blocks: Blocks
    is_self_hosted: bool

    @classmethod
    def under(
        cls, genesis: Genesis, blocks: Blocks, shown: Iterable[Block], *, is_lone: bool = False
    ) -> "Ground":
        """Return the ground of a log.

        Args:
            genesis: Where the log is posted.
            blocks: Believed.
            shown: Those of them that hold the log, or end what was read of it.
            is_lone: Whether what else was read could be one validator's work.
        """
        signed = [block for block in shown if block.power]
        lone = is_lone or blocks.is_lone or not signed
        lone = lone or any(Step(block).is_held(thirds=2) for block in signed)
        return cls(genesis, blocks, genesis.ledger != PUBLIC or lone)

    @property
    def operator(self) -> str:
        """Who could have written this history alone; empty if it takes several."""
        chain = self.genesis.chain
        if not self.is_self_hosted:
            return ""
        if self.genesis.ledger != PUBLIC:
            return f"the operator of self-hosted ledger {chain}"
        return f"whoever holds most of the voting power of self-hosted chain {chain}"

    @property
    def name(self) -> str:
        """The chain, and that it is self-hosted if it is."""
        kind = "self-hosted " if self.is_self_hosted else ""
        return f"{kind}{self.genesis.ledger} chain {self.genesis.chain}"

    def rests(self, block: Block) -> tuple[str, ...]:
        """Return what it rests on that a header stands in `block`, and that the block stands."""
        count = f": {len(block.power)} validators" if block.power else ""
        validators = (
            f"less than a third of the voting power of {block.chain} being dishonest (block "
            f"{block.height}{count})"
        )
        return (self.operator or validators, self.blocks.anchor_of(block.height).label)
