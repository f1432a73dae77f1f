"""One writer at a time, and the others are told who it is."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from provenance.errors import UnavailableError
from storage.lock import locked

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from storage.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_waits_in_vain_is_told_who_holds_the_lock(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(UnavailableError) as caught, locked(tmp_path / "lock", wait=0):
        pass
    assert f"locked by process {holder.pid} since 2" in str(caught.value)
    assert "try again later" in str(caught.value)


def test_a_killed_holder_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "lock", wait=0):
        assert f"process {os.getpid()} since" in (tmp_path / "lock").read_text()


def test_who_waits_gets_the_lock_when_it_is_free(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdin is not None
    waiting = threading.Timer(0, holder.stdin.close)
    waiting.start()
    with locked(tmp_path / "lock", wait=60):
        pass
    waiting.join()


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), locked(tmp_path / "lock", wait=0):
        raise ValueError("inside")
    with locked(tmp_path / "lock", wait=0):
        pass


def test_a_lock_is_not_taken_twice(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "lock", wait=0),
        pytest.raises(UnavailableError, match=f"process {os.getpid()}"),
        locked(tmp_path / "lock", wait=0),
    ):
        pass


def test_a_lock_in_a_missing_folder_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file" / "lock"
    path.parent.write_text("")
    with pytest.raises(UnavailableError, match="cannot lock"), locked(path, wait=0):
        pass


def test_without_filelock_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(UnavailableError, match="extra `registry`"), locked(tmp_path / "lock"):
        pass
