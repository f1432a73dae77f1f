"""`rootline dataset diff`, and the difference in a bundle, through the program."""

import json
from typing import Any

import pytest

from provenance.difference import Difference
from tests.pipelines.cli.conftest import Program

LATER = "id,name\n1,Ann\n2,Bobby\n4,Di\n5,Eve\n"
OPTIONS = ("--name", "people", "--version", "v2", "--schema", "schema.json")


@pytest.fixture
def second(rootline: Program, people: Any) -> Program:
    """The program in a home with people@v1 and people@v2."""
    assert people["records"] == 3
    rootline.write("later.csv", LATER)
    rootline("dataset", "register", "later.csv", *OPTIONS)
    return rootline


def test_records_are_counted_and_listed(second: Program) -> None:
    told = second.json("dataset", "diff", "people@v1", "people@v2")
    assert told["difference"] == "people@v1..people@v2"
    assert told["records"] == {"kept": 1, "changed": 2, "removed": 0, "added": 1}
    assert (told["changed"], told["removed"], told["added"]) == ([[1, 1], [2, 2]], [], [3])
    assert told["chunks changed"] == "1 of 1 before, 1 of 1 after"
    assert "written" not in told
    shown = second("dataset", "diff", "people@v1", "people", "--limit", "1")
    assert "1 → 1, …" in shown
    assert "chunks changed" in shown


def test_the_document_has_the_size_that_was_told(second: Program) -> None:
    told = second.json("dataset", "diff", "people@v1", "people@v2", "--out", "difference.json")
    data = (second.folder / "difference.json").read_bytes()
    assert told["document"] == f"{len(data)} bytes"
    made = Difference.parse(data)
    assert [len(side.leaves[0]) for side in (made.before, made.after)] == [3 * 32, 4 * 32]
    words = ("dataset", "diff", "people@v1", "people@v2", "-o", "difference.json")
    assert "is there already" in second.fails(*words, code=2)
    assert "difference.json" in second(*words, "--force")


@pytest.mark.parametrize(
    ("before", "after", "code", "told"),
    [
        ("people@v2", "people@v1", 2, "name them in that order"),
        ("people@v1", "people@v1", 2, "are one version"),
        ("people@v1", "people@v9", 3, "no dataset people@v9"),
        ("people@v1", "../x", 2, "no name@version"),
    ],
)
def test_pairs_that_cannot_be_compared_are_refused(
    second: Program, before: str, after: str, code: int, told: str
) -> None:
    assert told in second.fails("dataset", "diff", before, after, code=code)


def test_another_schema_is_refused(second: Program) -> None:
    schema = json.loads((second.folder / "schema.json").read_text())
    schema["fields"][0]["type"] = "string"
    second.write("other.json", json.dumps(schema))
    words = ("--name", "people", "--version", "v3", "--schema", "other.json")
    second("dataset", "register", "later.csv", *words)
    told = second.fails("dataset", "diff", "people@v2", "people@v3", code=2)
    assert "different schemas" in told
