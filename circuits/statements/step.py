"""The circuits behind "these weights became those by these steps on these committed records".

docs/spec/circuits/step.md has the statement, the public values in order, and who refuses what.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from circuits.spec import Circuit
from circuits.statements.step_graph import CENTRE, CONTEXT, step_graph
from circuits.table import Table
from provenance.errors import MalformedError
from provenance.features import OFFSET
from provenance.sgd import StepShape

SIZES: Final = {"step-linear-64x32-r2.v1": 14}

Witness = dict[str, tuple[int, ...]]
Salted = tuple[Sequence[int], int]
"""Signed integers and the salt of their commitment."""


def circuit(name: str, _: bytes | None = None) -> Circuit:
    """Return the circuit of training steps with this name.

    Raises:
        MalformedError: The name is no step's, or its circuit would be too large.
    """
    shape = StepShape.parse(name)
    table = Table.of(logrows(shape))
    return Circuit(
        name=name,
        statement=_statement(shape),
        public=(),
        graph=partial(step_graph, shape, table),
        logrows=table.logrows,
        columns=1,
        table=table,
        hashed=True,
    )


def logrows(shape: StepShape) -> int:
    """Return k: the circuit has 2**k rows."""
    return SIZES.get(shape.name, 14)


def _statement(shape: StepShape) -> str:
    return f"{shape.unroll} steps of {shape.rows} committed records"


def step_witness(
    shape: StepShape,
    states: Sequence[Salted],
    batches: Sequence[Sequence[Salted]],
    centre: Sequence[int],
    context: int,
) -> Witness:
    """Return what a prover chooses, by input; the hints follow (circuits/solve.py).

    Args:
        shape: The circuit's.
        states: Before each step, and after the last.
        batches: For each step its records, their labels last.
        centre: What is taken off each feature.
        context: Of the claim's part.

    Raises:
        MalformedError: Not as many of each as the shape has.
    """
    widths = (len(states), len(batches), *map(len, batches))
    if widths != (shape.unroll + 1, shape.unroll, *[shape.rows] * shape.unroll):
        raise MalformedError(f"{shape.name}: not as many states or records as it has")
    chosen: Witness = {}
    for number, (state, salt) in enumerate(states):
        chosen[f"state_{number}"] = tuple(value + OFFSET for value in state)
        chosen[f"state_{number}_salt"] = (salt,)
    for number, batch in enumerate(batches):
        for row, (record, salt) in enumerate(batch):
            name = f"record_{number}_{row}"
            *features, label = (value + OFFSET for value in record)
            chosen |= {name: tuple(features), f"{name}_label": (label,), f"{name}_salt": (salt,)}
    chosen[CENTRE] = tuple(value + OFFSET for value in centre)
    chosen[CONTEXT] = (context,)
    return chosen
