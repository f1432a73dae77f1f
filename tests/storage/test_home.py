"""The home folder: how it is made, found, and kept to."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from provenance.errors import MalformedError, UnavailableError
from storage.home import FOLDERS, VARIABLE, Home


def make(folder: Path) -> Home:
    return Home.create(folder / ".rootline")


def test_a_new_home_has_its_folders_for_its_owner_only(tmp_path: Path) -> None:
    home = make(tmp_path)
    folders = [home.path, *(home.path / name for name in FOLDERS)]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


def test_git_does_not_see_a_home(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    home = make(tmp_path)
    (home.keys / "issuer.1.key").write_text("secret")
    seen = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert seen.stdout == b""


def test_making_a_home_again_keeps_what_is_in_it(tmp_path: Path) -> None:
    home = make(tmp_path)
    (home.runs / "one").write_text("kept")
    assert make(tmp_path) == home
    assert (home.runs / "one").read_text() == "kept"


def test_a_home_is_not_made_over_a_file(tmp_path: Path) -> None:
    (tmp_path / ".rootline").write_text("")
    with pytest.raises(MalformedError, match="is a file"):
        make(tmp_path)


def test_a_home_that_cannot_be_made_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match=r"cannot make .*file/inside"):
        Home.create(tmp_path / "file" / "inside")


def test_the_nearest_home_upwards_is_found(tmp_path: Path) -> None:
    outer, below = make(tmp_path), tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert Home.find(below, {}) == outer
    assert Home.find(below, {VARIABLE: ""}) == outer
    inner = make(tmp_path / "a")
    assert Home.find(below, {}) == inner


def test_the_variable_names_another_home(tmp_path: Path) -> None:
    make(tmp_path)
    other = Home.create(tmp_path / "other")
    assert Home.find(tmp_path, {VARIABLE: str(other.path)}) == other
    assert Home.find(tmp_path, {VARIABLE: "other"}) == other
    assert Home.place(tmp_path, {VARIABLE: "other"}) == other.path
    assert Home.place(tmp_path, {}) == tmp_path / ".rootline"


def test_a_missing_home_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="run `rootline init`"):
        Home.find(tmp_path, {})
    with pytest.raises(UnavailableError, match="which is missing: `rootline init`"):
        Home.find(tmp_path, {VARIABLE: "nowhere"})


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / ".rootline").write_text("")
    with pytest.raises(MalformedError, match="a home is a folder"):
        Home.find(tmp_path, {})
    with pytest.raises(MalformedError, match="no folder"):
        Home.find(tmp_path, {VARIABLE: ".rootline"})


def test_another_users_home_is_used_only_when_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(MalformedError, match="belongs to another user"):
        Home.find(tmp_path, {})
    assert Home.find(tmp_path, {VARIABLE: str(home.path)}) == home


def test_all_paths_and_all_tools_stay_inside(tmp_path: Path) -> None:
    home = make(tmp_path)
    paths = [
        getattr(home, name) for name, value in vars(Home).items() if isinstance(value, property)
    ]
    assert len(paths) == 16
    assert all(path.is_relative_to(home.path) for path in paths)
    named = [value for value in home.environment().values() if "/" in value]
    assert len(named) == 4
    assert all(Path(value).is_relative_to(home.path) for value in named)
