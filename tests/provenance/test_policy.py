"""A policy is the auditor's own file: free in spelling, strict in all else."""

import json
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import ZERO
from provenance.findings import CLAIMS, Level
from provenance.policy import (
    Issuer,
    Policy,
    Requirement,
    Span,
    TrustedCircuit,
    check_circuit,
)
from provenance.proof import Proof
from tests.provenance.documents import (
    ISSUER,
    STRANGER,
    Key,
    assert_members_are_needed,
    vectors,
    word,
)

VECTORS = vectors("policy")["cases"]
POLICY = Policy.parse(VECTORS[0]["policy"].encode())
NEW = Key("the issuer's second key")


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_policy_vectors(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedError) if case["error"] else nullcontext():
        policy = Policy.parse(case["policy"].encode())
        assert policy.encoded.decode() == case["canonical"]
        assert Policy.parse(policy.encoded) == policy


def test_every_member_is_needed() -> None:
    assert_members_are_needed(Policy.parse, POLICY.encoded)


def test_every_claim_and_level_can_be_required() -> None:
    required = tuple(Requirement(c, "*", level) for c in CLAIMS for level in Level)
    policy = replace(POLICY, require=required)
    assert Policy.parse(policy.encoded).require == required


def test_an_error_names_the_member() -> None:
    document = json.loads(POLICY.encoded)
    document["require"][1]["claim"] = "unbiased"
    with pytest.raises(MalformedError, match=r"require\[1\].*'claim' must be one of"):
        Policy.parse(json.dumps(document).encode())


def test_a_key_is_good_within_its_heights_ends_included() -> None:
    span = Span("mocha-4", 5, 9)
    assert [h for h in range(1, 12) if span.holds("mocha-4", h)] == [5, 6, 7, 8, 9]
    assert not span.holds("embedded-1", 7)
    assert Span("mocha-4", 5, None).holds("mocha-4", 2**53)
    assert Span("mocha-4", 5, 5).holds("mocha-4", 5)
    with pytest.raises(MalformedError, match="good from 5 to 4"):
        Span("mocha-4", 5, 4)


def test_a_policy_knows_its_issuers_keys_by_name_and_height() -> None:
    issuers = (
        Issuer(ISSUER.public_key, "Example Lab", (Span("c", 1, 9), Span("d", 1, None))),
        Issuer(NEW.public_key, "Example Lab", (Span("c", 10, None),)),
        Issuer(STRANGER.public_key, "Another Lab", ()),
    )
    policy = replace(POLICY, issuers=issuers)
    assert policy.keys() == (ISSUER.public_key, NEW.public_key, STRANGER.public_key)
    assert policy.is_good(ISSUER.public_key, "c", 9)
    assert not policy.is_good(ISSUER.public_key, "c", 10)
    assert policy.is_good(ISSUER.public_key, "d", 10)
    assert policy.is_good(NEW.public_key, "c", 10)
    assert not policy.is_good(STRANGER.public_key, "c", 1)
    assert not policy.is_good(Key("nobody").public_key, "c", 1)
    assert policy.name_of(NEW.public_key) == "Example Lab"
    assert policy.name_of(Key("nobody").public_key) == ""
    one, two, three = (issuer.key.key_id for issuer in issuers)
    nobody = Key("nobody").public_key.key_id
    assert policy.is_same_issuer(one, two)
    assert not policy.is_same_issuer(one, three)
    assert not policy.is_same_issuer(nobody, nobody)
    assert not policy.is_same_issuer(one, nobody)


def trusted(**changes: Any) -> TrustedCircuit:
    return replace(ENTRY, **changes)


ENTRY = POLICY.circuits[0]
PROOF = Proof(
    ENTRY.circuit,
    "ezkl",
    "23.0.5",
    (ZERO,),
    bytes(2560),
    ENTRY.verifying_key,
    ENTRY.settings,
    ENTRY.srs,
)


def test_a_proof_counts_only_if_it_is_all_that_one_entry_says() -> None:
    check_circuit(PROOF, (trusted(srs=word("another")), ENTRY))
    check_circuit(PROOF, (trusted(proof_bytes=None),))
    check_circuit(PROOF, (trusted(proof_bytes=2559), ENTRY))
    for name in ("settings", "verifying_key", "srs"):
        mixed = (trusted(**{name: word("another")}), trusted(circuit="other.v1"))
        with pytest.raises((UnavailableError, VerificationError)):
            check_circuit(PROOF, mixed)
    with pytest.raises(UnavailableError, match="names no circuit membership-22"):
        check_circuit(PROOF, ())


def test_a_size_or_a_circuit_that_contradicts_the_policy_is_false_and_not_unknown() -> None:
    with pytest.raises(VerificationError, match="a proof of 2560 bytes"):
        check_circuit(PROOF, (trusted(proof_bytes=2561),))
    with pytest.raises(VerificationError, match="under the key of other"):
        check_circuit(PROOF, (trusted(circuit="other.v1"),))
    with pytest.raises(UnavailableError):
        check_circuit(PROOF, (trusted(circuit="other.v1"), trusted(srs=word("another"))))
