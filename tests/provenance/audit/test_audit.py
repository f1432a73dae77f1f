"""The honest world, and what is not known when something is missing from it."""

from dataclasses import replace

import pytest

from provenance.audit import audit
from provenance.errors import MalformedError
from provenance.findings import Level, Outcome
from provenance.policy import Requirement
from tests.provenance.world import REQUIRED, STRANGER, VERIFIERS, World, bad

LEVELS = {
    "evidence": Level.L1,
    "log": Level.L1,
    "dataset": Level.L1,
    "count": Level.L1,
    "facts": Level.L0,
    "unique": Level.L1,
    "record": Level.L1,
    "absence": Level.L0,
    "presence": Level.L0,
    "difference": Level.L1,
    "membership": Level.L4,
    "run": Level.L1,
    "order": Level.L2,
    "steps": Level.L3,
}


def test_an_honest_bundle_holds_with_each_claim_at_its_level(honest: World) -> None:
    verdict = honest.audit()
    assert bad(verdict) == []
    assert verdict.outcome is Outcome.HOLDS
    assert {f.claim: f.level for f in verdict.findings} == LEVELS
    assert all(f.not_proved and f.reason for f in verdict.findings)


def test_a_claim_above_its_level_is_unknown(honest: World) -> None:
    for claim, level in LEVELS.items():
        higher = Requirement(claim, "*", Level(f"L{int(level[1]) + 1}"))
        verdict = honest.audit(replace(honest.policy, require=(higher,)))
        assert verdict.outcome is Outcome.UNKNOWN
        assert verdict.required[0].reason == f"found only at {level}"


def test_a_required_claim_without_a_finding_is_unknown(honest: World) -> None:
    for missing in (
        Requirement("dataset", "cells@v3", Level.L1),
        Requirement("record", "cells@v2[0:4]", Level.L0),
        Requirement("steps", "another-run", Level.L0),
    ):
        policy = replace(honest.policy, require=(*REQUIRED, missing))
        verdict = honest.audit(policy)
        assert verdict.outcome is Outcome.UNKNOWN
        [(claim, subject, words)] = bad(verdict)
        assert (claim, subject) == (missing.claim, missing.subject)
        assert words.startswith("the evidence says nothing of it; it has ")


def test_a_requirement_about_a_whole_stands_for_all_its_parts(honest: World) -> None:
    whole = Requirement("record", "cells@v2", Level.L1)
    assert honest.audit(replace(honest.policy, require=(whole,))).outcome is Outcome.HOLDS
    other = Requirement("record", "cells@v", Level.L1)
    assert honest.audit(replace(honest.policy, require=(other,))).outcome is Outcome.UNKNOWN


def test_of_a_claim_without_any_finding_there_is_nothing_to_tell(honest: World) -> None:
    members = {path: d for path, d in honest.members.items() if not path.startswith("openings/")}
    wanted = Requirement("record", "cells@v2", Level.L1)
    verdict = honest.audit(replace(honest.policy, require=(wanted,)), members)
    assert verdict.required[0].reason == "the evidence says nothing of it"


def test_a_policy_that_requires_nothing_never_holds(honest: World) -> None:
    assert honest.audit(replace(honest.policy, require=())).outcome is Outcome.UNKNOWN


def test_a_start_without_a_run_is_unknown_and_the_run_after_it_tells_of_it(
    unfinished: World,
) -> None:
    verdict = unfinished.audit()
    told = [(f.claim, f.subject) for f in verdict.findings if f.outcome is Outcome.UNKNOWN]
    assert told == [("run", "given-up")]
    assert [f.outcome for f in verdict.required if f.claim == "run"] == [Outcome.UNKNOWN]
    [order] = [f for f in verdict.findings if f.claim == "order"]
    assert order.level is Level.L2
    assert any("never registered: batches 3" in note for note in order.notes)


def test_a_file_that_is_no_bundle_has_no_verdict(honest: World) -> None:
    with pytest.raises(MalformedError):
        audit(b"PK", honest.policy, VERIFIERS, honest.now)


def test_a_manifest_by_nobody_known_fails(honest: World) -> None:
    policy = replace(honest.policy, issuers=honest.policy.issuers[:1])
    data = honest.seal(signer=STRANGER)
    verdict = honest.audit(policy, data=data)
    assert verdict.outcome is Outcome.FAILS
    assert "not trusted" in verdict.findings[0].reason


def test_a_ledger_without_a_verifier_or_an_anchor_is_unknown(honest: World) -> None:
    verdict = audit(honest.seal(), honest.policy, replace(VERIFIERS, ledgers={}), honest.now)
    assert verdict.outcome is Outcome.UNKNOWN
    assert "no verifier here" in verdict.findings[-1].reason
