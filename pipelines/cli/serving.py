"""Another program run to its end, which takes its whole tree of processes with it.

Dagster's own `dagster dev` goes on when it is told to terminate, and leaves servers behind when it
is killed; so it runs in a process group of its own, which ends here.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

GRACE_SECONDS: Final = 20.0
"""How long a tree may take to end by itself before it is killed."""
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def serve(
    command: Sequence[str], environ: Mapping[str, str], *, grace: float = GRACE_SECONDS
) -> int:
    """Return how `command` ended; a signal that stops this process stops all that it started.

    Args:
        command: Program and arguments.
        environ: All its variables.
        grace: Seconds from the first signal until what still runs is killed.
    """
    with _heard() as times:
        # The group is its own, so that Ctrl-C in a terminal comes through this process alone.
        child = subprocess.Popen(command, env=environ, start_new_session=True)  # noqa: S603  # no shell
        try:
            while child.poll() is None:
                _await(child)
                if times:
                    _send(child, signal.SIGINT)
                    _end(child, times[0] + grace)
        finally:
            _send(child, signal.SIGKILL)
            child.wait()
    return 0 if times else child.returncode


@contextmanager
def _heard() -> Iterator[list[float]]:
    """Give the times at which signals came while the block runs; they do nothing else."""
    times: list[float] = []

    def hear(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as signals call it
        times.append(time.monotonic())

    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield times
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _await(child: "subprocess.Popen[bytes]") -> None:
    with suppress(subprocess.TimeoutExpired):
        child.wait(0.2)


def _end(child: "subprocess.Popen[bytes]", deadline: float) -> None:
    while child.poll() is None and time.monotonic() < deadline:
        _await(child)
    _send(child, signal.SIGKILL)


def _send(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)
