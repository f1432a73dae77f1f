"""A bundle of one piece: nothing in it that is another's, or that nothing asks for."""

from dataclasses import replace

import pytest

from provenance import canonical
from provenance.evidence import seal
from provenance.field import Digest
from provenance.findings import Outcome
from tests.provenance.audit.test_runs import finding
from tests.provenance.world import ISSUER, ROTATED, STRANGER, World

OTHER = Digest(b"\7" * 32)


def test_a_manifest_that_names_another_log_fails(honest: World) -> None:
    verdict = honest.audit(data=seal(honest.members, OTHER, ISSUER))
    assert finding(verdict, "evidence", "names another log than the bundle holds")


def test_a_bundle_packed_by_another_issuer_fails(honest: World) -> None:
    verdict = honest.audit(data=honest.seal(signer=STRANGER))
    assert finding(verdict, "evidence", "signed by another issuer than the log")


def test_a_bundle_packed_with_the_issuers_second_key_holds(honest: World) -> None:
    assert honest.audit(data=honest.seal(signer=ROTATED)).outcome is Outcome.HOLDS


@pytest.mark.parametrize(
    "path",
    [
        f"paths/{OTHER.hex()}.json",
        f"tables/{OTHER.hex()}.json",
        f"steps/{OTHER.hex()}.json",
        f"circuits/{canonical.digest(b'{}').hex()}.bin",
    ],
)
def test_a_member_that_nothing_asks_for_is_told(honest: World, path: str) -> None:
    verdict = honest.audit(members=honest.members | {path: b"{}"})
    assert finding(verdict, "evidence", "nothing in the bundle", Outcome.UNKNOWN)
    assert [f.subject for f in verdict.findings if f.outcome is Outcome.UNKNOWN] == [path]


def test_the_artifacts_of_a_broken_proof_are_told_too(honest: World) -> None:
    path = f"proofs/{honest['proof'].digest.hex()}.json"
    verdict = honest.audit(members=honest.members | {path: b"{}"})
    assert finding(verdict, "membership", "not the one that the claim names")
    assert finding(verdict, "evidence", "nothing in the bundle", Outcome.UNKNOWN)


def test_an_auditor_who_asks_for_less_is_content_with_less(honest: World) -> None:
    path = f"tables/{OTHER.hex()}.json"
    policy = replace(honest.policy, require=honest.policy.require[1:])
    verdict = honest.audit(policy, members=honest.members | {path: b"{}"})
    assert verdict.outcome is Outcome.HOLDS
