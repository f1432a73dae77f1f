"""A statement proved part by part, then claimed: context, witness, proof, signature, queue.

evidence/<digest>.proof.json      a proof
evidence/<claim>.claim.json       the steps and feature commitments that its parts are about
evidence/<digest>.function.onnx   a function that a property is about
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.flow.catalogue import attestations
from pipelines.flow.publishing import log_id
from pipelines.flow.queueing import queue
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation, attest
from provenance.claim import Claim, ClaimStatement, part_context
from provenance.field import Digest, FieldElement
from provenance.proof import Proof
from storage.atomic import write_atomic

if TYPE_CHECKING:
    from circuits.proving.artifacts import Srs
    from circuits.spec import Circuit

Chosen = Mapping[str, Sequence[int]]
Part = Callable[[FieldElement], Chosen]
"""From a part's context to the private values that its circuit takes."""
Opened = Callable[[Claim], bytes]
"""Makes the member of a bundle that an auditor needs beside the claim."""
Begins = Callable[["Circuit", int], None]


def _unheard(circuit: "Circuit", proofs: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Proving:
    """How proofs are made, and who hears of it before.

    Attributes:
        srs: A file of the public ceremony; without one the home's own SRS is used: INSECURE.
        begins: Told the circuit and how many proofs of it, before the first is begun.
    """

    srs: Path | None = None
    begins: Begins = _unheard

    def opened(self, space: Workspace) -> "Srs | None":
        """Return the ceremony's SRS, or None where the home's own is to be used.

        Raises:
            MalformedError: The file is no SRS.
            VerificationError: It is none of the ceremony's.
            UnavailableError: It cannot be read.
        """
        from circuits.proving.artifacts import ceremony_srs

        return ceremony_srs(space.home.path, self.srs) if self.srs else None


PLAIN: Final = Proving()
MAX_PROOF: Final = 2**24
LAST_STAGE: Final = "verify"
"""What a prover tells when a proof is all but done."""


def claim(
    space: Workspace,
    circuit: "Circuit",
    statement: ClaimStatement,
    parts: Sequence[Part],
    opened: Opened | None = None,
    *,
    how: Proving = PLAIN,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs of its parts; see `prove` and `sign`."""
    made, proofs = prove(space, circuit, statement, parts, opened, how=how)
    return sign(space, made), proofs


def prove(
    space: Workspace,
    circuit: "Circuit",
    statement: ClaimStatement,
    parts: Sequence[Part],
    opened: Opened | None = None,
    *,
    how: Proving = PLAIN,
) -> tuple[Claim, tuple[Proof, ...]]:
    """Return a claim, unsigned, and the proofs of its parts, each made unless the home has it.

    Args:
        space: The home; keys and proofs are cached in it.
        circuit: Of all parts.
        statement: What is claimed.
        parts: The witness of each part, once its context is known.
        opened: Makes the member of a bundle that an auditor needs beside the claim.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: The SRS file is none.
        VerificationError: What is claimed is not so: the circuit refuses a witness; or the SRS
            file is none of the ceremony's.
        UnavailableError: The prover is not installed, or ran out of time, memory or disk.
    """
    srs = how.opened(space)
    how.begins(circuit, len(parts))
    issuer, log = space.issuer.public_key.key_id, log_id(space)
    contexts = [
        part_context(issuer, log, circuit.name, statement, number, len(parts))
        for number in range(len(parts))
    ]
    chosen = [part(context) for part, context in zip(parts, contexts, strict=True)]
    proofs = _proved(space, circuit, chosen, srs)
    for proof in proofs:
        write_atomic(proof_path(space, proof.digest.hex()), proof.encoded)
    made = Claim(issuer, log, circuit.name, statement, tuple(proof.digest for proof in proofs))
    if opened is not None:
        write_atomic(opened_path(space, made), opened(made))
    return made, proofs


def sign(space: Workspace, made: Claim) -> Attestation:
    """Return the signed claim, which waits to be posted; one that was signed is found again."""
    for item in attestations(space):
        if item.subject == made.digest:
            return item
    return queue(space, attest(made, space.issuer).encoded)


def _proved(
    space: Workspace, circuit: "Circuit", chosen: Sequence[Chosen], srs: "Srs | None"
) -> tuple[Proof, ...]:
    """Return the proofs of witnesses, made on all cores or on the cluster of the crew."""
    from circuits.proving.pool import Request, prove_all
    from circuits.solve import solve

    graph, crew = circuit.graph(), space.crew
    requests = [Request(circuit, solve(graph, private, circuit.most)) for private in chosen]
    title = f"{circuit.name:.40}: {len(requests)} proofs"
    with ExitStack() as stack, space.progress.stage(title, len(requests)) as bar:
        hands = stack.enter_context(crew.hired()) if crew.kind == "ray" else None
        found = prove_all(
            requests,
            space.home.path,
            srs,
            workers=crew.count,
            submit=hands.pool.submit if hands else None,
            told=lambda _, stage: bar.advance(int(stage == LAST_STAGE)),
        )
    proofs = tuple(proof for proof in found if isinstance(proof, Proof))
    for failed in found:
        if not isinstance(failed, Proof):
            raise failed
    return proofs


def prepare(space: Workspace, name: str) -> None:
    """Make a circuit's keys under the local INSECURE SRS, unless the home has them.

    Raises:
        UnavailableError: The prover is not installed, ran out of time or memory.
    """
    from circuits.proving.artifacts import keys, local_srs
    from circuits.registry import circuit

    chosen = circuit(name)
    keys(chosen, local_srs(space.home.path, chosen.logrows), space.home.path)


def proof_path(space: Workspace, name: str) -> Path:
    """Return where a proof document lies."""
    return space.home.evidence / f"{name}.proof.json"


def opened_path(space: Workspace, claim: Claim) -> Path:
    """Return where what a claim's auditor needs beside it lies."""
    return space.home.evidence / f"{claim.digest.hex()}.claim.json"


def function_path(space: Workspace, digest: Digest) -> Path:
    """Return where the ONNX of a function lies that a property is about."""
    return space.home.evidence / f"{digest.hex()}.function.onnx"
