"""One step of proving in a process of its own, with a time limit, a memory limit and no memory.

A job goes in through a pipe as one JSON object; stages and the answer come back as JSON lines:

    {"stage":"setup"}
    {"done":{…}}        or {"failed":"<step>: …","panicked":false} or {"missing":"…"}

ezkl holds the interpreter's lock while it proves, panics in ways `except Exception` misses, hangs on
some false witnesses and writes into the home folder: so it never runs in the caller's process. The
child's home is a scratch folder that is always removed; what it prints is never passed on, because
it may speak of the witness.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import IO, Any, Final

from provenance.errors import UnavailableError

Progress = Callable[[str], None]
"""Told the name of each stage as it begins."""

ENTRY: Final = "circuits.prover"
SOURCE: Final = Path(__file__).resolve().parent.parent
OUT_OF_MEMORY: Final = (b"memory allocation of", b"MemoryError", b"Cannot allocate memory")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use: wall-clock seconds, bytes of address space, and threads."""

    seconds: float = 900
    memory_bytes: int = 8 * 2**30
    threads: int = os.cpu_count() or 1


def silent(stage: str) -> None:
    """Ignore a stage."""


@contextlib.contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """Yield a new folder below `home` that only this user can read, and remove it afterwards."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=home))
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def run(
    job: dict[str, Any], folder: Path, limits: Limits = Limits(), progress: Progress = silent
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
        timer = threading.Timer(limits.seconds, lambda: (late.set(), _kill(child)))
        timer.start()
        try:
            answer = _converse(child, json.dumps(bounded).encode(), progress)
        finally:
            timer.cancel()
            _kill(child)
            child.wait()
        if answer is None:
            errors.seek(0)
            raise UnavailableError(_death(job["step"], child, late.is_set(), errors.read(), limits))
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
    return subprocess.Popen(
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
    """Return the child's last line, or None if it ended without one."""
    assert child.stdin
    assert child.stdout
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(job)
        child.stdin.close()
    for line in child.stdout:
        answer: dict[str, Any] = json.loads(line)
        if "stage" not in answer:
            return answer
        progress(answer["stage"])
    return None


def _kill(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _death(
    step: str, child: "subprocess.Popen[bytes]", late: bool, errors: bytes, limits: Limits
) -> str:
    if late:
        return f"{step}: stopped after {limits.seconds:g} seconds; raise the time limit"
    if any(text in errors for text in OUT_OF_MEMORY) or child.returncode == -signal.SIGKILL:
        return f"{step}: out of memory at {limits.memory_bytes >> 20} MiB; raise the memory limit"
    return f"{step}: the prover's process ended with status {child.returncode}; try again"
