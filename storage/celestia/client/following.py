"""A namespace followed block by block: wait for the next block, fetch its blobs, and so on.

Every height comes once and in order, whatever broke in between; that nothing was left out of a
block is the node's word. It never ends by itself.
"""

from collections.abc import AsyncIterator, Callable
from itertools import chain, count, repeat
from typing import Final

import anyio

from provenance.errors import ProvenanceError
from storage.celestia.client.blob_calls import Found, blob_get_all
from storage.celestia.client.client import AsyncNode, Sleep
from storage.celestia.client.errors import DeadlineError
from storage.celestia.client.header_calls import header_wait_for_height
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
) -> AsyncIterator[Block]:
    """Yield each block from `first` on, with the namespace's blobs as the node tells them.

    Args:
        node: Whom to ask.
        namespace: 29 bytes.
        first: The height to begin at.
        report: Is told of each failure and its height. What it raises ends the following: a
            pruned block, for one, does not come back.
        sleep: Waits between tries.
    """
    for height in count(first):
        yield await _block(node, namespace, height, report, sleep)


async def _block(
    node: AsyncNode,
    namespace: bytes,
    height: int,
    report: Callable[[int, ProvenanceError], None],
    sleep: Sleep,
) -> Block:
    for pause in chain(BACKOFF, repeat(BACKOFF[-1])):
        try:
            header = await _wait(node, height)
            return header, await node.ask(blob_get_all(height, (namespace,)))
        except ProvenanceError as error:
            report(height, error)
        await sleep(pause)
    raise AssertionError


async def _wait(node: AsyncNode, height: int) -> ExtendedHeader:
    while True:
        try:
            return await node.ask(header_wait_for_height(height))
        except DeadlineError:
            continue  # no block yet: a ledger that makes blocks on demand may rest for days
