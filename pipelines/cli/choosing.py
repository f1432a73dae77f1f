"""What `rootline init` and `rootline demo` share: a node chosen as the home's ledger."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.flow.workspace import Workspace
    from storage.celestia.client.options import TxOptions


def read_fees(
    gas_price: str | None, max_gas_price: str | None, priority: int | None, key_name: str | None
) -> "TxOptions":
    """Return what a submission may cost, from the options' text."""
    from storage.celestia.client.options import TxOptions
    from storage.ledger_settings import parse_price, parse_priority

    return TxOptions(
        gas_price=parse_price(gas_price) if gas_price else None,
        max_gas_price=parse_price(max_gas_price) if max_gas_price else None,
        priority=parse_priority(priority) if priority else None,
        key_name=key_name,
    )


def choose_ledger(
    space: "Workspace", url: str, token: str | None, fees: "TxOptions", anchor: str | None
) -> dict[str, object]:
    """Let a home post to a node, and return what is to be told of it.

    Args:
        space: The home.
        url: The node.
        token: Its token, or None.
        fees: What a submission may cost.
        anchor: A known block, HEIGHT:HASH, or None to pin the newest one.
    """
    from pipelines.flow.choosing import FIRST_USE, choose, parse_known

    known = parse_known(anchor) if anchor else None
    block = choose(space, url, token, fees, known).anchor
    return {
        "node": url,
        "anchor": f"{block.height}:{block.hash.hex()}",
        "which is": FIRST_USE if known is None else "the block that was given",
    }
