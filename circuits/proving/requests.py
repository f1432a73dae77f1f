"""What was asked for, known again: the same statement is never proved twice.

    HOME/circuits/proofs/<request digest>.json    a finished proof (docs/spec/proof.md)

A request is a circuit, its artifacts, the backend, and the public values. Equal public values are
the same statement, for commitments and context are among them; the witness is no part of a request,
and two witnesses of one statement need one proof. A proof from the cache is verified again, and one
that is corrupt is made anew. Of two that ask at once, one proves and the other waits.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Final

from circuits.evaluate import public_values
from circuits.proving import artifacts
from circuits.proving.artifacts import Srs, verifier_artifacts
from circuits.proving.backend import Prover
from circuits.proving.ezkl_prover import EzklProver
from circuits.proving.files import write_whole
from circuits.proving.lock import locked
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import LIMITS, Limits, Progress, silent
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance import canonical
from provenance.errors import ProvenanceError, UnavailableError
from provenance.field import Digest
from provenance.proof import MAX_BYTES, Proof

KIND: Final = "rootline/proof-request/v1"


def prove(
    circuit: Circuit,
    solved: Solved,
    home: Path,
    srs: Srs | None = None,
    *,
    limits: Limits = LIMITS,
    progress: Progress = silent,
    cancel: Event | None = None,
) -> Proof:
    """Return a proof by ezkl, made now unless this home has one of the same statement.

    Args:
        circuit: From `circuits.registry.circuit`.
        solved: From `circuits.solve.solve`, or a witness and the rows of outputs it leads to.
        home: Keys, proofs and scratch folders lie in its folder `circuits`.
        srs: From `ceremony_srs`; without one the local INSECURE SRS is used, for a demo only.
        limits: Time, memory and threads of each child process.
        progress: Told of srs, settings, compile, setup (once), then mock, prove and verify; of
            `wait` if another process is at it.
        cancel: Once it is set, children are killed and UnavailableError is raised.

    Raises:
        MalformedError: The witness is not this circuit's.
        VerificationError: The witness does not satisfy the circuit, or leads to other outputs.
        UnavailableError: ezkl is missing or failed, or time, memory or disk do not suffice.
    """
    made = EzklProver(home, srs, limits, cancel)
    return prove_once(made, circuit, solved, home, progress, cancel)


def prove_once(
    prover: Prover,
    circuit: Circuit,
    solved: Solved,
    home: Path,
    progress: Progress = silent,
    cancel: Event | None = None,
) -> Proof:
    """Return a proof by any prover, made now unless this home has one of the same statement."""
    named = prover.prepare(circuit, progress)
    digest = request_digest(prover, circuit, solved, named)
    path = home / artifacts.FOLDER / "proofs" / f"{digest.hex()}.json"
    with locked(path.with_suffix(".lock"), progress, cancel):
        found = _finished(path, home)
        if found and _answers(found, circuit, solved, named):
            return found
        proof = prover.prove(circuit, solved, progress)
        write_whole(path, proof.encoded)
    return proof


def request_digest(
    prover: Prover, circuit: Circuit, solved: Solved, named: Mapping[str, Digest]
) -> Digest:
    """Return the name of a request: SHA-256 of its canonical JSON."""
    public = public_values(solved.outputs, hashed=circuit.hashed)
    return canonical.digest(
        canonical.encode(
            {
                "kind": KIND,
                "circuit": circuit.name,
                "onnx": canonical.digest(circuit.onnx()).hex(),
                "backend": prover.name,
                "backend_version": prover.version,
                "artifacts": {name: digest.hex() for name, digest in named.items()},
                "public": [value.hex for value in public],
            }
        )
    )


def _answers(proof: Proof, circuit: Circuit, solved: Solved, named: Mapping[str, Digest]) -> bool:
    """Return whether a proof is of a request, as the name of its file says."""
    public = public_values(solved.outputs, hashed=circuit.hashed)
    stated = {name: getattr(proof, name) for name in named}
    return (proof.circuit, proof.public, stated) == (circuit.name, public, dict(named))


def _finished(path: Path, home: Path) -> Proof | None:
    """Return the cached proof if it is there and verifies; a corrupt one is removed."""
    try:
        with path.open("rb") as file:
            proof = Proof.parse(file.read(MAX_BYTES + 1))
        EzklVerifier(home / artifacts.FOLDER).verify(proof, verifier_artifacts(proof, home))
    except FileNotFoundError:
        return None
    except UnavailableError:
        raise
    except ProvenanceError:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return None
    return proof
