"""The child process: what goes in, what comes out, and how it ends."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from circuits.proving import worker
from circuits.proving.worker import Limits, scratch
from provenance.errors import UnavailableError
from tests.circuits.proving.kin import children

SRS = {"step": "srs", "logrows": 4}


def test_a_job_is_done_in_the_scratch_folder_and_its_stages_are_told(tmp_path: Path) -> None:
    stages: list[str] = []
    with scratch(tmp_path) as folder:
        assert worker.run(SRS, folder, progress=stages.append) == {"done": True}
        assert (folder / "srs").stat().st_size == 4 + 128 * 2**4 + 256
    assert stages == ["srs"]
    assert not list(tmp_path.iterdir())


def test_a_scratch_folder_is_for_this_user_only_and_vanishes_on_errors(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def fail() -> None:
        with scratch(home) as folder:
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE(home.stat().st_mode) == 0o700
            (folder / "x").write_bytes(b"x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(home.iterdir())


def test_what_killed_processes_left_is_swept_after_a_day(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in ("scratch-old", "scratch-new", "objects"))
    for folder in (old, new, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (0, 0))
    with scratch(tmp_path):
        assert not old.exists()
        assert new.exists()
        assert other.exists()


def test_a_child_is_stopped_at_its_time_limit(tmp_path: Path) -> None:
    limits = Limits(seconds=0.2)
    with (
        scratch(tmp_path) as folder,
        pytest.raises(UnavailableError, match=r"stopped after 0\.2 seconds; raise the time limit"),
    ):
        worker.run({"step": "srs", "logrows": 22}, folder, limits)
    assert not children()


def test_a_child_is_stopped_at_its_memory_limit(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=100 * 2**20)
    with scratch(tmp_path) as folder, pytest.raises(UnavailableError, match="out of memory"):
        worker.run({"step": "srs", "logrows": 12}, folder, limits)


def test_memory_that_runs_out_in_the_middle_is_told_too(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=300 * 2**20)
    with scratch(tmp_path) as folder, pytest.raises(UnavailableError, match="out of memory"):
        worker.run({"step": "srs", "logrows": 22}, folder, limits)


def test_a_child_ends_when_progress_is_cancelled(tmp_path: Path) -> None:
    def cancel(_: str) -> None:
        assert len(children()) == 1
        raise KeyboardInterrupt

    with scratch(tmp_path) as folder, pytest.raises(KeyboardInterrupt):
        worker.run({"step": "srs", "logrows": 22}, folder, progress=cancel)
    assert not children()


@pytest.mark.parametrize("number", [9, pytest.param(15, marks=pytest.mark.slow)])
def test_a_child_that_is_killed_is_no_answer(tmp_path: Path, number: int) -> None:
    def kill(_: str) -> None:
        os.kill(children()[0], number)

    with scratch(tmp_path) as folder, pytest.raises(UnavailableError):
        worker.run({"step": "srs", "logrows": 22}, folder, progress=kill)


def test_a_step_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "rubbish").write_bytes(b"{}")
    parts: list[dict[str, Any]] = []
    each = {"size": 1, "proof": "{}", "cut": None, "artifacts": [str(tmp_path / "rubbish")] * 3}
    with scratch(tmp_path) as folder:
        job = {"step": "verify", "proofs": [each, each]}
        assert worker.run(job, folder, parts=parts) == {"done": True}
    assert [part["panicked"] for part in parts] == [False, False]
    assert parts[0]["failed"].startswith("verify: Failed to run verify: [io] missing field")


def test_a_missing_prover_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    (bare / "ezkl").mkdir(parents=True)
    (bare / "ezkl" / "__init__.py").write_text("raise ImportError('no such thing')")
    for package in ("circuits", "provenance"):
        (bare / package).symlink_to(worker.SOURCE / package)
    monkeypatch.setattr(worker, "SOURCE", bare)
    with scratch(tmp_path) as folder, pytest.raises(UnavailableError, match=r"\[zk\]"):
        worker.run(SRS, folder)


def test_the_child_outlives_no_limit_of_its_own_without_a_parent(tmp_path: Path) -> None:
    job = {"step": "srs", "logrows": 22, "memory_bytes": 2**33, "seconds": -4.9}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", worker.ENTRY],
        input=json.dumps(job).encode(),
        cwd=tmp_path,
        env={"PYTHONPATH": str(worker.SOURCE), "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -14
