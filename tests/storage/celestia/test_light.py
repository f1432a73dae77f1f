"""A light client against a node that lies: only what hangs on the anchor comes out."""

from pathlib import Path

from provenance.anchor import Anchor
from storage.celestia.header_store import HeaderStore
from storage.celestia.light import LightClient
from tests.storage.celestia.chains import WEEK, Chain, Crew, Node

CREW = Crew.of("a", "b", "c", "d")
LONG = Chain("many-1", CREW, 100)


def client(
    folder: Path,
    node: Node,
    anchor: Anchor | int = 1,
    *,
    now: int | None = None,
    trusting: int = WEEK,
) -> LightClient:
    """Return a light client whose store is in `folder`."""
    fixed = node.chain.anchor(anchor) if isinstance(anchor, int) else anchor
    time = node.chain.now if now is None else now
    return LightClient(node, HeaderStore(folder / "headers.sqlite"), fixed, lambda: time, trusting)


def test_a_jump_that_all_vouch_for_asks_for_one_header(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node)
    assert light.at(100) == LONG.at(100)
    assert node.asked == [1, 100]
    assert light.at(100) == LONG.at(100)
    assert node.asked == [1, 100]


def test_blocks_below_the_anchor_hang_on_it_by_their_hashes(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node, 90, now=LONG.now + 100 * WEEK)
    assert light.at(10) == LONG.at(10)
    assert list(light.between(10, 90)) == LONG.blocks[9:90]


def test_headers_asked_one_after_the_other_come_in_pages(tmp_path: Path) -> None:
    node = Node(LONG)
    light = client(tmp_path, node)
    assert list(light.between(2, 100)) == LONG.blocks[1:]
    assert len(node.asked) == 5
