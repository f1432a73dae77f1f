"""ezkl, and nothing else imports it: keys, proofs and their verification, each in a child process.

The first half runs in the caller's process and hands jobs to worker.py. The second half is what the
child does with them (`python -m circuits.proving.prover`): it alone calls ezkl. There ezkl's logger
is set to WARNING before the first call, since below that it writes out the witness.
"""

import ctypes
import json
import logging
import os
import re
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any, Final, TextIO

from circuits.evaluate import Outputs, public_values
from circuits.proving import worker
from circuits.proving.verifier import BACKEND, EzklVerifier, statement, version
from circuits.proving.worker import Limits, Progress
from circuits.spec import Circuit
from circuits.table import LEAST
from provenance import canonical
from provenance.errors import UnavailableError, VerificationError
from provenance.field import ZERO

__all__ = [
    "BACKEND",
    "EzklVerifier",
    "ProvingFiles",
    "derive",
    "generate_srs",
    "proof_size",
    "prove",
    "version",
]

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4


def derive(
    circuit: Circuit,
    srs: Path,
    folder: Path,
    limits: Limits,
    progress: Progress,
    cancel: Event | None = None,
) -> Mapping[str, Path]:
    """Return the files `settings`, `compiled`, `verifying_key`, `proving_key`, made in `folder`.

    Args:
        circuit: Whose keys.
        srs: A whole SRS of at least the circuit's size.
        folder: From `scratch`.
        limits: For the child.
        progress: Told of settings, compile and setup.
        cancel: Once it is set the child is killed.

    Raises:
        UnavailableError: The prover failed, ran out of time or memory, or is not installed.
    """
    version()
    (folder / "circuit.onnx").write_bytes(circuit.onnx())
    job = {
        "step": "derive",
        "arguments": circuit.run_arguments,
        "cells": circuit.cells,
        "srs": str(srs.resolve()),
    }
    answer = worker.run(job, folder, limits, progress, cancel=cancel)
    if "done" not in answer:
        raise UnavailableError(f"{circuit.name}: keys could not be made: {answer['failed']}")
    names = ("settings", "compiled", "verifying_key", "proving_key")
    return {name: folder / name for name in names}


def proof_size(
    circuit: Circuit,
    srs: Path,
    folder: Path,
    limits: Limits,
    progress: Progress,
    cancel: Event | None = None,
) -> int:
    """Return the bytes of every proof of a circuit, measured on one, and without a true witness.

    Constants grow from the private value `one`, so every value of a circuit is 0 when all private
    ones are. A table that begins at 0 instead of 3 holds that, and is as large: nothing but what is
    in the table differs from the true circuit, and the size of a proof does not depend on it.

    Raises:
        UnavailableError: As `derive`.
    """
    version()
    graph = circuit.graph()
    (folder / "circuit.onnx").write_bytes(graph.onnx())
    table = {"lookup_range": [0, circuit.most - LEAST]} if circuit.table else {}
    outputs = tuple((ZERO,) * (rows * lanes) for rows, lanes in (t.shape for t in graph.outputs))
    nothing = {t.name: (0,) * (t.shape[0] * t.shape[1]) for t in graph.inputs}
    job = {
        "step": "size",
        "arguments": {**circuit.run_arguments, **table},
        "cells": circuit.cells,
        **_proving(nothing, outputs, hashed=circuit.hashed),
        "compiled": "compiled",
        "proving_key": "proving_key",
        "srs": str(srs.resolve()),
        "verifying": [],
    }
    answer = worker.run(job, folder, limits, progress, cancel=cancel)
    if "done" not in answer:
        raise UnavailableError(f"{circuit.name}: no proof to measure: {answer}"[:300])
    return len(answer["done"]) // 2


def generate_srs(
    logrows: int,
    folder: Path,
    limits: Limits,
    progress: Progress,
    cancel: Event | None = None,
) -> Path:
    """Return a new INSECURE SRS: this process could forge proofs under it. Demo and tests only."""
    version()
    job = {"step": "srs", "logrows": logrows}
    answer = worker.run(job, folder, limits, progress, cancel=cancel)
    if "done" not in answer:
        raise UnavailableError(f"no SRS could be made: {answer['failed']}")
    return folder / "srs"


