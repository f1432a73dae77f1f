"""From proofs of absence to verified proofs, and liars at the level of proof and public values."""

from dataclasses import replace
from pathlib import Path

import pytest

from circuits.proving import prover
from circuits.proving.artifacts import Keys, keys, local_srs, object_path, verifier_artifacts
from circuits.proving.prover import EzklVerifier, ProvingFiles
from circuits.proving.requests import prove
from circuits.proving.worker import LIMITS, scratch, silent
from circuits.registry import circuit
from circuits.solve import Solved
from circuits.statements.exclusion_witness import exclusion_values, exclusion_witness
from provenance.errors import VerificationError
from provenance.exclusion import prove_absence
from provenance.expected.exclusion import EXCLUSION, exclusion_public
from provenance.field import FieldElement
from provenance.proof import Proof, verify_public
from tests.circuits.absences import ASKED, absence, absence_forgeries, sharing
from tests.circuits.forgeries import Forgery
from tests.circuits.proving.test_prover import prove_unchecked, reduced
from tests.circuits.sample import CONTEXT

EXCLUSION_40 = "exclusion-40.v1"
INDEX = absence(40).index
KINDS = {forgery.name.partition(":")[0]: forgery for forgery in absence_forgeries(40)}
LIES = [kind for kind in KINDS if kind != "other"]
TOLD = [forgery for forgery in absence_forgeries(40) if forgery.name.startswith("other")]


@pytest.fixture(scope="session")
def made40(home: Path) -> Keys:
    """Return the digests of exclusion-40.v1's keys."""
    return keys(circuit(EXCLUSION_40), local_srs(home, 14), home)


@pytest.fixture(scope="session")
def files40(home: Path, made40: Keys) -> ProvingFiles:
    """Return where those keys lie."""
    return ProvingFiles(
        object_path(home, made40.compiled),
        object_path(home, made40.proving_key),
        local_srs(home, 14).path,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", EXCLUSION)
def test_a_proof_is_made_verified_and_tied_to_its_keys(home: Path, name: str) -> None:
    _, count = EXCLUSION[name]
    asked = [ASKED, sharing(8), sharing(9), ASKED][:count]
    proofs = [prove_absence(INDEX, key) for key in asked]
    numbers = [key.number for key in asked]
    public = exclusion_public(name, INDEX.root, numbers, CONTEXT)
    witness = exclusion_witness(asked, proofs, CONTEXT, EXCLUSION[name][0])
    proof = prove(circuit(name), Solved(witness, (public,)), home)
    assert len(proof.proof) == circuit(name).proof_bytes
    artifacts = verifier_artifacts(proof, home)
    read = Proof.parse(proof.encoded)
    EzklVerifier().verify(read, artifacts)
    verify_public(read, exclusion_public(name, INDEX.root, numbers, CONTEXT))
    for root, others, context in (
        (FieldElement(INDEX.root + 1), numbers, CONTEXT),
        (INDEX.root, [numbers[0] ^ 1, *numbers[1:]], CONTEXT),
        (INDEX.root, numbers, FieldElement(CONTEXT + 1)),
    ):
        expected = exclusion_public(name, root, others, context)
        with pytest.raises(VerificationError, match="public value"):
            verify_public(read, expected)
        with pytest.raises(VerificationError, match="does not verify"):
            EzklVerifier().verify(replace(read, public=expected), artifacts)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIES)
def test_mock_refuses_a_lie_before_anything_is_proved(kind: str, files40: ProvingFiles) -> None:
    witness, claimed = reduced(KINDS[kind].witness), KINDS[kind].claimed
    with scratch(None) as folder, pytest.raises(VerificationError, match="nothing was proved"):
        prover.prove(files40, witness, (claimed,), folder, LIMITS, silent)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIES)
def test_a_prover_that_skips_mock_and_claims_honest_values_does_not_verify(
    kind: str, files40: ProvingFiles, made40: Keys, home: Path
) -> None:
    proof = _unchecked(KINDS[kind], KINDS[kind].claimed, files40, made40)
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(proof, verifier_artifacts(proof, home))


@pytest.mark.slow
@pytest.mark.parametrize("lie", [*TOLD, KINDS["unrelated"]], ids=lambda lie: lie.name)
def test_a_false_witness_told_truly_verifies_and_its_public_values_betray_it(
    lie: Forgery, files40: ProvingFiles, made40: Keys, home: Path
) -> None:
    proof = _unchecked(lie, exclusion_values(lie.witness), files40, made40)
    EzklVerifier().verify(proof, verifier_artifacts(proof, home))
    with pytest.raises(VerificationError, match="public value"):
        verify_public(proof, lie.claimed)


def _unchecked(
    lie: Forgery, public: tuple[FieldElement, ...], files: ProvingFiles, made: Keys
) -> Proof:
    return replace(prove_unchecked(lie.witness, public, files, made), circuit=EXCLUSION_40)
