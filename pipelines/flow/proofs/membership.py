"""That some record stands in a version, with the record hidden."""

import secrets

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.opening import leaf_of
from pipelines.flow.proofs.claiming import PLAIN, Proving, proof_path
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


def prove_membership(
    space: Workspace,
    version: Version,
    number: int,
    *,
    circuit: str = CIRCUIT,
    how: Proving = PLAIN,
) -> tuple[Attestation, Proof]:
    """Return a signed claim, and the proof that some record stands in a version.

    The blinds are kept in `secrets/`, so that the blinded leaf can be opened later.

    Args:
        space: The home; keys of the circuit are cached in it.
        version: A registered dataset version.
        number: Running number of the record; it stays hidden.
        circuit: Which membership circuit.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: No such record, or the SRS file is none.
        VerificationError: The SRS file is none of the ceremony's.
        UnavailableError: The prover is not installed, ran out of time or memory.
    """
    from circuits.proving.membership import prove_membership as prove
    from circuits.registry import circuit as named

    srs = how.opened(space)
    commitment = version.commitment
    nodes = nodes_of(space, commitment)
    chunk, position, leaf = leaf_of(nodes, number)
    path = nodes.prove(chunk, position)
    issuer = space.issuer.public_key.key_id
    about = (issuer, commitment.log, commitment.digest, circuit)
    blinds = [FieldElement(secrets.randbelow(ORDER)) for _ in range(2)]
    how.begins(named(circuit), 1)
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
            srs=srs,
        )
    write_atomic(proof_path(space, proof.digest.hex()), proof.encoded)
    secret = canonical.encode({"number": number, "blinds": [blind.hex for blind in blinds]})
    write_atomic(space.home.secrets / f"{proof.digest.hex()}.blinds", secret, 0o600)
    blinded = (blinded_leaf(leaf, blinds[0]), blinded_index(path.index, blinds[1]))
    claim = MembershipClaim(*about, *blinded, proof.digest)
    return queue(space, attest(claim, space.issuer).encoded), proof
