"""Each published claim's finding, by the type of its statement."""

from collections.abc import Mapping

from provenance.audit.absences import check_absence
from provenance.audit.case import Case
from provenance.audit.datasets import Anchored
from provenance.audit.predictions import check_evaluation, check_inference
from provenance.audit.properties import check_property
from provenance.audit.proved_steps import ProvedSteps, check_steps, check_training
from provenance.audit.sampling import Samplings
from provenance.claim import (
    AbsenceStatement,
    Claim,
    InferenceStatement,
    PropertyStatement,
    StepsStatement,
)
from provenance.field import Digest


def check_claims(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each claim that is published, and for each run whose steps are claimed."""
    samplings = Samplings(case, {})
    proved: list[ProvedSteps] = []
    for item in found.values():
        if isinstance(item.attestation.commitment, Claim):
            proved += _check(case, item, item.attestation.commitment, found, samplings)
    check_training(case, found, proved)


def _check(
    case: Case,
    item: Anchored,
    claim: Claim,
    found: Mapping[Digest, Anchored],
    samplings: Samplings,
) -> tuple[ProvedSteps, ...]:
    match claim.statement:
        case AbsenceStatement() as statement:
            check_absence(case, item, claim, statement, found)
        case StepsStatement() as statement:
            return check_steps(case, item, claim, statement, found, samplings)
        case PropertyStatement() as statement:
            check_property(case, item, claim, statement, found)
        case InferenceStatement() as statement:
            check_inference(case, item, claim, statement, found)
        case _ as statement:
            check_evaluation(case, item, claim, statement, found, samplings)
    return ()
