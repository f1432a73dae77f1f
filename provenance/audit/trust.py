"""Which proofs count, whether they verify, and what they are then worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from provenance.audit.case import Case
from provenance.canonical import digest as document_digest
from provenance.claim import Claim
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest, FieldElement
from provenance.findings import Level
from provenance.policy import check_circuit
from provenance.proof import Proof, verify_proofs, verify_public

MAX_ARTIFACT: Final = 2**24
"""Bytes of a verifying key, settings or cut SRS: the largest so far is far below a megabyte."""
INSECURE: Final = (
    "but its SRS is none that the policy accepts; one made locally is INSECURE: whoever made it "
    "can forge proofs, so the claim is worth a signature"
)


@dataclass(frozen=True, slots=True)
class Worth:
    """What proofs that verify are worth: a level, why not more, and what it rests on."""

    level: Level
    weak: str
    rests_on: tuple[str, ...]

    def told(self, reason: str) -> str:
        """Return a reason with what weakens it."""
        return f"{reason}; {self.weak}" if self.weak else reason


def read_proofs(case: Case, claim: Claim) -> tuple[Proof, ...]:
    """Return the proofs of a claim that the policy lets count; nothing costly comes before it.

    Raises:
        As `read_proof`, for the first that is not one.
    """
    return tuple(read_proof(case, name, claim.circuit) for name in claim.proofs)


def prove(
    case: Case, proofs: Sequence[Proof], expected: Sequence[tuple[FieldElement, ...]]
) -> Worth:
    """Return what a claim is worth, once its proofs verify and are of these public values.

    Args:
        case: The audit.
        proofs: Of the claim, from `read_proofs`; each is compared with the values of its own part.
        expected: The public values of each part, computed from what is committed.

    Raises:
        MalformedError: A proof or an artifact is not in its one form.
        VerificationError: Another number of parts, or a proof that is not the one it must be.
        UnavailableError: Something that it takes is not here.
    """
    if len(expected) != len(proofs):
        raise VerificationError(f"{len(proofs)} proofs for {len(expected)} parts")
    for proof, wanted in zip(proofs, expected, strict=True):
        verify_public(proof, wanted)
    verify_all(case, proofs)
    return worth_of(case, proofs)


def read_proof(case: Case, name: Digest, circuit: str) -> Proof:
    """Return a proof that a claim names, once it is one that the policy lets count.

    Raises:
        MalformedError: It is not in its one form.
        VerificationError: It is another than named, of another circuit or size.
        UnavailableError: It is not in the evidence, or the policy names no such circuit.
    """
    data = case.bundle.members.get(f"proofs/{name.hex()}.json")
    if data is None:
        raise UnavailableError("the published claim's proof is not in the evidence")
    if document_digest(data) != name:
        raise VerificationError("the proof is not the one that the claim names")
    proof = Proof.parse(data)
    if proof.circuit != circuit:
        raise VerificationError(f"the proof is of circuit {proof.circuit}, not {circuit}")
    check_circuit(proof, case.policy.circuits)
    return proof


def verify_all(case: Case, proofs: Sequence[Proof]) -> None:
    """Check that each proof verifies; its public values are compared elsewhere.

    Raises:
        MalformedError: An artifact is too long, or its name is not its digest.
        VerificationError: One does not verify.
        UnavailableError: An artifact or a verifier is not here.
    """
    artifacts = _artifacts(case, proofs)
    for backend in sorted({proof.backend for proof in proofs}):
        verifier = case.verifiers.provers.get(backend)
        if verifier is None:
            raise UnavailableError(f"no verifier here for proofs by {backend!r}")
        verify_proofs(verifier, [p for p in proofs if p.backend == backend], artifacts)


def _artifacts(case: Case, proofs: Sequence[Proof]) -> Mapping[Digest, bytes]:
    found = {}
    for name in sorted({name for proof in proofs for name in proof.artifacts}):
        data = case.bundle.members.get(f"circuits/{name.hex()}.bin")
        if data is None:
            continue  # the verifier says what it lacks
        if len(data) > MAX_ARTIFACT:
            raise MalformedError(f"a circuit artifact of {len(data)} bytes; at most {MAX_ARTIFACT}")
        if document_digest(data) != name:
            raise MalformedError("a circuit artifact's name is not its digest")
        found[name] = data
    return found


def worth_of(case: Case, proofs: Sequence[Proof]) -> Worth:
    """Return what a claim is worth whose proofs all count and verify."""
    accepted = {proof.srs: proof.srs in case.policy.srs for proof in proofs}
    is_good = all(accepted.values())
    srs = (
        f"SRS {name.hex()[:16]}…{'' if good else ', accepted by nobody'}"
        for name, good in sorted(accepted.items())
    )
    backends = sorted({f"{proof.backend} {proof.backend_version}" for proof in proofs})
    keys = sorted({proof.verifying_key.hex()[:16] for proof in proofs})
    return Worth(
        Level.L4 if is_good else Level.L1,
        "" if is_good else INSECURE,
        (*srs, *backends, *(f"verifying key {key}…, named by the policy" for key in keys)),
    )
