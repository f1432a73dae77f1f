"""From a record's inclusion proof to a zero-knowledge proof, and to what its verifier needs.

proof = prove_membership(
    inclusion, leaf, root, leaf_blind, index_blind, context, chunk_count=3, home=home
)
EzklVerifier(home).verify(proof, verifier_artifacts(proof, home))
"""

from pathlib import Path
from typing import Final

from circuits.proving.artifacts import Srs
from circuits.proving.requests import prove
from circuits.proving.worker import LIMITS, Limits, Progress, silent
from circuits.registry import circuit
from circuits.solve import Solved
from circuits.statements.membership import membership_values, membership_witness
from provenance.errors import RootMismatchError
from provenance.expected.membership import membership_depth, membership_public
from provenance.field import FieldElement
from provenance.leaf import blinded_index, blinded_leaf
from provenance.proof import Proof
from provenance.tree import InclusionProof

MEMBERSHIP_22: Final = "membership-22.v2"


def prove_membership(  # noqa: PLR0913  # seven parts of a statement, and how to prove it
    inclusion: InclusionProof,
    leaf: FieldElement,
    root: FieldElement,
    leaf_blind: FieldElement,
    index_blind: FieldElement,
    context: FieldElement,
    *,
    chunk_count: int,
    home: Path,
    name: str = MEMBERSHIP_22,
    srs: Srs | None = None,
    limits: Limits = LIMITS,
    progress: Progress = silent,
) -> Proof:
    """Return a proof that a record stands under `root`, without showing which.

    Args:
        inclusion: Where the record stands; secret.
        leaf: Its leaf in the tree; secret.
        root: The dataset's record root.
        leaf_blind: Random field element, kept to open the blinded leaf later.
        index_blind: Random field element, kept to open the blinded index later.
        context: Of the statement that the proof will belong to, from `provenance.proof.context`.
        chunk_count: How many chunks the dataset has.
        home: Keys are cached and scratch folders made in its folder `circuits`.
        name: The membership circuit to use.
        srs: From `ceremony_srs`; without one the local INSECURE SRS is used, good for a demo only.
        limits: Time, memory and threads of each child process.
        progress: Told of srs, settings, compile, setup (once), then mock, prove and verify.

    Raises:
        MalformedError: A zero leaf, a tree too deep for the circuit, or a path that does not fit so
            many chunks.
        RootMismatchError: The inclusion proof does not lead to `root`.
        VerificationError: The circuit refuses the witness.
        UnavailableError: ezkl is missing or failed, or time or memory ran out.
    """
    chosen, depth = circuit(name), membership_depth(name)
    witness = membership_witness(
        inclusion, chunk_count, leaf, leaf_blind, index_blind, context, depth
    )
    public = membership_public(
        name,
        root,
        chunk_count,
        blinded_leaf(leaf, leaf_blind),
        blinded_index(inclusion.index, index_blind),
        context,
    )
    if (led := membership_values(witness)) != public:
        raise RootMismatchError(led[0].hex, public[0].hex)
    solved = Solved(witness, (public,))
    return prove(chosen, solved, home, srs, limits=limits, progress=progress)