@dataclass(frozen=True, slots=True)
class ProvingFiles:
    """Where compiled circuit, proving key and whole SRS lie, and what verifies the proof made.

    Attributes:
        verifying: Settings, verifying key and cut SRS; without them a proof is not verified.
    """

    compiled: Path
    proving_key: Path
    srs: Path
    verifying: tuple[Path, Path, Path] | None = None


def prove(
    files: ProvingFiles,
    witness: Mapping[str, Sequence[int]],
    outputs: Outputs,
    folder: Path,
    limits: Limits,
    progress: Progress,
    *,
    hashed: bool = False,
    cancel: Event | None = None,
) -> bytes:
    """Return the proof that some private values lead to `outputs`.

    The witness goes through a pipe to the child and from there into a file in memory.

    Args:
        files: The circuit's artifacts.
        witness: Private values in the circuit's order.
        outputs: The rows of outputs that they lead to, whether ezkl shows or hashes them.
        folder: From `scratch`.
        limits: For the child.
        progress: Told of mock, prove and verify.
        hashed: Whether the circuit's outputs are hashed.
        cancel: Once it is set the child is killed.

    Raises:
        VerificationError: The witness does not lead to these public values.
        UnavailableError: The prover failed, ran out of time or memory, or is not installed.
    """
    version()
    job = {
        "step": "prove",
        "compiled": str(files.compiled.resolve()),
        "proving_key": str(files.proving_key.resolve()),
        "srs": str(files.srs.resolve()),
        "verifying": [str(path.resolve()) for path in files.verifying or ()],
        **_proving(witness, outputs, hashed=hashed),
    }
    answer = worker.run(job, folder, limits, progress, cancel=cancel)
    if answer.get("refused"):
        raise VerificationError("the witness does not satisfy the circuit: nothing was proved")
    if "done" not in answer:
        raise UnavailableError(f"no proof was made: {answer['failed']}")
    return bytes.fromhex(answer["done"])


def _proving(
    witness: Mapping[str, Sequence[int]], outputs: Outputs, *, hashed: bool
) -> dict[str, Any]:
    """Return the parts of a job that are about private and public values."""
    public = public_values(outputs, hashed=hashed)
    return {
        "inputs": [[_hex(value) for value in row] for row in witness.values()],
        "outputs": [[_hex(value) for value in row] for row in outputs],
        "hashes": [_hex(value) for value in public] if hashed else None,
        "public": public,
    }


def _hex(value: int) -> str:
    return value.to_bytes(32, "little").hex()


class _Child:
    """The steps, as the child process runs them in its scratch folder."""

    def __init__(self, ezkl: ModuleType, channel: TextIO) -> None:
        self._ezkl = ezkl
        self._channel = channel
        self._sizes: set[tuple[Any, ...]] = set()

    def stage(self, name: str) -> None:
        self.say({"stage": name})

    def say(self, answer: dict[str, Any]) -> None:
        self._channel.write(json.dumps(answer) + "\n")
        self._channel.flush()

    def derive(self, job: dict[str, Any]) -> dict[str, Any]:
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
        self.stage("srs")
        self._ezkl.gen_srs("srs", job["logrows"])
        return {"done": True}

    def size(self, job: dict[str, Any]) -> dict[str, Any]:
        self.derive(job)
        return self.prove(job)

    def prove(self, job: dict[str, Any]) -> dict[str, Any]:
        witness = os.memfd_create("witness")
        path = f"/proc/self/fd/{witness}"
        Path(path).write_text(json.dumps(_witness(job)))
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


def _witness(job: dict[str, Any]) -> dict[str, Any]:
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


def _limit(job: dict[str, Any], parent: int) -> None:
    """Bound memory, leave no core dump or crash report, and end with the parent or by alarm."""
    if sys.platform == "linux":
        system = ctypes.CDLL(None)
        system.prctl(PR_SET_DUMPABLE, 0)
        system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(1)
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"] + 5)


def main() -> None:
    """Do the job that stands on standard input; answer on standard output, one JSON a line."""
    parent = os.getppid()
    job = json.loads(sys.stdin.buffer.read())
    _limit(job, parent)
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
        child = _Child(ezkl, channel)
        child.say(_attempted(job["step"], lambda: getattr(child, job["step"])(job)))


if __name__ == "__main__":
    main()
