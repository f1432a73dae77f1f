"""Claims that a hidden record stands in a dataset, and the proofs that no claim asks for."""

from collections.abc import Iterator, Mapping

from provenance.attestation import Attestation, verify
from provenance.audit.case import Case
from provenance.audit.datasets import Anchored, dataset_of
from provenance.audit.trust import read_proof, verify_all, worth_of
from provenance.claim import Claim
from provenance.dataset import DatasetCommitment
from provenance.errors import ProvenanceError
from provenance.expected.membership import membership_public
from provenance.field import Digest
from provenance.membership import MembershipClaim
from provenance.proof import Proof, context, verify_public


def check_memberships(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each membership claim that is published."""
    for item in found.values():
        claim = item.attestation.commitment
        if isinstance(claim, MembershipClaim):
            _check_membership(case, item, claim, found)


def _check_membership(
    case: Case, item: Anchored, claim: MembershipClaim, found: Mapping[Digest, Anchored]
) -> None:
    proofs: list[Proof] = []
    dataset = found.get(claim.dataset)
    label = dataset.attestation.name if dataset else item.attestation.name

    def check() -> None:
        proofs.append(_verified(case, claim, dataset_of(claim.dataset, found)))

    if not case.attempt("membership", label, check):
        return
    worth = worth_of(case, proofs)
    case.holds(
        "membership",
        label,
        worth.level,
        worth.told("the proof verifies, and every public value is the expected one"),
        rests_on=(f"dataset {label} (L1)", *worth.rests_on),
        notes=(f"circuit {claim.circuit}", f"blinded leaf {claim.blinded_leaf.hex}"),
    )


def _verified(case: Case, claim: MembershipClaim, dataset: DatasetCommitment) -> Proof:
    proof = read_proof(case, claim.proof, claim.circuit)
    # No chunk table is asked for: the circuit itself bounds the hidden chunk by the public count.
    expected = membership_public(
        circuit=claim.circuit,
        root=dataset.root,
        chunk_count=dataset.chunks,
        blinded_leaf=claim.blinded_leaf,
        blinded_index=claim.blinded_index,
        context=context(claim.context),
    )
    verify_public(proof, expected)
    verify_all(case, (proof,))
    return proof


def check_stray(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each proof that no published claim names."""
    published = {name for item in found.values() for name in proofs_of(item.attestation)}
    claimed = set(_claimed(case))
    for name in case.bundle.under("proofs"):
        subject = f"proof {name[:16]}"
        if name in published:
            continue
        if name in claimed:
            case.unknown("evidence", subject, "its claim is not shown to be published")
        else:
            case.fails("evidence", subject, "no published claim belongs to this proof")


def proofs_of(item: Attestation) -> tuple[str, ...]:
    """Return the digests of the proofs that a claim names, in hex; none of other commitments."""
    match item.commitment:
        case MembershipClaim() as claim:
            return (claim.proof.hex(),)
        case Claim() as claim:
            return tuple(proof.hex() for proof in claim.proofs)
        case _:
            return ()


def _claimed(case: Case) -> Iterator[str]:
    """Yield the proofs that signed claims in the evidence name, published or not."""
    for data in case.bundle.under("attestations").values():
        try:
            yield from proofs_of(verify(data, case.policy.keys()))
        except ProvenanceError:  # told where the attestation is checked
            continue
