"""A served ledger for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.app import NodeApp
from storage.celestia.serving.tokens import Tokens
from tests.storage.celestia.serving.calling import Caller, open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[EmbeddedLedger]:
    made = open_ledger(tmp_path / "ledger.sqlite")
    with made.kept_open():
        yield made


@pytest.fixture
def tokens() -> Tokens:
    return Tokens.draw()


@pytest.fixture
def ask(ledger: EmbeddedLedger, tokens: Tokens) -> Iterator[Caller]:
    app = NodeApp(ledger, tokens, pace=0, wait_seconds=5)
    yield Caller(app, tokens)
    app.close()
