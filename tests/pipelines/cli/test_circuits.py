"""`rootline circuits …`: what can be proved; deriving keys needs no home."""

from pathlib import Path

import pytest

from circuits.pinned import PINNED
from tests.circuits.statements.questions import EXAMPLES, question
from tests.pipelines.cli.conftest import Program


def test_circuits_are_listed_without_a_home(program: Program) -> None:
    rows = program.json("circuits", "list")
    assert [row["circuit"] for row in rows] == list(PINNED)
    assert "membership-22.v2" in PINNED


def test_a_circuit_tells_its_statement_and_its_cost(program: Program) -> None:
    document = program.json("circuits", "show", "membership-22.v2")
    assert "The prover knows a record leaf" in document["statement"]
    assert len(document["public values"]) == 7
    assert document["seconds a proof"] > 0


def test_a_circuit_that_is_not_there_is_named(program: Program) -> None:
    assert "membership-22.v2" in program.fails("circuits", "show", "membership", code=2)
    program.fails("circuits", "derive", "membership", code=2)


def test_a_circuit_that_is_not_listed_is_shown_by_its_name(program: Program) -> None:
    name = "step-linear-3x2-r4.v1"
    assert name not in PINNED
    document = program.json("circuits", "show", name)
    assert document["circuit"] == name
    assert document["proof bytes"] == document["settings"] == "not pinned"


def test_a_circuit_about_a_function_takes_its_file(program: Program, tmp_path: Path) -> None:
    path, name = tmp_path / "mean.onnx", question("mean").shape.name
    path.write_bytes(EXAMPLES["mean"])
    document = program.json("circuits", "show", name, "--function", str(path))
    assert document["circuit"] == name
    assert "function" in program.fails("circuits", "show", name, code=2)


def test_what_is_no_ceremony_file_is_refused(program: Program) -> None:
    program("circuits", "derive", "membership-14.v2", "--srs", "table.csv", code=2)
    assert "table.csv" in program.said


@pytest.mark.slow
def test_keys_are_derived_from_source(rootline: Program) -> None:
    first = rootline.json("circuits", "derive", "membership-14.v2")
    assert "INSECURE" in rootline.said
    assert sorted(first) == ["circuit", "proof_bytes", "settings", "srs", "verifying_key"]
    assert first["settings"] == PINNED["membership-14.v2"].settings.hex()
    assert first["proof_bytes"] == PINNED["membership-14.v2"].proof_bytes
    assert rootline.json("circuits", "derive", "membership-14.v2") == first
