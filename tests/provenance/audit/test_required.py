"""What a requirement about every subject needs."""

import pytest

from provenance.audit.required import required
from provenance.findings import Finding, Level, Outcome
from provenance.policy import Requirement


def found(subject: str, level: Level) -> Finding:
    return Finding("order", subject, Outcome.HOLDS, "", level)


@pytest.mark.parametrize(
    ("subject", "outcome"),
    [("*", Outcome.UNKNOWN), ("good", Outcome.HOLDS), ("weak", Outcome.UNKNOWN)],
)
def test_a_star_stands_for_the_weakest_subject(subject: str, outcome: Outcome) -> None:
    findings = (found("good", Level.L2), found("weak", Level.L1))
    assert required(Requirement("order", subject, Level.L2), findings).outcome is outcome


def test_of_two_findings_about_one_subject_the_weaker_counts() -> None:
    findings = (found("good", Level.L1), found("good", Level.L2))
    assert required(Requirement("order", "good", Level.L2), findings).outcome is Outcome.UNKNOWN
