"""A zero-knowledge claim checked as an audit checks it: the findings that name the claim."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pipelines.flow.auditing import policy_for, trusted_circuit, verifiers
from pipelines.flow.exporting import Bundle
from pipelines.flow.proofs.claiming import proof_path
from pipelines.flow.workspace import Workspace
from provenance.audit import audit
from provenance.claim import (
    AbsenceStatement,
    Claim,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    StepsStatement,
)
from provenance.errors import UnavailableError, VerificationError
from provenance.findings import Finding, Outcome
from provenance.policy import Policy
from provenance.proof import MAX_BYTES, Proof
from storage.atomic import read_bounded

KINDS: Final[Mapping[type, str]] = {
    AbsenceStatement: "absence",
    StepsStatement: "proved-steps",
    PropertyStatement: "property",
    InferenceStatement: "inference",
    EvaluationStatement: "evaluation",
}
"""Which claim of an audit a statement is found as."""
Judge = Callable[[Claim], tuple[Finding, ...]]
"""Returns what an audit finds about a claim."""


def judge_of_home(space: Workspace) -> Judge:
    """Return what judges a claim by this home: its log, and the circuits that its proofs name."""

    def judge(claim: Claim) -> tuple[Finding, ...]:
        bundle = Bundle(space)
        bundle.add_log()
        bundle.add_blocks()
        bundle.add_claim(claim)
        proofs = [
            Proof.parse(read_bounded(proof_path(space, digest.hex()), MAX_BYTES))
            for digest in claim.proofs
        ]
        trusted = {
            proof.circuit: trusted_circuit(
                proof.circuit, proof.verifying_key, proof.srs, proof.settings
            )
            for proof in proofs
        }
        policy = policy_for(
            space, name="this home", require=(), circuits=(*trusted.values(),), trust_operator=True
        )
        return findings(bundle.seal(), policy, claim)

    return judge


def findings(bundle: bytes, policy: Policy, claim: Claim) -> tuple[Finding, ...]:
    """Return what an audit of a bundle finds about a claim, or raise if that is not that it holds.

    Raises:
        VerificationError: A finding about the claim fails.
        UnavailableError: The claim is not published, or something is missing.
    """
    told = audit(bundle, policy, verifiers(), time.time_ns()).findings
    found = tuple(item for item in told if f"claim {claim.digest.hex()}" in item.notes)
    kind = KINDS[type(claim.statement)]
    _raise(found or [item for item in told if item.claim in (kind, "evidence")])
    others = [item for item in told if item.outcome is Outcome.FAILS]
    if others:  # a claim is worth nothing on a log, a run or data that is found false
        raise VerificationError(f"{others[0].claim} {others[0].subject}: {others[0].reason}")
    if not found:
        raise UnavailableError("the claim is not shown to be published: `rootline publish` first")
    return found


def _raise(found: Sequence[Finding]) -> None:
    for item in found:
        if item.outcome is Outcome.FAILS:
            raise VerificationError(f"{item.claim} {item.subject}: {item.reason}")
    for item in found:
        if item.outcome is Outcome.UNKNOWN:
            raise UnavailableError(f"{item.claim} {item.subject}: {item.reason}")
