"""What the policy requires, against what was found: one finding for each requirement."""

from collections.abc import Sequence

from provenance.audit.case import Case
from provenance.findings import Finding, Level, Outcome, Verdict
from provenance.policy import Requirement


def conclude(case: Case) -> Verdict:
    """Return the verdict that follows from all that was found."""
    findings = tuple(case.findings)
    answers = tuple(required(item, findings) for item in case.policy.require)
    return Verdict(case.policy.name, findings, answers, tuple(case.edges))


def required(item: Requirement, findings: tuple[Finding, ...]) -> Finding:
    """Return whether a requirement was found to hold, at its level and for all it speaks of."""
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
