"""One step of proving in a process of its own, under limits of time and memory.

A job goes in through a pipe as one JSON object; stages and the answer come back as JSON lines:

    {"stage":"setup"}
    {"done":{…}}        or {"failed":"<step>: …","panicked":false} or {"missing":"…"}

ezkl holds the interpreter's lock while it proves, panics in ways `except Exception` misses, hangs
on some false witnesses and writes into the home folder: so it never runs in the caller's process.
The child's home is a scratch folder that is always removed; what it prints is never passed on,
because it may speak of the witness.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO, Any, Final

from provenance.errors import UnavailableError

Progress = Callable[[str], None]
"""Told the name of each stage as it begins."""

ENTRY: Final = "circuits.proving.prover"
SOURCE: Final = Path(__file__).resolve().parent.parent.parent
OUT_OF_MEMORY: Final = (b"memory allocation of", b"MemoryError", b"Cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use: wall-clock seconds, bytes of address space, and threads."""

    seconds: float = 900
    memory_bytes: int = 8 * 2**30
    threads: int = os.cpu_count() or 1


LIMITS: Final = Limits()
GRACE_SECONDS: Final = 10
DAY_SECONDS: Final = 86400


def silent(stage: str) -> None:
    """Ignore a stage."""


@contextlib.contextmanager
def scratch(home: Path | None) -> Iterator[Path]:
    """Yield a new folder that only this user can read, and remove it afterwards.

    It lies below `home`, or where the system keeps temporary files.
    """
    if home:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(home)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=home))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def _sweep(home: Path) -> None:
    """Remove what processes that were killed left behind a day ago or more."""
    for left in home.glob("scratch-*"):
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - DAY_SECONDS:
                rmtree(left, ignore_errors=True)


def run(
    job: dict[str, Any], folder: Path, limits: Limits = LIMITS, progress: Progress = silent
) -> dict[str, Any]:
    """Return a child's answer to `job`: `done`, or `failed` with `panicked`.

    Args:
        job: Its `step` and arguments; file names are relative to `folder`.
        folder: The child's working and home folder, from `scratch`.
        limits: When the child is killed.
        progress: Called as stages begin; what it raises ends the child.

    Raises:
        UnavailableError: Time or memory ran out, the prover is not installed, or it died.
    """
    bounded = {**job, "seconds": limits.seconds, "memory_bytes": limits.memory_bytes}
    with tempfile.TemporaryFile(dir=folder) as errors, _child(folder, limits, errors) as child:
        late = threading.Event()
        timer = threading.Timer(limits.seconds, _stop, (child, late))
        timer.start()
        try:
            answer = _converse(child, json.dumps(bounded).encode(), progress)
        finally:
            timer.cancel()
            _kill(child)
        if answer is None:
            errors.seek(0)
            cause = "time" if late.is_set() else _cause(child.returncode, errors.read())
            raise UnavailableError(f"{job['step']}: {_ADVICE[cause].format(limits)}")
    if "missing" in answer:
        raise UnavailableError(f"{answer['missing']}: pip install 'rootline-provenance[zk]'")
    return answer


def _child(folder: Path, limits: Limits, errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    environment = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCE),
        "RAYON_NUM_THREADS": str(limits.threads),
    }
    return subprocess.Popen(  # noqa: S603  # this interpreter, on this project's own module
        [sys.executable, "-P", "-m", ENTRY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _converse(
    child: "subprocess.Popen[bytes]", job: bytes, progress: Progress
) -> dict[str, Any] | None:
    """Return the child's answer, or None if it ended without one."""
    if child.stdin is None or child.stdout is None:
        return None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(job)
        child.stdin.close()
    for line in child.stdout:
        answer: dict[str, Any] = json.loads(line)
        if "stage" not in answer:
            return answer
        progress(answer["stage"])
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    return None


def _stop(child: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    _kill(child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _cause(status: int, errors: bytes) -> str:
    full = any(text in errors for text in OUT_OF_MEMORY) or status == -signal.SIGKILL
    return "memory" if full else "death"


_ADVICE: Final = {
    "time": "stopped after {0.seconds:g} seconds; raise the time limit",
    "memory": "out of memory under the limit of {0.memory_bytes:,} bytes; raise it",
    "death": "the prover's process died without an answer; try again",
}
