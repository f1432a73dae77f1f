"""`rootline ledger serve` as a process: started, asked, killed, started again, ended."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPException
from itertools import count
from pathlib import Path
from random import Random
from sqlite3 import connect
from threading import Event
from typing import Any

import pytest

from pipelines.flow.workspace import Workspace
from provenance.errors import MalformedError, UnavailableError
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.serving.server import listen
from storage.celestia.serving.tokens import Role, token_file
from storage.celestia.share import Blob
from storage.home import Home
from tests.storage.celestia.serving.calling import SPACE, request, spelt

ROOT = Path(__file__).parents[4]
SERVE = (sys.executable, "-m", "pipelines.cli", "ledger", "serve")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in (*Home(tmp_path).environment(), "ROOTLINE_PASSPHRASE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    made = Workspace.create(tmp_path / "home").home
    monkeypatch.setenv("ROOTLINE_HOME", str(made.path))
    return made


def embedded(home: Home) -> EmbeddedLedger:
    return Workspace(home).embedded


class Served:
    """A running server, and what it said of itself."""

    def __init__(self, process: "subprocess.Popen[str]", home: Home) -> None:
        assert process.stdout is not None
        self.process = process
        self.said: dict[str, Any] = json.loads("".join(_document(process.stdout)))
        self.token = token_file(home.keys, Role.WRITE).read_text().strip()

    def __call__(self, method: str, *params: Any) -> Any:
        asked = urllib.request.Request(  # noqa: S310  # a URL of our own
            self.said["url"],
            request(method, *params).encode(),
            {"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310  # likewise
            return json.load(answer)["result"]

    def submit(self, *blobs: Blob) -> int:
        return int(self("blob.Submit", [spelt(blob) for blob in blobs], {}))

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """How it ends after a signal, and what it said until then."""
        self.process.send_signal(number)
        out, errors = self.process.communicate(timeout=30)
        return self.process.returncode, out + errors


def _document(lines: Any) -> Iterator[str]:
    for line in lines:
        yield line
        if line == "}\n":
            return


@contextmanager
def serving(home: Home, *options: str) -> Iterator[Served]:
    command = [*SERVE, "--port", "0", "--json", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as process:
        try:
            yield Served(process, home)
        finally:
            process.kill()


def test_it_serves_beside_commands_of_its_home_and_ends_cleanly(home: Home) -> None:
    own = embedded(home)
    with serving(home) as node:
        assert node.said["url"].startswith("http://127.0.0.1:")
        assert node.said["chain"] == own.chain
        assert node.said["tokens"]["read"] == str(token_file(home.keys, Role.READ))
        heights = [
            node.submit(Blob(SPACE, bytes([n]))) if n % 2 else own.submit([Blob(SPACE, bytes([n]))])
            for n in range(6)
        ]
        assert heights == list(range(2, 8))
        assert node.submit(Blob(SPACE, b"\0")) == own.submit([Blob(SPACE, b"\1")]) - 1 == 2
        assert node("header.LocalHead")["header"]["height"] == str(own.head()) == "7"
        port = int(node.said["url"].rpartition(":")[2])
        with pytest.raises(UnavailableError, match=f"port {port} of 127.0.0.1 is in use"):
            listen("127.0.0.1", port)
        node.token = token_file(home.keys, Role.READ).read_text().strip()
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(lambda: node("header.WaitForHeight", 99))
            assert node("node.Ready") is True
            code, said = node.end(signal.SIGINT)
            assert waiting.exception(30) is not None
    assert (code, said) == (0, "")
    own.verify_history()
    assert [path.name for path in home.path.glob("ledger.sqlite*")] == ["ledger.sqlite"]


ELSEWHERE = ("0.0.0.0", "::", "example.org", "203.0.113.7")  # noqa: S104  # all of them refused


@pytest.mark.parametrize("host", ELSEWHERE)
def test_an_address_that_others_can_reach_must_be_asked_for(
    home: Home, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines.cli import main

    with pytest.raises(SystemExit) as ended:
        sys_argv(["ledger", "serve", "--host", host], main)
    assert ended.value.code == 2
    assert "--allow-remote" in capsys.readouterr().err
    assert not token_file(home.keys, Role.READ).exists()


def sys_argv(words: list[str], run: Any) -> None:
    before = sys.argv
    sys.argv = ["rootline", *words]
    try:
        run()
    finally:
        sys.argv = before


def rounds(home: Home, number: int, seed: int) -> None:
    """Kill the server in the middle of submissions, and see what became of each of them."""
    random, names = Random(seed), count()  # noqa: S311  # no secrets
    answered: dict[Blob, int] = {}
    for _ in range(number):
        with serving(home) as node, ThreadPoolExecutor(4) as threads:
            left, enough = random.randrange(1, 40), Event()

            def post(node: Served = node, enough: Event = enough, left: int = left) -> None:
                for n in names:
                    blob = Blob(SPACE, n.to_bytes(4, "big") + bytes(n % 7 * 400))
                    try:
                        answered[blob] = node.submit(blob)
                    except (OSError, HTTPException):  # no answer, or half of one
                        return
                    if n >= left:
                        enough.set()

            start = next(names)
            left += start
            done = [threads.submit(post, node, enough, left) for _ in range(4)]
            assert enough.wait(120)
            os.kill(node.process.pid, signal.SIGKILL)
            for each in done:
                each.result(120)
        check(home, answered)


def check(home: Home, answered: dict[Blob, int]) -> None:
    own = embedded(home)
    own.verify_history()
    for blob, height in answered.items():
        assert own.blobs(height, SPACE) == (blob,)
    with closing(connect(home.ledger)) as database:
        (rows, names) = database.execute(
            "SELECT count(*), count(DISTINCT commitment) FROM blob"
        ).fetchone()
    assert rows == names >= len(answered)
    head = own.head()
    assert [own.submit([blob]) for blob in answered] == list(answered.values())
    assert own.head() == head


def test_killed_at_any_moment_it_loses_nothing_and_writes_nothing_twice(home: Home) -> None:
    rounds(home, 2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_killed_again_and_again_it_loses_nothing_and_writes_nothing_twice(
    home: Home, seed: int
) -> None:
    rounds(home, 8, seed)


def test_a_home_that_posts_elsewhere_has_nothing_to_serve(home: Home) -> None:
    from pipelines.cli import node

    home.settings.write_text("{}")
    with pytest.raises(MalformedError):
        node.serve(port=0)
