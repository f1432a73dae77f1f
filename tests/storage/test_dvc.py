"""A real DVC repository, made with git and dvc, read by revision."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from provenance.errors import MalformedError, UnavailableError
from storage.dvc import DvcSource, _copy
from storage.git import git

DVC: Final = Path(sys.executable).with_name("dvc")
CONFIG: Final = """\
[core]
    analytics = false
    check_update = false
    remote = away
['remote "away"']
    url = ../../remote
"""
STAGES: Final = """\
stages:
  double:
    cmd: cat data/one.csv data/one.csv > made/twice.csv
    deps: [data/one.csv]
    outs: [made/twice.csv]
"""


class Repo:
    """A repository, and an environment in which dvc writes nothing outside its folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "repo"
        self.cache = folder / "cache"
        self.environ = os.environ | {
            "DVC_NO_ANALYTICS": "true",
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "HOME": str(folder),
        }

    def run(self, *command: object) -> None:
        subprocess.run(
            [str(part) for part in command],
            cwd=self.path,
            env=self.environ,
            check=True,
            capture_output=True,
        )

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, tag: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=n", "-c", "user.email=n@e", "commit", "-qm", tag)
        self.run("git", "tag", tag)

    def source(self, path: str, rev: str = "HEAD") -> DvcSource:
        return DvcSource(self.path, path, rev)

    def text(self, path: str, rev: str, folder: Path) -> dict[str, str]:
        copy = self.source(path, rev).snapshot(folder / rev, self.cache)
        files = [copy] if copy.is_file() else sorted(p for p in copy.rglob("*") if p.is_file())
        return {file.relative_to(folder / rev).as_posix(): file.read_text() for file in files}


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Repo:
    """Make v1, v2 (one.csv changed), v3 (only README changed); v2's data is in the remote too."""
    made = Repo(tmp_path_factory.mktemp("dvc"))
    made.path.mkdir()
    made.run("git", "init", "-q", "-b", "main")
    made.run(DVC, "init", "-q")
    made.write(".dvc/config", CONFIG)
    made.write("data/one.csv", "one\n")
    made.write("data/train/part-1.csv", "a\n")
    made.write("data/train/deep/part-2.csv", "b\n")
    made.write("made/.gitignore", "/twice.csv\n")
    made.write("dvc.yaml", STAGES)
    made.run(DVC, "add", "-q", "data/one.csv", "data/train")
    made.commit("v1")
    made.write("data/one.csv", "two\n")
    made.run(DVC, "add", "-q", "data/one.csv")
    made.run(DVC, "repro", "-q")
    made.commit("v2")
    made.run(DVC, "push", "-q")
    made.write("README", "hello\n")
    made.commit("v3")
    return made


def test_a_path_is_copied_as_it_was(repo: Repo, tmp_path: Path) -> None:
    assert repo.text("data/one.csv", "v1", tmp_path) == {"one.csv": "one\n"}
    assert repo.text("data/one.csv", "v2", tmp_path) == {"one.csv": "two\n"}


def test_a_folder_is_copied_with_what_is_in_it(repo: Repo, tmp_path: Path) -> None:
    assert repo.text("data/train", "v1", tmp_path) == {
        "train/deep/part-2.csv": "b\n",
        "train/part-1.csv": "a\n",
    }


def test_a_folder_of_tracked_paths_and_a_file_of_a_tracked_folder_are_copied(
    repo: Repo, tmp_path: Path
) -> None:
    assert sorted(repo.text("data", "v2", tmp_path)) == [
        "data/one.csv",
        "data/train/deep/part-2.csv",
        "data/train/part-1.csv",
    ]
    inner = repo.source("data/train/part-1.csv").snapshot(tmp_path / "inner", repo.cache)
    assert inner.read_text() == "a\n"


def test_the_output_of_a_stage_is_copied(repo: Repo, tmp_path: Path) -> None:
    assert repo.text("made/twice.csv", "v2", tmp_path) == {"twice.csv": "two\ntwo\n"}


