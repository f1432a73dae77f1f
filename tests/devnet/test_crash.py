"""A node that is killed while a batch is under way: nothing is lost, nothing stands there twice."""

import random
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from pipelines.flow.publishing import publish
from pipelines.flow.queueing import queue
from provenance.errors import UnavailableError
from tests.devnet.conftest import Devnet
from tests.devnet.homes import check_once, new_home, opened
from tests.pipelines.flow.test_publishing import start

pytestmark = pytest.mark.devnet
ROOT: Final = Path(__file__).parents[2]
KILLS: Final = 12
PUBLISH: Final = """
import sys
from pathlib import Path
from pipelines.flow.publishing import publish
from pipelines.flow.workspace import Workspace
from storage.home import Home
publish(Workspace(Home(Path(sys.argv[1]))))
"""


def publish_in_the_end(home: Path) -> int:
    """Publish, again where it could not be done; return how often it took."""
    for tries in range(1, 20):
        try:
            with opened(home) as space:
                publish(space)
        except UnavailableError:
            time.sleep(0.5)
            continue
        return tries
    raise AssertionError("never published")


def test_a_node_killed_at_any_moment_of_a_submission(devnet: Devnet, tmp_path: Path) -> None:
    home = tmp_path / "home"
    moments = random.Random(6)  # noqa: S311  # to repeat, not to hide
    with new_home(home, devnet.bridge) as space, ThreadPoolExecutor(1) as pool:
        publish(space)
        for number in range(KILLS):
            queue(space, start(space, f"run-{number}"))
            done: Future[int] = pool.submit(publish_in_the_end, home)
            time.sleep(moments.uniform(0, 1.5))
            devnet.bridge.kill()
            time.sleep(moments.uniform(0, 1))
            devnet.bridge.restart()
            done.result()
        devnet.catch_up()
        check_once(space, KILLS)


def test_node_and_publisher_killed_together(devnet: Devnet, tmp_path: Path) -> None:
    home = tmp_path / "home"
    moments = random.Random(7)  # noqa: S311  # to repeat, not to hide
    with new_home(home, devnet.bridge) as space:
        for number in range(4):
            queue(space, start(space, f"run-{number}"))
            child = subprocess.Popen([sys.executable, "-c", PUBLISH, str(home)], cwd=ROOT)
            time.sleep(moments.uniform(0.8, 3))
            child.kill()
            devnet.bridge.kill()
            child.wait()
            devnet.bridge.restart()
        publish_in_the_end(home)
        devnet.catch_up()
        check_once(space, 4)


def test_the_same_home_publishes_from_many_processes(devnet: Devnet, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with new_home(home, devnet.bridge) as space:
        for number in range(6):
            queue(space, start(space, f"run-{number}"))
        command = [sys.executable, "-c", PUBLISH, str(home)]
        children = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
        assert [child.wait() for child in children] == [0, 0, 0]
        check_once(space, 6)
