"""That values are absent from an index of a version, with the neighbours hidden."""

from collections.abc import Sequence

from pipelines.flow.catalogue import Version
from pipelines.flow.opening import index_file, raw_value
from pipelines.flow.proofs.claiming import PLAIN, Part, Proving, claim
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.claim import AbsenceStatement
from provenance.errors import MalformedError, VerificationError
from provenance.exclusion_key import ExclusionKey
from provenance.exclusion_proof import AbsenceProof
from provenance.expected.exclusion import EXCLUSION, exclusion_size
from provenance.proof import Proof
from storage.readers.datasets import Dataset


def prove_absence(
    space: Workspace,
    version: Version,
    number: int,
    values: Sequence[str],
    *,
    dataset: Dataset | None = None,
    circuit: str | None = None,
    how: Proving = PLAIN,
) -> tuple[Attestation, tuple[Proof, ...]]:
    """Return a signed claim and the proofs that none of these values is in an index.

    Args:
        space: The home, where the index file lies.
        version: The registered version.
        number: Which of its indexes, from 0.
        values: What the normaliser takes; for exact/1 encoded records in hex.
        dataset: The version's files, from which a lost index file is made again.
        circuit: An exclusion circuit; without one the smallest that holds every path.
        how: Under which SRS, and who hears of it.

    Raises:
        MalformedError: No such index, or a path longer than any circuit's.
        VerificationError: A value is in the index: its absence cannot be proved.
        UnavailableError: The prover is not installed, or ran out of time, memory or disk.
    """
    from circuits.registry import circuit as named

    commitment = version.commitment
    if not 0 <= number < len(commitment.indexes):
        raise MalformedError(f"{commitment.label} has no index {number}")
    entry = commitment.indexes[number]
    wanted = {
        entry.key(raw_value(entry.normaliser, commitment.schema, value)): value for value in values
    }
    prover = index_file(space, version, dataset, entry).prover(
        space.secrets.load(commitment.name, space.passphrase)
    )
    proofs = {key: _absent(prover.prove(key), value) for key, value in wanted.items()}
    keys = tuple(wanted)
    longest = max(len(proof.siblings) for proof in proofs.values())
    chosen = circuit or _circuit(longest, len(keys))
    depth, width = exclusion_size(chosen)
    statement = AbsenceStatement(commitment.digest, number, keys)
    parts = [
        _part(keys[first : first + width], proofs, depth, width)
        for first in range(0, len(keys), width)
    ]
    return claim(space, named(chosen), statement, parts, how=how)


def _part(
    keys: Sequence[ExclusionKey], proofs: dict[ExclusionKey, AbsenceProof], depth: int, width: int
) -> Part:
    """Return the witness of one circuit; the last key fills what is left of it."""
    from circuits.statements.exclusion_witness import exclusion_witness

    filled = [*keys, *[keys[-1]] * (width - len(keys))]
    return lambda context: exclusion_witness(filled, [proofs[k] for k in filled], context, depth)


def _circuit(longest: int, keys: int) -> str:
    """Return the circuit with the fewest levels in all proofs together."""
    levels = {
        name: -(-keys // width) * depth * width
        for name, (depth, width) in EXCLUSION.items()
        if depth >= longest
    }
    if not levels:
        raise MalformedError(f"a path of {longest} siblings is longer than any circuit's")
    return min(levels, key=lambda name: levels[name])


def _absent(proof: object, value: str) -> AbsenceProof:
    if not isinstance(proof, AbsenceProof):
        raise VerificationError(f"{value!r:.80} is in the index: its absence cannot be proved")
    return proof
