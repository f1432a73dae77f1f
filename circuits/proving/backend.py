"""What a prover must offer; ezkl's is in ezkl_prover.py, and another can stand beside it.

Nothing here speaks of an SRS: a prover that needs one (ezkl) keeps it to itself and names it among
the artifacts of its proofs. The verifying side is `provenance.proof.ProofVerifier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from circuits.proving.worker import Progress, silent
from circuits.solve import Solved
from circuits.spec import Circuit
from provenance.field import Digest
from provenance.proof import Proof


@dataclass(frozen=True, slots=True)
class Cost:
    """What a proof will take, told before anything starts.

    Attributes:
        rows: Rows of the circuit.
        keys_bytes: Peak of memory while keys are made.
        memory_bytes: Peak of memory of a proof.
        disk_bytes: Of the keys, which stay.
        keys_seconds: Once, for settings, compiled circuit and keys.
        proof_seconds: Each proof.
    """

    rows: int
    keys_bytes: int
    memory_bytes: int
    disk_bytes: int
    keys_seconds: float
    proof_seconds: float


class Prover(Protocol):
    """Makes the proofs of one backend, each in a process of its own."""

    @property
    def name(self) -> str:
        """The backend, such as `ezkl`."""
        ...

    @property
    def version(self) -> str:
        """The backend's version; raises UnavailableError if it is not installed."""
        ...

    def cost(self, circuit: Circuit) -> Cost:
        """Return what a proof will take; starts nothing."""
        ...

    def prepare(self, circuit: Circuit, progress: Progress = silent) -> Mapping[str, Digest]:
        """Return the artifacts that the circuit's proofs will name, made unless they are there.

        Args:
            circuit: Whose artifacts.
            progress: Told of each stage as it begins.

        Returns:
            Digests by the names that `Proof` has for them: verifying_key, settings, srs.

        Raises:
            UnavailableError: The backend is not installed or failed, or time, memory or disk do
                not suffice.
        """
        ...

    def prove(self, circuit: Circuit, solved: Solved, progress: Progress = silent) -> Proof:
        """Return a proof that was verified once.

        Args:
            circuit: What is proved.
            solved: The witness and the outputs it leads to.
            progress: Told of each stage as it begins.

        Raises:
            MalformedError: The witness is not this circuit's.
            VerificationError: The witness does not lead to these outputs.
            UnavailableError: As `prepare`.
        """
        ...
