"""`rootline dataset diff`, and the difference in a bundle, through the program."""

import json
from typing import Any

import pytest

from provenance import canonical
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


def test_a_difference_is_exported_and_audited(second: Program) -> None:
    words = ("--out", "difference.json")
    told = second.json("dataset", "diff", "people@v1", "people@v2", *words)
    second("export", "-o", "bundle", "--diff", "people@v1:people@v2")
    shown = second.json("inspect", "bundle", "--members")
    [path] = [path for path in shown["paths"] if path.startswith("differences/")]
    data = (second.folder / "difference.json").read_bytes()
    assert path == f"differences/{canonical.digest(data).hex()}.json"
    assert f"{shown['paths'][path]} bytes" == told["document"]
    required = "difference:people@v1..people@v2:L1"
    second("policy", "init", "-o", "policy.json", "--require", required)
    verdict = second.json("audit", "bundle", "--policy", "policy.json")
    [found] = [f for f in verdict["findings"] if f["claim"] == "difference"]
    assert found["subject"] == told["difference"]
    assert found["reason"] == "exactly 2 leaves went and 3 leaves came; 1 stand in both"
    assert "erased" in json.dumps(found["not_proved"])


@pytest.mark.parametrize(
    ("pair", "code", "told"),
    [
        ("people@v1", 2, "expected NAME@A:NAME@B"),
        ("people@v2:people@v1", 2, "name them in that order"),
        ("people@v1:people@v9", 3, "no dataset people@v9"),
    ],
)
def test_a_difference_that_cannot_be_had_is_not_exported(
    second: Program, pair: str, code: int, told: str
) -> None:
    assert told in second.fails("export", "-o", "bundle", "--diff", pair, code=code)
    assert not (second.folder / "bundle").exists()
