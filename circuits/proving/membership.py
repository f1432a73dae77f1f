"""From a record's inclusion proof to a zero-knowledge proof, and to what its verifier needs.

proof = prove_membership(
    inclusion, leaf, root, leaf_blind, index_blind, context, chunk_count=3, home=home
)
EzklVerifier(home).verify(proof, verifier_artifacts(proof, home))
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from circuits.proving import artifacts, prover
from circuits.proving.artifacts import Srs
from circuits.proving.prover import ProvingFiles
from circuits.proving.worker import LIMITS, Limits, Progress, scratch, silent
from circuits.registry import circuit
from circuits.statements.membership import membership_values, membership_witness
from provenance.errors import RootMismatchError
from provenance.expected.membership import membership_depth, membership_public
from provenance.field import FieldElement
from provenance.leaf import blinded_index, blinded_leaf
from provenance.proof import Proof
from provenance.tree import InclusionProof

MEMBERSHIP_22: Final = "membership-22.v2"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a proof will take, roughly; measured on 2 cores of 2.6 GHz, more when they are busy.

    Attributes:
        rows: Rows of the circuit.
        memory_bytes: Peak of one child process.
        keys_seconds: Once: SRS, settings, compiled circuit and keys.
        proof_seconds: Each proof.
    """

    rows: int
    memory_bytes: int
    keys_seconds: float
    proof_seconds: float


def estimate(name: str, threads: int = LIMITS.threads) -> Cost:
    """Return the cost of a circuit's proofs, before anything is started."""
    chosen = circuit(name)
    rows = 2**chosen.logrows
    cells = rows * chosen.columns
    return Cost(
        rows=rows,
        memory_bytes=60_000_000 + 2_600 * cells,
        keys_seconds=round(3.5 + (4.2e-4 * rows + 1.2e-4 * cells) / threads, 1),
        proof_seconds=round(1.5 + 1.0e-4 * cells / threads, 1),
    )


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
        progress: Told of srs, settings, compile, setup (once), then mock and prove.

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
    used = srs or artifacts.local_srs(home, chosen.logrows, limits=limits, progress=progress)
    keys = artifacts.keys(chosen, used, home, limits=limits, progress=progress)
    files = ProvingFiles(
        compiled=artifacts.object_path(home, keys.compiled),
        proving_key=artifacts.object_path(home, keys.proving_key),
        srs=used.path,
    )
    with scratch(home / artifacts.FOLDER) as folder:
        proved = prover.prove(files, witness, (public,), folder, limits, progress)
    return Proof(
        circuit=name,
        backend=prover.BACKEND,
        backend_version=prover.version(),
        public=public,
        proof=proved,
        verifying_key=keys.verifying_key,
        settings=keys.settings,
        srs=keys.srs,
    )
