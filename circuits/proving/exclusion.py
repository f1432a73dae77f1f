"""From proofs of absence to a zero-knowledge proof that hides the neighbours.

proof = prove_exclusion([key], [absence], root, context, home=home)
EzklVerifier(home).verify(proof, verifier_artifacts(proof, home))
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from circuits.proving.artifacts import Srs
from circuits.proving.requests import prove
from circuits.proving.worker import LIMITS, Limits, Progress, silent
from circuits.registry import circuit
from circuits.solve import Solved
from circuits.statements.exclusion_witness import exclusion_values, exclusion_witness
from provenance.errors import RootMismatchError
from provenance.exclusion_key import ExclusionKey
from provenance.exclusion_proof import AbsenceProof
from provenance.expected.exclusion import exclusion_public, exclusion_size
from provenance.field import FieldElement
from provenance.proof import Proof

EXCLUSION_40: Final = "exclusion-40.v1"


def prove_exclusion(  # noqa: PLR0913  # four parts of a statement, and how to prove it
    keys: Sequence[ExclusionKey],
    proofs: Sequence[AbsenceProof],
    root: FieldElement,
    context: FieldElement,
    *,
    home: Path,
    name: str = EXCLUSION_40,
    srs: Srs | None = None,
    limits: Limits = LIMITS,
    progress: Progress = silent,
) -> Proof:
    """Return a proof that keys are not in an index, without showing what stands in their place.

    Args:
        keys: As many as the circuit has.
        proofs: Of their absence, in the same order; secret.
        root: The index's root.
        context: Of the statement that the proof will belong to, from `provenance.proof.context`.
        home: Keys are cached and scratch folders made in its folder `circuits`.
        name: The exclusion circuit to use.
        srs: From `ceremony_srs`; without one the local INSECURE SRS is used, good for a demo only.
        limits: Time, memory and threads of each child process.
        progress: Told of each stage.

    Raises:
        MalformedError: Another number of keys, or a path that is longer than the circuit's.
        RootMismatchError: A proof of absence does not lead to `root`.
        VerificationError: A key is in the index, or a neighbour does not stand where it would.
        UnavailableError: ezkl is missing or failed, or time or memory ran out.
    """
    depth, _ = exclusion_size(name)
    public = exclusion_public(name, root, [key.number for key in keys], context)
    witness = exclusion_witness(keys, proofs, context, depth)
    if (led := exclusion_values(witness)) != public:
        wrong = next(number for number, value in enumerate(led) if value != public[number])
        raise RootMismatchError(led[wrong].hex, public[wrong].hex)
    solved = Solved(witness, (public,))
    return prove(circuit(name), solved, home, srs, limits=limits, progress=progress)
