"""ezkl's proofs verified: many in one child process, from what the proofs name and nothing else.

    EzklVerifier().verify(proof, artifacts)
    EzklVerifier().verify_many(proofs, artifacts)    # an error or None for each

Only proof bytes and public values reach ezkl: the rest of its proof file is not authenticated.
Neither are its settings (settings.py says which are read at all), nor bytes after a proof's end: a
proof has its circuit's pinned size, or, where none is pinned, it must not verify without its last
byte. (All proofs under one key have one size, so one proof of each size and key is tried so.)
Every size is bounded before a child is started.
"""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from circuits.pinned import PINNED
from circuits.proving import worker
from circuits.proving.machine import cores
from circuits.proving.settings import check_settings
from circuits.proving.worker import Limits, scratch
from provenance import canonical
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.field import Digest
from provenance.proof import Proof

BACKEND: Final = "ezkl"
VERIFY_LIMITS: Final = Limits(seconds=60, memory_bytes=2 * 2**30, threads=1)
FALSE: Final = "[halo2]"
"""In ezkl's errors on verifying: read without trouble, but false. Other tags are of readers."""
WORTH_A_CHILD: Final = 8
"""Proofs that take as long as a child takes to start."""
MAX_KEY_BYTES: Final = 2**24
CUT_BYTES: Final = 516
"""Size of an SRS as verifiers get it; artifacts.py says what is in it."""


def version() -> str:
    """Return the installed ezkl's version, or raise UnavailableError."""
    try:
        return metadata.version("ezkl")
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(
            "ezkl is not installed: pip install 'rootline-provenance[zk]'"
        ) from error


def statement(proof: bytes, public: Sequence[int]) -> str:
    """Return the proof file that ezkl is given: proof bytes and public values."""
    instances = [[value.to_bytes(32, "little").hex() for value in public]]
    return json.dumps({"instances": instances, "proof": list(proof)})


class EzklVerifier:
    """Verifies ezkl's proofs in a child process, from settings, verifying key and cut SRS alone."""

    def __init__(self, home: Path | None = None, limits: Limits = VERIFY_LIMITS) -> None:
        """Use scratch folders below `home` or the system's own, each removed at once."""
        self._home = home
        self._limits = limits

    def verify(self, proof: Proof, artifacts: Mapping[Digest, bytes]) -> None:
        """Check that some witness leads to `proof.public` under the proof's verifying key.

        Raises:
            MalformedError: An artifact or the proof cannot be read, or is out of bounds.
            VerificationError: The proof is false, or an artifact is another than it names.
            UnavailableError: An artifact is missing, or ezkl is not installed, failed or ran out
                of time or memory.
        """
        for error in self.verify_many((proof,), artifacts):
            if error is not None:
                raise error

    def verify_many(
        self, proofs: Sequence[Proof], artifacts: Mapping[Digest, bytes]
    ) -> tuple[ProvenanceError | None, ...]:
        """Return for each proof None if it verifies, or the error that `verify` would raise.

        One child verifies them all, or one a core if they are many: a child takes a fifth of a
        second to start. A proof on which it dies is Unavailable, and another child goes on with
        the rest, as long as the limit of time for all of them allows.
        """
        found = {number: _objection(proof, artifacts) for number, proof in enumerate(proofs)}
        left = [number for number, error in found.items() if error is None]
        count = min(cores(), max(1, len(left) // WORTH_A_CHILD))
        end = time.monotonic() + self._limits.seconds

        def work(numbers: Sequence[int]) -> dict[int, ProvenanceError | None]:
            return self._share({number: proofs[number] for number in numbers}, artifacts, end)

        with ThreadPoolExecutor(count, thread_name_prefix="verify") as pool:
            for share in pool.map(work, [left[first::count] for first in range(count)]):
                found.update(share)
        return tuple(found[number] for number in range(len(proofs)))

    def _share(
        self, proofs: Mapping[int, Proof], artifacts: Mapping[Digest, bytes], end: float
    ) -> dict[int, ProvenanceError | None]:
        """Return the answers of children, one after the other, until all have answered."""
        found: dict[int, ProvenanceError | None] = {}
        while left := [number for number in proofs if number not in found]:
            limits = replace(self._limits, seconds=max(0.0, end - time.monotonic()))
            answers = self._answers([proofs[number] for number in left], artifacts, limits)
            found.update(zip(left, answers, strict=False))
        return found

    def _answers(
        self, proofs: Sequence[Proof], artifacts: Mapping[Digest, bytes], limits: Limits
    ) -> list[ProvenanceError | None]:
        """Return the answers of one child, up to the proof on which it ended if it did."""
        parts: list[dict[str, Any]] = []
        ended: ProvenanceError | None = None
        with scratch(self._home) as folder:
            for digest in {digest for proof in proofs for digest in proof.artifacts}:
                (folder / digest.hex()).write_bytes(artifacts[digest])
            job = {"step": "verify", "proofs": [_job(proof) for proof in proofs]}
            try:
                worker.run(job, folder, limits, parts=parts)
            except UnavailableError as error:
                ended = error
        told = [_error(proof, part) for proof, part in zip(proofs, parts, strict=False)]
        return [*told, ended] if ended else told


def _job(proof: Proof) -> dict[str, Any]:
    return {
        "size": len(proof.proof),
        "proof": statement(proof.proof, proof.public),
        "cut": None if proof.circuit in PINNED else statement(proof.proof[:-1], proof.public),
        "artifacts": [digest.hex() for digest in (proof.settings, proof.verifying_key, proof.srs)],
    }


def _error(proof: Proof, answer: Mapping[str, Any]) -> ProvenanceError | None:
    if answer.get("done") is True:
        return None
    text = str(answer.get("failed"))
    if FALSE in text:
        return VerificationError(f"the {proof.circuit} proof does not verify: {text}")
    if answer.get("tail"):
        return MalformedError(f"the {proof.circuit} proof goes on after its end")
    return MalformedError(f"proof, key, settings or SRS cannot be read by ezkl: {text}")


def _objection(proof: Proof, artifacts: Mapping[Digest, bytes]) -> ProvenanceError | None:
    """Return why a proof is not even handed to ezkl, or None."""
    try:
        _check_circuit(proof)
        key, settings, srs = (_artifact(artifacts, digest) for digest in proof.artifacts)
        if proof.backend_version != version():
            raise UnavailableError(
                f"the proof needs ezkl {proof.backend_version}, installed is {version()}"
            )
        check_settings(settings, proof)
        if len(key) > MAX_KEY_BYTES:
            raise MalformedError(f"a verifying key has at most {MAX_KEY_BYTES} bytes")
        if len(srs) != CUT_BYTES:
            raise MalformedError(f"an SRS cannot be read: its cut has {CUT_BYTES} bytes")
    except ProvenanceError as error:
        return error
    return None


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
