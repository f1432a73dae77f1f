"""Proofs asked for: checked first, made once, kept, verified when read again, given up cleanly."""

import json
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from circuits.proving import prover, worker
from circuits.proving.artifacts import (
    derive_anew,
    keys,
    local_srs,
    object_path,
    verifier_artifacts,
)
from circuits.proving.ezkl_prover import EzklProver
from circuits.proving.lock import locked
from circuits.proving.prover import ProvingFiles
from circuits.proving.requests import prove, request_digest
from circuits.proving.verifier import EzklVerifier
from circuits.proving.worker import LIMITS, Limits, scratch
from circuits.solve import Solved
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import FieldElement
from provenance.proof import Proof
from tests.circuits.proving.kin import children
from tests.circuits.small import HASHED, OPEN, SALT, hashed_solved, open_solved


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one finished proof."""
    home = tmp_path_factory.mktemp("requests")
    prove(OPEN, open_solved(), home)
    return home


def finished(home: Path) -> list[Path]:
    return sorted((home / "circuits/proofs").iterdir())


def test_a_proof_verifies_and_shows_the_public_values(home: Path) -> None:
    proof = prove(OPEN, open_solved(), home)
    assert proof.public == (15, 1)
    EzklVerifier(home).verify(proof, verifier_artifacts(proof, home))


def test_the_same_statement_is_not_proved_twice_by_whichever_witness(home: Path) -> None:
    told: list[str] = []
    first = prove(OPEN, open_solved(), home, progress=told.append)
    assert prove(OPEN, open_solved(5, 3), home, progress=told.append) == first
    assert told == []
    other = prove(OPEN, open_solved(5, 4), home, progress=told.append)
    assert other.public == (20, 1)
    assert told == ["mock", "prove", "verify"]


def test_what_was_asked_is_known_by_all_that_makes_a_statement() -> None:
    class Other(EzklProver):
        version = "1.0"

    here = EzklProver(Path("home"))
    named = {"srs": FieldElement(1)}
    digests = {
        request_digest(by, of, solved, dict.fromkeys(named, local))  # type: ignore[arg-type]
        for by in (here, Other(Path("home")))
        for of in (OPEN, replace(OPEN, name="other.v1"))
        for solved in (open_solved(), open_solved(2, 2))
        for local in (_digest(1), _digest(2))
    }
    assert len(digests) == 16


def _digest(number: int) -> bytes:
    return bytes([number]) * 32


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-9],
        lambda data: data[:0],
        lambda data: data.replace(b'"proof":"', b'"proof":"00', 1),
        lambda data: data.replace(b"0f", b"0e", 1),
        lambda data: data.replace(b"product-open.v1", b"product-open.v2"),
    ],
)
def test_a_corrupt_proof_in_the_cache_is_made_anew(
    home: Path, spoil: Callable[[bytes], bytes]
) -> None:
    first = prove(OPEN, open_solved(), home)
    (path,) = [path for path in finished(home) if path.read_bytes() == first.encoded]
    path.write_bytes(spoil(first.encoded))
    told: list[str] = []
    again = prove(OPEN, open_solved(), home, progress=told.append)
    assert told == ["mock", "prove", "verify"]
    assert again.public == first.public
    assert Proof.parse(path.read_bytes()) == again


def test_a_good_proof_of_another_statement_is_no_answer(home: Path) -> None:
    first, other = prove(OPEN, open_solved(), home), prove(OPEN, open_solved(7, 7), home)
    (path,) = [path for path in finished(home) if path.read_bytes() == first.encoded]
    path.write_bytes(other.encoded)
    assert prove(OPEN, open_solved(), home).public == first.public


def test_of_two_that_ask_at_once_one_proves_and_the_other_waits(home: Path) -> None:
    told: list[str] = []
    both = threading.Barrier(2)

    def ask() -> Proof:
        both.wait()
        return prove(OPEN, open_solved(11, 13), home, progress=told.append)

    with ThreadPoolExecutor(2) as pool:
        one, two = (pool.submit(ask) for _ in range(2))
        assert one.result() == two.result()
    assert told.count("prove") == 1


def test_a_lock_is_waited_for_until_cancelled(tmp_path: Path) -> None:
    cancel = threading.Event()

    def told(stage: str) -> None:
        assert stage == "wait"
        cancel.set()

    path = tmp_path / "x.lock"
    with locked(path):
        with pytest.raises(UnavailableError, match="cancelled"), locked(path, told, cancel):
            pass
        assert path.exists()
    assert not path.exists()
    with locked(path):
        pass


def test_other_outputs_than_the_witness_leads_to_are_refused_before_anything(
    tmp_path: Path,
) -> None:
    solved = open_solved()
    lie = Solved(solved.witness, ((FieldElement(16), FieldElement(1)),))
    with pytest.raises(VerificationError, match="leads to other outputs"):
        EzklProver(tmp_path).prove(OPEN, lie)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        lambda witness: {**witness, "more": (1,)},
        lambda witness: {name: witness[name] for name in ("one", "left")},
        lambda witness: {**witness, "left": (1, 2)},
    ],
)
def test_a_witness_of_another_circuit_is_malformed(
    tmp_path: Path, change: Callable[[object], dict[str, tuple[int, ...]]]
) -> None:
    solved = open_solved()
    with pytest.raises(MalformedError):
        EzklProver(tmp_path).prove(OPEN, Solved(change(solved.witness), solved.outputs))


def test_private_values_come_in_any_order(home: Path) -> None:
    solved = open_solved(2, 9)
    turned = Solved(dict(reversed(list(solved.witness.items()))), solved.outputs)
    assert prove(OPEN, turned, home).public == (18, 1)


@pytest.mark.parametrize("stage", ["srs", "settings", "mock"])
def test_what_is_cancelled_leaves_nothing_behind(tmp_path: Path, stage: str) -> None:
    cancel = threading.Event()

    def told(found: str) -> None:
        if found == stage:
            (child,) = children()
            os.kill(child, signal.SIGSTOP)  # so that it cannot end before it is killed
            cancel.set()

    with pytest.raises(UnavailableError, match="cancelled"):
        prove(OPEN, open_solved(), tmp_path, progress=told, cancel=cancel)
    assert not children()
    assert not list((tmp_path / "circuits").rglob("scratch-*"))
    assert not list((tmp_path / "circuits").rglob("*.lock"))


def test_too_little_memory_is_told_before_a_child_starts(home: Path) -> None:
    told: list[str] = []
    limits = replace(LIMITS, memory_bytes=2**20)
    with pytest.raises(UnavailableError, match="the limit is 1; raise it"):
        prove(OPEN, open_solved(19, 23), home, limits=limits, progress=told.append)
    assert told == []


@pytest.mark.slow
def test_a_hashed_circuit_with_a_table_is_proved_and_its_size_is_measured(tmp_path: Path) -> None:
    proof = prove(HASHED, hashed_solved(), tmp_path)
    EzklVerifier(tmp_path).verify(proof, verifier_artifacts(proof, tmp_path))
    assert len(proof.public) == 2
    derived = derive_anew(HASHED, local_srs(tmp_path, HASHED.logrows), tmp_path)
    assert derived.proof_bytes == len(proof.proof)
    assert derived.verifying_key == proof.verifying_key
    assert derived.settings == proof.settings
    for path in (tmp_path / "circuits").rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_a_lie_that_makes_ezkl_hang_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    srs = local_srs(tmp_path, HASHED.logrows)
    made = keys(HASHED, srs, tmp_path)
    files = ProvingFiles(
        object_path(tmp_path, made.compiled), object_path(tmp_path, made.proving_key), srs.path
    )
    solved = hashed_solved()
    lie = {**solved.witness, "row": (2, *solved.witness["row"][1:])}
    outputs = ((FieldElement(2), *solved.outputs[0][1:]), *solved.outputs[1:])
    with scratch(tmp_path) as folder, pytest.raises(VerificationError, match="nothing was proved"):
        prover.prove(files, lie, outputs, folder, LIMITS, worker.silent, hashed=True)
    monkeypatch.setattr(worker, "ENTRY", "tests.circuits.proving.unchecked")
    told: list[str] = []
    with (
        scratch(tmp_path) as folder,
        pytest.raises(UnavailableError, match="stopped after 6 seconds") as caught,
    ):
        prover.prove(files, lie, outputs, folder, Limits(seconds=6), told.append, hashed=True)
    assert told == ["mock", "prove"]
    assert str(SALT) not in str(caught.value)
    assert not children()


def test_costs_seen_are_told_instead_of_the_model(home: Path) -> None:
    seen = json.loads((home / "circuits/observed.json").read_bytes())
    (one,) = seen.values()
    cost = EzklProver(home).cost(OPEN)
    assert (cost.keys_seconds, cost.proof_seconds) == (one["keys_seconds"], one["proof_seconds"])
