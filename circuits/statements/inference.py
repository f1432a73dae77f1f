"""The circuit behind "the model in this committed state answers so to these inputs".

docs/spec/circuits/inference.md has the statement, the public values in order, and who refuses what.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from circuits.graph import Graph
from circuits.integers import Arithmetic, Integers
from circuits.packing import packed
from circuits.sizing import smallest
from circuits.solve import Chosen
from circuits.spec import Circuit
from circuits.statements.models import forward, layers_of
from circuits.statements.opened import (
    CONTEXT,
    STATE,
    chosen_records,
    chosen_row,
    end,
    opened_records,
    opened_state,
    signed_values,
)
from circuits.table import Table
from provenance.errors import MalformedError
from provenance.expected.models import OPEN, ModelShape
from provenance.features import OFFSET
from provenance.field import FieldElement
from provenance.sgd import Model

STATEMENT: Final = (
    "The prover knows weights and a salt that open this state's commitment, and the model with "
    "these weights gives exactly these outputs on these inputs, their centre taken off."
)
INPUTS: Final = "inputs"
CENTRE: Final = "centre"


def circuit(name: str, _: bytes | None = None) -> Circuit:
    """Return the inference circuit with this name, or raise MalformedError."""
    shape = ModelShape.parse(name)
    if not shape.inputs:
        raise MalformedError(f"{name} is no inference")
    size = smallest(partial(inference_graph, shape))
    asked = "hash of the inputs" if shape.inputs == OPEN else f"{shape.rows} feature commitments"
    return Circuit(
        name=name,
        statement=STATEMENT,
        public=(
            "state: its commitment",
            asked,
            "centre: hash of its digits",
            "outputs: hash of the row of integers",
            "statement: hash of context, 0, 1",
        ),
        graph=partial(inference_graph, shape, size.table),
        logrows=size.logrows,
        columns=size.columns,
        table=size.table,
        hashed=True,
    )


def inference_graph(shape: ModelShape, table: Table) -> Graph:
    """Return the circuit of a shape, looking digits up in this table."""
    graph = Graph()
    arithmetic = Arithmetic(graph, table)
    weights = opened_weights(arithmetic, shape)
    if shape.inputs == OPEN:
        digits = arithmetic.digits(graph.private(INPUTS, 1, shape.rows * shape.model.features))
        graph.commit(packed(graph, digits))
        features = arithmetic.reshape(digits, shape.rows, shape.model.features)
    else:
        digits = opened_records(arithmetic, shape.rows, shape.width)
        features = arithmetic.lanes(digits, 0, shape.model.features)
    found = answers(arithmetic, shape.model, weights, features)
    end(arithmetic, arithmetic.reshape(found, 1, shape.rows * shape.model.outputs))
    return graph


def opened_weights(arithmetic: Arithmetic, shape: ModelShape) -> Integers:
    """Return the signed weights of a committed state, (1, weights), without velocities."""
    state = opened_state(arithmetic, shape.state_width)
    return signed_values(arithmetic, arithmetic.lanes(state, 0, shape.model.weights))


def answers(
    arithmetic: Arithmetic, model: Model, weights: Integers, features: Integers
) -> Integers:
    """Return what a model makes of each row, its centre made public: (rows, outputs)."""
    graph = arithmetic.graph
    centre = arithmetic.digits(graph.private(CENTRE, 1, model.features))
    graph.commit(packed(graph, centre))
    layers = layers_of(arithmetic, model, weights)
    return forward(arithmetic, model, layers, features, centre).outputs


def inference_chosen(
    shape: ModelShape,
    state: tuple[Sequence[int], FieldElement],
    rows: Sequence[Sequence[int]],
    salts: Sequence[FieldElement],
    centre: Sequence[int],
    context: FieldElement,
) -> Chosen:
    """Return the private values that a prover chooses.

    Args:
        shape: The circuit's.
        state: Signed weights, velocities after them if there are any, and the commitment's salt.
        rows: Signed values of each row; with the label last in committed records that have one.
        salts: Of the records' commitments; none of open inputs.
        centre: What is taken off each feature.
        context: Of the claim's part.

    Raises:
        MalformedError: Not as many rows, or not as wide, as the shape has.
    """
    if [len(row) for row in rows] != [shape.width] * shape.rows:
        raise MalformedError(f"{shape.name} is about {shape.rows} rows of {shape.width} values")
    shown = {INPUTS: [value + OFFSET for row in rows for value in row]}
    return {
        **chosen_row(STATE, *state),
        **(shown if shape.inputs == OPEN else chosen_records(rows, salts)),
        CENTRE: [value + OFFSET for value in centre],
        CONTEXT: [context],
    }


def inference_values(
    model: Model, weights: Sequence[int], rows: Sequence[Sequence[int]], centre: Sequence[int]
) -> tuple[tuple[int, ...], ...]:
    """Return what a model answers to rows of features: the circuit's twin, in plain integers."""
    return tuple(
        model.forward(weights, [v - c for v, c in zip(row, centre, strict=True)]) for row in rows
    )
