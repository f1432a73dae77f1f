"""From inclusion proof to verified proof, as the flow does it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from circuits.proving.artifacts import is_insecure, verifier_artifacts
from circuits.proving.membership import prove_membership
from circuits.proving.prover import EzklVerifier
from circuits.registry import circuit
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.expected.membership import membership_public
from provenance.field import FieldElement
from provenance.proof import Proof, verify_public
from tests.circuits.sample import CONTEXT, INDEX_BLIND, LEAF_BLIND, NAME, sample

SAMPLE = sample()
BLINDS = (LEAF_BLIND, INDEX_BLIND)


def test_an_inclusion_proof_of_another_root_is_refused_before_anything_starts(
    tmp_path: Path,
) -> None:
    other = FieldElement(SAMPLE.root + 1)
    with pytest.raises(RootMismatchError):
        prove_membership(
            *(SAMPLE.inclusion, SAMPLE.leaf, other, *BLINDS, CONTEXT), chunk_count=3, home=tmp_path
        )
    assert not list(tmp_path.iterdir())


def test_a_dataset_too_deep_for_the_circuit_is_refused(tmp_path: Path) -> None:
    about = (SAMPLE.inclusion, SAMPLE.leaf, SAMPLE.root, *BLINDS, CONTEXT)
    with pytest.raises(MalformedError, match="does not fit a circuit of 14"):
        prove_membership(*about, chunk_count=3, home=tmp_path, name="membership-14.v2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "chunks"), [(NAME, 3), ("membership-14.v2", 1), ("membership-32.v2", 3)]
)
def test_a_proof_is_made_verified_and_tied_to_its_claim(home: Path, name: str, chunks: int) -> None:
    about = sample(name, chunks=chunks)
    told: list[str] = []
    proof = prove_membership(
        about.inclusion,
        about.leaf,
        about.root,
        *BLINDS,
        CONTEXT,
        chunk_count=chunks,
        home=home,
        name=name,
        progress=told.append,
    )
    assert told[-3:] == ["mock", "prove", "verify"]
    assert len(proof.proof) == circuit(name).proof_bytes
    assert is_insecure(proof.srs, home)
    artifacts = verifier_artifacts(proof, home)
    read = Proof.parse(proof.encoded)
    EzklVerifier().verify(read, artifacts)
    verify_public(read, about.public)
    others: list[dict[str, Any]] = [
        {"root": FieldElement(about.root + 1)},
        {"context": FieldElement(CONTEXT + 1)},
        {"blinded_leaf": FieldElement(5)},
        {"blinded_index": FieldElement(5)},
    ]
    if chunks > 1:  # of depth 14 there is but one chunk
        others.append({"chunk_count": chunks + 1})
    for other in others:
        claim: dict[str, Any] = {
            "root": about.root,
            "chunk_count": chunks,
            "blinded_leaf": about.public[-4],
            "blinded_index": about.public[-3],
            "context": CONTEXT,
        } | other
        expected = membership_public(name, **claim)
        with pytest.raises(VerificationError, match="public value"):
            verify_public(read, expected)
        with pytest.raises(VerificationError, match="does not verify"):
            EzklVerifier().verify(replace(read, public=expected), artifacts)
    assert [path.name for path in (home / "circuits").glob("scratch-*")] == []
