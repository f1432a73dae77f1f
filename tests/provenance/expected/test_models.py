"""What a verifier expects of inference and evaluation proofs, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from provenance.errors import MalformedError
from provenance.expected.models import (
    ModelShape,
    evaluation_public,
    inference_public,
    padding_commitment,
)
from provenance.features import OFFSET, feature_commitment, state_commitment
from provenance.field import ZERO, FieldElement
from provenance.sgd import Model

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "functions.json").read_bytes())
INFERENCES = pytest.mark.parametrize(
    "case", VECTORS["inferences"], ids=lambda case: case["circuit"]
)
EVALUATIONS = pytest.mark.parametrize(
    "case", VECTORS["evaluations"], ids=lambda case: f"{case['circuit']} {len(case['rows'])}"
)


def opened(case: dict[str, Any]) -> tuple[FieldElement, list[FieldElement], FieldElement]:
    """Return the state's commitment, the records', and the context."""
    state = state_commitment(case["state"], FieldElement.parse(case["state_salt"]))
    pairs = zip(case["rows"], map(FieldElement.parse, case["salts"]), strict=True)
    rows = [feature_commitment([v + OFFSET for v in row], salt) for row, salt in pairs]
    return state, rows, FieldElement.parse(case["context"])


@INFERENCES
def test_a_verifier_expects_what_an_inference_shows(case: dict[str, Any]) -> None:
    shape, (state, rows, context) = ModelShape.parse(case["circuit"]), opened(case)
    asked = case["rows"] if shape.inputs == "open" else rows
    found = inference_public(shape, state, asked, case["centre"], case["outputs"], context)
    assert [v.hex for v in found] == case["public"]


@EVALUATIONS
def test_a_verifier_expects_what_an_evaluation_shows(case: dict[str, Any]) -> None:
    shape, (state, rows, context) = ModelShape.parse(case["circuit"]), opened(case)
    found = evaluation_public(shape, state, rows, case["centre"], case["value"], context)
    assert [v.hex for v in found] == case["public"]
    if len(rows) < shape.rows:
        assert found[1 + len(rows)] == padding_commitment(shape)


def test_the_number_of_real_rows_is_part_of_the_value() -> None:
    """A record that is padding itself counts or does not: the public values tell which."""
    shape, padding = ModelShape.parse("evaluation-logistic-3x2.v1"), [FieldElement(7)]
    padding += [padding_commitment(shape)] * 2
    one, two = (
        evaluation_public(shape, ZERO, padding[:count], [0, 0], 1, ZERO) for count in (1, 2)
    )
    assert [a != b for a, b in zip(one, two, strict=True)] == [False] * 5 + [True, False]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("inference-linear-1x2-open.v1", ModelShape(Model("linear", 2), 1, "open")),
        (
            "inference-mlp4to3-8x2-unlabelled-v.v1",
            ModelShape(Model("mlp", 2, 4, 3), 8, "unlabelled", velocities=True),
        ),
        ("evaluation-logistic-64x30.v1", ModelShape(Model("logistic", 30), 64)),
    ],
)
def test_names_are_read_as_they_are_written(name: str, shape: ModelShape) -> None:
    assert shape.name == name
    assert ModelShape.parse(name) == shape


@pytest.mark.parametrize(
    "name",
    [
        "inference-linear-1x2.v1",
        "inference-linear-01x2-open.v1",
        "inference-linear-0x2-open.v1",
        "inference-mlp-1x2-open.v1",
        "inference-mlp0to2-1x2-open.v1",
        "inference-mlp99999to2-1x2-open.v1",
        "inference-tree-1x2-open.v1",
        "evaluation-linear-1x2-open.v1",
        "evaluation-linear-9999x2.v1",
        "evaluation-linear-1x2.v2",
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        ModelShape.parse(name)


def test_inputs_of_no_known_kind_are_refused() -> None:
    with pytest.raises(MalformedError, match="open, committed or unlabelled"):
        ModelShape(Model("linear", 2), 1, "hidden")


def test_sizes_must_be_those_of_the_circuit() -> None:
    shape = ModelShape.parse("inference-linear-2x2-committed.v1")
    rows, outputs = [FieldElement(1), FieldElement(2)], [[1], [2]]
    inference_public(shape, ZERO, rows, [0, 0], outputs, ZERO)
    for wrong in (
        (shape, ZERO, rows[:1], [0, 0], outputs, ZERO),
        (shape, ZERO, rows, [0], outputs, ZERO),
        (shape, ZERO, rows, [0, 0], [[1, 2]], ZERO),
        (shape, ZERO, rows, [0, 0], [[1], []], ZERO),
        (shape, ZERO, [[1, 2], [3, 4]], [0, 0], outputs, ZERO),
        (ModelShape(shape.model, 2), ZERO, rows, [0, 0], outputs, ZERO),
        (ModelShape(shape.model, 2, "open"), ZERO, rows, [0, 0], outputs, ZERO),
        (ModelShape(shape.model, 2, "open"), ZERO, [[1], [2]], [0, 0], outputs, ZERO),
    ):
        with pytest.raises(MalformedError):
            inference_public(*wrong)


def test_an_evaluation_is_over_one_record_or_more_and_no_more_than_its_rows() -> None:
    shape = ModelShape.parse("evaluation-linear-2x2.v1")
    for rows, centre in (([], [0, 0]), ([ZERO] * 3, [0, 0]), ([ZERO], [0])):
        with pytest.raises(MalformedError, match="is no evaluation over"):
            evaluation_public(shape, ZERO, rows, centre, 0, ZERO)
    open_shape = ModelShape.parse("inference-linear-2x2-open.v1")
    with pytest.raises(MalformedError, match="is no evaluation over"):
        evaluation_public(open_shape, ZERO, [ZERO] * 2, [0, 0], 0, ZERO)
