"""One step of proving in a process of its own, under limits of time and memory.

A job goes in through a pipe as one JSON object; stages and answers come back as JSON lines:

    {"stage":"setup"}
    {"part":{…}}        one of several answers, if the job has several parts
    {"done":{…}}        or {"failed":"<step>: …","panicked":false} or {"missing":"…"}

ezkl holds the interpreter's lock while it proves, panics in ways `except Exception` misses, hangs
on some false witnesses and writes into the home folder: so it never runs in the caller's process.
The child's home is a scratch folder that is always removed; what it prints is never passed on,
because it may speak of the witness. A child ends with its caller, however that ends; one that
crashes or is killed is tried once more, one that is out of time or memory is not.
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

ENTRY: Final = "circuits.proving.child"
SOURCE: Final = Path(__file__).resolve().parent.parent.parent
OUT_OF_MEMORY: Final = (b"memory allocation of", b"MemoryError", b"Cannot allocate memory")
ATTEMPTS: Final = 2
"""How often a child is started whose work ends by a crash or a killer's hand."""
POLL_SECONDS: Final = 0.05
"""How soon a child ends after it was cancelled."""


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
    job: dict[str, Any],
    folder: Path,
    limits: Limits = LIMITS,
    progress: Progress = silent,
    *,
    parts: list[dict[str, Any]] | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Any]:
    """Return a child's answer to `job`: `done`, or `failed` with `panicked`.

    Args:
        job: Its `step` and arguments; file names are relative to `folder`.
        folder: The child's working and home folder, from `scratch`.
        limits: When the child is killed.
        progress: Called as stages begin; what it raises ends the child.
        parts: Takes the answers to the job's parts, also when the child ends before the last.
        cancel: Once it is set the child is killed.

    Raises:
        UnavailableError: Time or memory ran out, it was cancelled, it died every time, or the
            prover is not installed.
    """
    bounded = {**job, "seconds": limits.seconds, "memory_bytes": limits.memory_bytes}
    data = json.dumps(bounded).encode()
    answer, cause = None, "death"
    for _ in range(ATTEMPTS):
        answer, cause = _attempt(data, folder, limits, progress, parts, cancel)
        if answer or cause not in ("killed", "death"):
            break
    if answer is None:
        raise UnavailableError(f"{job['step']}: {_ADVICE[cause].format(limits)}")
    if "missing" in answer:
        raise UnavailableError(f"{answer['missing']}: pip install 'rootline-provenance[zk]'")
    return answer


def _attempt(
    job: bytes,
    folder: Path,
    limits: Limits,
    progress: Progress,
    parts: list[dict[str, Any]] | None,
    cancel: threading.Event | None,
) -> tuple[dict[str, Any] | None, str]:
    """Return a child's answer, or None and why there is none."""
    if parts is not None:
        parts.clear()
    with tempfile.TemporaryFile(dir=folder) as errors, _child(folder, limits, errors) as child:
        stopped: list[str] = []
        ended = threading.Event()
        watch = threading.Thread(
            target=_watch, args=(child, limits.seconds, cancel, ended, stopped), daemon=True
        )
        watch.start()
        try:
            answer = _converse(child, job, progress, parts)
        finally:
            ended.set()
            watch.join()
            _kill(child)
        errors.seek(0)
        return answer, stopped[0] if stopped else _cause(child.returncode, errors.read())


def _watch(
    child: "subprocess.Popen[bytes]",
    seconds: float,
    cancel: threading.Event | None,
    ended: threading.Event,
    stopped: list[str],
) -> None:
    """Kill the child when its time is over or it is cancelled, and say which."""
    end = time.monotonic() + seconds
    while not ended.wait(min(POLL_SECONDS, seconds) if cancel else seconds):
        if cancel and cancel.is_set():
            stopped.append("cancelled")
        elif time.monotonic() >= end:
            stopped.append("time")
        if stopped:
            _kill(child)
            return


def _child(folder: Path, limits: Limits, errors: IO[bytes]) -> "subprocess.Popen[bytes]":
    environment = {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(SOURCE),
        "RAYON_NUM_THREADS": str(limits.threads),
    }
    return subprocess.Popen(  # noqa: S603  # this interpreter, on this project's own module
        # -B: Python keeps half a module where a disk is full, and every later process reads that.
        [sys.executable, "-B", "-P", "-m", ENTRY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _converse(
    child: "subprocess.Popen[bytes]",
    job: bytes,
    progress: Progress,
    parts: list[dict[str, Any]] | None,
) -> dict[str, Any] | None:
    """Return the child's answer, or None if it ended without one."""
    if child.stdin is None or child.stdout is None:
        return None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(job)
        child.stdin.close()
    for line in child.stdout:
        answer: dict[str, Any] = json.loads(line)
        if "stage" in answer:
            progress(answer["stage"])
        elif "part" in answer and parts is not None:
            parts.append(answer["part"])
        else:
            return answer
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    return None


def _kill(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _cause(status: int, errors: bytes) -> str:
    if any(text in errors for text in OUT_OF_MEMORY):
        return "memory"
    return "killed" if status == -signal.SIGKILL else "death"


_ADVICE: Final = {
    "time": "stopped after {0.seconds:g} seconds; raise the time limit",
    "cancelled": "cancelled; nothing is left behind",
    "memory": "out of memory under the limit of {0.memory_bytes:,} bytes; raise it",
    "killed": "the prover's process was killed, twice, as is done when a machine is out of memory; "
    "prove fewer at once",
    "death": "the prover's process died twice without an answer; try again",
}
