"""One proof alone, against a signed commitment: no ledger, no log, no policy."""

from pathlib import Path

from provenance import canonical
from provenance.attestation import verify
from provenance.audit.datasets import OPENING_KIND
from provenance.audit.proofs import EXCLUSION_KIND, verify_exclusion
from provenance.canonical import Fields
from provenance.dataset import DatasetCommitment
from provenance.envelope import MAX_PAYLOAD, PublicKey
from provenance.errors import MalformedError, VerificationError
from provenance.findings import CLAIMS
from provenance.membership import MembershipClaim
from provenance.opening import Opening, verify_opening
from provenance.proof import KIND as PROOF_KIND
from provenance.proof import Proof, context, membership_public, verify_public
from storage.atomic import read_bounded

MAX_DOCUMENT = 2**24
UNSEEN = "whether the commitment was published, and when: `rootline audit` sees that"


def check_document(
    file: Path, about: Path, key: PublicKey, claim: Path | None = None
) -> dict[str, object]:
    """Return what a document shows about the commitment in the envelope `about`.

    Args:
        file: An opened record, an index proof, or a membership proof.
        about: Envelope of the dataset commitment.
        key: The issuer's, known from elsewhere.
        claim: Envelope of the membership claim that a proof belongs to.

    Raises:
        MalformedError: One of the files is not what it must be.
        VerificationError: The document does not fit the commitment.
    """
    data = read_bounded(file, MAX_DOCUMENT)
    dataset = _dataset(about, key)
    kind = canonical.decode(data, limit=MAX_DOCUMENT).get("kind")
    if kind == OPENING_KIND:
        return _opening(data, dataset)
    if kind == EXCLUSION_KIND:
        return _exclusion(data, dataset)
    if kind == PROOF_KIND:
        return _membership(data, dataset, key, claim)
    raise MalformedError(f"{file}: kind {kind!r} is no proof that can be checked alone")


def _dataset(path: Path, key: PublicKey) -> DatasetCommitment:
    commitment = verify(read_bounded(path, 2 * MAX_PAYLOAD), (key,)).commitment
    if not isinstance(commitment, DatasetCommitment):
        raise MalformedError(f"{path} is about no dataset")
    return commitment


def _opening(data: bytes, dataset: DatasetCommitment) -> dict[str, object]:
    fields = Fields.parse(data, OPENING_KIND)
    _same(fields, dataset)
    opening = Opening.from_fields(fields.inner("opening"))
    fields.done()
    values = verify_opening(opening, dataset)
    return _shown("record", dataset, {"record": {k: str(v) for k, v in values.items()}})


def _exclusion(data: bytes, dataset: DatasetCommitment) -> dict[str, object]:
    fields = Fields.parse(data, EXCLUSION_KIND)
    _same(fields, dataset)
    shown = verify_exclusion(fields, dataset)
    claim = "absence" if shown.absent else "presence"
    return _shown(claim, dataset, {"value": shown.value, "reveals": shown.reveals})


def _membership(
    data: bytes, dataset: DatasetCommitment, key: PublicKey, path: Path | None
) -> dict[str, object]:
    if path is None:
        raise MalformedError("a membership proof is checked with --claim, its claim's envelope")
    claim = verify(read_bounded(path, 2 * MAX_PAYLOAD), (key,)).commitment
    if not isinstance(claim, MembershipClaim) or claim.dataset != dataset.digest:
        raise VerificationError(f"{path} holds no membership claim about {dataset.label}")
    proof = Proof.parse(data)
    if proof.digest != claim.proof or proof.circuit != claim.circuit:
        raise VerificationError("the proof is not the one that the claim names")
    expected = membership_public(
        claim.circuit,
        dataset.root,
        dataset.chunks,
        claim.blinded_leaf,
        claim.blinded_index,
        context(claim.context),
    )
    verify_public(proof, expected)
    words = (
        "public values agree; the proof itself is verified with its circuit's artifacts by audit"
    )
    return _shown("membership", dataset, {"checked": words})


def _same(fields: Fields, dataset: DatasetCommitment) -> None:
    if fields.digest("dataset") != dataset.digest:
        raise VerificationError(f"the document is about another dataset than {dataset.label}")


def _shown(claim: str, dataset: DatasetCommitment, more: dict[str, object]) -> dict[str, object]:
    words = CLAIMS[claim]
    return {
        "dataset": dataset.label,
        "claim": words.words,
        **more,
        "not proved": [*words.not_proved, UNSEEN],
    }
