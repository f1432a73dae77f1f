"""What a submission may cost, and who pays: the TxConfig of a node.

Source: celestiaorg/celestia-node, state/txclient/tx_config.go.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TxOptions:
    """Options of one submission; what is None is left to the node.

    Attributes:
        gas_price: In utia for a unit of gas.
        max_gas_price: In utia; a node that would have to pay more refuses.
        priority: 1 (low) to 3 (high), for the node's estimate.
        key_name: The key in the node's keyring that signs and pays.
        signer_address: The same by its address.
        fee_granter: Address of an account that pays instead.
        gas: Limit of gas; the node estimates it by default.
    """

    gas_price: float | None = None
    max_gas_price: float | None = None
    priority: int | None = None
    key_name: str | None = None
    signer_address: str | None = None
    fee_granter: str | None = None
    gas: int | None = None
