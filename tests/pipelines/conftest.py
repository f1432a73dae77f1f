"""A real home, and a real git and DVC repository with two versions of a small table."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.flow.working import IndexRequest
from pipelines.flow.workspace import COMPILED, Workspace
from pipelines.watching import Watched, watch
from storage.home import Home

IDENTITY = ("-c", "user.name=Tests", "-c", "user.email=tests@invalid")


@pytest.fixture(autouse=True, scope="module")
def _same_environment() -> Iterator[None]:
    """Put the environment back after a file's tests: a home that is opened changes it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A new home; the variables that it sets are gone with the test.

    A place for compiled code that was chosen before stays, as `use` has it: else each process that
    a test starts would compile everything anew.
    """
    home = Home.create(tmp_path / ".rootline")
    chosen = os.environ.get(COMPILED)
    for name, value in home.environment().items():
        monkeypatch.setenv(name, chosen if name == COMPILED and chosen else value)
    return Workspace.create(home.path)


class Repository:
    """A git and DVC repository whose folder `rows` changes from commit to commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self) -> None:
        """Make the repository."""
        self.folder.mkdir()
        self.git("init", "--quiet")
        self.dvc("init", "--quiet")

    def commit(self, rows: int, tag: str | None = None) -> None:
        """Write a table of so many rows, and commit it."""
        (self.folder / "rows").mkdir(exist_ok=True)
        table = pa.table({"name": [f"row {i}" for i in range(rows)], "value": list(range(rows))})
        pq.write_table(table, self.folder / "rows" / "part-1.parquet")
        self.dvc("add", "--quiet", "rows")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"{rows} rows")
        if tag:
            self.git("tag", tag)

    def git(self, *arguments: str) -> None:
        self._run("git", *IDENTITY, *arguments)

    def dvc(self, *arguments: str) -> None:
        self._run(sys.executable, "-m", "dvc", *arguments)

    def _run(self, *command: str) -> None:
        environ = {**os.environ, "DVC_NO_ANALYTICS": "true"}
        environ["DVC_SITE_CACHE_DIR"] = str(self.folder.parent / "dvc-site")
        subprocess.run(command, cwd=self.folder, env=environ, check=True, capture_output=True)


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with the versions v1 (20 rows) and v2 (30 rows), made once."""
    made = Repository(tmp_path_factory.mktemp("dvc") / "repository")
    made.begin()
    made.commit(20, "v1")
    made.commit(30, "v2")
    return made


@pytest.fixture
def repository(tmp_path: Path, original: Repository) -> Repository:
    """A copy of the repository, for one test."""
    shutil.copytree(original.folder, tmp_path / "repository", symlinks=True)
    return Repository(tmp_path / "repository")


@pytest.fixture
def watched(space: Workspace, repository: Repository) -> Watched:
    """The repository on the home's list, with an index over the names."""
    indexes = (IndexRequest("text-nfkc-casefold/1", "name"),)
    entry = Watched("rows", repository.folder, "rows", indexes, None, {"licence": "CC0-1.0"})
    watch(space.home, entry)
    return entry
