"""The circuit behind "the model in this committed state is right on so many of these records".

A row counts if its place is below the public number of real rows; the rest is padding that the
verifier computes himself. docs/spec/circuits/evaluation.md has the statement, the public values in
order, and who refuses what.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from circuits.comparison import is_zero, positive
from circuits.graph import Graph, Matrix
from circuits.integers import Arithmetic, Integers, signed
from circuits.sizing import smallest
from circuits.solve import Chosen
from circuits.spec import Circuit
from circuits.statements.inference import CENTRE, answers, inference_values, opened_weights
from circuits.statements.opened import (
    CONTEXT,
    STATE,
    chosen_records,
    chosen_row,
    end,
    opened_records,
    signed_values,
)
from circuits.table import Table
from provenance.errors import MalformedError
from provenance.expected.models import ModelShape
from provenance.features import OFFSET
from provenance.field import ZERO, FieldElement
from provenance.sgd import Model
from provenance.sgd.models import BIAS, LINEAR, LOGISTIC

STATEMENT: Final = (
    "The prover knows weights, records and salts that open these commitments; of the first "
    "records, as many as the value says, the model with these weights predicts exactly so many "
    "right; or, of a linear model, their squared errors add up to exactly this."
)
COUNTED: Final = "counted"
HALF: Final = 2**8
"""A logistic model's p is above 512 exactly where its z is at least this."""


def circuit(name: str, _: bytes | None = None) -> Circuit:
    """Return the evaluation circuit with this name, or raise MalformedError."""
    shape = ModelShape.parse(name)
    if shape.inputs:
        raise MalformedError(f"{name} is no evaluation")
    size = smallest(partial(evaluation_graph, shape))
    return Circuit(
        name=name,
        statement=STATEMENT,
        public=(
            "state: its commitment",
            f"{shape.rows} feature commitments, those of padding last",
            "centre: hash of its digits",
            "value: hash of rows predicted right (linear: squared errors), and of real rows",
            "statement: hash of context, 0, 1",
        ),
        graph=partial(evaluation_graph, shape, size.table),
        logrows=size.logrows,
        columns=size.columns,
        table=size.table,
        hashed=True,
    )


def evaluation_graph(shape: ModelShape, table: Table) -> Graph:
    """Return the circuit of a shape, looking digits up in this table."""
    graph, model = Graph(), shape.model
    arithmetic = Arithmetic(graph, table)
    weights = opened_weights(arithmetic, shape)
    digits = opened_records(arithmetic, shape.rows, shape.width)
    features = arithmetic.lanes(digits, 0, model.features)
    labels = signed_values(arithmetic, arithmetic.lanes(digits, model.features, shape.width))
    scores = _scores(arithmetic, shape, weights, features, labels)
    counted = _first_rows(arithmetic, shape.rows)
    value = arithmetic.total(arithmetic.multiply(scores, counted))
    end(arithmetic, arithmetic.join(value, arithmetic.total(counted)))
    return graph


def _scores(
    arithmetic: Arithmetic,
    shape: ModelShape,
    weights: Integers,
    features: Integers,
    labels: Integers,
) -> Integers:
    """Return for each row whether it is predicted right, or its squared error; (rows, 1)."""
    model = shape.model
    if model.kind == LINEAR:
        found = answers(arithmetic, model, weights, features)
        expected = arithmetic.scale(labels, BIAS)
        return arithmetic.square(arithmetic.subtract(found, expected))
    if model.kind == LOGISTIC:
        sums = answers(arithmetic, Model(LINEAR, model.features), weights, features)
        predicted = positive(arithmetic, arithmetic.move(sums, 1 - HALF))
    else:
        predicted = _best(arithmetic, answers(arithmetic, model, weights, features))
    return is_zero(arithmetic, arithmetic.subtract(predicted, labels))


