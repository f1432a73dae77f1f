"""One proof alone, against a signed commitment: no ledger, no log, no verdict.

Whose signature counts comes from a key that the caller knows, from a policy, or from this home,
which believes itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pipelines.flow.auditing import MAX_POLICY, verifiers
from pipelines.flow.catalogue import attestations
from pipelines.flow.rechecking import Judge, findings, judge_of_home
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.archive import MAX_ARCHIVE
from provenance.attestation import Attestation, verify
from provenance.audit.datasets import OPENING_KIND
from provenance.audit.proofs import EXCLUSION_KIND, verify_exclusion
from provenance.canonical import Fields
from provenance.claim import Claim
from provenance.dataset import DatasetCommitment
from provenance.envelope import MAX_PAYLOAD, PublicKey
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.evidence import read, verify_manifest
from provenance.expected.membership import membership_public
from provenance.field import Digest
from provenance.findings import CLAIMS, Finding
from provenance.membership import MembershipClaim
from provenance.opening import Opening, verify_opening
from provenance.policy import Policy, TrustedCircuit, check_circuit
from provenance.proof import KIND as PROOF_KIND
from provenance.proof import Proof, context, verify_public
from storage.atomic import read_bounded

MAX_DOCUMENT: Final = 2**24
UNSEEN: Final = "whether the commitment was published, and when: `rootline audit` sees that"
OWN_CIRCUITS: Final = (
    "circuits' keys as this home has them: `rootline circuits derive` makes them anew to compare"
)
Shown = dict[str, object]


@dataclass(frozen=True, slots=True)
class Known:
    """Signed commitments that documents are checked against.

    Attributes:
        datasets: By the commitment's digest.
        claims: Membership claims by the digest of the proof that they name.
        artifacts: What verifies a proof: verifying key, settings and SRS, by digest.
        circuits: Those that a policy vouches for; None where nobody was asked.
        basis: Whose word the commitments rest on.
        proved: Other claims by the digest of each of their proofs.
        judge: Checks such a claim as an audit does; None where there is nothing to audit.
    """

    datasets: Mapping[Digest, DatasetCommitment]
    claims: Mapping[Digest, MembershipClaim]
    artifacts: Callable[[Proof], Mapping[Digest, bytes]] = field(repr=False)
    circuits: Sequence[TrustedCircuit] | None
    basis: str
    proved: Mapping[Digest, Claim] = field(default_factory=dict)
    judge: Judge | None = None

    @classmethod
    def of_envelopes(cls, paths: Iterable[Path], key: PublicKey) -> "Known":
        """Return what envelope files say, each signed by `key`.

        Raises:
            MalformedError: A file is no attestation.
            VerificationError: Another key signed it.
        """
        items = [verify(read_bounded(path, 2 * MAX_PAYLOAD), (key,)) for path in paths]
        return cls(*_sorted(items), _nothing, None, "the issuer's key that you gave")

    @classmethod
    def of_home(cls, space: Workspace) -> "Known":
        """Return what this home has signed."""
        from circuits.proving.artifacts import verifier_artifacts

        def artifacts(proof: Proof) -> Mapping[Digest, bytes]:
            return verifier_artifacts(proof, space.home.path)

        items = list(attestations(space))
        basis = "this home's own keys: whoever made the home can write anything into it"
        judge = judge_of_home(space)
        return cls(*_sorted(items), artifacts, None, basis, _proved(items), judge)

    @classmethod
    def of_bundle(cls, path: Path, policy: Path) -> "Known":
        """Return what a bundle holds that is signed by an issuer of the policy.

        Raises:
            MalformedError: One of the files is not what it must be.
            VerificationError: The bundle is not as its issuer signed it.
        """
        trusted = Policy.parse(read_bounded(policy, MAX_POLICY))
        sealed = read_bounded(path, MAX_ARCHIVE)
        bundle = read(sealed)
        verify_manifest(bundle, trusted.keys())
        items = [verify(data, trusted.keys()) for data in bundle.under("attestations").values()]
        objects = {Digest.parse(n): data for n, data in bundle.under("circuits").items()}
        basis = "the issuers' keys in the policy"

        def judge(claim: Claim) -> tuple[Finding, ...]:
            return findings(sealed, trusted, claim)

        return cls(
            *_sorted(items), lambda _: objects, trusted.circuits, basis, _proved(items), judge
        )


def check_document(file: Path, known: Known) -> Shown:
    """Return what a document shows about a signed commitment, and what it does not prove.

    Args:
        file: An opened record, an index proof, or a membership proof.
        known: Where the commitment is looked for.

    Raises:
        MalformedError: The file is none of them.
        VerificationError: It does not fit the commitment.
        UnavailableError: The commitment is not among what is known, or a proof cannot be verified.
    """
    data = read_bounded(file, MAX_DOCUMENT)
    kind = canonical.decode(data, limit=MAX_DOCUMENT).get("kind")
    if kind == OPENING_KIND:
        return _opening(data, known)
    if kind == EXCLUSION_KIND:
        return _exclusion(data, known)
    if kind == PROOF_KIND:
        return _membership(data, known)
    raise MalformedError(f"{file}: kind {kind!r:.80} is no proof that can be checked alone")


def _opening(data: bytes, known: Known) -> Shown:
    fields = Fields.parse(data, OPENING_KIND)
    dataset = _dataset(fields.digest("dataset"), known)
    opening = Opening.from_fields(fields.inner("opening"))
    fields.done()
    values = verify_opening(opening, dataset)
    where = f"chunk {opening.path.chunk}, position {opening.path.position}"
    shown = {name: str(value) for name, value in values.items()}
    reveals = "the record, and its salt: whoever has both knows the record again in any version"
    return _shown("record", dataset, known, record=shown, at=where, reveals=reveals)


def _exclusion(data: bytes, known: Known) -> Shown:
    fields = Fields.parse(data, EXCLUSION_KIND)
    dataset = _dataset(fields.digest("dataset"), known)
    shown = verify_exclusion(fields, dataset)
    claim = "absence" if shown.absent else "presence"
    return _shown(claim, dataset, known, value=shown.value, reveals=shown.reveals)


def _membership(data: bytes, known: Known) -> Shown:
    proof = Proof.parse(data)
    if proof.digest in known.proved:
        return _claim(known.proved[proof.digest], known)
    claim = known.claims.get(proof.digest)
    if claim is None:
        raise UnavailableError("no signed claim names this proof: give the claim's envelope too")
    dataset = _dataset(claim.dataset, known)
    if proof.circuit != claim.circuit:
        raise VerificationError("the proof is of another circuit than its claim")
    expected = membership_public(
        claim.circuit,
        dataset.root,
        dataset.chunks,
        claim.blinded_leaf,
        claim.blinded_index,
        context(claim.context),
    )
    verify_public(proof, expected)
    verifier = verifiers().provers.get(proof.backend)
    if verifier is None:
        raise UnavailableError(f"no verifier here for proofs by {proof.backend!r}")
    verifier.verify(proof, known.artifacts(proof))
    return _shown(
        "membership",
        dataset,
        known,
        circuit=proof.circuit,
        verifying_key=_vouched(proof, known),
        srs=f"{proof.srs.hex()}: whoever made it can forge proofs; only a policy accepts one",
    )


def _claim(claim: Claim, known: Known) -> Shown:
    """Return what an audit finds of the claim that a proof belongs to, all its parts together."""
    if known.judge is None:
        raise UnavailableError("such a claim needs what its bundle opens: use --bundle, --policy")
    found = known.judge(claim)
    return {
        "claim": claim.digest.hex(),
        "circuit": claim.circuit,
        "proofs": len(claim.proofs),
        "found": [f"{item.claim} {item.subject} [{item.level}]: {item.reason}" for item in found],
        "rests on": [
            *dict.fromkeys(
                rest.removesuffix("" if known.circuits is not None else ", named by the policy")
                for item in found
                for rest in item.rests_on
            ),
            known.basis,
            *(() if known.circuits is not None else (OWN_CIRCUITS,)),
        ],
        "not proved": [*dict.fromkeys(words for item in found for words in item.not_proved)],
    }


def _vouched(proof: Proof, known: Known) -> str:
    name = proof.verifying_key.hex()
    if known.circuits is None:
        return f"{name}: taken as it is; `rootline circuits derive` makes it anew to compare"
    check_circuit(proof, known.circuits)
    return f"{name}: named by the policy"


def _dataset(digest: Digest, known: Known) -> DatasetCommitment:
    if digest not in known.datasets:
        raise UnavailableError(
            f"the document is about dataset commitment {digest.hex()[:16]}…, which is not among "
            "those given: give its envelope with --about, or the bundle that holds it"
        )
    return known.datasets[digest]


def _shown(claim: str, dataset: DatasetCommitment, known: Known, **more: object) -> Shown:
    words = CLAIMS[claim]
    return {
        "dataset": dataset.label,
        "claim": words.words,
        **more,
        "rests on": known.basis,
        "not proved": [*words.not_proved, UNSEEN],
    }


def _sorted(
    items: Iterable[Attestation],
) -> tuple[dict[Digest, DatasetCommitment], dict[Digest, MembershipClaim]]:
    datasets: dict[Digest, DatasetCommitment] = {}
    claims: dict[Digest, MembershipClaim] = {}
    for item in items:
        if isinstance(item.commitment, DatasetCommitment):
            datasets[item.subject] = item.commitment
        elif isinstance(item.commitment, MembershipClaim):
            claims[item.commitment.proof] = item.commitment
    return datasets, claims


def _proved(items: Iterable[Attestation]) -> dict[Digest, Claim]:
    claims = [item.commitment for item in items if isinstance(item.commitment, Claim)]
    return {proof: claim for claim in claims for proof in claim.proofs}


def _nothing(_: Proof) -> Mapping[Digest, bytes]:
    raise UnavailableError("a membership proof needs its circuit's artifacts: check the bundle")
