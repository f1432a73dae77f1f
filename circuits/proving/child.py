"""What a child process does with a job, `python -m circuits.proving.child`: it alone imports ezkl.

ezkl's logger is set to WARNING before the first call, since below that it writes out the witness;
the child ends with its parent, leaves no core dump, and is not to be traced.
"""

import ctypes
import json
import logging
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TextIO

from circuits.proving.verifier import statement
from provenance import canonical

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4


class Child:
    """The steps, as the child process runs them in its scratch folder."""

    def __init__(self, ezkl: ModuleType, channel: TextIO) -> None:
        """Work with the module `ezkl`, and answer on `channel`."""
        self._ezkl = ezkl
        self._channel = channel
        self._sizes: set[tuple[Any, ...]] = set()

    def stage(self, name: str) -> None:
        """Tell that a stage begins."""
        self.say({"stage": name})

    def say(self, answer: dict[str, Any]) -> None:
        """Write one answer."""
        self._channel.write(json.dumps(answer) + "\n")
        self._channel.flush()

    def derive(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make settings, compiled circuit and keys."""
        arguments = self._ezkl.PyRunArgs()
        for name, value in job["arguments"].items():
            setattr(arguments, name, tuple(value) if isinstance(value, list) else value)
        self.stage("settings")
        self._ezkl.gen_settings("circuit.onnx", "settings", py_run_args=arguments)
        settings = json.loads(Path("settings").read_bytes())
        counted = {"total_assignments": job["cells"]} if job["cells"] else {}
        settings = {**settings, **counted, "timestamp": 0}
        Path("settings").write_bytes(canonical.encode(settings))
        self.stage("compile")
        self._ezkl.compile_circuit("circuit.onnx", "compiled", "settings")
        self.stage("setup")
        self._ezkl.setup("compiled", "verifying_key", "proving_key", job["srs"])
        return {"done": True}

    def srs(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make a local SRS, which is INSECURE."""
        self.stage("srs")
        self._ezkl.gen_srs("srs", job["logrows"])
        return {"done": True}

    def size(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make keys and a proof of a circuit, to see how long it is."""
        self.derive(job)
        return self.prove(job)

    def prove(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make a proof, once mock is satisfied, and verify it."""
        witness, path = _hidden_file()
        Path(path).write_text(json.dumps(witness_file(job)))
        self.stage("mock")
        try:
            satisfied = self._ezkl.mock(path, job["compiled"])
        except RuntimeError as error:
            if _is_of_the_machine(str(error)):
                raise
            satisfied = False
        if satisfied is not True:
            return {"refused": True}
        self.stage("prove")
        self._ezkl.prove(path, job["compiled"], job["proving_key"], "proof", job["srs"])
        os.close(witness)
        made = bytes(json.loads(Path("proof").read_bytes())["proof"])
        if job["verifying"]:
            self.stage("verify")
            found = self._verify(statement(made, job["public"]), job["verifying"])
            if found is not True:
                raise RuntimeError("the proof made does not verify: a proving key is corrupt")
        return {"done": made.hex()}

    def verify(self, job: dict[str, Any]) -> dict[str, Any]:
        """Verify proofs, and say of each as it is done."""
        self.stage("verify")
        for each in job["proofs"]:
            self.say({"part": _attempted("verify", partial(self._one, each))})
        return {"done": True}

    def _one(self, each: dict[str, Any]) -> dict[str, Any]:
        """Verify a proof; the first of each size under a key without its last byte too."""
        size = (each["size"], *each["artifacts"])
        found = self._verify(each["proof"], each["artifacts"])
        if found and each["cut"] and size not in self._sizes:
            call = partial(self._verify, each["cut"], each["artifacts"])
            if _attempted("verify", lambda: {"done": call()}).get("done") is True:
                return {"failed": "a shorter proof verifies too", "tail": True}
            self._sizes.add(size)
        return {"done": found}

    def _verify(self, proof: str, artifacts: Sequence[str]) -> bool:
        Path("statement").write_text(proof)
        reduced = True
        return self._ezkl.verify("statement", *artifacts, reduced) is True


def _hidden_file() -> tuple[int, str]:
    """Return a new file that has no name on disk, and the path by which this process opens it.

    Where there is no such file it lies in the scratch folder, for this user alone.
    """
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("witness")
        return number, f"/proc/self/fd/{number}"
    return tempfile.mkstemp(dir=".")


def witness_file(job: dict[str, Any]) -> dict[str, Any]:
    """Return ezkl's witness file: what `gen_witness` would compute, or what a liar claims."""
    nothing = ("version", "pretty_elements", "processed_inputs", "processed_params")
    zero = ("max_lookup_inputs", "min_lookup_inputs", "max_range_size")
    hashes = {"poseidon_hash": job["hashes"], "polycommit": None} if job["hashes"] else None
    return {
        "inputs": job["inputs"],
        "outputs": job["outputs"],
        "processed_outputs": hashes,
        **dict.fromkeys(nothing),
        **dict.fromkeys(zero, 0),
    }


def _attempted(step: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what a call returns, or `failed` and why."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001  # a Rust panic is no Exception
        panicked = type(error).__name__ == "PanicException"
        return {"failed": _told(step, error), "panicked": panicked}


def _is_of_the_machine(text: str) -> bool:
    """Return whether an error is of reading a file or of the disk, and not of the witness."""
    return "[io]" in text or "os error" in text


def _told(step: str, error: BaseException) -> str:
    """Return what an error says; on proving without numbers, which could be of the witness."""
    text = re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "…", str(error)) if step == "prove" else str(error)
    return f"{step}: {' '.join(text.split())[:300]}"


def _limit(job: dict[str, Any]) -> None:
    """Bound memory, and end by alarm even if the parent does not end this process."""
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"] + 5)


def _harden(parent: int) -> None:
    """Leave no core dump or crash report, be traced by nobody, and end with the parent."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(PR_SET_DUMPABLE, 0)
        system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(1)


def main() -> None:
    """Do the job that stands on standard input; answer on standard output, one JSON a line."""
    _harden(os.getppid())  # before the witness is read
    job = json.loads(sys.stdin.buffer.read())
    _limit(job)
    with os.fdopen(os.dup(1), "w") as channel:
        os.dup2(2, 1)
        logging.getLogger("ezkl").setLevel(logging.WARNING)
        try:
            import ezkl
        except ImportError as error:
            if "failed to map" in str(error):
                raise MemoryError from error
            channel.write(json.dumps({"missing": f"ezkl cannot be imported ({error})"}) + "\n")
            return
        child = Child(ezkl, channel)
        child.say(_attempted(job["step"], lambda: getattr(child, job["step"])(job)))


if __name__ == "__main__":
    main()
