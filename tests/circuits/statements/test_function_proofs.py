"""Proofs by ezkl of a property and of an evaluation: what verifies, and what liars come to."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from circuits.proving import prover
from circuits.proving.artifacts import keys, local_srs, object_path, verifier_artifacts
from circuits.proving.ezkl_prover import EzklProver
from circuits.proving.prover import ProvingFiles
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import LIMITS, scratch, silent
from circuits.registry import circuit
from circuits.solve import Chosen, Solved, solve
from circuits.spec import Circuit
from circuits.statements.evaluation import COUNTED
from provenance.errors import VerificationError
from provenance.field import FieldElement
from provenance.proof import Proof, verify_public
from tests.circuits.statements.judged import Judged
from tests.circuits.statements.questions import EXAMPLES, question

pytestmark = pytest.mark.slow
SHARE = circuit(question("share").shape.name, EXAMPLES["share"])
GAP = circuit(question("gap").shape.name, EXAMPLES["gap"])
JUDGED = Judged("evaluation-logistic-6x5.v1", 3, 4)
EVALUATION = circuit(JUDGED.name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home folder with a local INSECURE SRS."""
    home = tmp_path_factory.mktemp("functions")
    local_srs(home, SHARE.logrows)
    return home


def solved(found: Circuit, chosen: Chosen) -> Solved:
    return solve(found.graph(), chosen, found.most)


def verified(proof: Proof, home: Path, expected: Sequence[FieldElement]) -> None:
    EzklVerifier(home).verify(proof, verifier_artifacts(proof, home))
    verify_public(proof, tuple(expected))


@pytest.fixture(scope="module")
def share(home: Path) -> Proof:
    return EzklProver(home).prove(SHARE, solved(SHARE, question("share").chosen))


def test_a_property_is_proved_and_its_value_cannot_be_changed(home: Path, share: Proof) -> None:
    asked = question("share")
    verified(share, home, asked.public([3]))
    with pytest.raises(VerificationError, match="public value 12 of the proof"):
        verified(share, home, asked.public([4]))
    with pytest.raises(VerificationError, match="does not verify"):
        verified(replace(share, public=asked.public([4])), home, asked.public([4]))


def test_a_proof_of_one_function_is_none_of_another(home: Path, share: Proof) -> None:
    other = keys(GAP, local_srs(home, GAP.logrows), home)
    named = replace(
        share, circuit=GAP.name, verifying_key=other.verifying_key, settings=other.settings
    )
    with pytest.raises(VerificationError, match="does not verify"):
        verified(named, home, share.public)


def test_an_evaluation_with_padding_is_proved(home: Path) -> None:
    proof = EzklProver(home).prove(EVALUATION, solved(EVALUATION, JUDGED.chosen))
    verified(proof, home, JUDGED.public)


def test_mock_refuses_honest_hashes_over_padding_that_is_counted(home: Path) -> None:
    made = keys(EVALUATION, local_srs(home, EVALUATION.logrows), home)
    files = ProvingFiles(
        object_path(home, made.compiled),
        object_path(home, made.proving_key),
        local_srs(home, EVALUATION.logrows).path,
    )
    honest = solved(EVALUATION, JUDGED.chosen)
    for counted in ([1] * 6, [1, 1, 1, 0, 1, 0]):
        lie = solved(EVALUATION, {**JUDGED.chosen, COUNTED: counted})
        with scratch(home) as folder, pytest.raises(VerificationError, match="nothing was proved"):
            prover.prove(files, lie.witness, honest.outputs, folder, LIMITS, silent, hashed=True)