def _best(arithmetic: Arithmetic, outputs: Integers) -> Integers:
    """Return the place of each row's greatest output, the lowest of equal ones; (rows, 1)."""
    rows, classes = outputs.shape
    places = arithmetic.graph.constants([list(range(classes))])
    taken = Integers(arithmetic.graph.stack(*[places] * rows), 0, classes - 1)
    # No two are equal: those that were differ now by their places, the lowest being greatest.
    ranked = arithmetic.subtract(arithmetic.scale(outputs, classes), taken)

    def greatest(values: Matrix) -> Matrix:
        numbers = [[signed(v) for v in row] for row in values]
        return np.array([[int(v == max(row)) for v in row] for row in numbers], object)

    choice = arithmetic.bits(arithmetic.graph.hint(ranked.shape, greatest, ranked.tensor))
    ones = arithmetic.square(arithmetic.number(1, (classes, 1)))
    arithmetic.equal(arithmetic.apply(choice, ones), arithmetic.number(1, (rows, 1)))
    best = arithmetic.apply(arithmetic.multiply(choice, ranked), ones)
    # One bit is 1, so the sum is one of the values, whatever is known of its terms.
    best = Integers(best.tensor, ranked.low, ranked.high)
    arithmetic.natural(arithmetic.subtract(arithmetic.join(*[best] * classes), ranked))
    found = arithmetic.apply(arithmetic.multiply(choice, taken), ones)
    return Integers(found.tensor, 0, classes - 1)


def _first_rows(arithmetic: Arithmetic, rows: int) -> Integers:
    """Return a bit for each row: 1 in the first ones, as many as the prover says, then 0."""
    counted = arithmetic.bits(arithmetic.graph.private(COUNTED, rows, 1))
    if rows > 1:
        before, after = arithmetic.rows(counted, 0, rows - 1), arithmetic.rows(counted, 1, rows)
        missing = arithmetic.subtract(arithmetic.number(1, before.shape), before)
        arithmetic.zero(arithmetic.multiply(after, missing))
    return counted


def evaluation_chosen(
    shape: ModelShape,
    state: tuple[Sequence[int], FieldElement],
    rows: Sequence[Sequence[int]],
    salts: Sequence[FieldElement],
    centre: Sequence[int],
    context: FieldElement,
) -> Chosen:
    """Return the private values that a prover chooses; padding follows the rows.

    Args:
        shape: The circuit's.
        state: Signed weights, velocities after them if there are any, and the commitment's salt.
        rows: Signed values of each record that counts, its label last.
        salts: Of the records' commitments.
        centre: What is taken off each feature.
        context: Of the claim's part.

    Raises:
        MalformedError: No row, more than the circuit has, or a row of another width.
    """
    missing = shape.rows - len(rows)
    if not 0 <= missing < shape.rows or any(len(row) != shape.width for row in rows):
        raise MalformedError(f"{shape.name} is about 1 to {shape.rows} rows of {shape.width}")
    padding = [[0] * shape.width] * missing
    return {
        **chosen_row(STATE, *state),
        **chosen_records([*rows, *padding], [*salts, *[ZERO] * missing]),
        COUNTED: [1] * len(rows) + [0] * missing,
        CENTRE: [value + OFFSET for value in centre],
        CONTEXT: [context],
    }


def evaluation_value(
    model: Model, weights: Sequence[int], rows: Sequence[Sequence[int]], centre: Sequence[int]
) -> int:
    """Return what the circuit shows of these records: its twin, in plain integers."""
    found = inference_values(model, weights, [row[:-1] for row in rows], centre)
    labels = [row[-1] for row in rows]
    if model.kind == LINEAR:
        return sum((z - BIAS * y) ** 2 for (z,), y in zip(found, labels, strict=True))
    if model.kind == LOGISTIC:
        return sum((p > 512) == y for (p,), y in zip(found, labels, strict=True))
    return sum(o.index(max(o)) == y for o, y in zip(found, labels, strict=True))
