"""ezkl's steps as the caller's process asks for them: keys, SRS, proofs, each by a child process.

Each makes a job, has worker.py start a child that does it (child.py), and reads its answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from circuits.evaluate import Outputs, public_values
from circuits.proving import worker
from circuits.proving.verifier import BACKEND, EzklVerifier, version
from circuits.proving.worker import Limits, Progress
from circuits.spec import Circuit
from circuits.table import LEAST
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
