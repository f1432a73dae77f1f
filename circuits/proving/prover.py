"""ezkl, and nothing else imports it: keys, proofs and their verification, each in a child process.

The first half runs in the caller's process and hands jobs to worker.py. The second half is what the
child does with them (`python -m circuits.proving.prover`): it alone calls ezkl. There ezkl's logger
is set to WARNING before the first call, since below that it writes out the witness.
"""

import json
import logging
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TextIO

from circuits.evaluate import Outputs
from circuits.pinned import PINNED
from circuits.proving import worker
from circuits.proving.worker import Limits, Progress, scratch
from circuits.spec import Circuit
from provenance import canonical
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.poseidon import ezkl_sponge
from provenance.proof import Proof

BACKEND: Final = "ezkl"
VERIFY_LIMITS: Final = Limits(seconds=60, memory_bytes=2 * 2**30)
FALSE: Final = "[halo2]"
"""In ezkl's errors on verifying: read without trouble, but false. Other tags are of readers."""


def version() -> str:
    """Return the installed ezkl's version, or raise UnavailableError."""
    try:
        return metadata.version("ezkl")
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(
            "ezkl is not installed: pip install 'rootline-provenance[zk]'"
        ) from error


def derive(
    circuit: Circuit, srs: Path, folder: Path, limits: Limits, progress: Progress
) -> Mapping[str, Path]:
    """Return the files `settings`, `compiled`, `verifying_key`, `proving_key`, made in `folder`.

    Args:
        circuit: Whose keys.
        srs: A whole SRS of at least the circuit's size.
        folder: From `scratch`.
        limits: For the child.
        progress: Told of settings, compile and setup.

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
    answer = worker.run(job, folder, limits, progress)
    if "done" not in answer:
        raise UnavailableError(f"{circuit.name}: keys could not be made: {answer['failed']}")
    names = ("settings", "compiled", "verifying_key", "proving_key")
    return {name: folder / name for name in names}


def generate_srs(logrows: int, folder: Path, limits: Limits, progress: Progress) -> Path:
    """Return a new INSECURE SRS: this process could forge proofs under it. Demo and tests only."""
    version()
    answer = worker.run({"step": "srs", "logrows": logrows}, folder, limits, progress)
    if "done" not in answer:
        raise UnavailableError(f"no SRS could be made: {answer['failed']}")
    return folder / "srs"


@dataclass(frozen=True, slots=True)
class ProvingFiles:
    """Where compiled circuit, proving key and whole SRS lie."""

    compiled: Path
    proving_key: Path
    srs: Path


def prove(
    files: ProvingFiles,
    witness: Mapping[str, Sequence[int]],
    outputs: Outputs,
    folder: Path,
    limits: Limits,
    progress: Progress,
    *,
    hashed: bool = False,
) -> bytes:
    """Return the proof that some private values lead to `outputs`.

    The witness goes through a pipe to the child and from there into a file without a name.

    Args:
        files: The circuit's artifacts.
        witness: Private values in the circuit's order.
        outputs: The rows of outputs that they lead to, whether ezkl shows or hashes them.
        folder: From `scratch`.
        limits: For the child.
        progress: Told of mock and prove.
        hashed: Whether the circuit's outputs are hashed.

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
        "inputs": [[_hex(value) for value in row] for row in witness.values()],
        "outputs": [[_hex(value) for value in row] for row in outputs],
        "hashes": [_hex(ezkl_sponge(row)) for row in outputs] if hashed else None,
    }
    answer = worker.run(job, folder, limits, progress)
    if answer.get("refused"):
        raise VerificationError("the witness does not satisfy the circuit: nothing was proved")
    if "done" not in answer:
        raise UnavailableError(f"no proof was made: {answer['failed']}")
    return bytes(answer["done"])


