"""Lies about zero-knowledge proofs and index proofs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from provenance import canonical
from provenance.audit import audit
from provenance.audit.proofs import exclusion_document
from provenance.exclusion import key, prove_absence, prove_presence
from provenance.expected.membership import membership_public
from provenance.field import ORDER, Digest, FieldElement
from provenance.findings import Level, Outcome, Verdict
from provenance.leaf import content_digest
from provenance.proof import Proof, context
from tests.provenance.audit.test_runs import finding
from tests.provenance.world import (
    CIRCUIT,
    NOTES,
    ROTATED,
    STRANGER,
    VERIFIERS,
    World,
    bad,
    build,
    fake_proof,
    trusted,
)

OTHER = Digest(b"\7" * 32)


def proved(proof: Proof, **changes: Any) -> Proof:
    """Return a proof of something else that verifies by itself."""
    changed = replace(proof, **changes)
    return replace(changed, proof=fake_proof(changed.verifying_key, changed.public))


def swap(one: int, other: int) -> Callable[[Proof], Proof]:
    def change(proof: Proof) -> Proof:
        public = list(proof.public)
        public[one], public[other] = public[other], public[one]
        return proved(proof, public=tuple(public))

    return change


def test_swapped_public_values_fail() -> None:
    for one, other in ((0, 1), (-4, -3), (-3, -2), (0, -2)):
        assert finding(build(proof=swap(one, other)).audit(), "membership", "public value")


def test_public_values_of_another_number_fail() -> None:
    shorter = build(proof=lambda proof: proved(proof, public=proof.public[:-1]))
    assert finding(shorter.audit(), "membership", "public values, not the expected")
    longer = build(proof=lambda proof: proved(proof, public=(*proof.public, FieldElement(0))))
    assert finding(longer.audit(), "membership", "public values, not the expected")


def test_each_public_value_is_checked(honest: World) -> None:
    for number in range(0, len(honest["proof"].public), 9):

        def change(proof: Proof, number: int = number) -> Proof:
            public = list(proof.public)
            public[number] = FieldElement((public[number] + 1) % ORDER)
            return proved(proof, public=tuple(public))

        assert finding(build(proof=change).audit(), "membership", f"public value {number}")


def test_a_proof_that_does_not_verify_fails() -> None:
    world = build(proof=lambda proof: replace(proof, proof=b"\0" + proof.proof[1:]))
    assert finding(world.audit(), "membership", "the proof does not verify")


def test_a_proof_carried_over_to_another_dataset_fails(honest: World) -> None:
    world = build(claim=lambda claim: replace(claim, dataset=honest["v1"].digest))
    assert finding(world.audit(), "membership", "public value 0")


def test_a_proof_carried_over_to_another_statement_fails(honest: World) -> None:
    """Only the context tells two commitments with one root apart."""
    told = honest["proof"].public
    public = (*told[:-2], context(b"another statement"), told[-1])
    carried = build(proof=lambda proof: proved(proof, public=public))
    assert finding(carried.audit(), "membership", f"public value {len(public) - 2}")


def test_a_proof_carried_over_to_another_issuer_fails() -> None:
    world = build(claim=lambda claim: replace(claim, issuer=STRANGER.key_id))
    assert finding(world.audit(), "evidence", "signed by another issuer than the log's")
    world = build(claim=lambda claim: replace(claim, issuer=ROTATED.key_id))
    place = len(world["proof"].public) - 2
    assert finding(world.audit(), "membership", f"public value {place}")


def test_a_proof_whose_claim_is_signed_but_not_shown_to_be_published_is_unknown(
    honest: World,
) -> None:
    receipts = {path for path in honest.members if path.startswith("receipts/")}
    members = {path: data for path, data in honest.members.items() if path not in receipts}
    verdict = honest.audit(members=members)
    assert finding(verdict, "evidence", "its claim is not shown to be published", Outcome.UNKNOWN)
    assert verdict.outcome is Outcome.UNKNOWN


def test_an_unreadable_attestation_does_not_hide_that_a_proof_is_nobodys(honest: World) -> None:
    envelopes = {path for path in honest.members if path.startswith("attestations/")}
    members = {p: b"{}" if p in envelopes else data for p, data in honest.members.items()}
    assert finding(honest.audit(members=members), "evidence", "no published claim belongs")


def test_a_membership_needs_no_chunk_table_since_the_chunk_count_is_a_public_value(
    honest: World,
) -> None:
    table = f"tables/{honest['v2'].digest.hex()}.json"
    members = {path: data for path, data in honest.members.items() if path != table}
    findings = honest.audit(members=members).findings
    assert [f.outcome for f in findings if f.claim == "membership"] == [Outcome.HOLDS]
    told, count = honest["proof"].public, honest["v2"].chunks
    assert told[1] == count
    hidden = (told[0], FieldElement(count + 1), *told[2:])
    world = build(proof=lambda proof: proved(proof, public=hidden))
    assert finding(world.audit(), "membership", "public value 1 of the proof")


def test_a_claim_by_the_issuers_second_key_holds_with_a_proof_of_its_own(honest: World) -> None:
    def claim(told: Any) -> Any:
        return replace(told, issuer=ROTATED.key_id)

    told = claim(honest["claim"])
    v2 = honest["v2"]
    hidden = (told.blinded_leaf, told.blinded_index)
    public = membership_public(CIRCUIT, v2.root, v2.chunks, *hidden, context(told.context))
    world = build(claim=claim, proof=lambda proof: proved(proof, public=public))
    assert world.audit().outcome is Outcome.HOLDS, bad(world.audit())


def test_a_claim_of_another_circuit_than_its_proof_fails() -> None:
    world = build(claim=lambda claim: replace(claim, circuit="membership-32.v2"))
    assert finding(world.audit(), "membership", "the proof is of circuit membership-22.v2")


def test_a_circuit_that_is_too_shallow_or_unknown_fails() -> None:
    for circuit in ("membership-14.v2", "made-up.v1"):
        world = build(
            claim=partial(replace, circuit=circuit),
            proof=partial(replace, circuit=circuit),
        )
        assert world.audit().outcome is Outcome.FAILS


def test_a_claim_about_an_unpublished_dataset_is_unknown() -> None:
    world = build(claim=lambda claim: replace(claim, dataset=OTHER))
    assert finding(world.audit(), "membership", "is not shown to be published", Outcome.UNKNOWN)


def test_a_claim_without_its_proof_is_unknown(honest: World) -> None:
    members = {p: d for p, d in honest.members.items() if not p.startswith("proofs/")}
    verdict = honest.audit(members=members)
    assert finding(verdict, "membership", "proof is not in the evidence", Outcome.UNKNOWN)


def test_another_proof_under_the_claimed_name_fails(honest: World) -> None:
    path = f"proofs/{honest['proof'].digest.hex()}.json"
    other = replace(honest["proof"], backend_version="2").encoded
    verdict = honest.audit(members=honest.members | {path: other})
    assert finding(verdict, "membership", "not the one that the claim names")


def test_a_proof_that_no_claim_names_fails(honest: World) -> None:
    other = replace(honest["proof"], backend_version="2")
    members = honest.members | {f"proofs/{other.digest.hex()}.json": other.encoded}
    verdict = honest.audit(members=members)
    assert finding(verdict, "evidence", "no published claim belongs to this proof")


def test_a_circuit_that_no_entry_of_the_policy_names_whole_is_unknown(honest: World) -> None:
    entry = trusted(CIRCUIT)
    others = {
        "verifying_key": replace(entry, verifying_key=OTHER),
        "settings": replace(entry, settings=OTHER),
        "srs": replace(entry, srs=OTHER),
    }
    for name, other in others.items():
        verdict = honest.audit(replace(honest.policy, circuits=(other,)))
        assert finding(verdict, "membership", f"has another {name} than", Outcome.UNKNOWN)


def test_a_key_that_the_policy_names_for_another_circuit_fails(honest: World) -> None:
    other = replace(trusted(CIRCUIT), circuit="membership-32.v2")
    verdict = honest.audit(replace(honest.policy, circuits=(other,)))
    assert finding(verdict, "membership", "under the key of membership-32.v2")


def test_a_proof_of_another_size_than_its_circuits_fails(honest: World) -> None:
    other = replace(trusted(CIRCUIT), proof_bytes=33)
    verdict = honest.audit(replace(honest.policy, circuits=(other,)))
    assert finding(verdict, "membership", "a proof of 32 bytes")
    free = replace(other, proof_bytes=None)
    verdict = honest.audit(replace(honest.policy, circuits=(other, free)))
    assert verdict.outcome is Outcome.HOLDS, bad(verdict)


def test_a_backend_without_a_verifier_is_unknown(honest: World) -> None:
    verdict = audit(honest.seal(), honest.policy, replace(VERIFIERS, provers={}), honest.now)
    assert finding(verdict, "membership", "no verifier here for proofs", Outcome.UNKNOWN)


def test_an_srs_that_nobody_accepts_leaves_the_claim_worth_a_signature(honest: World) -> None:
    verdict = honest.audit(replace(honest.policy, srs=()))
    [found] = [f for f in verdict.findings if f.claim == "membership"]
    assert found.level is Level.L1
    assert found.outcome is Outcome.HOLDS
    assert "INSECURE" in found.reason
    assert any("accepted by nobody" in rest for rest in found.rests_on)
    assert verdict.outcome is Outcome.UNKNOWN


def artifact(world: World) -> str:
    return f"circuits/{world['proof'].verifying_key.hex()}.bin"


def test_a_missing_circuit_artifact_is_unknown(honest: World) -> None:
    members = {p: d for p, d in honest.members.items() if p != artifact(honest)}
    verdict = honest.audit(members=members)
    assert finding(verdict, "membership", "artifact is missing", Outcome.UNKNOWN)


def test_a_changed_circuit_artifact_fails(honest: World) -> None:
    verdict = honest.audit(members=honest.members | {artifact(honest): b"another key"})
    assert finding(verdict, "membership", "name is not its digest")


# index proofs


def with_index_proof(world: World, document: Any, name: Digest | None = None) -> Verdict:
    data = canonical.encode(document)
    path = f"exclusions/{(name or canonical.digest(data)).hex()}.json"
    return world.audit(members=world.members | {path: data})


def document(world: World, **changes: Any) -> dict[str, Any]:
    """Return an honest proof of absence, changed."""
    _, notes = world["table2"].indexes
    proof = prove_absence(notes, key(NOTES, "note", "Nobody here"))
    honest = exclusion_document(world["v2"].digest, 1, "Nobody here", proof.to_json(), absent=True)
    return {**honest, **changes}


def test_an_absence_for_another_value_index_or_dataset_fails(honest: World) -> None:
    for changes in (
        {"value": "Patient 7"},
        {"value": "Nobody else"},
        {"index": 2},
        {"index": -1},
        {"dataset": honest["v1"].digest.hex()},
    ):
        verdict = with_index_proof(honest, document(honest, **changes))
        assert finding(verdict, "absence", "")


def test_the_absence_of_something_present_fails(honest: World) -> None:
    _, notes = honest["table2"].indexes
    proof = prove_presence(notes, key(NOTES, "note", "Patient 7")).to_json()
    told: Any = {
        "neighbour": None,
        "siblings": proof["siblings"],
    }
    verdict = with_index_proof(honest, document(honest, value="Patient 7", proof=told))
    assert finding(verdict, "absence", "the proof leads to")


def test_the_presence_of_something_absent_fails(honest: World) -> None:
    absence = document(honest)
    neighbour = absence["proof"]["neighbour"]
    told: Any = {"salt": neighbour["salt"] if neighbour else "00" * 31, "siblings": []}
    verdict = with_index_proof(honest, document(honest, absent=False, proof=told))
    assert finding(verdict, "absence", "the proof leads to")


def test_an_index_proof_of_an_unpublished_dataset_is_unknown(honest: World) -> None:
    verdict = with_index_proof(honest, document(honest, dataset=OTHER.hex()))
    assert finding(verdict, "absence", "is not shown to be published", Outcome.UNKNOWN)


def test_an_index_proof_under_another_name_than_its_digest_fails(honest: World) -> None:
    verdict = with_index_proof(honest, document(honest), OTHER)
    assert finding(verdict, "absence", "name is not its digest")


def test_an_index_that_only_hides_a_record_is_no_proof_about_the_records(honest: World) -> None:
    for claim in ("absence", "presence"):
        found = [f for f in honest.audit().findings if f.claim == claim]
        assert {f.level for f in found} == {Level.L0}
        assert all("only declared, which caps the claim" in f.reason for f in found)


@pytest.mark.parametrize("number", [0, 1])
def test_exact_absence_is_of_an_encoded_record(honest: World, number: int) -> None:
    verdict = with_index_proof(honest, document(honest, index=0, value="zz" * number))
    assert verdict.outcome is not Outcome.HOLDS


def test_the_absence_of_bytes_that_are_no_record_says_nothing(honest: World) -> None:
    whole, _ = honest["table2"].indexes
    content = content_digest(honest["v2"].schema.digest, b"\xff")
    told: Any = prove_absence(whole, key("exact/1", "", content)).to_json()
    verdict = with_index_proof(honest, document(honest, index=0, value="ff", proof=told))
    assert verdict.outcome is Outcome.FAILS
