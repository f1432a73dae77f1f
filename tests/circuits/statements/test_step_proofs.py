"""Proofs of training steps by ezkl: what verifies, and what liars come to."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from circuits.evaluate import Outputs, public_values
from circuits.proving import child, prover
from circuits.proving.artifacts import Keys, keys, local_srs, object_path, verifier_artifacts
from circuits.proving.prover import ProvingFiles
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import LIMITS, scratch, silent
from circuits.registry import circuit
from circuits.solve import Solved
from provenance.errors import VerificationError
from provenance.field import ORDER, FieldElement
from provenance.proof import Proof, verify_public
from tests.circuits.statements.steps import Problem, lying, solved
from tests.circuits.statements.test_step_lies import mended

pytestmark = pytest.mark.slow
NAME = "step-logistic-3x2-r1.v1"
CIRCUIT = circuit(NAME)
K = CIRCUIT.logrows
HONEST = Problem.drawn(NAME)
PROVE = """
import json, logging, sys
logging.getLogger("ezkl").setLevel(logging.WARNING)
import ezkl
ezkl.prove(*json.loads(sys.argv[1]))
"""


@dataclass(frozen=True, slots=True)
class Made:
    """A home folder with the circuit's keys."""

    home: Path
    keys: Keys

    @property
    def files(self) -> ProvingFiles:
        """Return where the keys lie."""
        return ProvingFiles(
            object_path(self.home, self.keys.compiled),
            object_path(self.home, self.keys.proving_key),
            local_srs(self.home, K).path,
        )

    def verify(self, proof: Proof) -> None:
        """Verify a proof from its keys."""
        EzklVerifier(self.home).verify(proof, verifier_artifacts(proof, self.home))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return keys under a local INSECURE SRS."""
    home = tmp_path_factory.mktemp("steps")
    return Made(home, keys(CIRCUIT, local_srs(home, K), home))


def wrong_label() -> Solved:
    """Return a step over a label of 2, which satisfies all but the sum of what is wrong."""
    ((*values, _), *rest) = HONEST.batches[0]
    return solved(mended(replace(HONEST, batches=(((*values, 2), *rest),))), logrows=K)


def told(found: Solved, claimed: Outputs, made: Made) -> bytes:
    """Return a proof by the honest way: mock first."""
    with scratch(made.home) as folder:
        return prover.prove(made.files, found.witness, claimed, folder, LIMITS, silent, hashed=True)


def unchecked(found: Solved, claimed: Outputs, made: Made) -> Proof:
    """Return what ezkl makes of a witness in which the outputs are claimed, without mock."""
    public = public_values(claimed, hashed=True)
    inputs, outputs = (
        [[prover._hex(value) for value in row] for row in rows]
        for rows in (found.witness.values(), claimed)
    )
    hashes = [prover._hex(value) for value in public]
    with scratch(made.home) as folder:
        forged = child.witness_file({"inputs": inputs, "outputs": outputs, "hashes": hashes})
        (folder / "witness").write_text(json.dumps(forged))
        files = made.files
        names = ("witness", files.compiled, files.proving_key, "proof", files.srs)
        subprocess.run(
            [sys.executable, "-c", PROVE, json.dumps([str(name) for name in names])],
            cwd=folder,
            env={"HOME": str(folder)},
            check=True,
            capture_output=True,
            timeout=300,
        )
        return proof_of(bytes(json.loads((folder / "proof").read_bytes())["proof"]), public, made)


def proof_of(data: bytes, public: Sequence[FieldElement], made: Made) -> Proof:
    """Return a proof as it travels."""
    return Proof(
        circuit=NAME,
        backend="ezkl",
        backend_version=prover.version(),
        public=tuple(public),
        proof=data,
        verifying_key=made.keys.verifying_key,
        settings=made.keys.settings,
        srs=made.keys.srs,
    )


def test_an_honest_proof_verifies_and_no_other_public_value_does(made: Made) -> None:
    proof = proof_of(
        told(solved(HONEST, logrows=K), solved(HONEST, logrows=K).outputs, made),
        HONEST.public,
        made,
    )
    made.verify(proof)
    verify_public(proof, HONEST.public)
    for place in (0, 1, 2, 5, 6):
        other = (*HONEST.public[:place], FieldElement(7), *HONEST.public[place + 1 :])
        with pytest.raises(VerificationError, match="does not verify"):
            made.verify(replace(proof, public=other))
    states = (HONEST.public[1], HONEST.public[0], *HONEST.public[2:])
    with pytest.raises(VerificationError, match="does not verify"):
        made.verify(replace(proof, public=states))


def changed(problem: Problem, entries: Mapping[str, Sequence[int]]) -> Solved:
    """Return the witness of a liar whose lookups fail."""
    return lying(problem, {**problem.witness, **{k: tuple(v) for k, v in entries.items()}}, K)


def off_by(number: int) -> Solved:
    """Return the witness of a step whose last weight is off."""
    first, second, bias = HONEST.states[-1]
    return changed(HONEST.ending(first, second, bias + number), {})


@pytest.mark.parametrize(
    "lie",
    [
        off_by(1),
        off_by(-1),
        changed(HONEST, {"record_0_0": (2, 100)}),
        changed(HONEST, {"record_0_0": (CIRCUIT.most + 1, 100)}),
        changed(HONEST, {"record_0_1_label": (2**200,)}),
        changed(HONEST, {"state_0": (ORDER - 1, 100, 100)}),
    ],
    ids=["w + 1", "w - 1", "2", "T + 1", "2**200", "r - 1"],
)
def test_mock_refuses_what_is_outside_the_table(lie: Solved, made: Made) -> None:
    with pytest.raises(VerificationError, match="nothing was proved"):
        told(lie, lie.outputs, made)


def test_a_wrong_label_told_truly_verifies_and_its_public_values_betray_it(made: Made) -> None:
    lie = wrong_label()
    public = public_values(lie.outputs, hashed=True)
    proof = proof_of(told(lie, lie.outputs, made), public, made)
    made.verify(proof)
    # All but the last are what the verifier expects of these states and records.
    expected = (*public[:-1], HONEST.public[-1])
    with pytest.raises(VerificationError, match="public value"):
        verify_public(proof, expected)


def test_a_wrong_label_denied_is_refused_by_mock_and_does_not_verify(made: Made) -> None:
    lie = wrong_label()
    context, _, one = lie.outputs[-1]
    claimed = (*lie.outputs[:-1], (context, FieldElement(0), one))
    with pytest.raises(VerificationError, match="nothing was proved"):
        told(lie, claimed, made)
    with pytest.raises(VerificationError, match="does not verify"):
        made.verify(unchecked(lie, claimed, made))


def test_another_batch_than_committed_is_seen_or_does_not_verify(made: Made) -> None:
    """The prover trained on another record, and claims the commitment of the right one."""
    rows = HONEST.batches[0]
    others = ((*rows[0][:-1], 1 - rows[0][-1]), *rows[1:])
    lie = Problem.of(HONEST.shape, HONEST.rule.centre, HONEST.states[0], [others])
    found = solved(lie, logrows=K)
    proof = unchecked(found, found.outputs, made)
    made.verify(proof)
    with pytest.raises(VerificationError, match="public value"):
        verify_public(proof, (*proof.public[:2], *HONEST.public[2:]))
    claimed = (*found.outputs[:2], *solved(HONEST, logrows=K).outputs[2:])
    with pytest.raises(VerificationError, match="does not verify"):
        made.verify(unchecked(found, claimed, made))
