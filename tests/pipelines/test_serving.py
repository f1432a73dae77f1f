"""`rootline dev`: Dagster's web server on the home, on loopback, gone with all it started."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from pipelines.flow.workspace import Workspace

ROOT: Final = Path(__file__).parents[2]
QUESTION: Final = "{assetNodes{assetKey{path} partitionDefinition{name}}}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def asked(port: int, query: str) -> Any:
    url = f"http://127.0.0.1:{port}/graphql"
    request = urllib.request.Request(
        url, json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
        return json.loads(answer.read())["data"]


def await_line(server: "subprocess.Popen[str]", words: str) -> None:
    """Read what a server says until it says this."""
    assert server.stdout is not None
    said = []
    for line in server.stdout:
        said.append(line)
        if words in line:
            return
    pytest.fail("".join(said))


def await_port(server: "subprocess.Popen[str]", port: int) -> None:
    """Dagster says that it serves a moment before it listens."""
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        with suppress(subprocess.TimeoutExpired):
            server.wait(0.2)


def running(home: Path) -> list[int]:
    """Return the processes that work on a home, as their environment says."""
    wanted, found = f"ROOTLINE_HOME={home}".encode(), []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [number for number in found if number != os.getpid()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
def test_dagster_shows_the_assets_and_ends_with_its_whole_tree(
    space: Workspace, tmp_path: Path
) -> None:
    port = free_port()
    before = set(ROOT.iterdir())
    command = [sys.executable, "-m", "pipelines.cli", "dev", "--port", str(port)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "ROOTLINE_HOME": str(space.home.path)}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            await_line(server, f"Serving dagster-webserver on http://127.0.0.1:{port}")
            await_port(server, port)
            nodes = asked(port, QUESTION)["assetNodes"]
            started = running(space.home.path)
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate()
    assert (len(started) > 2, server.returncode) == (True, 0)
    found = {node["assetKey"]["path"][0]: node["partitionDefinition"] for node in nodes}
    assert set(found) == {"snapshot", "commitment", "attestation", "receipt", "ledger_upkeep"}
    assert found["commitment"]["name"] == "dataset_version"
    assert running(space.home.path) == []
    assert set(ROOT.iterdir()) == before
    assert [path.name for path in tmp_path.iterdir()] == [space.home.path.name]
