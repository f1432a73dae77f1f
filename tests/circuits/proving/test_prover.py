"""ezkl behind its adapter: a recorded proof and what is refused, lying provers, silent children."""

import json
import subprocess
import sys
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from circuits.graph import Graph
from circuits.proving import child, prover, worker
from circuits.proving.artifacts import Keys, verifier_artifacts
from circuits.proving.prover import EzklVerifier, ProvingFiles
from circuits.proving.worker import LIMITS, scratch, silent
from circuits.registry import circuit
from circuits.statements.membership import membership_values
from provenance import canonical
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import ORDER, ZERO, Digest, FieldElement
from provenance.proof import Proof, verify_public
from tests.circuits.forgeries import Forgery, forgeries
from tests.circuits.sample import Witness, sample
from tests.provenance.documents import vectors

RECORDED = vectors("proof")
PROOF = Proof.parse(canonical.encode(RECORDED["document"]))
ARTIFACTS = {Digest.parse(name): b64decode(data) for name, data in RECORDED["artifacts"].items()}
SAMPLE = sample()
KINDS = {forgery.name.partition(" ")[0]: forgery for forgery in forgeries(SAMPLE)}
LIES = [kind for kind in KINDS if kind not in ("one", "other")]

PROVE_UNCHECKED = """
import json, logging, sys
logging.getLogger("ezkl").setLevel(logging.WARNING)
import ezkl
ezkl.prove(*json.loads(sys.argv[1]))
"""


def slow(value: object) -> ParameterSet:
    return pytest.param(value, marks=pytest.mark.slow)


def swapped(number: int, value: int) -> Proof:
    public = (*PROOF.public[:number], FieldElement(value), *PROOF.public[number + 1 :])
    return replace(PROOF, public=public)


def flipped(data: bytes, number: int) -> bytes:
    return data[:number] + bytes([data[number] ^ 1]) + data[number + 1 :]


def with_artifact(digest: Digest, data: bytes, name: str) -> tuple[Proof, dict[Digest, bytes]]:
    """Return a proof that names other bytes for one of its artifacts, and those bytes."""
    other = canonical.digest(data)
    proof = {
        "verifying_key": replace(PROOF, verifying_key=other),
        "settings": replace(PROOF, settings=other),
        "srs": replace(PROOF, srs=other),
    }[name]
    return proof, {other: data, **{d: found for d, found in ARTIFACTS.items() if d != digest}}


def test_the_recorded_proof_verifies(tmp_path: Path) -> None:
    EzklVerifier(tmp_path).verify(PROOF, ARTIFACTS)
    assert not list(tmp_path.iterdir())


def test_an_auditor_needs_no_home() -> None:
    EzklVerifier().verify(PROOF, ARTIFACTS)


@pytest.mark.parametrize("number", [0, 85, *(slow(n) for n in (1, 40, 82, 83, 84, 86))])
def test_a_proof_whose_public_value_was_swapped_is_refused(number: int) -> None:
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(swapped(number, 12345), ARTIFACTS)


@pytest.mark.parametrize("public", [(*PROOF.public, ZERO), slow(PROOF.public[:-1]), slow((ZERO,))])
def test_dropped_and_added_public_values_are_refused(public: tuple[FieldElement, ...]) -> None:
    with pytest.raises(VerificationError, match="public values; the proof has"):
        EzklVerifier().verify(replace(PROOF, public=public), ARTIFACTS)


@pytest.mark.slow
def test_reordered_public_values_are_refused() -> None:
    public = (PROOF.public[-4], *PROOF.public[1:-4], PROOF.public[0], *PROOF.public[-3:])
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(replace(PROOF, public=public), ARTIFACTS)


@pytest.mark.parametrize("number", [1900, slow(0), slow(1000), slow(2559)])
def test_a_proof_with_a_flipped_bit_is_refused(number: int) -> None:
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(replace(PROOF, proof=flipped(PROOF.proof, number)), ARTIFACTS)


@pytest.mark.parametrize("proof", [PROOF.proof + b"\0", PROOF.proof[:-1], b"x"])
def test_a_proof_of_another_size_is_refused_since_ezkl_ignores_a_tail(proof: bytes) -> None:
    with pytest.raises(MalformedError, match="has 2560 bytes"):
        EzklVerifier().verify(replace(PROOF, proof=proof), ARTIFACTS)


def test_settings_other_than_the_pinned_ones_are_refused() -> None:
    data = ARTIFACTS[PROOF.settings].replace(b'"input_scale":0', b'"input_scale":9')
    with pytest.raises(VerificationError, match="settings"):
        EzklVerifier().verify(*with_artifact(PROOF.settings, data, "settings"))


def test_an_artifact_must_be_there_and_have_its_digest() -> None:
    with pytest.raises(UnavailableError, match="missing"):
        EzklVerifier().verify(PROOF, {})
    with pytest.raises(VerificationError, match="another digest"):
        EzklVerifier().verify(PROOF, dict.fromkeys(ARTIFACTS, b"x"))


def test_another_verifying_key_refuses_the_proof() -> None:
    data = flipped(ARTIFACTS[PROOF.verifying_key], 500)
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(*with_artifact(PROOF.verifying_key, data, "verifying_key"))


@pytest.mark.parametrize("number", [500, slow(10), slow(300)])
def test_another_srs_refuses_the_proof(number: int) -> None:
    data = flipped(ARTIFACTS[PROOF.srs], number)
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(*with_artifact(PROOF.srs, data, "srs"))


