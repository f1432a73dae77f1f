"""Evidence + policy -> verdict: every check is made, and every finding is told.

The audit opens no file, asks no network and reads no clock: bytes, policy, verifiers and the time
of the check come in, a verdict goes out. An error in one check is a finding and no end.
"""

from collections.abc import Sequence

from provenance.audit.case import Case, Verifiers
from provenance.audit.certificates import check_certificates
from provenance.audit.claims import check_claims
from provenance.audit.datasets import anchored, check_datasets, check_openings
from provenance.audit.differences import check_differences
from provenance.audit.ledger import published
from provenance.audit.members import check_issuer, check_surplus
from provenance.audit.memberships import check_memberships, check_stray
from provenance.audit.proofs import check_exclusions
from provenance.audit.runs import check_runs
from provenance.errors import ProvenanceError, UnavailableError
from provenance.evidence import read, verify_manifest
from provenance.findings import Finding, Level, Outcome, Verdict
from provenance.lineage import edges
from provenance.policy import Policy, Requirement

__all__ = ["Case", "Verifiers", "audit"]


def audit(data: bytes, policy: Policy, verifiers: Verifiers, now: int) -> Verdict:
    """Return the verdict on a bundle file.

    Args:
        data: The bundle's bytes.
        policy: Whom the auditor trusts, and what must hold.
        verifiers: For the ledgers and proofs that the bundle may hold.
        now: Time of the check, nanoseconds since 1970, UTC.

    Raises:
        MalformedError: The file is no bundle at all; there is nothing to have a verdict on.
    """
    case = Case(read(data), policy, verifiers, now)
    try:
        _examine(case)
    except UnavailableError as error:
        case.unknown("evidence", "bundle", str(error))
    except ProvenanceError as error:
        case.fails("evidence", "bundle", str(error))
    findings = tuple(case.findings)
    required = tuple(_required(item, findings) for item in policy.require)
    return Verdict(policy.name, findings, required, tuple(case.edges))


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


def _level(about: Sequence[Finding]) -> Level | None:
    """Return the level at which all of them were found: none lends another its own."""
    return min((finding.level for finding in about if finding.level is not None), default=None)


def _is_about(subject: str, wanted: str) -> bool:
    """Return whether a requirement about `wanted` speaks of `subject`, or of a part of it."""
    return wanted in ("*", subject) or subject.startswith(f"{wanted}[")


def _nothing(item: Requirement, findings: Sequence[Finding]) -> str:
    others = sorted({finding.subject for finding in findings if finding.claim == item.claim})
    told = f"; it has {item.claim} findings about {', '.join(others[:5])}" if others else ""
    return f"the evidence says nothing of it{told}"


def _required(item: Requirement, findings: tuple[Finding, ...]) -> Finding:
    about = [f for f in findings if f.claim == item.claim and _is_about(f.subject, item.subject)]
    best = _level(about)
    unclear = [f for f in about if f.outcome is Outcome.UNKNOWN]
    if any(f.outcome is Outcome.FAILS for f in about):
        outcome, words = Outcome.FAILS, "a check of it failed"
    elif unclear:
        outcome, words = Outcome.UNKNOWN, unclear[0].reason
    elif best is None:
        outcome, words = Outcome.UNKNOWN, _nothing(item, findings)
    elif best < item.level:
        outcome, words = Outcome.UNKNOWN, f"found only at {best}"
    else:
        outcome, words = Outcome.HOLDS, f"found at {best}"
    return Finding(item.claim, item.subject, outcome, words, item.level)
