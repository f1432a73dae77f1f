"""`rootline prove …` and `verify`: one proof, alone."""

import json
from typing import Any

import pytest

from tests.pipelines.cli.conftest import Program


@pytest.fixture
def issuer(rootline: Program) -> str:
    keys = {row["key"]: row["public key"] for row in rootline.json("keys", "show")}
    return str(keys["issuer.1"])


@pytest.fixture
def opening(rootline: Program, people: Any) -> str:  # noqa: ARG001  # it must be registered
    words = ("prove", "inclusion", "people@v1", "table.csv", "--record", "1", "-o", "opening.json")
    assert "salt" in rootline.json(*words)["reveals"]
    return "opening.json"


def exclusion(rootline: Program, value: str, output: str = "exclusion.json") -> Any:
    words = ("prove", "exclusion", "people", "table.csv", "--index", "1", "--value", value)
    return rootline.json(*words, "-o", output)


def test_an_opened_record_verifies_against_the_home(rootline: Program, opening: str) -> None:
    document = rootline.json("verify", opening)
    assert document["holds"] is True
    assert document["record"] == {"id": "2", "name": "Bob"}
    assert "this home's own keys" in document["rests on"]
    assert any("published" in words for words in document["not proved"])


def test_an_opened_record_verifies_elsewhere(
    rootline: Program, people: Any, opening: str, issuer: str
) -> None:
    words = ("verify", opening, "--about", people["envelope"], "--key", issuer)
    assert rootline.json(*words)["record"]["name"] == "Bob"


def test_another_key_signed_nothing(rootline: Program, people: Any, opening: str) -> None:
    words = ("verify", opening, "--about", people["envelope"], "--key", "11" * 32)
    rootline.fails(*words, code=1)


def test_a_changed_record_does_not_verify(rootline: Program, opening: str) -> None:
    path = rootline.folder / opening
    document = json.loads(path.read_text())
    changed = document["opening"]["encoded"].replace(b"Bob".hex(), b"Rob".hex())
    assert changed != document["opening"]["encoded"]
    document["opening"]["encoded"] = changed
    path.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")))
    assert "leads to" in rootline.fails("verify", opening, code=1)


def test_a_value_that_is_absent_is_shown_to_be(rootline: Program, people: Any) -> None:  # noqa: ARG001
    made = exclusion(rootline, "Dora")
    assert (made["absent"], made["level"][:2]) == (True, "L0")
    document = rootline.json("verify", "exclusion.json")
    assert document["value"] == "Dora"
    assert "not in the dataset's exclusion index" in document["claim"]


def test_a_value_that_is_present_is_shown_to_be(rootline: Program, people: Any) -> None:  # noqa: ARG001
    assert exclusion(rootline, "BOB")["absent"] is False
    assert "this key is in the" in rootline.json("verify", "exclusion.json")["claim"]


def test_a_proof_about_another_value_does_not_verify(rootline: Program, people: Any) -> None:  # noqa: ARG001
    exclusion(rootline, "Dora")
    path = rootline.folder / "exclusion.json"
    path.write_text(path.read_text().replace("Dora", "Bob"))
    rootline.fails("verify", "exclusion.json", code=1)


