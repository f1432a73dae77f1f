"""Verifying without trust: other bytes for the same proof, other artifacts, many at once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from circuits.proving import verifier
from circuits.proving.artifacts import keys, local_srs, verifier_artifacts
from circuits.proving.requests import prove
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import Limits
from provenance import canonical
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import ORDER, Digest, FieldElement
from provenance.proof import Proof, verify_proofs, verify_public
from tests.circuits.proving.kin import children
from tests.circuits.proving.test_prover import ARTIFACTS, PROOF
from tests.circuits.small import HASHED, OPEN, hashed_solved, open_solved

BASE = 0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47
"""Order of the field that coordinates of points are in."""
FREE = replace(PROOF, circuit="other-1.v1")
"""The recorded proof under a name that nothing is pinned for."""


def with_words(proof: Proof, step: int) -> list[Proof]:
    """Return the proof with one 32-byte word raised by a modulus, for every `step`-th word."""
    found = []
    for at in range(0, len(proof.proof), 32 * step):
        for order in ("big", "little"):
            for modulus in (BASE, ORDER):
                value = int.from_bytes(proof.proof[at : at + 32], order) + modulus
                if value < 2**256:
                    word = value.to_bytes(32, order)
                    found.append(
                        replace(proof, proof=proof.proof[:at] + word + proof.proof[at + 32 :])
                    )
    return found


def with_key(data: bytes) -> tuple[Proof, dict[Digest, bytes]]:
    name = canonical.digest(data)
    return replace(FREE, verifying_key=name), {**ARTIFACTS, name: data}


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_points_and_scalars_have_one_encoding(step: int) -> None:
    raised = with_words(FREE, step)
    assert len(raised) > 20
    found = EzklVerifier().verify_many([*raised, FREE], ARTIFACTS)
    assert found[-1] is None
    assert all(isinstance(error, VerificationError) for error in found[:-1])


def test_sign_and_flag_bits_of_points_count() -> None:
    changed = []
    for at in (0, 31, 32, 63, 64, 95):
        for bit in (0x80, 0x40):
            data = bytearray(FREE.proof)
            data[at] ^= bit
            changed.append(replace(FREE, proof=bytes(data)))
    found = EzklVerifier().verify_many(changed, ARTIFACTS)
    assert all(isinstance(error, VerificationError) for error in found)


@pytest.mark.parametrize("tail", [b"\0", bytes(32), FREE.proof[-64:], bytes(2000)], ids=len)
def test_bytes_after_the_end_are_refused_where_no_size_is_pinned(tail: bytes) -> None:
    longer = replace(FREE, proof=FREE.proof + tail)
    with pytest.raises(MalformedError, match="goes on after its end"):
        EzklVerifier().verify(longer, ARTIFACTS)
    true, false, again = EzklVerifier().verify_many([FREE, longer, FREE], ARTIFACTS)
    assert (true, again) == (None, None)
    assert isinstance(false, MalformedError)


@pytest.mark.parametrize("size", [1, 32, 64, 1280, 2559])
def test_a_proof_that_ends_early_is_refused_where_no_size_is_pinned(size: int) -> None:
    with pytest.raises(VerificationError, match="does not verify"):
        EzklVerifier().verify(replace(FREE, proof=FREE.proof[:size]), ARTIFACTS)


def test_each_proof_has_its_own_answer(tmp_path: Path) -> None:
    false = replace(FREE, public=(FieldElement(5), *FREE.public[1:]))
    foreign = replace(FREE, backend="spartan")
    missing = replace(FREE, srs=Digest(bytes(32)))
    found = EzklVerifier(tmp_path).verify_many([false, FREE, foreign, PROOF, missing], ARTIFACTS)
    kinds = [type(error) for error in found]
    nothing = type(None)
    assert kinds == [VerificationError, nothing, UnavailableError, nothing, UnavailableError]
    assert not list(tmp_path.iterdir())
    assert EzklVerifier().verify_many([], {}) == ()
    with pytest.raises(VerificationError):
        verify_proofs(EzklVerifier(), [FREE, foreign, false], ARTIFACTS)


@pytest.mark.parametrize("at", [*range(6), 500, -1])
def test_a_key_that_ends_the_child_does_not_end_the_others(at: int) -> None:
    data = bytearray(ARTIFACTS[PROOF.verifying_key])
    data[at] ^= 0xFF
    bad, artifacts = with_key(bytes(data))
    limits = Limits(seconds=20, memory_bytes=2**30)
    error, good = EzklVerifier(limits=limits).verify_many([bad, FREE], artifacts)
    assert good is None
    assert error is None or "\n" not in str(error)
    assert error is not None or at == -1
    assert not children()


def test_what_is_too_large_is_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ARTIFACTS[PROOF.srs] + bytes(64)
    name = canonical.digest(whole)
    with pytest.raises(MalformedError, match="its cut has 516 bytes"):
        EzklVerifier().verify(replace(FREE, srs=name), {**ARTIFACTS, name: whole})
    monkeypatch.setattr(verifier, "MAX_KEY_BYTES", 1000)
    with pytest.raises(MalformedError, match="at most 1000 bytes"):
        EzklVerifier().verify(FREE, ARTIFACTS)


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (b'"input_scale":0', b'"input_scale":9', "input_scale"),
        (b'"output_visibility":"Public"', b'"output_visibility":"Private"', "output_visibility"),
        (b'"version":"23.0.5"', b'"version":"23.0.4"', "version"),
        (b'"num_inner_cols":3', b'"num_inner_cols":2000000', "2000000|num_inner_cols"),
        (b'"logrows":13', b'"logrows":25', "logrows"),
    ],
)
def test_settings_changed_in_anything_are_refused_before_ezkl(
    old: bytes, new: bytes, word: str, tmp_path: Path
) -> None:
    data = ARTIFACTS[PROOF.settings].replace(old, new)
    name = canonical.digest(data)
    unknown = replace(FREE, settings=name)
    home = tmp_path / "never made"
    with pytest.raises((MalformedError, VerificationError), match=word):
        EzklVerifier(home).verify(unknown, {**ARTIFACTS, name: data})
    assert not home.exists()


@pytest.mark.parametrize(("logrows", "columns"), [(14, 3), (12, 3), (13, 2), (13, 4)])
def test_settings_of_another_size_do_not_verify(logrows: int, columns: int) -> None:
    settings = json.loads(ARTIFACTS[PROOF.settings])
    settings["run_args"] |= {"logrows": logrows, "num_inner_cols": columns}
    data = canonical.encode(settings)
    name = canonical.digest(data)
    with pytest.raises((MalformedError, VerificationError, UnavailableError)):
        EzklVerifier().verify(replace(FREE, settings=name), {**ARTIFACTS, name: data})


def test_the_key_or_srs_of_another_circuit_refuses(tmp_path: Path) -> None:
    proof = prove(OPEN, open_solved(), tmp_path)
    artifacts = {**ARTIFACTS, **verifier_artifacts(proof, tmp_path)}
    other_srs = local_srs(tmp_path / "other", OPEN.logrows)
    artifacts[other_srs.digest] = other_srs.cut
    for change in (
        {"verifying_key": PROOF.verifying_key},
        {"settings": PROOF.settings},
        {"srs": PROOF.srs},
        {"srs": other_srs.digest},
    ):
        with pytest.raises((VerificationError, MalformedError)):
            EzklVerifier().verify(replace(proof, **change), artifacts)  # type: ignore[arg-type]
    EzklVerifier().verify(proof, artifacts)


@pytest.mark.slow
def test_public_values_of_a_hashed_circuit_are_bound_one_by_one(tmp_path: Path) -> None:
    proof = prove(HASHED, hashed_solved(), tmp_path)
    artifacts = verifier_artifacts(proof, tmp_path)
    first, last = proof.public
    lies = [(last, first), (first,), (first, last, last), (first, FieldElement(last - 1))]
    claimed = [replace(proof, public=public) for public in lies]
    found = EzklVerifier().verify_many([*claimed, proof], artifacts)
    assert found[-1] is None
    assert all(isinstance(error, VerificationError) for error in found[:-1])
    for lie in claimed:
        with pytest.raises(VerificationError):
            verify_public(lie, proof.public)


@pytest.mark.slow
def test_another_statements_proof_is_told_by_its_public_values(tmp_path: Path) -> None:
    mine, other = (prove(HASHED, hashed_solved(context), tmp_path) for context in (7, 8))
    artifacts = verifier_artifacts(mine, tmp_path)
    assert EzklVerifier().verify_many([mine, other], artifacts) == (None, None)
    with pytest.raises(VerificationError, match="public value 1"):
        verify_public(other, mine.public)


def test_a_second_derivation_gives_the_key_that_verifies(tmp_path: Path) -> None:
    proof = prove(OPEN, open_solved(), tmp_path / "one")
    srs = local_srs(tmp_path / "one", OPEN.logrows)
    again = keys(OPEN, srs, tmp_path / "two")
    assert (again.verifying_key, again.settings, again.srs) == proof.artifacts
    EzklVerifier().verify(proof, verifier_artifacts(proof, tmp_path / "two"))
