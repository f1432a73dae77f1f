"""Proofs count only whole: as many as parts, each artifact bounded, and verified in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from provenance.audit import Case, audit, trust
from provenance.audit.trust import prove, read_proofs
from provenance.errors import ProvenanceError, VerificationError
from provenance.evidence import read
from provenance.field import Digest
from provenance.findings import Outcome
from provenance.proof import Proof
from tests.provenance.claimed import about, claim_world, steps
from tests.provenance.world import VERIFIERS, FakeProofVerifier, World


@pytest.fixture(scope="module")
def world() -> World:
    return claim_world(steps(0, 6))


class Together(FakeProofVerifier):
    """Verifies many at once, and notes how many each time."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def verify_many(
        self, proofs: Sequence[Proof], artifacts: Mapping[Digest, bytes]
    ) -> list[ProvenanceError | None]:
        self.calls.append(len(proofs))
        for proof in proofs:
            self.verify(proof, artifacts)
        return [None] * len(proofs)


def test_a_claims_proofs_are_verified_in_one_go(world: World) -> None:
    together = Together()
    verifiers = replace(VERIFIERS, provers={"fake": together})
    verdict = audit(world.seal(), world.policy, verifiers, world.now)
    assert verdict.outcome is Outcome.HOLDS
    assert sorted(together.calls) == [1, 3]  # the membership's proof, and the claim's three


def test_values_for_another_number_of_parts_are_no_proof(world: World) -> None:
    case = Case(read(world.seal()), world.policy, VERIFIERS, world.now)
    [claim] = world["claims"]
    for count in (0, 2, 4):
        with pytest.raises(VerificationError, match=f"3 proofs for {count} parts"):
            prove(case, read_proofs(case, claim), [()] * count)


def test_an_artifact_that_no_circuit_needs_so_large_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "MAX_ARTIFACT", 10)
    found = about(world.audit(), "proved-steps")
    assert {f.outcome for f in found} == {Outcome.FAILS}
    assert all("a circuit artifact of" in f.reason for f in found)
