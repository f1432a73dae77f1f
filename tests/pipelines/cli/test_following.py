"""`rootline ledger follow`, and `rootline audit --ledger` against the home's ledger as a node."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.pipelines.cli.conftest import Program


def events(rootline: Program, *words: object, code: int = 0) -> list[dict[str, Any]]:
    """Return what a monitor tells with --json: one document a line."""
    said = rootline("ledger", "follow", "--once", *words, "--json", code=code)
    return [json.loads(line) for line in said.splitlines()]


def test_a_monitor_reads_to_the_head_signs_and_ends(rootline: Program, people: Any) -> None:  # noqa: ARG001
    read, signed = events(rootline, "--folder", "seen")
    assert (read["event"], read["first"], read["last"], read["batches"]) == ("read", 1, 3, 2)
    assert (signed["event"], signed["sequence"], signed["last"]) == ("checkpoint", 1, 3)
    names = sorted(path.name for path in (rootline.folder / "seen").iterdir())
    assert names == [f"{signed['log']}-3.json", f"{signed['log']}-latest.json"]
    assert events(rootline, "--folder", "seen") == []


def test_its_checkpoint_is_what_an_auditor_needs(rootline: Program, people: Any) -> None:  # noqa: ARG001
    (_, signed) = events(rootline, "--folder", "seen")
    seen = rootline.json("ledger", "checkpoint", "-o", "other.json")
    rootline("policy", "init", "-o", "policy.json", "--monitor", seen["monitor key"])
    rootline("export", "-o", "evidence", "--checkpoint", f"seen/{signed['log']}-latest.json")
    assert rootline.json("audit", "evidence", "--policy", "policy.json")["outcome"] == "holds"


def test_what_is_told_draws_no_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    from pipelines.cli.following import _teller
    from pipelines.flow.following import Event

    evil = Event("problem", "x\n\x1b[2Jcheckpoint  signed: all is well\u202e")
    _teller(as_json=False)(evil)
    _teller(as_json=True)(evil)
    text, document = capsys.readouterr().out.splitlines()
    assert text.isprintable()
    assert text.startswith("problem     x")
    assert json.loads(document)["words"] == evil.words
    assert document.isprintable()


def test_an_empty_namespace_leaves_it_unknown(rootline: Program) -> None:
    (read,) = events(rootline, code=3)
    assert read["batches"] == 0


def test_a_ledger_that_was_changed_is_refused(rootline: Program, people: Any) -> None:  # noqa: ARG001
    path = rootline.folder / ".rootline" / "ledger.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM blob WHERE height = 3")
    read, refused = events(rootline, code=1)
    assert (read["last"], refused["event"], refused["height"]) == (2, "refused", 3)
    assert "not those of the block" in refused["words"]


def test_two_monitors_of_one_log_do_not_work_at_once(rootline: Program, people: Any) -> None:  # noqa: ARG001
    from storage.lock import locked

    events(rootline)
    (lock,) = (rootline.folder / ".rootline" / "monitor").glob("*.lock")
    with locked(lock):
        assert "is locked by" in rootline.fails("ledger", "follow", "--once", code=3)


@pytest.mark.parametrize(
    "words",
    [("--issuer", "zz"), ("--log", "1"), ("--namespace", "00"), ("--first", "0")],
    ids=" ".join,
)
def test_wrong_input_is_told(rootline: Program, people: Any, words: tuple[str, str]) -> None:  # noqa: ARG001
    rootline.fails("ledger", "follow", "--once", *words, code=2)


def test_nothing_to_audit_is_wrong_usage(evidence: Program) -> None:
    assert "--ledger" in evidence.fails("audit", "--policy", "policy.json", code=2)


@pytest.fixture
def node(evidence: Program) -> Iterator[str]:
    """The URL of the home's ledger, served by a thread; its tokens are in the home."""
    uvicorn = pytest.importorskip("uvicorn")
    from pipelines.cli.output import open_space
    from storage.celestia.serving.app import NodeApp
    from storage.celestia.serving.server import listen, url_of
    from storage.celestia.serving.tokens import Tokens

    space = open_space(quiet=True)
    app = NodeApp(space.embedded, Tokens.kept(space.home.keys), pace=1.0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    with listen("127.0.0.1", 0) as listening:
        thread = Thread(target=server.run, args=([listening],))
        thread.start()
        yield url_of(listening)
        server.should_exit = True
        thread.join()
    assert evidence.folder.exists()


def token(evidence: Program) -> Path:
    return evidence.folder / ".rootline" / "keys" / "node.read.token"


def test_an_auditor_reads_the_ledger_himself(
    evidence: Program, node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("audit", "--policy", "policy.json", "--ledger", node)
    found = evidence.json(*asked, "--token-file", token(evidence))
    assert found["outcome"] == "holds"
    (log,) = (f for f in found["findings"] if f["claim"] == "log")
    assert "read by the auditor himself" in log["reason"]
    assert f"read at {node}, up to block 3" in log["notes"]
    evidence("policy", "init", "-o", "alone.json")  # no monitor is trusted
    bundled = ("audit", "evidence", "--policy", "alone.json", "--ledger", node)
    assert evidence.json(*bundled[:4], code=3)["outcome"] == "unknown"
    monkeypatch.setenv("ROOTLINE_LEDGER_TOKEN", token(evidence).read_text().strip())
    assert evidence.json(*bundled)["outcome"] == "holds"
    assert "reading 3 blocks" in (evidence(*bundled) and evidence.said)


def test_a_node_that_wants_a_token_says_so_and_the_token_is_not_told(
    evidence: Program, node: str
) -> None:
    asked = ("audit", "--policy", "policy.json", "--ledger", node)
    assert "permission" in evidence.fails(*asked, code=3)
    evidence.write("wrong", "a-secret-that-is-wrong")
    (evidence.folder / "wrong").chmod(0o600)
    assert "a-secret" not in evidence.fails(*asked, "--token-file", "wrong", code=3)
    assert "is missing" in evidence.fails(*asked, "--token-file", "nowhere", code=2)


def test_another_history_than_the_policys_anchor_is_refused(evidence: Program, node: str) -> None:
    policy = json.loads((evidence.folder / "policy.json").read_text())
    policy["anchors"][0]["hash"] = "11" * 32
    evidence.write("other.json", json.dumps(policy))
    asked = ("audit", "--policy", "other.json", "--ledger", node, "--token-file", token(evidence))
    assert "the wrong anchor, or another history" in evidence.fails(*asked, code=1)


def test_a_report_is_of_a_bundle(evidence: Program) -> None:
    words = ("audit", "--policy", "policy.json", "--ledger", "http://127.0.0.1:1")
    assert "--report" in evidence.fails(*words, "--report", "page.html", code=2)
