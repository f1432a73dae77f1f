"""A statement proved part by part, then claimed: context, witness, proof, signature, queue.

evidence/<digest>.proof.json      a proof
evidence/<claim>.claim.json       the steps and feature commitments that its parts are about
evidence/<digest>.function.onnx   a function that a property is about
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.flow.publishing import log_id
from pipelines.flow.queueing import queue
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation, attest
from provenance.claim import Claim, ClaimStatement, part_context
from provenance.field import Digest, FieldElement
from provenance.proof import Proof
from storage.atomic import write_atomic

if TYPE_CHECKING:
    from circuits.spec import Circuit

Chosen = Mapping[str, Sequence[int]]
Part = Callable[[FieldElement], Chosen]
"""From a part's context to the private values that its circuit takes."""


def claim(
    space: Workspace,
    circuit: "Circuit",
    statement: ClaimStatement,
    parts: Sequence[Part],
    opened: Callable[[Claim], bytes] | None = None,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs of its parts, each made unless the home has it.

    Args:
        space: The home; keys and proofs are cached in it.
        circuit: Of all parts.
        statement: What is claimed.
        parts: The witness of each part, once its context is known.
        opened: Makes the member of a bundle that an auditor needs beside the claim.

    Raises:
        VerificationError: What is claimed is not so: the circuit refuses a witness.
        UnavailableError: The prover is not installed, or ran out of time, memory or disk.
    """
    issuer, log = space.issuer.public_key.key_id, log_id(space)
    contexts = [
        part_context(issuer, log, circuit.name, statement, number, len(parts))
        for number in range(len(parts))
    ]
    proofs = _proved(space, circuit, [part(c) for part, c in zip(parts, contexts, strict=True)])
    for proof in proofs:
        write_atomic(proof_path(space, proof.digest.hex()), proof.encoded)
    made = Claim(issuer, log, circuit.name, statement, tuple(proof.digest for proof in proofs))
    if opened is not None:
        write_atomic(opened_path(space, made), opened(made))
    return queue(space, attest(made, space.issuer).encoded), proofs


def _proved(space: Workspace, circuit: "Circuit", chosen: Sequence[Chosen]) -> tuple[Proof, ...]:
    """Return the proofs of witnesses, made on all cores or on the cluster of the crew."""
    from circuits.proving.pool import Request, prove_all
    from circuits.solve import solve

    graph = circuit.graph()
    requests = [Request(circuit, solve(graph, private, circuit.most)) for private in chosen]
    with ExitStack() as stack, space.progress.stage(f"{circuit.name}: {len(requests)} proofs"):
        far = space.crew.kind == "ray"
        hands = stack.enter_context(space.crew.hired()) if far else None
        found = prove_all(requests, space.home.path, submit=hands.pool.submit if hands else None)
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
