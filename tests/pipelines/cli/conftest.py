"""The real program in a folder of its own, and a small dataset to work on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
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


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in an empty folder, without a home."""
    for name in (*Home(tmp_path).environment(), "ROOTLINE_PASSPHRASE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    made = Program(tmp_path)
    made.write("table.csv", TABLE)
    made.write("schema.json", json.dumps(SCHEMA))
    return made


@pytest.fixture
def rootline(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in a folder with a home."""
    program("init")
    monkeypatch.delenv("ROOTLINE_HOME")
    return program


Register = Callable[..., Any]


@pytest.fixture
def people(rootline: Program) -> Any:
    """The document of people@v1, registered and published with two indexes."""
    options = ("--name", "people", "--version", "v1", "--schema", "schema.json")
    indexes = ("--index", "exact/1", "--index", "text-nfkc-casefold/1:name")
    return rootline.json("dataset", "register", "table.csv", *options, *indexes)
