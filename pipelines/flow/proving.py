"""Zero-knowledge proofs about a registered version: made, signed as a claim, and queued."""

import secrets
from pathlib import Path

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.opening import leaf_of
from pipelines.flow.queueing import queue
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.attestation import Attestation, attest
from provenance.field import ORDER, FieldElement
from provenance.leaf import blinded_index, blinded_leaf
from provenance.membership import MembershipClaim, context_statement
from provenance.proof import Proof, context
from storage.atomic import write_atomic

CIRCUIT = "membership-22.v2"


def prepare(space: Workspace, circuit: str = CIRCUIT) -> None:
    """Make a circuit's keys under the local INSECURE SRS, unless the home has them.

    Raises:
        UnavailableError: The prover is not installed, ran out of time or memory.
    """
    from circuits.proving.artifacts import keys, local_srs
    from circuits.registry import circuit as named

    chosen = named(circuit)
    keys(chosen, local_srs(space.home.path, chosen.logrows), space.home.path)


def prove_membership(
    space: Workspace, version: Version, number: int, *, circuit: str = CIRCUIT
) -> tuple[Attestation, Proof]:
    """Return a signed claim, and the proof that some record stands in a version.

    The blinds are kept in `secrets/`, so that the blinded leaf can be opened later.

    Args:
        space: The home; keys of the circuit are cached in it.
        version: A registered dataset version.
        number: Running number of the record; it stays hidden.
        circuit: Which membership circuit.

    Raises:
        MalformedError: No such record.
        UnavailableError: The prover is not installed, ran out of time or memory.
    """
    from circuits.proving.membership import prove_membership as prove

    commitment = version.commitment
    nodes = nodes_of(space, commitment)
    chunk, position, leaf = leaf_of(nodes, number)
    path = nodes.prove(chunk, position)
    issuer = space.issuer.public_key.key_id
    about = (issuer, commitment.log, commitment.digest, circuit)
    blinds = [FieldElement(secrets.randbelow(ORDER)) for _ in range(2)]
    with space.progress.stage(f"prove membership in {commitment.label}"):
        proof = prove(
            path,
            leaf,
            nodes.root,
            blinds[0],
            blinds[1],
            context(context_statement(*about)),
            chunk_count=commitment.chunks,
            home=space.home.path,
            name=circuit,
        )
    write_atomic(proof_path(space, proof.digest.hex()), proof.encoded)
    secret = canonical.encode({"number": number, "blinds": [blind.hex for blind in blinds]})
    write_atomic(space.home.secrets / f"{proof.digest.hex()}.blinds", secret, 0o600)
    blinded = (blinded_leaf(leaf, blinds[0]), blinded_index(path.index, blinds[1]))
    claim = MembershipClaim(*about, *blinded, proof.digest)
    return queue(space, attest(claim, space.issuer).encoded), proof


def proof_path(space: Workspace, name: str) -> Path:
    """Return where a proof document lies."""
    return space.home.evidence / f"{name}.proof.json"
