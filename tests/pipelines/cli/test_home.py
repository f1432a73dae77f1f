"""`rootline init`, `registry rebuild`: the home folder."""

from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.cli.conftest import Program


def test_init_makes_a_home_here_and_says_what_is_lost_without_a_backup(program: Program) -> None:
    document = program.json("init")
    assert document["home"] == str(program.folder / ".rootline")
    assert "Keep a backup" in document["without a backup"]
    assert document["keys are sealed"] is False
    assert len(list((program.folder / ".rootline" / "keys").glob("*.key"))) == 3


def test_init_twice_changes_nothing(program: Program) -> None:
    assert program.json("init") == program.json("init")


def test_init_posts_nothing(program: Program) -> None:
    program("init")
    assert program.json("ledger", "status")["batches"] == 0


def test_init_makes_the_home_that_is_named(program: Program) -> None:
    made = program.json("init", "--home", program.folder / "elsewhere")
    assert Path(made["home"]) == program.folder / "elsewhere"


def test_init_where_a_file_stands_is_refused(program: Program) -> None:
    program.write(".rootline", "a file")
    assert "is a file" in program.fails("init", code=2)


def test_keys_are_sealed_under_the_first_line_of_a_file(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write("secret.txt", "correct horse\nnot this\n")
    assert program.json("init", "--passphrase-file", "secret.txt")["keys are sealed"] is True
    assert "passphrase" in program.fails("ledger", "status", code=3)
    monkeypatch.setenv("ROOTLINE_PASSPHRASE", "wrong horse")
    program.fails("ledger", "status", code=1)
    monkeypatch.setenv("ROOTLINE_PASSPHRASE", "correct horse")
    assert program.json("ledger", "status")["batches"] == 0


@pytest.mark.parametrize("content", [b"", b"\nsecond line\n", b"\xff\xfe\n"])
def test_a_file_without_a_passphrase_is_refused(program: Program, content: bytes) -> None:
    program.write("secret.txt", content)
    assert "secret.txt" in program.fails("init", "--passphrase-file", "secret.txt", code=2)
    assert not (program.folder / ".rootline").exists()


def test_a_passphrase_is_never_an_argument(program: Program) -> None:
    program.fails("init", "--passphrase", "correct horse", code=2)


def test_without_a_home_the_remedy_is_named(program: Program) -> None:
    assert "rootline init" in program.fails("dataset", "list", code=3)


def test_a_registry_that_is_lost_is_made_anew(rootline: Program, people: Any) -> None:
    listed = rootline.json("dataset", "list")
    registry = rootline.folder / ".rootline" / "registry.duckdb"
    registry.unlink()
    assert rootline.json("registry", "rebuild")["documents"] == 3  # a statement, two receipts
    assert rootline.json("dataset", "list") == listed
    assert listed[0]["root"] == people["root"]


def test_a_registry_that_is_damaged_names_the_remedy(rootline: Program, people: Any) -> None:
    rootline.write(".rootline/registry.duckdb", b"not a database" * 1000)
    assert "registry rebuild" in rootline.fails("dataset", "list", code=3)
    rootline("registry", "rebuild")
    assert rootline.json("dataset", "list")[0]["root"] == people["root"]