def test_dvc_writes_its_index_where_it_is_told(repo: Repo, tmp_path: Path) -> None:
    repo.source("data/one.csv").snapshot(tmp_path / "copy", tmp_path / "cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "copy"]


def test_the_revisions_are_those_that_changed_the_path(repo: Repo) -> None:
    commits = {tag: repo.source("data", tag).commit for tag in ("v1", "v2", "v3")}

    def changed(path: str, rev: str = "HEAD") -> list[str]:
        return [revision.commit for revision in repo.source(path, rev).revisions()]

    assert changed("data/one.csv") == [commits["v1"], commits["v2"]]
    assert changed("data/one.csv", "v1") == [commits["v1"]]
    assert changed("data/train") == [commits["v1"]]
    assert changed("data") == [commits["v1"], commits["v2"]]
    assert changed("made/twice.csv") == [commits["v2"]]


def test_the_fingerprint_changes_with_the_data_only(repo: Repo) -> None:
    def seen(path: str) -> list[str]:
        return [repo.source(path, tag).fingerprint() for tag in ("v1", "v2", "v3")]

    one = seen("data/one.csv")
    assert one[0] != one[1] == one[2]
    assert len(set(seen("data/train"))) == 1
    assert repo.source("data/one.csv").revisions()[-1].fingerprint == one[2]
    assert len(repo.source("data/one.csv").commit) == 40


def test_a_variable_of_a_git_hook_does_not_lead_elsewhere(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert repo.source("data/one.csv").revisions()


@pytest.mark.parametrize("path", ["nothing.csv", "data/one.cs", "README", "dvc.yaml"])
def test_what_dvc_does_not_track_is_named(repo: Repo, tmp_path: Path, path: str) -> None:
    source = repo.source(path)
    for look in (source.fingerprint, source.revisions):
        with pytest.raises(MalformedError, match=f"DVC does not track {path} .*run `dvc add"):
            look()
    with pytest.raises(MalformedError, match="does not track"):
        source.snapshot(tmp_path / "copy", repo.cache)


def test_a_file_that_its_tracked_folder_lacks_is_named(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="is not among what DVC tracks at HEAD"):
        repo.source("data/train/part-9.csv").snapshot(tmp_path / "copy", repo.cache)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rev", ["v9", "--all", "HEAD:README", "", "-n1"])
def test_an_unknown_revision_is_named(repo: Repo, rev: str) -> None:
    with pytest.raises(MalformedError, match="has no revision"):
        repo.source("data/one.csv", rev).fingerprint()


@pytest.mark.parametrize("path", ["/etc", "../x", "..", "a/../b", "./a", "a/", "a//b"])
def test_a_path_stays_in_the_repository(repo: Repo, path: str) -> None:
    with pytest.raises(MalformedError, match="no plain path"):
        repo.source(path)


def test_where_there_is_no_repository_git_says_so(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="not a git repository"):
        DvcSource(tmp_path, "x").fingerprint()
    with pytest.raises(MalformedError, match="there is no folder"):
        DvcSource(tmp_path / "gone", "x").fingerprint()


def test_a_snapshot_takes_nobodys_place(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").write_text("kept")
    with pytest.raises(MalformedError, match="exists: name a new folder"):
        repo.source("data/one.csv").snapshot(tmp_path / "copy", repo.cache)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["mine"]


def copied(repo: Repo, folder: Path) -> Repo:
    """Return a copy of the repository that a test may damage."""
    other = Repo(folder)
    shutil.copytree(repo.path, other.path)
    return other


def objects(repo: Repo) -> list[Path]:
    return [path for path in (repo.path / ".dvc" / "cache").rglob("*") if path.is_file()]


def test_what_the_cache_lacks_comes_from_the_remote(repo: Repo, tmp_path: Path) -> None:
    other = copied(repo, tmp_path)
    shutil.copytree(repo.path.parent / "remote", tmp_path / "remote")
    shutil.rmtree(other.path / ".dvc" / "cache")
    assert other.text("data/train", "v1", tmp_path) == {
        "train/deep/part-2.csv": "b\n",
        "train/part-1.csv": "a\n",
    }


def test_a_dvc_repository_may_lie_in_a_folder_of_gits(repo: Repo, tmp_path: Path) -> None:
    whole = Repo(tmp_path)
    shutil.copytree(repo.path, whole.path / "team", ignore=shutil.ignore_patterns(".git"))
    whole.run("git", "init", "-q")
    whole.commit("v1")
    source = DvcSource(whole.path / "team", "data/one.csv")
    assert source.snapshot(tmp_path / "copy", whole.cache).read_text() == "two\n"
    assert [revision.commit for revision in source.revisions()] == [source.commit]


@pytest.mark.parametrize("path", ["data/one.csv", "data/train", "data"])
def test_what_is_in_neither_is_unavailable(repo: Repo, tmp_path: Path, path: str) -> None:
    other = copied(repo, tmp_path)
    shutil.rmtree(other.path / ".dvc" / "cache")
    with pytest.raises(UnavailableError, match=f"{path} at HEAD.* `dvc pull`"):
        other.source(path).snapshot(tmp_path / "copy", other.cache)
    assert not (tmp_path / "copy").exists()


def test_a_damaged_object_is_not_copied(repo: Repo, tmp_path: Path) -> None:
    other = copied(repo, tmp_path)
    for path in objects(other):
        path.chmod(0o644)
        if path.suffix != ".dir":
            path.write_text("two!\n")
    with pytest.raises(UnavailableError, match=r"data/one\.csv is damaged: delete"):
        other.source("data/one.csv").snapshot(tmp_path / "copy", other.cache)
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("name", ["data/train/../../../out.csv", "/data/other.csv"])
def test_a_listing_that_leads_out_of_its_folder_is_refused(
    repo: Repo, tmp_path: Path, name: str
) -> None:
    # DVC fails on such a listing itself, but only after recursing for ten seconds.
    with pytest.raises(MalformedError, match="leads out of data/train"):
        _copy(repo.source("data/train"), None, {"name": name}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_dvc_the_remedy_is_named(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dvc.api", None)
    with pytest.raises(UnavailableError, match="extra `dvc`"):
        repo.source("data/one.csv").snapshot(tmp_path / "copy", repo.cache)


def test_without_git_the_remedy_is_named(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="git is not installed"):
        repo.source("data/one.csv").fingerprint()


def test_git_that_cannot_run_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="git cannot run"):
        git(tmp_path / "file", "status")
