"""`rootline publish`: what was posted, what waits, and what to change."""

import json
from collections.abc import Sequence

import pytest

from storage.celestia.client.errors import NodeError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.share import Blob
from tests.pipelines.cli.conftest import SCHEMA, TABLE, Program


@pytest.fixture
def filled(rootline: Program) -> Program:
    """A home with a registered version that waits."""
    rootline("init")
    schema = rootline.write("schema.json", json.dumps(SCHEMA))
    rootline.write("data/one.csv", TABLE)
    rootline(
        *("dataset", "register", "data", "--name", "people", "--version", "v1"),
        *("--schema", schema, "--no-publish"),
    )
    return rootline


def test_what_a_posting_took_is_shown(filled: Program) -> None:
    first, second = filled.json("publish")
    assert (first["batch"], first["statements"], first["blobs"], first["attempts"]) == (0, 0, 1, 1)
    assert (second["batch"], second["statements"], second["blobs"]) == (1, 1, 2)
    assert second["bytes"] > first["bytes"] > 0
    assert second["receipt"].endswith("verified")
    assert "Nothing waited" in filled("publish")


def test_a_refusal_tells_what_to_change_what_was_posted_and_what_waits(
    filled: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = EmbeddedLedger.submit

    def once(ledger: EmbeddedLedger, blobs: Sequence[Blob]) -> int:
        if len(blobs) == 1:
            return submit(ledger, blobs)
        raise NodeError("gas", "insufficient fee")

    monkeypatch.setattr(EmbeddedLedger, "submit", once)
    told = filled.fails("publish", code=3)
    assert "insufficient fee; raise the gas price, or its cap" in told
    assert "batches posted before: 1; batches that wait: 1 attempted; statements" in told
    document = filled.json("publish", code=3)
    assert document["kind"] == "UnavailableError"
    assert "batches posted before: 0" in document["error"]
    monkeypatch.undo()


def test_ctrl_c_loses_nothing(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = EmbeddedLedger.submit

    def interrupted(ledger: EmbeddedLedger, blobs: Sequence[Blob]) -> int:
        submit(ledger, blobs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedLedger, "submit", interrupted)
        filled("publish", code=3)
        assert "run the command again" in filled.said
    assert [row["attempts"] for row in filled.json("publish")] == [1, 1]
