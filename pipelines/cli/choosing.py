"""What `rootline init` and `rootline demo` share: a node chosen as the home's ledger."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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
    home: Path,
    make: "Callable[[], Workspace]",
    url: str,
    token: str | None,
    fees: "TxOptions",
    anchor: str | None,
) -> "tuple[Workspace, dict[str, object]]":
    """Return a home that posts to a node, and what is to be told of it.

    The node is asked first: where it does not answer as it should, no home is made.

    Args:
        home: Where the home is, or will be.
        make: Makes or opens it.
        url: The node.
        token: Its token, or None.
        fees: What a submission may cost.
        anchor: A known block, HEIGHT:HASH, or None to pin the newest one.
    """
    from pipelines.flow.choosing import FIRST_USE, parse_known, prepared
    from storage.celestia.client.address import Address
    from storage.home import Home
    from storage.ledger_settings import read_settings

    known = parse_known(anchor) if anchor else None
    settings = prepared(read_settings(Home(home).settings), url, token, fees, known)
    space = make()
    space.choose(settings, token)
    told: dict[str, object] = {
        "node": Address.parse(url).origin,
        "anchor": f"{settings.anchor.height}:{settings.anchor.hash.hex()}",
        "which is": FIRST_USE if known is None else "the block that was given",
    }
    return space, told
