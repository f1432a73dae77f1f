"""The library's face: what users call, and how little importing it costs."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import SGDClassifier

import rootline
from pipelines.flow.looking import all_runs
from pipelines.flow.recorded import recorded_steps
from pipelines.flow.workspace import Workspace
from storage.home import Home

ROOT = Path(__file__).parents[1]
HEAVY = ("numpy", "pyarrow", "duckdb", "dagster", "rfc8785", "cryptography", "dvc", "ezkl", "rich")
FEATURES = np.random.default_rng(7).normal(size=(64, 3))
LABELS = (FEATURES @ [1.0, -2.0, 0.5] > 0).astype(np.int64)


def table() -> pa.Table:
    columns = {f"x{i}": pa.array(FEATURES[:, i]) for i in range(3)}
    return pa.table({**columns, "label": pa.array(LABELS)})


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A home that is found from the current folder, with the dataset points@v1 in it."""
    for name in (*Home(tmp_path).environment(), "ROOTLINE_PASSPHRASE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Workspace.create(tmp_path / ".rootline")
    monkeypatch.delenv("ROOTLINE_HOME")
    rootline.register(table(), name="points", version="v1", facts={"licence": "CC0-1.0"})
    rootline.publish()
    return made


def test_importing_it_imports_nothing_heavy() -> None:
    code = f"import sys, rootline; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_every_name_is_there() -> None:
    assert dir(rootline) == sorted(rootline.__all__)
    for name in rootline.__all__:
        assert getattr(rootline, name).__doc__
    with pytest.raises(AttributeError, match="nothing"):
        _ = rootline.nothing


def test_without_a_home_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROOTLINE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="rootline init"):
        rootline.open_space()


def test_a_plain_numpy_loop_is_recorded_in_three_lines(space: Workspace) -> None:
    weights = np.zeros(3)
    order = np.random.default_rng(1).permutation(64)
    with rootline.Run("plain", train="points@v1", hyperparameters={"rate": np.float64(0.1)}) as run:
        for batch in np.split(order, 8):
            errors = FEATURES[batch] @ weights - LABELS[batch]
            weights = weights - 0.1 * FEATURES[batch].T @ errors / len(batch)
            run.step(batch, weights)
        made = run.finish(weights.tobytes(), {"error": np.float64(0.25), "rows": np.int64(64)})
    assert made.transcript.steps == 8
    assert made.metrics == {"error": 0.25, "rows": 64}
    [entry] = all_runs(space)
    assert (entry.name, entry.steps, entry.height is not None) == ("plain", 8, True)


def test_a_scikit_learn_loop_is_recorded_in_three_lines(space: Workspace) -> None:
    model = SGDClassifier(random_state=0)
    with rootline.Run("sgd", train="points@v1", hyperparameters=model.get_params()) as run:
        for first in range(0, 64, 16):
            batch = range(first, first + 16)
            model.partial_fit(FEATURES[batch], LABELS[batch], classes=[0, 1])
            run.step(batch, {"coef": model.coef_, "intercept": model.intercept_})
        score = model.score(FEATURES, LABELS)
        made = run.finish(None, {"accuracy": score})
    assert made.transcript.steps == 4
    assert made.metrics == {"accuracy": score}
    assert run.start.optimiser == "external/1"
    assert [entry.name for entry in all_runs(space)] == ["sgd"]


def test_a_model_in_a_file_is_named_by_its_digest(space: Workspace, tmp_path: Path) -> None:  # noqa: ARG001
    (tmp_path / "model.bin").write_bytes(b"weights")
    with rootline.Run("file", train="points@v1") as run:
        run.step([0, 1], b"weights")
        made = run.finish(tmp_path / "model.bin", {})
    assert made.model == sha256(b"weights").digest()


def test_a_script_that_dies_half_way_leaves_an_unfinished_run(space: Workspace) -> None:
    script = (
        "import os, signal, rootline\n"
        "with rootline.Run('dying', train='points@v1') as run:\n"
        "    run.step([0, 1], b'one'); run.step([2, 3], b'two')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr
    [entry] = all_runs(space)
    assert (entry.name, entry.commitment, entry.height) == ("dying", None, None)
    assert recorded_steps(space, entry.start) == 2


def test_an_exception_leaves_an_unfinished_run(space: Workspace) -> None:
    def train() -> None:
        with rootline.Run("failing", train="points@v1") as run:
            run.step([0], b"one")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert [entry.commitment for entry in all_runs(space)] == [None]


def test_a_value_that_is_no_json_is_refused(space: Workspace) -> None:  # noqa: ARG001
    with pytest.raises(Exception, match="declared value"):
        rootline.Run("odd", train="points@v1", hyperparameters={"loss": object()})


def test_a_bundle_is_exported_checked_and_audited(space: Workspace, tmp_path: Path) -> None:
    from pipelines.flow.auditing import policy_for
    from provenance.findings import Level, Outcome
    from provenance.policy import Requirement

    assert (
        rootline.export(tmp_path / "evidence", "points@v1")
        == (tmp_path / "evidence").stat().st_size
    )
    require = (Requirement("dataset", "points@v1", Level.L1),)
    policy = policy_for(space, name="auditor", require=require)
    (tmp_path / "policy.json").write_bytes(policy.encoded)
    audited = rootline.audit(tmp_path / "evidence", tmp_path / "policy.json")
    assert audited.verdict.outcome is Outcome.HOLDS


def test_one_proof_is_verified_against_home_envelope_and_bundle(
    space: Workspace, tmp_path: Path
) -> None:
    from pipelines.flow.auditing import policy_for
    from pipelines.flow.catalogue import attested, find_version
    from pipelines.flow.opening import open_records
    from provenance.audit.datasets import opened_document
    from provenance.canonical import encode
    from storage.readers.datasets import from_stream

    dataset = from_stream(table())
    version = find_version(space, "points")
    [opening] = open_records(space, version, dataset, [5])
    document = tmp_path / "opening.json"
    document.write_bytes(encode(opened_document(version.commitment.digest, opening)))
    rootline.export(tmp_path / "evidence")
    (tmp_path / "policy.json").write_bytes(policy_for(space, name="a", require=()).encoded)
    envelope = attested(space, version.attestation.digest)
    for shown in (
        rootline.verify(document),
        rootline.verify(document, about=[envelope], key=space.issuer.public_key),
        rootline.verify(document, bundle=tmp_path / "evidence", policy=tmp_path / "policy.json"),
    ):
        assert json.loads(json.dumps(shown["record"]))["label"] == str(LABELS[5])


def test_a_home_is_made_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Home(tmp_path).environment():
        monkeypatch.setenv(name, "")
    assert rootline.open_space(tmp_path / "home").home.path == tmp_path / "home"


@pytest.mark.slow
def test_membership_is_proved(space: Workspace) -> None:
    item, proof = rootline.prove("points@v1", 3)
    assert item.kind == "membership"
    assert rootline.verify(space.home.evidence / f"{proof.digest.hex()}.proof.json")
