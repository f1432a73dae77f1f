"""Zero-knowledge proofs about a registered version: made, signed as a claim, and queued."""

import secrets
from pathlib import Path

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.opening import leaf_of
from pipelines.flow.publishing import queue
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation, attest
from provenance.canonical import digest
from provenance.field import ORDER, FieldElement
from provenance.membership import MembershipClaim, context_statement
from provenance.proof import Proof, context
from provenance.tree import prove_inclusion
from storage.atomic import write_atomic

CIRCUIT = "membership-22.v1"


def prove_membership(
    space: Workspace, version: Version, number: int, *, circuit: str = CIRCUIT
) -> tuple[Attestation, Proof]:
    """Return a signed claim, and the proof that some record stands in a version.

    Args:
        space: The home; keys of the circuit are cached in it.
        version: A registered dataset version.
        number: Running number of the record; it stays hidden.
        circuit: Which membership circuit.

    Raises:
        MalformedError: No such record.
        UnavailableError: The prover is not installed, ran out of time or memory.
    """
    from circuits.membership import prove

    commitment = version.commitment
    nodes = nodes_of(space, commitment)
    chunk, position, leaf = leaf_of(nodes, number)
    path = prove_inclusion(nodes.leaves_of(chunk), position, nodes.chunks, chunk)
    statement = context_statement(commitment.issuer, commitment.log, commitment.digest, circuit)
    blinds = [FieldElement(secrets.randbelow(ORDER)) for _ in range(2)]
    proof = prove(path, leaf, nodes.root, *blinds, context(statement), home=space.home.circuits)
    write_atomic(proof_path(space, digest(proof.encoded).hex()), proof.encoded)
    claim = MembershipClaim(
        commitment.issuer,
        commitment.log,
        commitment.digest,
        circuit,
        *proof.blinded,
        digest(proof.encoded),
    )
    return queue(space, attest(claim, space.issuer).encoded), proof


def proof_path(space: Workspace, name: str) -> Path:
    """Return where a proof document lies."""
    return space.home.evidence / f"{name}.proof.json"
