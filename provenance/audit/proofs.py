"""Zero-knowledge proofs and index proofs: what they show, and what they rest on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from provenance.attestation import verify
from provenance.audit.case import Case
from provenance.audit.datasets import Anchored, dataset_of
from provenance.canonical import Fields, Json, JsonObject
from provenance.canonical import digest as document_digest
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, ProvenanceError, UnavailableError, VerificationError
from provenance.exclusion_proof import (
    AbsenceProof,
    IndexEntry,
    PresenceProof,
    verify_absence,
    verify_presence,
)
from provenance.expected.membership import membership_public
from provenance.field import Digest
from provenance.findings import Level
from provenance.leaf import content_digest
from provenance.membership import MembershipClaim
from provenance.opening import decode_hex
from provenance.proof import Proof, context, verify_public
from provenance.record import decode_record

EXCLUSION_KIND: Final = "rootline/exclusion/v1"


def check_memberships(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each membership claim that is published."""
    proofs = case.bundle.under("proofs")
    for item in found.values():
        claim = item.attestation.commitment
        if isinstance(claim, MembershipClaim):
            data = proofs.pop(claim.proof.hex(), None)
            _check_membership(case, item, claim, data, found)
    claimed = set(_claimed(case))
    for name in proofs:
        subject = f"proof {name[:16]}"
        if name in claimed:
            case.unknown("membership", subject, "its claim is not shown to be published")
        else:
            case.fails("membership", subject, "no published claim belongs to this proof")


def _claimed(case: Case) -> Iterator[str]:
    """Yield the proofs that signed claims in the evidence name, published or not."""
    for data in case.bundle.under("attestations").values():
        try:
            claim = verify(data, case.policy.keys()).commitment
        except ProvenanceError:  # told where the attestation is checked
            continue
        if isinstance(claim, MembershipClaim):
            yield claim.proof.hex()


def _check_membership(
    case: Case,
    item: Anchored,
    claim: MembershipClaim,
    data: bytes | None,
    found: Mapping[Digest, Anchored],
) -> None:
    proofs: list[Proof] = []
    dataset = found.get(claim.dataset)
    label = dataset.attestation.name if dataset else item.attestation.name

    def check() -> None:
        proofs.append(_verified(case, claim, data, dataset_of(claim.dataset, found)))

    if not case.attempt("membership", label, check):
        return
    proof = proofs[0]
    trusted = proof.srs in case.policy.srs
    reason = "the proof verifies, and every public value is the expected one"
    weak = "its SRS was made locally and is INSECURE: whoever made it can forge proofs"
    case.holds(
        "membership",
        label,
        Level.L4 if trusted else Level.L1,
        reason if trusted else f"{reason}; but {weak}, so the claim is worth a signature",
        rests_on=(
            f"dataset {label} (L1)",
            f"SRS {proof.srs.hex()[:16]}…" + ("" if trusted else ", accepted by nobody"),
            f"{proof.backend} {proof.backend_version}",
            f"verifying key {proof.verifying_key.hex()[:16]}…, named by the policy",
        ),
        notes=(f"circuit {proof.circuit}", f"blinded leaf {claim.blinded_leaf.hex}"),
    )


def _verified(
    case: Case, claim: MembershipClaim, data: bytes | None, dataset: DatasetCommitment
) -> Proof:
    if data is None:
        raise UnavailableError("the published claim's proof is not in the evidence")
    if document_digest(data) != claim.proof:
        raise VerificationError("the proof is not the one that the claim names")
    proof = Proof.parse(data)
    if proof.circuit != claim.circuit:
        raise VerificationError(f"the proof is of circuit {proof.circuit}, not {claim.circuit}")
    if proof.verifying_key not in case.policy.verifying_keys:
        raise UnavailableError("the policy does not name the proof's verifying key")
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
    _verifier(case, proof)
    return proof


def _verifier(case: Case, proof: Proof) -> None:
    verifier = case.verifiers.provers.get(proof.backend)
    if verifier is None:
        raise UnavailableError(f"no verifier here for proofs by {proof.backend!r}")
    artifacts = {Digest.parse(name): data for name, data in case.bundle.under("circuits").items()}
    if any(document_digest(data) != name for name, data in artifacts.items()):
        raise MalformedError("a circuit artifact's name is not its digest")
    verifier.verify(proof, artifacts)


def check_exclusions(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each proof of absence or presence in an exclusion index."""
    for name, data in case.bundle.under("exclusions").items():
        case.attempt("absence", name[:16], partial(_check_exclusion, case, name, data, found))


def _check_exclusion(case: Case, name: str, data: bytes, found: Mapping[Digest, Anchored]) -> None:
    if document_digest(data).hex() != name:
        raise MalformedError("an index proof's name is not its digest")
    fields = Fields.parse(data, EXCLUSION_KIND)
    dataset = dataset_of(fields.digest("dataset"), found)
    shown = verify_exclusion(fields, dataset)
    entry = shown.entry
    case.holds(
        "absence" if shown.absent else "presence",
        f"{dataset.label}[{entry.field}]={shown.value}",
        Level.L0,
        f"its key is {'not ' if shown.absent else ''}in the index ({entry.normaliser}, "
        f"{entry.keys} keys); that the index holds the dataset's records is only declared, "
        "which caps the claim",
        rests_on=(f"dataset {dataset.label} (L1)", "the index's equality with the records (L0)"),
        notes=(shown.reveals,),
    )


@dataclass(frozen=True, slots=True)
class IndexProof:
    """What a verified proof in an index shows: whether a value is absent, and what it reveals."""

    entry: IndexEntry
    value: str
    absent: bool
    reveals: str


def verify_exclusion(fields: Fields, dataset: DatasetCommitment) -> IndexProof:
    """Return what the rest of an index proof's document shows; kind and dataset are taken.

    Raises:
        MalformedError: Not in its one form, or there is no such index.
        VerificationError: The proof does not lead to the index's root.
    """
    number = fields.integer("index", 0, len(dataset.indexes) - 1)
    value, absent = fields.text("value"), fields.boolean("absent")
    proof = fields.take("proof")
    fields.done()
    entry = dataset.indexes[number]
    reveals = _verify_index(entry, _raw(entry, value, dataset), proof, absent=absent)
    return IndexProof(entry, value, absent, reveals)


def _raw(entry: IndexEntry, value: str, dataset: DatasetCommitment) -> object:
    """Return what the normaliser takes: the value, or for exact/1 an encoded record's digest."""
    if entry.normaliser != "exact/1":
        return value
    encoded = decode_hex(value)
    decode_record(dataset.schema, encoded)  # what is no record is absent from everywhere
    return content_digest(dataset.schema.digest, encoded)


def _verify_index(entry: IndexEntry, value: object, proof: Json, *, absent: bool) -> str:
    if absent:
        absence = AbsenceProof.from_json(proof)
        verify_absence(value, absence, entry)
        return absence.reveals
    presence = PresenceProof.from_json(proof)
    verify_presence(value, presence, entry)
    return presence.reveals


def exclusion_document(
    dataset: Digest, index: int, value: str, proof: Json, *, absent: bool
) -> JsonObject:
    """Return the member that proves absence or presence of a value in an index."""
    return {
        "kind": EXCLUSION_KIND,
        "dataset": dataset.hex(),
        "index": index,
        "value": value,
        "absent": absent,
        "proof": proof,
    }