def test_a_lost_index_is_made_again_only_from_the_right_files(
    rootline: Program,
    people: Any,  # noqa: ARG001
) -> None:
    for path in (rootline.folder / ".rootline" / "nodes").glob("*.index"):
        path.unlink()
    words = ("prove", "exclusion", "people", "--index", "1", "--value", "Dora", "-o", "x")
    assert "register the dataset again" in rootline.fails(*words, code=3)
    rootline.write("other.csv", "id,name\n1,Eve\n2,Bob\n3,Cy\n")
    assert "another index" in rootline.fails(*words, "other.csv", code=1)
    assert rootline.json(*words, "table.csv")["absent"] is True


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("inclusion", "people@v1", "table.csv", "--record", "3", "-o", "x"), 2),
        (("inclusion", "people@v2", "table.csv", "--record", "0", "-o", "x"), 3),
        (("inclusion", "people@v1", "missing.csv", "--record", "0", "-o", "x"), 2),
        (("inclusion", "people@v1", "other.csv", "--record", "0", "-o", "x"), 1),
        (("inclusion", "people@v1", "table.csv", "--record", "0", "-o", "nowhere/x"), 3),
        (("exclusion", "people", "table.csv", "--index", "2", "--value", "v", "-o", "x"), 2),
        (("exclusion", "people", "table.csv", "--index", "0", "--value", "v", "-o", "x"), 2),
        (("membership", "people", "--record", "3"), 2),
    ],
)
@pytest.mark.usefixtures("people")
def test_what_cannot_be_proved_is_refused_and_nothing_is_written(
    rootline: Program, words: tuple[str, ...], code: int
) -> None:
    rootline.write("other.csv", "id,name\n1,Eve\n2,Bob\n3,Cy\n")
    rootline("prove", *words, code=code)
    assert rootline.said.splitlines()[-1].startswith("rootline: ")
    assert not (rootline.folder / "x").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--key", "11" * 32),
        ("--about", "x"),
        ("--bundle", "x"),
        ("--policy", "x"),
        ("--about", "x", "--key", "short"),
    ],
    ids=" ".join,
)
def test_a_verifier_says_whose_signature_counts(
    rootline: Program, opening: str, words: tuple[str, ...]
) -> None:
    rootline.fails("verify", opening, *words, code=2)


@pytest.mark.parametrize(
    "content",
    ["", "{}", '{"kind":"rootline/policy/v1"}', '{"kind":1}', "[]", '{"kind":"a","kind":"b"}'],
)
def test_what_is_no_proof_is_refused(rootline: Program, content: str) -> None:
    rootline.write("document.json", content)
    rootline.fails("verify", "document.json", code=2)


def test_a_document_about_an_unknown_dataset_is_not_decided(
    rootline: Program, people: Any, opening: str
) -> None:
    rootline.write("table.csv", "id,name\n9,Zoe\n")
    words = ("--name", "others", "--version", "v1", "--schema", "schema.json")
    other = rootline.json("dataset", "register", "table.csv", *words)
    keys = {row["key"]: row["public key"] for row in rootline.json("keys", "show")}
    words = ("verify", opening, "--about", other["envelope"], "--key", keys["issuer.1"])
    assert people["commitment"][:16] in rootline.fails(*words, code=3)


@pytest.mark.slow
def test_membership_is_proved_and_verified_in_zero_knowledge(
    rootline: Program, people: Any, issuer: str
) -> None:
    made = rootline.json("prove", "membership", "people", "--record", "1")
    [path] = made["proofs"]
    assert "INSECURE" in made["srs"]
    assert rootline.json("verify", path)["circuit"] == "membership-22.v2"
    words = ("verify", path, "--about", people["envelope"], "--key", issuer)
    assert "claim" in rootline.fails(*words, code=3)
    rootline("ledger", "checkpoint", "-o", "checkpoint.json")
    rootline("export", "-o", "evidence", "--checkpoint", "checkpoint.json")
    proof = json.loads((rootline.folder / path).read_text())
    circuit = ":".join(proof[name] for name in ("circuit", "verifying_key", "srs"))
    trusted = ("--circuit", circuit, "--require", "membership:people@v1:L1")
    rootline("policy", "init", "-o", "policy.json", *trusted)
    words = ("verify", path, "--bundle", "evidence", "--policy", "policy.json")
    assert "named by the policy" in rootline.json(*words)["verifying_key"]
    assert "INSECURE" in rootline("audit", "evidence", "--policy", "policy.json")


def test_a_circuit_in_a_policy_is_named_with_its_key_and_its_srs(rootline: Program) -> None:
    key, srs, settings = "11" * 32, "22" * 32, "33" * 32
    pinned = f"membership-22.v2:{key}:{srs}"
    own = f"property-2x3-0123456789abcdef.v1:{key}:{srs}:{settings}"
    rootline("policy", "init", "-o", "whole.json", "--circuit", pinned, "--circuit", own)
    one, other = json.loads((rootline.folder / "whole.json").read_text())["circuits"]
    assert (one["verifying_key"], one["srs"], other["settings"]) == (key, srs, settings)
    assert one["proof_bytes"] > 0
    assert other["proof_bytes"] is None
    for wrong in (f"{pinned}:{settings}", f"membership-22.v2:{key}", own[:-65], f"{pinned}00"):
        rootline.fails("policy", "init", "-o", "wrong.json", "--circuit", wrong, code=2)
