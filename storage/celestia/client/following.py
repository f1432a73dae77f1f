"""A namespace followed block by block: wait for the next block, fetch its blobs, and so on.

Every height comes once and in order, whatever broke in between; that nothing was left out of a
block is the node's word. It never ends by itself.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Final

import anyio

from provenance.errors import ProvenanceError
from storage.celestia.client.blob_calls import Found, blob_get_all
from storage.celestia.client.client import AsyncNode, Sleep
from storage.celestia.client.errors import DeadlineError, NodeError
from storage.celestia.client.header_calls import (
    WAIT_SECONDS,
    header_get_by_height,
    header_wait_for_height,
)
from storage.celestia.extended import ExtendedHeader

Block = tuple[ExtendedHeader, tuple[Found, ...]]
BACKOFF: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before the tries that follow a failure; the last is repeated."""


def _ignore(_height: int, _error: ProvenanceError) -> None:
    pass


async def follow(
    node: AsyncNode,
    namespace: bytes,
    first: int,
    *,
    report: Callable[[int, ProvenanceError], None] = _ignore,
    sleep: Sleep = anyio.sleep,
    wait: float = WAIT_SECONDS,
) -> AsyncGenerator[Block, None]:
    """Yield each block from `first` on, with the namespace's blobs as the node tells them.

    Args:
        node: Whom to ask.
        namespace: 29 bytes.
        first: The height to begin at.
        report: Is told of each failure and its height. What it raises ends the following: a
            pruned block, for one, does not come back.
        sleep: Waits between tries.
        wait: Seconds for which a node is asked to wait for a block before it is asked again.
    """
    height, failures = first, 0
    while True:
        try:
            block = await _block(node, namespace, height, wait)
        except ProvenanceError as error:
            report(height, error)
            await sleep(BACKOFF[min(failures, len(BACKOFF) - 1)])
            failures += 1
        else:
            yield block
            height, failures = height + 1, 0


async def _block(node: AsyncNode, namespace: bytes, height: int, wait: float) -> Block:
    while True:
        try:
            header = await node.ask(header_wait_for_height(height, wait))
        except DeadlineError:
            continue  # no block yet: a ledger that makes blocks on demand may rest for days
        except NodeError as error:
            if error.kind != "not-found":
                raise
            header = await node.ask(header_get_by_height(height))  # which says "below Tail"
        return header, await node.ask(blob_get_all(height, (namespace,)))
