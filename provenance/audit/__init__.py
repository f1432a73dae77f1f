"""Evidence + policy -> verdict: every check is made, and every finding is told.

The audit opens no file, asks no network and reads no clock: bytes, policy, verifiers and the time
of the check come in, a verdict goes out. An error in one check is a finding and no end.
"""

from provenance.audit.case import Case, Scanned, Verifiers
from provenance.audit.certificates import check_certificates
from provenance.audit.claims import check_claims
from provenance.audit.datasets import anchored, check_datasets, check_openings
from provenance.audit.differences import check_differences
from provenance.audit.ledger import published
from provenance.audit.members import check_issuer, check_surplus
from provenance.audit.memberships import check_memberships, check_stray
from provenance.audit.proofs import check_exclusions
from provenance.audit.required import conclude
from provenance.audit.runs import check_runs
from provenance.errors import ProvenanceError, UnavailableError
from provenance.evidence import read, verify_manifest
from provenance.findings import Level, Verdict
from provenance.lineage import edges
from provenance.policy import Policy

__all__ = ["Case", "Scanned", "Verifiers", "audit"]


def audit(
    data: bytes, policy: Policy, verifiers: Verifiers, now: int, scanned: Scanned | None = None
) -> Verdict:
    """Return the verdict on a bundle file.

    Args:
        data: The bundle's bytes.
        policy: Whom the auditor trusts, and what must hold.
        verifiers: For the ledgers and proofs that the bundle may hold.
        now: Time of the check, nanoseconds since 1970, UTC.
        scanned: What the auditor read of the log himself, if he did.

    Raises:
        MalformedError: The file is no bundle at all; there is nothing to have a verdict on.
    """
    case = Case(read(data), policy, verifiers, now, scanned)
    try:
        _examine(case)
    except UnavailableError as error:
        case.unknown("evidence", "bundle", str(error))
    except ProvenanceError as error:
        case.fails("evidence", "bundle", str(error))
    return conclude(case)


def _examine(case: Case) -> None:
    manifest = verify_manifest(case.bundle, case.policy.keys())
    case.holds(
        "evidence",
        "bundle",
        Level.L1,
        f"{len(manifest.members)} members, as their signed list says",
        rests_on=("the issuer's key",),
    )
    log = published(case)
    check_issuer(case, log, manifest)
    found = anchored(case, log)
    check_datasets(case, log, found)
    check_openings(case, found)
    check_exclusions(case, found)
    check_differences(case, found)
    check_memberships(case, found)
    check_runs(case, log, found)
    check_claims(case, found)
    check_stray(case, found)
    check_certificates(case, log)
    check_surplus(case, found)
    case.edges.extend(edges([item.attestation for item in found.values()], case.findings))
