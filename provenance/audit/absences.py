"""Claims that keys are absent from an index, proved without showing what stands beside them."""

from collections.abc import Mapping, Sequence

from provenance.audit.case import Case
from provenance.audit.claimed import shown_values
from provenance.audit.datasets import Anchored, dataset_of
from provenance.audit.proofs import indexed_key
from provenance.audit.trust import Worth, prove, read_proofs
from provenance.claim import AbsenceStatement, Claim
from provenance.dataset import DatasetCommitment
from provenance.errors import VerificationError
from provenance.exclusion_key import ExclusionKey
from provenance.exclusion_proof import IndexEntry
from provenance.expected.exclusion import exclusion_public, exclusion_size
from provenance.field import Digest, FieldElement
from provenance.findings import Level


def check_absence(
    case: Case,
    item: Anchored,
    claim: Claim,
    statement: AbsenceStatement,
    found: Mapping[Digest, Anchored],
) -> None:
    """Add a finding for each key that a claim says is in no place of an index."""
    shown: list[tuple[IndexEntry, tuple[str | None, ...], Worth]] = []
    dataset = found.get(statement.dataset)
    label = dataset.attestation.name if dataset else item.attestation.name

    def check() -> None:
        about = dataset_of(statement.dataset, found)
        entry, parts = _entry(about, statement.index), _parts(claim, statement)
        proofs = read_proofs(case, claim)
        values = _values(case, claim, statement, entry, about)
        shown.append((entry, values, prove(case, proofs, _expected(claim, entry, parts))))

    if not case.attempt("absence", label, check):
        return
    entry, values, worth = shown[0]
    for key, value in zip(statement.keys, values, strict=True):
        _report(case, claim, label, entry, key, value, worth)


def _report(
    case: Case,
    claim: Claim,
    label: str,
    entry: IndexEntry,
    key: ExclusionKey,
    value: str | None,
    worth: Worth,
) -> None:
    named = f"#{key.hex()}" if value is None else f"={value}"
    about = (
        "of which value this is the key is not shown"
        if value is None
        else "the key was computed here from the value"
    )
    case.holds(
        "absence",
        f"{label}[{entry.field}]{named}",
        Level.L0,
        worth.told(
            f"proved in zero knowledge: its key is not in the index ({entry.normaliser}, "
            f"{entry.keys} keys); that the index holds the dataset's records is only declared, "
            "which caps the claim"
        ),
        rests_on=(
            f"dataset {label} (L1)",
            "the index's equality with the records (L0)",
            *worth.rests_on,
        ),
        notes=(about, f"circuit {claim.circuit}", f"claim {claim.digest.hex()}"),
    )


def _entry(dataset: DatasetCommitment, number: int) -> IndexEntry:
    if number >= len(dataset.indexes):
        raise VerificationError(f"{dataset.label} has no index number {number}")
    return dataset.indexes[number]


def _values(
    case: Case,
    claim: Claim,
    statement: AbsenceStatement,
    entry: IndexEntry,
    dataset: DatasetCommitment,
) -> tuple[str | None, ...]:
    """Return the values that the evidence shows, each once its key is the claimed one."""
    values = shown_values(case, claim, len(statement.keys))
    for number, (key, value) in enumerate(zip(statement.keys, values, strict=True)):
        if value is not None and indexed_key(entry, value, dataset) != key:
            raise VerificationError(f"value {number} has another key than the claimed one")
    return values


def _parts(claim: Claim, statement: AbsenceStatement) -> tuple[tuple[int, ...], ...]:
    parts = key_parts(claim.circuit, statement.keys)
    if len(parts) != len(claim.proofs):
        raise VerificationError(f"{len(claim.proofs)} proofs for keys in {len(parts)} parts")
    return parts


def _expected(
    claim: Claim, entry: IndexEntry, parts: Sequence[tuple[int, ...]]
) -> list[tuple[FieldElement, ...]]:
    return [
        exclusion_public(claim.circuit, entry.root, keys, context)
        for keys, context in zip(parts, claim.contexts(), strict=True)
    ]


def key_parts(circuit: str, keys: Sequence[ExclusionKey]) -> tuple[tuple[int, ...], ...]:
    """Return the keys of each part as integers; the last part repeats its last key to be full.

    Raises:
        MalformedError: No such exclusion circuit.
    """
    _, size = exclusion_size(circuit)
    numbers = [key.number for key in keys]
    numbers += [numbers[-1]] * (-len(numbers) % size)
    return tuple(tuple(numbers[n : n + size]) for n in range(0, len(numbers), size))
