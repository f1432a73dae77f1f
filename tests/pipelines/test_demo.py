"""The demo: its data, its arithmetic, and all of it in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.demo import data
from pipelines.demo.show import RUN, free_name, required
from pipelines.demo.training import probability, rounded, step
from pipelines.flow.recording import EXTERNAL, Run
from pipelines.flow.registering import Request, register
from pipelines.flow.workspace import Workspace
from provenance import replay
from provenance.errors import UnavailableError
from provenance.features import digits
from provenance.findings import Level
from provenance.replay import Logistic
from storage.readers.datasets import from_stream, open_dataset
from tests.pipelines.flow.conftest import table as small

ROOT: Final = Path(__file__).parents[2]


def test_the_second_version_corrects_seven_removes_five_and_adds_twenty_nine() -> None:
    table = data.load_table()
    first, second = data.first_version(table), data.second_version(table)
    before = {row["sample"]: row for row in first.to_pylist()}
    after = {row["sample"]: row for row in second.to_pylist()}
    assert (len(before), len(after)) == (540, 564)
    assert len(before.keys() - after.keys()) == 5
    assert len(after.keys() - before.keys()) == 29
    corrected = [name for name in before.keys() & after.keys() if before[name] != after[name]]
    assert len(corrected) == 7
    for name in corrected:
        differing = {key for key in before[name] if before[name][key] != after[name][key]}
        assert differing == {"mean_radius"}
        assert before[name]["mean_radius"] == pytest.approx(10 * after[name]["mean_radius"])


def test_the_second_version_is_split_over_three_files() -> None:
    second = data.second_version(data.load_table())
    parts = data.split(second)
    assert [part.num_rows for part in parts] == [188, 188, 188]
    assert [row for part in parts for row in part.to_pylist()] == second.to_pylist()


def test_every_record_of_both_versions_fits_the_feature_spec() -> None:
    table = data.load_table()
    spec = data.feature_spec(table)
    assert len(spec.all) == 31
    for version in (data.first_version(table), data.second_version(table)):
        for record in from_stream(version).records():
            digits(spec, record)


def test_the_repository_holds_both_versions_under_tags(tmp_path: Path) -> None:
    environ = {"DVC_NO_ANALYTICS": "true", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    table = data.load_table()
    data.make_repository(tmp_path / "repository", table, environ)
    watched = data.watched(tmp_path / "repository", table)
    for tag, files, records in (("v1", 1, 540), ("v2", 3, 564)):
        watched.source(tag).snapshot(tmp_path / tag, tmp_path / "cache")
        dataset = open_dataset(tmp_path / tag)
        assert (len(dataset.files), sum(1 for _ in dataset.records())) == (files, records)


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="git is not installed"):
        data.make_repository(tmp_path / "repository", data.load_table(), {})


def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"git .*init.* failed: "):
        data.make_repository(
            tmp_path / "repository", data.load_table(), {"GIT_DIR": "/dev/null/none"}
        )


SMALL = st.integers(-(2**13), 2**13)
WEIGHTS = st.integers(-(2**13), 2**13)


@given(st.data(), st.integers(1, 6), st.integers(1, 8), st.integers(0, 8))
@settings(deadline=None, max_examples=60)
def test_a_step_in_numpy_is_the_step_that_auditors_replay(
    draw: st.DataObject, width: int, rows: int, rate_bits: int
) -> None:
    def integers(strategy: st.SearchStrategy[int], count: int) -> list[int]:
        return draw.draw(st.lists(strategy, min_size=count, max_size=count))

    centre, weights = integers(SMALL, width), integers(WEIGHTS, width + 1)
    batch = [[*integers(SMALL, width), draw.draw(st.integers(0, 1))] for _ in range(rows)]
    slow = Logistic(tuple(centre), rate_bits)
    found = np.array(batch, dtype=np.int64)
    inputs, labels = found[:, :-1] - np.array(centre), found[:, -1]
    vector = np.array(weights, dtype=np.int64)
    fast = step(vector, inputs, labels, rate_bits=rate_bits)
    assert tuple(fast.tolist()) == slow.step(weights, batch)
    expected = [slow.probability(weights, row[:-1]) for row in batch]
    assert probability(vector, inputs).tolist() == expected


@given(st.integers(-(2**50), 2**50), st.integers(1, 2**20))
def test_rounding_in_numpy_is_the_rounding_of_the_replay(value: int, divisor: int) -> None:
    assert int(rounded(np.array([value]), divisor)[0]) == replay.rounded(value, divisor)


def test_a_second_showing_gets_a_run_of_its_own(space: Workspace) -> None:
    assert free_name(space) == RUN
    register(space, small(20), Request("rows", "v1"))
    for name in (RUN, f"{RUN}-2"):
        assert free_name(space) == name
        with Run(
            name,
            train="rows@v1",
            hyperparameters={},
            space=space,
            sampler=EXTERNAL,
            optimiser=EXTERNAL,
            initial=EXTERNAL,
        ):
            pass
    assert free_name(space) == f"{RUN}-3"
    wanted = {(r.claim, r.subject): r.level for r in required(f"{RUN}-3")}
    assert wanted["steps", f"{RUN}-3"] is Level.L3


def shown(home: Path, scratch: Path) -> str:
    """Run the demo in a process of its own; whatever it writes elsewhere lands in `scratch`."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("ROOTLINE", "DAGSTER"))}
    environ |= {"HOME": str(scratch / "user"), "TMPDIR": str(scratch / "tmp"), "COLUMNS": "200"}
    for name in ("user", "tmp"):
        (scratch / name).mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pipelines.cli", "demo", "--home", str(home)]
    environ["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        command, cwd=scratch, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_the_demo_runs_twice_and_leaves_nothing_elsewhere(tmp_path: Path) -> None:
    before = set(ROOT.iterdir())
    for number in (1, 2):
        text = shown(tmp_path / "kept", tmp_path)
        assert "Verdict under policy 'demo auditor': HOLDS" in text
        for claim in ("record", "evidence", "membership"):
            assert f"refused: {claim}" in text
        run = RUN if number == 1 else f"{RUN}-{number}"
        assert f"✓ steps {run} at L3: found at L3" in text
        assert [line for line in text.splitlines() if line.strip().startswith("?")] == []
    assert set(ROOT.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "tmp", "user"]
    for name in ("tmp", "user"):
        assert [str(path) for path in (tmp_path / name).rglob("*") if path.is_file()] == []
