"""Headers from a node, for the light client, which believes none of them unchecked."""

from storage.celestia.client import calls
from storage.celestia.client.client import Node
from storage.celestia.extended import ExtendedHeader


class NodeHeaders:
    """A `storage.celestia.light.HeaderSource` behind a node."""

    def __init__(self, node: Node) -> None:
        """Ask `node`; nothing is asked yet."""
        self._node = node

    def head(self) -> ExtendedHeader:
        """Return the newest header that the node holds."""
        return self._node.ask(calls.header_local_head())

    def at(self, height: int) -> ExtendedHeader:
        """Return the header of one block."""
        return self._node.ask(calls.header_get_by_height(height))

    def between(self, lower: ExtendedHeader, last: int) -> tuple[ExtendedHeader, ...]:
        """Return the headers above `lower` up to height `last`."""
        return self._node.ask(calls.header_get_range_by_height(lower, last + 1))