@pytest.mark.parametrize("name", ["verifying_key", "srs"])
def test_an_artifact_that_cannot_be_read_is_malformed_not_false(name: str) -> None:
    with pytest.raises(MalformedError, match="cannot be read"):
        EzklVerifier().verify(*with_artifact(getattr(PROOF, name), b"rubbish", name))


def test_another_backend_or_version_is_unavailable_not_false() -> None:
    with pytest.raises(UnavailableError, match="reads ezkl only"):
        EzklVerifier().verify(replace(PROOF, backend="spartan"), ARTIFACTS)
    with pytest.raises(UnavailableError, match=r"needs ezkl 1\.0\.0"):
        EzklVerifier().verify(replace(PROOF, backend_version="1.0.0"), ARTIFACTS)


def test_without_ezkl_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(UnavailableError, match=r"\[zk\]"):
        EzklVerifier().verify(PROOF, ARTIFACTS)


def test_steps_that_fail_are_unavailable_with_their_reason(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"rubbish")
    with scratch(tmp_path) as folder:
        (folder / "srs").mkdir()
        with pytest.raises(UnavailableError, match="no SRS"):
            prover.generate_srs(4, folder, LIMITS, silent)
    quick = replace(circuit("membership-22.v2"), graph=Graph)
    with scratch(tmp_path) as folder, pytest.raises(UnavailableError, match="keys could not"):
        prover.derive(quick, rubbish, folder, LIMITS, silent)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIES)
def test_mock_refuses_a_lie_before_anything_is_proved(kind: str, files: ProvingFiles) -> None:
    witness, claimed = reduced(KINDS[kind].witness), KINDS[kind].claimed
    with scratch(None) as folder, pytest.raises(VerificationError, match="nothing was proved"):
        prover.prove(files, witness, (claimed,), folder, LIMITS, silent)


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIES)
def test_a_prover_that_skips_mock_and_claims_honest_values_does_not_verify(
    kind: str, files: ProvingFiles, made: Keys, home: Path
) -> None:
    proof = prove_unchecked(KINDS[kind].witness, KINDS[kind].claimed, files, made)
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(proof, verifier_artifacts(proof, home))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["foreign", "other"])
def test_a_false_witness_told_truly_verifies_and_its_public_values_betray_it(
    kind: str, files: ProvingFiles, made: Keys, home: Path
) -> None:
    lie: Forgery = KINDS[kind]
    proof = prove_unchecked(lie.witness, membership_values(lie.witness), files, made)
    EzklVerifier().verify(proof, verifier_artifacts(proof, home))
    with pytest.raises(VerificationError, match="public value"):
        verify_public(proof, lie.claimed)


@pytest.mark.slow
def test_nothing_of_the_witness_is_printed_or_left_behind(
    files: ProvingFiles, tmp_path: Path
) -> None:
    public = {*SAMPLE.public, 0, 1}
    secrets = {v for row in SAMPLE.witness.values() for v in row} - public
    for lie, claimed in ((SAMPLE.witness, SAMPLE.public), (SAMPLE.witness, SAMPLE.public[::-1])):
        job = proving_job(lie, claimed, files)
        ended = subprocess.run(
            [sys.executable, "-P", "-m", worker.ENTRY],
            input=json.dumps(job).encode(),
            cwd=tmp_path,
            env={"PYTHONPATH": str(worker.SOURCE), "HOME": str(tmp_path), "RUST_LOG": "trace"},
            capture_output=True,
            check=True,
        )
        printed = (ended.stdout + ended.stderr).lower()
        left = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
        assert secrets
        for secret in secrets:
            for form in (secret.to_bytes(32, "little").hex(), f"{secret:064x}", str(secret)):
                assert form.encode() not in printed + left
            assert secret.to_bytes(32, "little") not in left


def reduced(witness: Mapping[str, Sequence[int]]) -> Witness:
    return {name: tuple(value % ORDER for value in row) for name, row in witness.items()}


def proving_job(
    witness: Witness, public: Sequence[FieldElement], files: ProvingFiles
) -> dict[str, object]:
    return {
        "step": "prove",
        "compiled": str(files.compiled),
        "proving_key": str(files.proving_key),
        "srs": str(files.srs),
        "inputs": [[prover._hex(value) for value in row] for row in witness.values()],
        "public": [prover._hex(value) for value in public],
        "seconds": 60,
        "memory_bytes": 2**33,
    }


def prove_unchecked(
    witness: Mapping[str, Sequence[int]],
    public: Sequence[FieldElement],
    files: ProvingFiles,
    made: Keys,
) -> Proof:
    """Return what ezkl makes of a witness file in which the outputs are claimed, without mock."""
    inputs = [[prover._hex(value) for value in row] for row in reduced(witness).values()]
    with scratch(None) as folder:
        outputs = [[prover._hex(value) for value in public]]
        forged = child.witness_file({"inputs": inputs, "outputs": outputs, "hashes": None})
        (folder / "witness").write_text(json.dumps(forged))
        names = ("witness", files.compiled, files.proving_key, "proof", files.srs)
        subprocess.run(
            [sys.executable, "-c", PROVE_UNCHECKED, json.dumps([str(name) for name in names])],
            cwd=folder,
            env={"HOME": str(folder)},
            check=True,
            capture_output=True,
            timeout=120,
        )
        made_of = json.loads((folder / "proof").read_bytes())["proof"]
    return Proof(
        circuit="membership-22.v2",
        backend="ezkl",
        backend_version=prover.version(),
        public=tuple(public),
        proof=bytes(made_of),
        verifying_key=made.verifying_key,
        settings=made.settings,
        srs=made.srs,
    )
