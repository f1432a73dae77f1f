"""The devnet itself: it is reached from this machine alone, and ends with whoever started it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.devnet.building import Binaries
from tests.devnet.conftest import Devnet

pytestmark = pytest.mark.devnet
ROOT: Final = Path(__file__).parents[2]
LISTENING: Final = "0A"
HERE: Final = {"0100007F", "00000000000000000000000001000000"}
STARTED: Final = """
import sys, time
from pathlib import Path
from tests.devnet.building import found
from tests.devnet.nodes import Chain, Shape
chain = Chain(Path(sys.argv[1]), found(), Shape())
print(chain.pid, chain.bridge().pid, flush=True)
time.sleep(600)
"""


def listeners(pid: int) -> Iterator[str]:
    """Yield the addresses at which a process waits for connections, as /proc writes them."""
    sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and f"socket:[{fields[9]}]" in sockets:
                yield fields[1].split(":")[0]


def test_chain_and_bridge_listen_on_loopback_alone(devnet: Devnet) -> None:
    for pid in (devnet.chain.pid, devnet.bridge.pid):
        found = list(listeners(pid))
        assert found
        assert set(found) <= HERE


@pytest.mark.usefixtures("binaries")
def test_nothing_outlives_a_test_run_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        pids = [int(pid) for pid in run.stdout.readline().split()]
        assert len(pids) == 2
        run.kill()
    end = time.monotonic() + 30
    while any(map(_runs, pids)):
        assert time.monotonic() < end, "still there"
        time.sleep(0.1)


def _runs(pid: int) -> bool:
    """Whether a process is there and is no corpse that nobody buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_sources_decide_what_is_built(binaries: Binaries) -> None:
    assert binaries.chain.exists()
    assert binaries.bridge.exists()
