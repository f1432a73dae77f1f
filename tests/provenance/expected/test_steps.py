"""What a verifier expects of proofs of training steps: order, number and every value matter."""

from typing import Any

import pytest

from provenance.errors import MalformedError
from provenance.expected.steps import centre_commitment, statement_commitment, step_public
from provenance.features import OFFSET
from provenance.field import ZERO, FieldElement
from provenance.poseidon import ezkl_sponge
from provenance.sgd import StepShape
from tests.provenance.documents import vectors

SHAPE = StepShape.parse("step-linear-2x19-u2-r3.v1")
STATES = [FieldElement(n) for n in (1, 2, 3)]
ROWS = [[FieldElement(10), FieldElement(11)], [FieldElement(20), FieldElement(21)]]
CENTRE = range(-9, 10)
CONTEXT = FieldElement(99)


def test_public_values_stand_in_their_order() -> None:
    found = step_public(SHAPE, STATES, ROWS, CENTRE, CONTEXT)
    assert found[:7] == (1, 2, 3, 10, 11, 20, 21)
    assert found[7:] == (centre_commitment(CENTRE), statement_commitment(CONTEXT))


def test_a_centre_is_hashed_as_digits_of_14_bits() -> None:
    first, rest = list(CENTRE)[:18], list(CENTRE)[18:]
    elements = [
        FieldElement(sum((value + OFFSET) << 14 * place for place, value in enumerate(part)))
        for part in (first, rest)
    ]
    assert centre_commitment(CENTRE) == ezkl_sponge(elements)
    assert centre_commitment([*CENTRE][:18]) != centre_commitment(CENTRE)


def test_a_statement_is_hashed_with_nothing_wrong_and_one() -> None:
    assert statement_commitment(CONTEXT) == ezkl_sponge((CONTEXT, ZERO, FieldElement(1)))
    assert statement_commitment(CONTEXT) != statement_commitment(FieldElement(98))


@pytest.mark.parametrize("case", vectors("step")["cases"], ids=lambda case: case["name"])
def test_vectors(case: dict[str, Any]) -> None:
    public = step_public(
        StepShape.parse(case["name"]),
        [FieldElement.parse(text) for text in case["states"]],
        [[FieldElement.parse(text) for text in step] for step in case["rows"]],
        case["centre"],
        FieldElement.parse(case["context"]),
    )
    assert [value.hex for value in public] == case["public"]


@pytest.mark.parametrize(
    ("states", "rows", "centre"),
    [
        (STATES[:2], ROWS, CENTRE),
        ([*STATES, ZERO], ROWS, CENTRE),
        (STATES, ROWS[:1], CENTRE),
        (STATES, [*ROWS, ROWS[0]], CENTRE),
        (STATES, [ROWS[0], ROWS[1][:1]], CENTRE),
        (STATES, [[*ROWS[0], ZERO], ROWS[1]], CENTRE),
        (STATES, ROWS, range(18)),
        (STATES, ROWS, [8187, *range(18)]),
        (STATES, ROWS, [-8190, *range(18)]),
    ],
)
def test_parts_that_do_not_fit_the_shape_are_refused(states: Any, rows: Any, centre: Any) -> None:
    with pytest.raises(MalformedError):
        step_public(SHAPE, states, rows, centre, CONTEXT)
