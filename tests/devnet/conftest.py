"""One chain and two bridge nodes for all devnet tests; none of them where they were not built."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from tests.devnet.building import Binaries, NotHereError, found
from tests.devnet.nodes import Bridge, Chain, Shape
from tests.devnet.stores import Role

collect_ignore = ["building.py", "record.py", "tether.py"]
_NAMESPACES = count(1)


@dataclass(frozen=True, slots=True)
class Devnet:
    """The chain that the tests share, and the bridge that they may kill."""

    chain: Chain
    bridge: Bridge

    def node(self, role: Role | None = "write") -> Node:
        """Return the project's client with a token of one role."""
        return Node(self.asynchronous(role))

    def asynchronous(self, role: Role | None = "write") -> AsyncNode:
        """Return the project's client for many calls at once."""
        return AsyncNode(self.bridge.url, self.bridge.token(role) if role else None)

    def catch_up(self) -> None:
        """Return once the bridge has what the chain has: after a restart it is behind."""
        with self.node("read") as node:
            node.ask(calls.header_wait_for_height(self.chain.height()))


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """The devnet's programs."""
    try:
        return found()
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def devnet(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """A chain of one validator, and a bridge node that asks for tokens."""
    folder = tmp_path_factory.mktemp("devnet")
    with Chain(folder, binaries, Shape(), bridges=2) as chain, chain.bridge() as bridge:
        yield Devnet(chain, bridge)


@pytest.fixture
def node(devnet: Devnet) -> Iterator[Node]:
    """The project's client, which may write."""
    with devnet.node() as client:
        yield client


@pytest.fixture
def namespace() -> bytes:
    """A namespace of this test alone."""
    return bytes(19) + b"devnet" + next(_NAMESPACES).to_bytes(4, "big")
