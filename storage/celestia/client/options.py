"""How a submission is paid for and by whom."""

import math
from dataclasses import dataclass

from provenance.canonical import SAFE, JsonObject
from provenance.errors import MalformedError


@dataclass(frozen=True, slots=True)
class TxOptions:
    """What a node's TxConfig says; None leaves it to the node.

    Prices are in utia a unit of gas. A `gas_price` is paid as it is; without one the node estimates
    a price by `priority`, 1 (low) to 3 (high), and refuses beyond `max_gas_price`. The key in the
    node's keyring by its name or address signs and pays, unless the account `fee_granter` does.

    Raises:
        MalformedError: A price, an amount or a name that no node could take.

    Source: celestia-node v0.31.4, state/txclient/tx_config.go.
    """

    gas_price: float | None = None
    max_gas_price: float | None = None
    priority: int | None = None
    key_name: str | None = None
    signer_address: str | None = None
    fee_granter: str | None = None
    gas: int | None = None

    def __post_init__(self) -> None:
        for price in (self.gas_price, self.max_gas_price):
            # To a node a cap of 0 means no cap of the caller's, so it is refused here.
            if price is not None and not (math.isfinite(price) and 0 < price < 1e9):
                raise MalformedError(f"a gas price is above 0 utia and below 10**9, got {price}")
        if self.priority not in (None, 1, 2, 3):
            raise MalformedError(f"a priority is 1 (low), 2 or 3 (high), got {self.priority}")
        if self.gas is not None and not 0 < self.gas <= SAFE:
            raise MalformedError(f"gas is above 0, got {self.gas}")
        for name in (self.key_name, self.signer_address, self.fee_granter):
            if name is not None and not (0 < len(name) <= 128 and name.isprintable()):
                raise MalformedError("a key name or address has 1 to 128 printable characters")

    def to_json(self) -> JsonObject:
        """The options as a node reads them."""
        members: JsonObject = {
            "gas_price": self.gas_price,
            # Without this a node ignores the price.
            "is_gas_price_set": None if self.gas_price is None else True,
            "max_gas_price": self.max_gas_price,
            "gas": self.gas,
            "tx_priority": self.priority,
            "key_name": self.key_name,
            "signer_address": self.signer_address,
            "fee_granter_address": self.fee_granter,
        }
        return {name: value for name, value in members.items() if value is not None}
