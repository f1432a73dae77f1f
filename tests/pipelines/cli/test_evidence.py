"""`rootline publish`, `ledger`, `export`, `inspect`, `policy init` and `audit`: to a verdict."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.cli.conftest import Program

ROOT = Path(__file__).parents[3]


def test_the_ledger_tells_its_head_and_what_waits(rootline: Program, people: Any) -> None:  # noqa: ARG001
    status = rootline.json("ledger", "status")
    assert (status["head"], status["batches"], status["statements that wait"]) == (3, 2, 0)
    assert status["ledger"] == "embedded"
    assert "trusts its operator" in status["worth"]


def test_before_anything_is_posted_there_is_nothing_to_sign(rootline: Program) -> None:
    assert "rootline publish" in rootline.fails("ledger", "checkpoint", "-o", "c.json", code=3)
    assert not (rootline.folder / "c.json").exists()


def test_an_honest_bundle_holds(evidence: Program) -> None:
    document = evidence.json("audit", "evidence", "--policy", "policy.json")
    assert document["outcome"] == "holds"
    assert document["not_proved"]
    assert "HOLDS" in evidence("audit", "evidence", "--policy", "policy.json")


def test_a_policy_without_a_monitor_leaves_it_unknown(evidence: Program) -> None:
    evidence("policy", "init", "-o", "other.json")
    assert evidence.json("audit", "evidence", "--policy", "other.json", code=3)["outcome"] == (
        "unknown"
    )


def test_a_claim_that_is_missing_is_unknown(evidence: Program) -> None:
    evidence("policy", "init", "-o", "other.json", "--require", "dataset:others@v1:L1")
    evidence("audit", "evidence", "--policy", "other.json", code=3)


def test_a_foreign_issuer_fails(evidence: Program) -> None:
    policy = json.loads((evidence.folder / "policy.json").read_text())
    policy["issuers"][0]["key"] = "11" * 32
    evidence.write("policy.json", json.dumps(policy, indent=2))
    assert evidence.json("audit", "evidence", "--policy", "policy.json", code=1)["outcome"] == (
        "fails"
    )


def test_an_auditor_needs_no_home(evidence: Program, tmp_path: Path) -> None:
    alone = tmp_path / "auditor"
    alone.mkdir()
    for name in ("evidence", "policy.json"):
        shutil.copy(evidence.folder / name, alone / name)
    shutil.rmtree(evidence.folder / ".rootline")
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "audit",
        "evidence",
        "--policy",
        "policy.json",
    ]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(alone)}
    done = subprocess.run(
        command, cwd=alone, env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in alone.iterdir()) == ["evidence", "policy.json"]


def test_a_report_is_one_page(evidence: Program) -> None:
    words = ("audit", "evidence", "--policy", "policy.json", "--report", "report.html")
    evidence(*words)
    page = (evidence.folder / "report.html").read_text()
    assert "What this does not prove" in page
    assert "people@v1" in page


def test_a_policy_says_what_to_compare(evidence: Program) -> None:
    made = evidence.json("policy", "init", "-o", "other.json")
    assert "another way" in made["compare"]
    assert made["issuer key"] in (evidence.folder / "other.json").read_text()


def test_a_policy_is_not_replaced_unasked(evidence: Program) -> None:
    before = (evidence.folder / "policy.json").read_text()
    assert "--force" in evidence.fails("policy", "init", "-o", "policy.json", code=2)
    assert (evidence.folder / "policy.json").read_text() == before
    evidence("policy", "init", "-o", "policy.json", "--force")
    assert (evidence.folder / "policy.json").read_text() != before


@pytest.mark.parametrize(
    "words",
    [
        ("--require", "dataset"),
        ("--require", "dataset:L1"),
        ("--require", "nonsense:*:L1"),
        ("--require", "dataset:*:L9"),
        ("--monitor", "short"),
        ("--srs", "zz" * 32),
        ("--samples", "-1"),
    ],
    ids=" ".join,
)
def test_a_wrong_requirement_is_refused(evidence: Program, words: tuple[str, str]) -> None:
    evidence.fails("policy", "init", "-o", "other.json", *words, code=2)
    assert not (evidence.folder / "other.json").exists()


def test_opened_records_and_index_proofs_go_into_the_bundle(evidence: Program) -> None:
    words = ("prove", "exclusion", "people", "table.csv", "--index", "1", "--value", "Dora")
    evidence(*words, "-o", "exclusion.json")
    opened = ("--open", "people@v1:2", "--files", "people@v1=table.csv")
    made = evidence.json("export", "-o", "more", "--exclusion", "exclusion.json", *opened)
    assert made["records in the clear"] == 1
    found = evidence.json("audit", "more", "--policy", "policy.json", code=3)["findings"]
    assert {f["claim"] for f in found if f["outcome"] == "holds"} >= {"record", "absence", "count"}


def test_a_bundle_without_a_table_has_no_count(evidence: Program) -> None:
    evidence.write("table.csv", "id,name\n1,Ann\n")
    words = ("--name", "people", "--version", "v2", "--schema", "schema.json")
    evidence("dataset", "register", "table.csv", *words)
    evidence("export", "people@v2", "-o", "more")
    evidence("policy", "init", "-o", "policy.json", "--force")
    found = evidence.json("audit", "more", "--policy", "policy.json", code=3)["findings"]
    counts = {f["subject"]: f["outcome"] for f in found if f["claim"] == "count"}
    assert counts == {"people@v1": "unknown", "people@v2": "holds"}


def test_leaves_that_were_deleted_are_no_obstacle(evidence: Program, people: Any) -> None:
    (evidence.folder / ".rootline" / "nodes" / f"{people['root']}.nodes").unlink()
    evidence("export", "-o", "more")
    evidence.fails("export", "people@v1", "-o", "more", code=3)


def test_what_waits_is_told_when_it_is_not_in_the_bundle(evidence: Program) -> None:
    evidence.write("table.csv", "id,name\n1,Ann\n")
    words = ("--name", "people", "--version", "v2", "--schema", "schema.json", "--no-publish")
    evidence("dataset", "register", "table.csv", *words)
    assert "rootline publish" in evidence.json("export", "-o", "more")["not posted yet"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("nobody@v1",), 3),
        (("--open", "people@v1:0"), 2),
        (("--open", "people@v1", "--files", "people@v1=table.csv"), 2),
        (("--open", "people@v1:x", "--files", "people@v1=table.csv"), 2),
        (("--open", "people@v1:9", "--files", "people@v1=table.csv"), 2),
        (("--open", "people@v1:0", "--files", "people@v1=other.csv"), 1),
        (("--run", "fit"), 3),
        (("--checkpoint", "missing"), 2),
        (("--exclusion", "table.csv"), 2),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_what_cannot_be_exported_leaves_no_file(
    evidence: Program, words: tuple[str, ...], code: int
) -> None:
    evidence.write("other.csv", "id,name\n1,Eve\n2,Bob\n3,Cy\n")
    evidence.fails("export", "-o", "more", *words, code=code)
    assert not (evidence.folder / "more").exists()


def test_inspect_shows_and_believes_nothing(evidence: Program) -> None:
    document = evidence.json("inspect", "evidence", "--members")
    assert document["claims to speak of"] == ["dataset people@v1"]
    assert "nothing" in document["verified"]
    assert "blocks.json" in document["paths"]
    assert "rootline audit" in evidence("inspect", "evidence")


def damaged(data: bytes, how: str, folder: Path) -> bytes:
    if how == "truncated":
        return data[:-10]
    if how == "trailing":
        return data + b"\0"
    if how == "not a zip":
        return b"PK" + data[:100]
    if how == "empty":
        return b""
    path = folder / "made.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        name = "../../outside.json" if how == "outside" else "blocks.json"
        archive.writestr(name, b"0" * (2**24 if how == "bomb" else 10))
    return path.read_bytes()


@pytest.mark.parametrize(
    "how", ["truncated", "trailing", "not a zip", "empty", "outside", "bomb", "oversized"]
)
def test_what_is_no_bundle_is_refused(evidence: Program, how: str) -> None:
    path = evidence.folder / "bad"
    if how == "oversized":
        with path.open("wb") as file:
            file.truncate(2**29 + 1)
    else:
        data = (evidence.folder / "evidence").read_bytes()
        path.write_bytes(damaged(data, how, evidence.folder))
    words = ("audit", "bad", "--policy", "policy.json", "--report", "report.html")
    evidence.fails(*words, code=2)
    evidence.fails("inspect", "bad", code=2)
    assert not (evidence.folder / "report.html").exists()


@pytest.mark.parametrize("name", ["evidence", "policy.json"])
def test_a_file_that_is_missing_or_a_folder_is_named(evidence: Program, name: str) -> None:
    words = ("audit", "evidence", "--policy", "policy.json")
    (evidence.folder / name).unlink()
    assert name in evidence.fails(*words, code=2)
    (evidence.folder / name).mkdir()
    assert name in evidence.fails(*words, code=2)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text + "{}", "not JSON"),
        (lambda text: text.replace('"samples":5', '"samples":5,"samples":5'), "twice"),
        (lambda text: text[:-5], "not JSON"),
        (lambda text: text.replace('"samples":5', '"samples":NaN'), "NaN"),
        (lambda text: text.replace('"samples":5', '"samples":"5"'), "samples"),
        (lambda text: text.replace('"samples":5', '"sample":5'), "sample"),
    ],
    ids=["trailing", "duplicate", "cut off", "NaN", "type", "name"],
)
def test_what_is_no_policy_is_refused(evidence: Program, change: Any, told: str) -> None:
    path = evidence.folder / "policy.json"
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    assert told in evidence.fails("audit", "evidence", "--policy", "policy.json", code=2)
