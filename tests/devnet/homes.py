"""A home that posts to the devnet, and what a check of its log on the chain needs."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.flow.catalogue import attestations
from pipelines.flow.choosing import prepared
from pipelines.flow.monitoring import scan
from pipelines.flow.publishing import receipts, verify_receipt
from pipelines.flow.queueing import waiting
from pipelines.flow.workspace import Workspace
from storage.celestia.client.options import TxOptions
from storage.celestia.remote import CelestiaLedger
from storage.home import Home
from tests.devnet.nodes import Bridge


@contextmanager
def new_home(folder: Path, bridge: Bridge) -> Iterator[Workspace]:
    """Give a new home whose ledger is behind `bridge`, anchored at its newest block."""
    token = bridge.token("write")
    Workspace.create(folder).choose(prepared(None, bridge.url, token, TxOptions()), token)
    with opened(folder) as space:
        yield space


@contextmanager
def opened(folder: Path) -> Iterator[Workspace]:
    """Give a home as a new process would see it, and close its connections at the end."""
    space = Workspace(Home(folder))
    assert isinstance(space.ledger, CelestiaLedger)
    with space.ledger:
        yield space


def check_once(space: Workspace, statements: int) -> None:
    """Check that each statement, and each batch's blobs, stand on the chain exactly once."""
    ledger, keys = space.ledger, [space.issuer.public_key]
    head = ledger.head()
    history = scan(ledger, space.genesis.namespace, keys, head)
    assert not history.problems, history.problems
    posted = [item.digest for _, item in history.attestations]
    assert len(posted) == len(set(posted)) == statements
    assert set(posted) == {item.digest for item in attestations(space)}
    assert not waiting(space)
    found = list(receipts(space))
    assert len(found) == len(history.headers)
    for receipt in found:
        verify_receipt(space, receipt)
    landed = Counter(
        blob.data
        for height in range(ledger.first, head + 1)
        for blob in ledger.blobs(height, space.genesis.namespace)
    )
    assert set(landed.values()) == {1}
