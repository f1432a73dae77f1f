"""Whether a bundle is of one piece: its manifest belongs to its log, its members to each other.

Every member is checked somewhere or named by one that is; what nothing asks for is told, so that no
byte of a bundle rests on nothing.
"""

from collections.abc import Iterator, Mapping

from provenance.audit.case import Case
from provenance.audit.datasets import Anchored
from provenance.audit.ledger import Published
from provenance.errors import ProvenanceError, VerificationError
from provenance.evidence import Manifest
from provenance.field import Digest
from provenance.proof import Proof


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
    wanted = {
        "paths": set(case.bundle.under("attestations")),
        "tables": subjects,
        "steps": subjects,
        "circuits": set(_artifacts(case)),
    }
    for folder, names in wanted.items():
        for name in case.bundle.under(folder):
            if name not in names:
                yield f"{folder}/{name}.{'bin' if folder == 'circuits' else 'json'}"


def _artifacts(case: Case) -> Iterator[str]:
    for data in case.bundle.under("proofs").values():
        try:
            yield from (digest.hex() for digest in Proof.parse(data).artifacts)
        except ProvenanceError:  # told where the proof is checked
            continue