class EzklVerifier:
    """Verifies ezkl's proofs in a child process, from settings, verifying key and cut SRS alone."""

    def __init__(self, home: Path | None = None, limits: Limits = VERIFY_LIMITS) -> None:
        """Use scratch folders below `home` or the system's own, each removed at once."""
        self._home = home
        self._limits = limits

    def verify(self, proof: Proof, artifacts: Mapping[Digest, bytes]) -> None:
        """Check that some witness leads to `proof.public` under the proof's verifying key.

        Only proof bytes and public values reach ezkl: the rest of its proof file is not
        authenticated. Neither are settings, so those of a known circuit must be the pinned ones.

        Raises:
            MalformedError: An artifact or the proof cannot be read.
            VerificationError: The proof is false, or an artifact is another than it names.
            UnavailableError: An artifact is missing, or ezkl is not installed, failed or ran out
                of time or memory.
        """
        _check_circuit(proof)
        key, settings, srs = (_artifact(artifacts, digest) for digest in proof.artifacts)
        if proof.backend_version != version():
            raise UnavailableError(
                f"the proof needs ezkl {proof.backend_version}, installed is {version()}"
            )
        statement = {
            "instances": [[_hex(value) for value in proof.public]],
            "proof": list(proof.proof),
        }
        with scratch(self._home) as folder:
            (folder / "proof").write_text(json.dumps(statement))
            (folder / "settings").write_bytes(settings)
            (folder / "verifying_key").write_bytes(key)
            (folder / "srs").write_bytes(srs)
            answer = worker.run({"step": "verify"}, folder, self._limits)
        if answer.get("done") is not True:
            text = str(answer.get("failed"))
            if FALSE in text:
                raise VerificationError(f"the {proof.circuit} proof does not verify: {text}")
            raise MalformedError(f"proof, key, settings or SRS cannot be read by ezkl: {text}")


def _check_circuit(proof: Proof) -> None:
    if proof.backend != BACKEND:
        raise UnavailableError(f"a proof by {proof.backend}; this verifier reads {BACKEND} only")
    known = PINNED.get(proof.circuit)
    if known and proof.settings != known.settings:
        raise VerificationError(f"the settings are not those of {proof.circuit}")
    if known and len(proof.proof) != known.proof_bytes:
        raise MalformedError(
            f"a {proof.circuit} proof has {known.proof_bytes} bytes, not {len(proof.proof)}"
        )


def _artifact(artifacts: Mapping[Digest, bytes], digest: Digest) -> bytes:
    if digest not in artifacts:
        raise UnavailableError(f"the artifact {digest.hex()} is missing")
    if canonical.digest(artifacts[digest]) != digest:
        raise VerificationError(f"the artifact named {digest.hex()} has another digest")
    return artifacts[digest]


def _hex(value: int) -> str:
    return value.to_bytes(32, "little").hex()


class _Child:
    """The steps, as the child process runs them in its scratch folder."""

    def __init__(self, ezkl: ModuleType, channel: TextIO) -> None:
        self._ezkl = ezkl
        self._channel = channel

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

    def prove(self, job: dict[str, Any]) -> dict[str, Any]:
        with tempfile.TemporaryFile("w+", dir=".") as witness:
            json.dump(_witness(job), witness)
            witness.flush()
            path = f"/dev/fd/{witness.fileno()}"
            self.stage("mock")
            witness.seek(0)
            try:
                satisfied = self._ezkl.mock(path, job["compiled"])
            except RuntimeError:
                satisfied = False
            if satisfied is not True:
                return {"refused": True}
            self.stage("prove")
            witness.seek(0)
            self._ezkl.prove(path, job["compiled"], job["proving_key"], "proof", job["srs"])
        return {"done": json.loads(Path("proof").read_bytes())["proof"]}

    def verify(self, _: dict[str, Any]) -> dict[str, Any]:
        self.stage("verify")
        reduced = True
        return {"done": self._ezkl.verify("proof", "settings", "verifying_key", "srs", reduced)}


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


def _told(step: str, error: BaseException) -> str:
    """Return what an error says; on proving without numbers, which could be of the witness."""
    text = re.sub(r"[0-9a-f]*[0-9][0-9a-f]*", "…", str(error)) if step == "prove" else str(error)
    return f"{step}: {text[:300]}"


def _limit(job: dict[str, Any]) -> None:
    """Bound memory, leave no core dump, and end by alarm even if the parent is gone."""
    resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"], job["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"] + 5)


def main() -> None:
    """Do the job that stands on standard input; answer on standard output, one JSON a line."""
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
        child = _Child(ezkl, channel)
        try:
            child.say(getattr(child, job["step"])(job))
        except (KeyboardInterrupt, SystemExit, MemoryError):
            raise
        except BaseException as error:  # noqa: BLE001  # a Rust panic is no Exception
            panicked = type(error).__name__ == "PanicException"
            child.say({"failed": _told(job["step"], error), "panicked": panicked})


if __name__ == "__main__":
    main()
