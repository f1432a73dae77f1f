"""SRS and keys on disk: found, checked, made anew; the ceremony's files told from all others."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from circuits.pinned import PINNED
from circuits.proving import artifacts
from circuits.proving.artifacts import (
    CEREMONY,
    Derived,
    Keys,
    Srs,
    ceremony_srs,
    derive_anew,
    is_insecure,
    keys,
    local_srs,
    object_path,
    verifier_artifacts,
)
from circuits.proving.verifier import CUT_BYTES
from circuits.proving.worker import Limits
from circuits.registry import circuit
from provenance import canonical
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.proof import Proof
from tests.circuits.sample import NAME
from tests.provenance.documents import vectors

LOGROWS = 4


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a local SRS of 2**4 rows."""
    home = tmp_path_factory.mktemp("small")
    local_srs(home, LOGROWS)
    return home


def ceremony_file(monkeypatch: pytest.MonkeyPatch, path: Path, data: bytes) -> Path:
    """Return a file that this test takes for the ceremony's."""
    path.write_bytes(data)
    known = {**CEREMONY, int.from_bytes(data[:4], "little"): sha256(data).hexdigest()}
    monkeypatch.setattr(artifacts, "CEREMONY", known)
    return path


def test_a_local_srs_is_made_once_and_carries_its_label(small: Path) -> None:
    srs = local_srs(small, LOGROWS)
    assert srs == local_srs(small, LOGROWS)
    assert srs.insecure
    assert "insecure" in srs.path.name
    assert is_insecure(srs.digest, small)


def test_the_cut_holds_the_first_points_of_g1_and_both_of_g2(small: Path) -> None:
    srs = local_srs(small, LOGROWS)
    whole = srs.path.read_bytes()
    assert len(srs.cut) == CUT_BYTES
    assert srs.cut == b"\1\0\0\0" + whole[4:132] * 2 + whole[-256:]
    assert srs.digest == canonical.digest(srs.cut)


@pytest.mark.parametrize("spoil", [lambda data: data[:-1] + b"x", lambda data: data[:99]])
def test_a_corrupt_local_srs_is_made_anew(small: Path, tmp_path: Path, spoil: object) -> None:
    assert callable(spoil)
    whole = local_srs(small, LOGROWS).path
    corrupt = tmp_path / "circuits/srs" / whole.name
    corrupt.parent.mkdir(parents=True)
    corrupt.write_bytes(spoil(whole.read_bytes()))
    assert local_srs(tmp_path, LOGROWS).path != corrupt
    assert not corrupt.exists()


def test_a_file_of_the_ceremony_is_recognised_and_remembered(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = local_srs(small, LOGROWS).path.read_bytes()
    path = ceremony_file(monkeypatch, tmp_path / "ptau", data)
    srs = ceremony_srs(tmp_path, path)
    assert not srs.insecure
    assert not is_insecure(srs.digest, tmp_path)
    assert is_insecure(srs.digest, small)
    assert path.read_bytes() == data


def test_any_other_srs_is_refused_and_left_alone(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_bytes(local_srs(small, LOGROWS).path.read_bytes())
    with pytest.raises(VerificationError, match="none of the ceremony's files"):
        ceremony_srs(tmp_path, path)
    assert path.exists()


@pytest.mark.parametrize("data", [b"", b"\4\0\0\0", b"\xff" * 4 + bytes(384), bytes(99)])
def test_what_is_no_srs_file_is_malformed(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(data)
    with pytest.raises(MalformedError, match="not an SRS file"):
        ceremony_srs(tmp_path, path)


def test_an_srs_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No such file"):
        ceremony_srs(tmp_path, tmp_path / "nothing")


def test_a_rubbish_memory_of_ceremonies_makes_everything_insecure(tmp_path: Path) -> None:
    memory = tmp_path / "circuits/srs/ceremony"
    memory.parent.mkdir(parents=True)
    memory.write_bytes(b"{")
    assert is_insecure(Digest(bytes(32)), tmp_path)


def test_the_pinned_list_names_each_size_once() -> None:
    assert sorted(CEREMONY) == list(range(10, 21))
    assert len({Digest.parse(text) for text in CEREMONY.values()}) == 11


def test_a_circuit_larger_than_its_srs_has_no_keys(small: Path) -> None:
    with pytest.raises(UnavailableError, match="needs an SRS with k >= 13"):
        keys(circuit(NAME), local_srs(small, LOGROWS), small)


def test_an_object_is_found_by_its_digest_and_removed_when_corrupt(tmp_path: Path) -> None:
    digest = canonical.digest(b"data")
    path = tmp_path / "circuits/objects" / digest.hex()
    with pytest.raises(UnavailableError, match="missing or corrupt"):
        object_path(tmp_path, digest)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"data")
    assert object_path(tmp_path, digest) == path
    path.write_bytes(b"date")
    with pytest.raises(UnavailableError, match="missing or corrupt"):
        object_path(tmp_path, digest)
    assert not path.exists()


def test_a_foreign_proof_has_no_artifacts_here(tmp_path: Path) -> None:
    proof = Proof.parse(canonical.encode(vectors("proof")["document"]))
    with pytest.raises(UnavailableError, match="missing"):
        verifier_artifacts(proof, tmp_path)


@pytest.mark.slow
def test_keys_are_cached_and_made_anew_when_missing_or_corrupt(home: Path, made: Keys) -> None:
    srs = local_srs(home, 13)
    told: list[str] = []
    assert keys(circuit(NAME), srs, home, progress=told.append) == made
    assert not told
    path = object_path(home, made.verifying_key)
    path.write_bytes(path.read_bytes()[:-1])
    again = keys(circuit(NAME), srs, home, progress=told.append)
    assert told == ["settings", "compile", "setup"]
    # The compiled file differs from run to run; what a verifier sees does not.
    assert replace(again, compiled=made.compiled) == made


@pytest.mark.slow
def test_settings_that_differ_from_the_pinned_make_no_keys(home: Path) -> None:
    other = replace(circuit(NAME), settings_digest=Digest(bytes(32)))
    with pytest.raises(VerificationError, match="not the pinned"):
        keys(other, local_srs(home, 13), home)


@pytest.mark.slow
def test_an_auditor_derives_the_same_verifying_key_from_source(
    home: Path, made: Keys, tmp_path: Path
) -> None:
    srs: Srs = replace(local_srs(home, 13), insecure=False)
    free = replace(circuit(NAME), proof_bytes=None)
    assert derive_anew(free, srs, tmp_path) == Derived(
        NAME, made.settings, made.verifying_key, made.srs, PINNED[NAME].proof_bytes
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PINNED if name != NAME])
def test_every_circuit_has_the_pinned_settings(home: Path, name: str) -> None:
    found = keys(circuit(name), local_srs(home, circuit(name).logrows), home)
    assert found.settings == circuit(name).settings_digest


@pytest.mark.slow
def test_keys_that_take_too_long_are_given_up(home: Path, tmp_path: Path) -> None:
    srs = local_srs(home, 13)
    with pytest.raises(UnavailableError, match="stopped after 1 seconds"):
        keys(circuit(NAME), srs, tmp_path, limits=Limits(seconds=1))
    left = [path for path in (tmp_path / "circuits").rglob("*") if path.is_file()]
    assert all(path.suffix == ".lock" for path in left)
