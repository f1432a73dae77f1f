"""The real program in a folder of its own, and a small dataset to work on."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.flow.workspace import COMPILED
from storage.home import Home

TABLE = "id,name\n1,Ann\n2,Bob\n3,Cy\n"
SCHEMA: dict[str, Any] = {
    "kind": "rootline/schema/v1",
    "fields": [{"name": "id", "type": "int"}, {"name": "name", "type": "string"}],
}


class Program:
    """`rootline`, run in this process; what it says is checked for form each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: object, code: int = 0) -> str:
        """Return what a command writes to standard output; it must end with `code`."""
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        self.said = result.stderr
        return result.stdout

    def json(self, *words: object, code: int = 0) -> Any:
        """Return the document that a command writes with --json."""
        place = words.index("--") if "--" in words else len(words)
        return json.loads(self(*words[:place], "--json", *words[place:], code=code))

    def fails(self, *words: object, code: int) -> str:
        """Return the one line on standard error of a command that must end with `code`."""
        self(*words, code=code)
        assert self.said.startswith("rootline: ")
        assert self.said.count("\n") == 1, self.said
        return self.said

    def write(self, name: str, content: str | bytes) -> Path:
        """Return a new file in the folder."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


def clean(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Program:
    """Return the program in a folder, with none of the variables that it reads or sets.

    But for a place for compiled code, or each process that a test starts would compile anew.
    """
    for name in {*Home(folder).environment(), "ROOTLINE_PASSPHRASE"} - {COMPILED}:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(folder)
    return Program(folder)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders, made once and copied for each test, since every key and flush takes time.

    `bare` has the files only, `home` a home, `people` a registered dataset; `evidence` has a bundle
    in the file `evidence` too, and a policy in `policy.json` under which it holds.
    """
    root = tmp_path_factory.mktemp("templates")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for stage in STAGES:
            (root / stage).mkdir()
            made = clean(monkeypatch, root / stage)
            made.write("table.csv", TABLE)
            made.write("schema.json", json.dumps(SCHEMA))
            for step in STEPS[: STAGES.index(stage)]:
                step(made)
    return root


def _register(made: Program) -> None:
    options = ("--name", "people", "--version", "v1", "--schema", "schema.json")
    indexes = ("--index", "exact/1", "--index", "text-nfkc-casefold/1:name")
    made("dataset", "register", "table.csv", *options, *indexes)


def _export(made: Program) -> None:
    seen = made.json("ledger", "checkpoint", "-o", "checkpoint.json")
    made("export", "-o", "evidence", "--checkpoint", "checkpoint.json")
    made("policy", "init", "-o", "policy.json", "--monitor", seen["monitor key"])


STEPS: tuple[Callable[[Program], object], ...] = (lambda made: made("init"), _register, _export)
STAGES = ("bare", "home", "people", "evidence")


def copied(templates: Path, stage: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Program:
    shutil.copytree(templates / stage, folder, dirs_exist_ok=True)
    return clean(monkeypatch, folder)


@pytest.fixture
def program(templates: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """The program in a folder without a home."""
    return copied(templates, "bare", monkeypatch, tmp_path)


@pytest.fixture
def rootline(templates: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """The program in a folder with a home."""
    return copied(templates, "home", monkeypatch, tmp_path)


@pytest.fixture
def people(rootline: Program, templates: Path) -> Any:
    """The document of people@v1, registered and published in the program's home."""
    shutil.rmtree(rootline.folder / ".rootline")
    shutil.copytree(templates / "people" / ".rootline", rootline.folder / ".rootline")
    return rootline.json("dataset", "show", "people")


@pytest.fixture
def evidence(templates: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """The program in a folder with a home, a bundle, and a policy under which it holds."""
    return copied(templates, "evidence", monkeypatch, tmp_path)
