"""A program that runs until it is stopped, and never longer than the test run."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

TETHER: Final = Path(__file__).with_name("tether.py")
PATIENCE: Final = 60.0
PAUSE: Final = 0.05


class DevnetError(RuntimeError):
    """A program of the devnet did not start, or ended by itself."""


class Process:
    """One program, its log file, and its end."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start `command`, which appends what it prints to `log`."""
        self.log = log
        arguments = [sys.executable, str(TETHER), str(os.getpid()), *map(str, command)]
        with log.open("ab") as output:
            self._running = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        """The process number of the program: the tether has become it."""
        return self._running.pid

    def wait_until(self, what: str, ready: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Return once `ready()`, or raise DevnetError if the program ends or time runs out."""
        end = time.monotonic() + patience
        while not ready():
            if self._running.poll() is not None:
                raise DevnetError(f"{what}: ended with {self._running.returncode}\n{self.tail()}")
            if time.monotonic() > end:
                raise DevnetError(f"{what}: not within {patience:.0f} s\n{self.tail()}")
            time.sleep(PAUSE)

    def tail(self, size: int = 3000) -> str:
        """The end of the log."""
        return self.log.read_bytes()[-size:].decode(errors="replace")

    def kill(self) -> None:
        """End it at once (SIGKILL); nothing is put away, nobody is told."""
        self._running.kill()
        self._ended()

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and end it if it does not."""
        self._running.terminate()
        try:
            self._running.wait(PATIENCE / 4)
        except subprocess.TimeoutExpired:
            self._running.kill()
        self._ended()

    def _ended(self) -> None:
        self._running.wait()
        if self._running.stdin is not None:
            self._running.stdin.close()


def free_port() -> int:
    """Return a port of loopback that nobody listens at just now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def clear(folder: Path) -> None:
    """Delete what a run left behind."""
    shutil.rmtree(folder, ignore_errors=True)
