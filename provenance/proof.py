"""A zero-knowledge proof as a value, what it is about, and what a verifier of proofs must do.

    {"backend":"ezkl","backend_version":"23.0.5","circuit":"membership-22.v2",
     "kind":"rootline/proof/v1","proof":"<hex>","public":["<hex, 32 bytes>",…],"settings":"<hex>",
     "srs":"<hex>","verifying_key":"<hex>"}

A proof says only that some witness leads to its public values under its verifying key. Whoever
relies on it computes the whole vector of public values himself, as provenance.expected does, and
compares it, and decides whether the verifying key and the SRS are ones he trusts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from provenance import canonical
from provenance.canonical import Fields
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.field import Digest, FieldElement, parse_hex
from provenance.tree import elements

KIND: Final = "rootline/proof/v1"
MAX_PROOF_BYTES: Final = 2**16
MAX_PUBLIC: Final = 2**12
MAX_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Proof:
    """A zero-knowledge proof; names by digest all that is needed to verify it.

    Attributes:
        circuit: Name and version of the circuit, such as `membership-22.v2`.
        backend: The prover that made it, such as `ezkl`, and its version.
        public: All public values, in the circuit's order.
        proof: The prover's own bytes.
        verifying_key: SHA-256 of the verifying key; so too of the settings and the cut SRS.
    """

    circuit: str
    backend: str
    backend_version: str
    public: tuple[FieldElement, ...]
    proof: bytes
    verifying_key: Digest
    settings: Digest
    srs: Digest

    def __post_init__(self) -> None:
        if not all(map(canonical.is_name, (self.circuit, self.backend, self.backend_version))):
            raise MalformedError("proof: circuit, backend and its version must be names")
        if not 1 <= len(self.proof) <= MAX_PROOF_BYTES:
            raise MalformedError(f"a proof has 1 to {MAX_PROOF_BYTES} bytes, not {len(self.proof)}")
        if not 1 <= len(self.public) <= MAX_PUBLIC:
            raise MalformedError(f"a proof has 1 to {MAX_PUBLIC} public values")

    @property
    def artifacts(self) -> tuple[Digest, Digest, Digest]:
        """The digests of verifying key, settings and SRS."""
        return self.verifying_key, self.settings, self.srs

    @property
    def encoded(self) -> bytes:
        """The proof as canonical JSON."""
        return canonical.encode(
            {
                "kind": KIND,
                "circuit": self.circuit,
                "backend": self.backend,
                "backend_version": self.backend_version,
                "public": [value.hex for value in self.public],
                "proof": self.proof.hex(),
                "verifying_key": self.verifying_key.hex(),
                "settings": self.settings.hex(),
                "srs": self.srs.hex(),
            }
        )

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return canonical.digest(self.encoded)

    @classmethod
    def parse(cls, data: bytes) -> "Proof":
        """Return the proof that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, KIND, limit=MAX_BYTES)
        text = fields.text("proof", most=2 * MAX_PROOF_BYTES)
        proof = cls(
            circuit=fields.name("circuit"),
            backend=fields.name("backend"),
            backend_version=fields.name("backend_version"),
            public=elements(fields, "public", MAX_PUBLIC),
            proof=parse_hex(text, len(text) // 2),
            verifying_key=fields.digest("verifying_key"),
            settings=fields.digest("settings"),
            srs=fields.digest("srs"),
        )
        fields.done()
        return proof


class ProofVerifier(Protocol):
    """Verifies the proofs of one backend; trusts nothing but what it is given."""

    def verify(self, proof: Proof, artifacts: Mapping[Digest, bytes]) -> None:
        """Check that some witness leads to `proof.public` under the proof's verifying key.

        Whether the public values are the expected ones is `verify_public`'s matter.

        Args:
            proof: What to check.
            artifacts: Verifying key, settings and SRS by SHA-256; others are ignored.

        Raises:
            MalformedError: An artifact or the proof cannot be read.
            VerificationError: The proof does not verify, or an artifact is another than named.
            UnavailableError: An artifact is missing, or the backend is not installed or failed.
        """
        ...


@runtime_checkable
class BatchVerifier(ProofVerifier, Protocol):
    """A verifier that many proofs together cost less than one by one."""

    def verify_many(
        self, proofs: Sequence[Proof], artifacts: Mapping[Digest, bytes]
    ) -> Sequence[ProvenanceError | None]:
        """Return for each proof None if it verifies, or the error that `verify` would raise."""
        ...


def verify_proofs(
    verifier: ProofVerifier, proofs: Sequence[Proof], artifacts: Mapping[Digest, bytes]
) -> None:
    """Check that every proof verifies, all of them in one go where the verifier can.

    Raises:
        MalformedError: An artifact or a proof cannot be read.
        VerificationError: One does not verify.
        UnavailableError: The verifier could not tell, or left a proof without an answer.
    """
    if isinstance(verifier, BatchVerifier):
        answers = verifier.verify_many(proofs, artifacts)
    else:
        answers = [_answer(verifier, proof, artifacts) for proof in proofs]
    if len(answers) != len(proofs):
        raise UnavailableError(f"the verifier answered {len(answers)} of {len(proofs)} proofs")
    errors = [error for error in answers if error is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, UnavailableError)):
        raise error  # what is false is told before what could not be found out


def _answer(
    verifier: ProofVerifier, proof: Proof, artifacts: Mapping[Digest, bytes]
) -> ProvenanceError | None:
    try:
        verifier.verify(proof, artifacts)
    except ProvenanceError as error:
        return error
    return None


def context(statement: bytes) -> FieldElement:
    """Return the public value that ties a proof to the statement it belongs to.

    Args:
        statement: The statement's canonical bytes, commitments included, public values excluded.
    """
    return FieldElement(int.from_bytes(canonical.digest(statement)[:31], "big"))


def verify_public(proof: Proof, expected: tuple[FieldElement, ...]) -> None:
    """Check that a proof has exactly the expected public values, or raise VerificationError."""
    if len(proof.public) != len(expected):
        raise VerificationError(
            f"the proof has {len(proof.public)} public values, not the expected {len(expected)}"
        )
    for number, (found, wanted) in enumerate(zip(proof.public, expected, strict=True)):
        if found != wanted:
            raise VerificationError(
                f"public value {number} of the proof is {found.hex}, not {wanted.hex}"
            )
