"""Headers asked of a node: what `light.HeaderSource` wants, over the client."""

from storage.celestia.client import calls
from storage.celestia.client.client import Node
from storage.celestia.extended import ExtendedHeader


class NodeHeaders:
    """A `HeaderSource`; errors are the client's, whose `kind` tells pruned from not yet there."""

    def __init__(self, node: Node) -> None:
        """Ask `node`, which stays the caller's to close."""
        self._node = node

    def head(self) -> ExtendedHeader:
        """Return the newest header that the node holds: its blobs can be asked for."""
        return self._node.ask(calls.header_local_head())

    def at(self, height: int) -> ExtendedHeader:
        """Return the header of one block."""
        return self._node.ask(calls.header_get_by_height(height))

    def between(self, lower: ExtendedHeader, last: int) -> tuple[ExtendedHeader, ...]:
        """Return the headers above `lower` up to height `last`; none if `lower` is that one."""
        if last == lower.header.height:
            return ()
        return self._node.ask(calls.header_get_range_by_height(lower, last + 1))
