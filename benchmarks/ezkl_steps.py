"""ezkl's steps, each in a process of its own on one thread: processor time and memory of each.

    folder/network.onnx, arguments.json, and input.json or witness.json
    run("settings", folder, srs), run("compile", folder, srs), …, run("prove", folder, srs)

Ours and ezkl's own forms go through the same calls, so that start, imports and reading of keys are
counted for both. Everything here is under an SRS made on this machine: INSECURE, and as fast.
"""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import ROOT, SCRATCH

VERIFICATIONS: Final = 7
HOME: Final = SCRATCH / "proofs"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a step took: processor seconds (user and system), MB at the peak, what it says."""

    cpu: float
    peak: float
    said: str


class StepError(RuntimeError):
    """A step of ezkl's failed."""


def run(step: str, folder: Path, logrows: int) -> Taken:
    """Return what a step took in a new process.

    Args:
        step: One of STEPS.
        folder: Where its files are, and its home folder.
        logrows: The SRS has 2**logrows points; made now if there is none.

    Raises:
        StepError: It failed.
    """
    path = HOME / f"k{logrows}.srs"
    if step != "srs" and not path.exists():
        run("srs", HOME, logrows)
    argument = str(logrows) if step == "srs" else str(path)
    command = [sys.executable, "-m", "benchmarks.ezkl_steps", step, argument]
    environment = {**os.environ, "HOME": str(folder), "RAYON_NUM_THREADS": "1"}
    with (folder / f"{step}.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603  # our own program
            command,
            cwd=folder,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        answer = child.stdout.read() if child.stdout else ""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise StepError(f"{step}: {(folder / f'{step}.log').read_text()[-300:]}")
    *said, peak = answer.split()
    return Taken(usage.ru_utime + usage.ru_stime, float(peak), " ".join(said))


def proof_bytes(folder: Path) -> int:
    """Return the size of the proof in a folder: its bytes, not ezkl's file, which repeats them."""
    return len(json.loads((folder / "proof.json").read_bytes())["proof"])


def _srs(ezkl: Any, logrows: str) -> None:  # noqa: ANN401  # ezkl has no types
    """Make an INSECURE SRS, kept between runs; it takes minutes for k = 17 and more."""
    ezkl.gen_srs("unfinished.srs", int(logrows))
    Path("unfinished.srs").rename(f"k{logrows}.srs")


def _settings(ezkl: Any, _: str) -> None:  # noqa: ANN401
    arguments = ezkl.PyRunArgs()
    for name, value in json.loads(Path("arguments.json").read_bytes()).items():
        setattr(arguments, name, tuple(value) if isinstance(value, list) else value)
    ezkl.gen_settings("network.onnx", "settings.json", py_run_args=arguments)
    if Path("cells.json").exists():
        settings = json.loads(Path("settings.json").read_bytes())
        settings["total_assignments"] = json.loads(Path("cells.json").read_bytes())
        Path("settings.json").write_text(json.dumps(settings))


def _witness(ezkl: Any, srs: str) -> None:  # noqa: ANN401
    """Compute ezkl's own form's witness; KZG commitments need key and SRS."""
    commits = "KZG" in Path("settings.json").read_text()
    keys = {"vk_path": "verifying_key", "srs_path": srs} if commits else {}
    ezkl.gen_witness("input.json", "compiled", "witness.json", **keys)


def _mock(ezkl: Any, _: str) -> None:  # noqa: ANN401
    assert ezkl.mock("witness.json", "compiled") is True, "the witness is refused"


def _verify(ezkl: Any, srs: str) -> None:  # noqa: ANN401
    """Print the least processor time in ms of several verifications; the first loads code."""
    seconds = []
    for _ in range(VERIFICATIONS):
        start = time.process_time()
        assert ezkl.verify("proof.json", "settings.json", "verifying_key", srs) is True
        seconds.append(time.process_time() - start)
    print(1e3 * min(seconds))


STEPS: Final[dict[str, Callable[[Any, str], None]]] = {
    "srs": _srs,
    "settings": _settings,
    "compile": lambda ezkl, _: ezkl.compile_circuit("network.onnx", "compiled", "settings.json"),
    "setup": lambda ezkl, srs: ezkl.setup("compiled", "verifying_key", "proving_key", srs),
    "witness": _witness,
    "mock": _mock,
    "prove": lambda ezkl, srs: ezkl.prove(
        "witness.json", "compiled", "proving_key", "proof.json", srs
    ),
    "verify": _verify,
}


def main(step: str, argument: str) -> None:
    """Run a step in the current folder; its argument is the SRS, or the size of a new one."""
    logging.getLogger("ezkl").setLevel(logging.WARNING)
    import ezkl

    STEPS[step](ezkl, argument)
    print(_peak())


def _peak() -> float:
    """Return the largest memory since this program began, in MB.

    What `wait4` tells is no less than what the parent held when it started the child.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
