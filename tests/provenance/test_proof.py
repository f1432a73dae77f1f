"""Proof documents, the context, and the vector of public values that a verifier computes."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from provenance import canonical
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.expected.membership import MEMBERSHIP, membership_public, membership_zeros
from provenance.field import ORDER, ZERO, Digest, FieldElement
from provenance.poseidon import poseidon
from provenance.proof import (
    MAX_PROOF_BYTES,
    MAX_PUBLIC,
    Proof,
    context,
    verify_proofs,
    verify_public,
)
from provenance.tree import zero_root

VECTORS = Path(__file__).parents[1] / "vectors"
RECORDED: dict[str, Any] = json.loads((VECTORS / "proof.json").read_text())
MEMBERSHIPS: dict[str, Any] = json.loads((VECTORS / "membership.json").read_text())
DOCUMENT: dict[str, Any] = RECORDED["document"]
PROOF = Proof.parse(canonical.encode(DOCUMENT))
LEFT, RIGHT, ROOT = FieldElement(3), FieldElement(4), FieldElement(5)


def test_a_recorded_proof_is_read_and_written_to_the_same_bytes() -> None:
    assert PROOF.encoded == canonical.encode(DOCUMENT)
    assert PROOF.digest == canonical.digest(PROOF.encoded)
    assert set(PROOF.artifacts) == {Digest.parse(name) for name in RECORDED["artifacts"]}


def test_the_recorded_proof_has_the_public_values_that_its_claim_calls_for() -> None:
    claim = RECORDED["expected"]
    elements = {
        name: FieldElement.parse(claim[name])
        for name in ("root", "blinded_leaf", "blinded_index", "context")
    }
    expected = membership_public(claim["circuit"], chunk_count=claim["chunk_count"], **elements)
    verify_public(PROOF, expected)


@pytest.mark.parametrize("case", MEMBERSHIPS["honest"], ids=lambda case: case["circuit"])
def test_public_values_follow_from_commitment_and_claim(case: dict[str, Any]) -> None:
    told = {name: FieldElement.parse(case[name]) for name in ("root", "context")}
    index = case["inclusion"]["chunk"] * 2**14 + case["inclusion"]["position"]
    public = membership_public(
        case["circuit"],
        told["root"],
        case["chunk_count"],
        poseidon(4, int(case["leaf"], 16), int(case["leaf_blind"], 16)),
        poseidon(5, index, int(case["index_blind"], 16)),
        told["context"],
    )
    assert [value.hex for value in public] == case["public"]


@pytest.mark.parametrize(("circuit", "depth"), MEMBERSHIP.items())
def test_the_vector_holds_root_zeros_commitments_context_and_one(circuit: str, depth: int) -> None:
    public = membership_public(circuit, ROOT, 1, LEFT, RIGHT, FieldElement(9))
    assert len(public) == 3 * depth + 21
    assert public[1] == 1
    assert public[2:-4] == (ZERO,) * membership_zeros(depth)
    assert public[-4:] == (3, 4, 9, 1)


def test_the_root_is_lifted_from_the_depth_that_the_chunk_count_gives() -> None:
    def first(chunks: int) -> int:
        return membership_public("membership-22.v2", ROOT, chunks, LEFT, RIGHT, ZERO)[0]

    lifted = ROOT
    for level in range(8):
        lifted = poseidon(lifted, zero_root(level))
    assert first(1) == lifted
    assert first(256) == ROOT
    assert first(129) == ROOT
    assert first(128) == poseidon(ROOT, zero_root(7))


def test_a_dataset_with_too_many_chunks_needs_a_deeper_circuit() -> None:
    with pytest.raises(MalformedError, match="cannot be lifted"):
        membership_public("membership-22.v2", ROOT, 257, LEFT, RIGHT, ZERO)
    with pytest.raises(MalformedError, match="cannot be lifted"):
        membership_public("membership-14.v2", ROOT, 2, LEFT, RIGHT, ZERO)


def test_a_circuit_of_another_name_has_no_membership_values() -> None:
    with pytest.raises(MalformedError, match="no membership circuit"):
        membership_public("membership-21.v2", ROOT, 1, LEFT, RIGHT, ZERO)


def test_the_context_is_the_first_31_bytes_of_the_statements_digest() -> None:
    statement = canonical.encode({"kind": "rootline/context/v1", "issuer": "x"})
    assert context(statement).encoded == b"\0" + canonical.digest(statement)[:31]
    assert context(statement) != context(statement + b" ")


@pytest.mark.parametrize("number", range(len(PROOF.public)))
def test_each_public_value_is_compared(number: int) -> None:
    changed = FieldElement((PROOF.public[number] + 1) % ORDER)
    public = (*PROOF.public[:number], changed, *PROOF.public[number + 1 :])
    with pytest.raises(VerificationError, match=f"public value {number} "):
        verify_public(replace(PROOF, public=public), PROOF.public)


@pytest.mark.parametrize("public", [PROOF.public[:-1], (*PROOF.public, ZERO), PROOF.public[:1]])
def test_a_dropped_or_added_public_value_is_refused(public: tuple[FieldElement, ...]) -> None:
    with pytest.raises(VerificationError, match="public values, not the expected 87"):
        verify_public(replace(PROOF, public=public), PROOF.public)


def changed(**members: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document | members


@pytest.mark.parametrize(
    "spoil",
    [
        changed(kind="rootline/proof/v2"),
        changed(circuit="Membership"),
        changed(circuit=""),
        changed(backend="ezkl "),
        changed(backend_version=23),
        changed(public=[]),
        changed(public=["00"]),
        changed(public=[1]),
        changed(public="00" * 32),
        changed(public=[ORDER.to_bytes(32, "big").hex()]),
        changed(public=["00" * 32] * (MAX_PUBLIC + 1)),
        changed(proof=""),
        changed(proof="0"),
        changed(proof="0G"),
        changed(proof="AA"),
        changed(proof="00" * (MAX_PROOF_BYTES + 1)),
        changed(verifying_key="00"),
        changed(settings=None),
        changed(srs="00" * 33),
        changed(timestamp=1),
        lambda document: {name: document[name] for name in document if name != "srs"},
    ],
)
def test_anything_but_a_proof_document_is_refused(
    spoil: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    with pytest.raises(MalformedError):
        Proof.parse(canonical.encode(spoil(DOCUMENT)))


def test_other_spellings_and_trailing_bytes_are_refused() -> None:
    for data in (PROOF.encoded + b"\n", PROOF.encoded.replace(b":", b": ", 1), PROOF.encoded[:-1]):
        with pytest.raises(MalformedError):
            Proof.parse(data)


def test_a_wrong_proof_cannot_be_made() -> None:
    for wrong in ({"proof": b""}, {"public": ()}, {"circuit": "x y"}):
        with pytest.raises(MalformedError):
            replace(PROOF, **wrong)


class One:
    """A verifier of single proofs that refuses those whose first byte says so."""

    def verify(self, proof: Proof, artifacts: Mapping[Digest, bytes]) -> None:
        assert artifacts == {}
        if proof.proof[0] in ERRORS:
            raise ERRORS[proof.proof[0]]


class Many(One):
    """The same verifier, for many proofs at once; it may leave some without an answer."""

    def __init__(self, left: int = 0) -> None:
        self.left = left

    def verify_many(
        self, proofs: Sequence[Proof], artifacts: Mapping[Digest, bytes]
    ) -> list[ProvenanceError | None]:
        assert artifacts == {}
        return [ERRORS.get(proof.proof[0]) for proof in proofs][self.left :]


ERRORS: Mapping[int, ProvenanceError] = {
    1: UnavailableError("could not tell"),
    2: VerificationError("is false"),
    3: MalformedError("is none"),
}


def proofs(*kinds: int) -> list[Proof]:
    return [replace(PROOF, proof=bytes([kind])) for kind in kinds]


@pytest.mark.parametrize("verifier", [One(), Many()], ids=["one by one", "together"])
def test_many_proofs_verify_only_if_each_does(verifier: One) -> None:
    verify_proofs(verifier, proofs(0, 0, 0), {})
    verify_proofs(verifier, (), {})
    for kinds in ((0, 2, 0), (2, 0), (0, 0, 2), (1, 2), (2, 1)):
        with pytest.raises(VerificationError, match="is false"):
            verify_proofs(verifier, proofs(*kinds), {})
    with pytest.raises(MalformedError, match="is none"):
        verify_proofs(verifier, proofs(0, 1, 3), {})
    with pytest.raises(UnavailableError, match="could not tell"):
        verify_proofs(verifier, proofs(0, 1, 0), {})


def test_a_proof_without_an_answer_is_not_verified() -> None:
    with pytest.raises(UnavailableError, match="answered 2 of 3"):
        verify_proofs(Many(left=1), proofs(0, 0, 0), {})
