"""What a verifier expects of a proof of training steps: its public values, from commitments.

    states[0] … states[unroll], the rows of step 0, of step 1, …, the centre, the statement

All are hashes: of states and records the commitments that run and dataset hold, of the centre its
packed digits, which the start declares, and of the statement its context, nothing wrong, and one.
"""

from collections.abc import Sequence

from provenance.errors import MalformedError
from provenance.features import OFFSET, feature_elements
from provenance.field import ZERO, FieldElement
from provenance.poseidon import ezkl_sponge
from provenance.sgd import StepShape

__all__ = ["StepShape", "centre_commitment", "statement_commitment", "step_public"]


def step_public(
    shape: StepShape,
    states: Sequence[FieldElement],
    rows: Sequence[Sequence[FieldElement]],
    centre: Sequence[int],
    context: FieldElement,
) -> tuple[FieldElement, ...]:
    """Return the public values that a proof of these steps must have.

    Args:
        shape: The circuit's.
        states: Commitment to the state before each step, and after the last.
        rows: For each step, the feature commitments of its records in order.
        centre: What is taken off each feature.
        context: Of the claim's part, from `provenance.proof.context`.

    Raises:
        MalformedError: Not as many of each as the shape has, or a centre that is no digit.
    """
    widths = (len(states), len(rows), *map(len, rows), len(centre))
    if widths != (shape.unroll + 1, shape.unroll, *[shape.rows] * shape.unroll, shape.features):
        raise MalformedError(
            f"{shape.name}: {shape.unroll} steps of {shape.rows} rows, the states around them and "
            f"{shape.features} centres were expected"
        )
    return (
        *states,
        *(commitment for step in rows for commitment in step),
        centre_commitment(centre),
        statement_commitment(context),
    )


def centre_commitment(centre: Sequence[int]) -> FieldElement:
    """Return the hash of the centre's packed digits; it is public, so without a salt."""
    return ezkl_sponge(feature_elements([value + OFFSET for value in centre], ZERO)[:-1])


def statement_commitment(context: FieldElement) -> FieldElement:
    """Return the last public value of a hashed circuit: context, nothing wrong, one."""
    return ezkl_sponge((context, ZERO, FieldElement(1)))
