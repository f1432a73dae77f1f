"""Whether a bundle is of one piece: its manifest belongs to its log, its members to each other.

Every member is checked somewhere or named by one that is; what nothing asks for is told, so that no
byte of a bundle rests on nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from provenance.audit.case import Case
from provenance.audit.datasets import Anchored
from provenance.audit.ledger import Published
from provenance.claim import (
    AbsenceStatement,
    Claim,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
    StepsStatement,
)
from provenance.errors import ProvenanceError, VerificationError
from provenance.evidence import Manifest
from provenance.field import Digest
from provenance.proof import Proof

ENDINGS: Final = {"circuits": "bin", "functions": "onnx"}


def check_issuer(case: Case, log: Published, manifest: Manifest) -> None:
    """Check that the manifest names the bundle's log and that the log's issuer signed it.

    Raises:
        VerificationError: It is another's, so nobody answers for what was left out.
    """
    first = log.history.headers[0].sealed
    if manifest.log != first.header.log_id:
        raise VerificationError("manifest: it names another log than the bundle holds")
    if not case.policy.is_same_issuer(manifest.issuer, first.key.key_id):
        raise VerificationError("manifest: it is signed by another issuer than the log")
    newest = max(log.posted.values(), key=lambda block: block.height, default=None)
    trusted = case.policy.keys()
    signed = [key for key in trusted if key.key_id == manifest.issuer]
    if newest and not any(case.policy.is_good(k, newest.chain, newest.height) for k in signed):
        raise VerificationError("manifest: its key is not good for the newest receipt's block")


def check_surplus(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each member that nothing in the bundle asks for."""
    for path in _surplus(case, found):
        case.unknown("evidence", path, "nothing in the bundle that is published asks for it")


def _surplus(case: Case, found: Mapping[Digest, Anchored]) -> Iterator[str]:
    subjects = {digest.hex() for digest in found}
    made = [item.attestation.commitment for item in found.values()]
    claims = [commitment for commitment in made if isinstance(commitment, Claim)]
    wanted = {
        "paths": set(case.bundle.under("attestations")),
        "tables": subjects,
        "steps": subjects,
        "circuits": set(_artifacts(case)),
        "claims": {claim.digest.hex() for claim in claims if _opens(claim)},
        "values": {c.digest.hex() for c in claims if isinstance(c.statement, AbsenceStatement)},
        "functions": {
            claim.statement.function.hex()
            for claim in claims
            if isinstance(claim.statement, PropertyStatement)
        },
    }
    for folder, names in wanted.items():
        for name in case.bundle.under(folder):
            if name not in names:
                yield f"{folder}/{name}.{ENDINGS.get(folder, 'json')}"


def _opens(claim: Claim) -> bool:
    """Return whether steps or records must be opened to compute a claim's public values."""
    match claim.statement:
        case StepsStatement() | EvaluationStatement():
            return True
        case PropertyStatement() as statement:
            return isinstance(statement.about, Records)
        case InferenceStatement() as statement:
            return isinstance(statement.inputs, Records)
        case _:
            return False


def _artifacts(case: Case) -> Iterator[str]:
    for data in case.bundle.under("proofs").values():
        try:
            yield from (digest.hex() for digest in Proof.parse(data).artifacts)
        except ProvenanceError:  # told where the proof is checked
            continue
