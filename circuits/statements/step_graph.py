"""The graph of a training step's circuit: commitments, then each step checked against its rule.

States and records enter as private digits. What a step must have done is computed from the state
before it, and the state after it, committed already, is only compared: a circuit holds no weight
that is not committed, and no rounding that is not checked.

Every record is a private value of its own, since ezkl counts a slice as a copy of the whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Final

import numpy as np

from circuits.graph import Graph, Matrix
from circuits.integers import Arithmetic, Integers, signed
from circuits.packing import packed
from circuits.statements.models import forward, is_rounded, layers_of
from circuits.table import Table
from provenance.features import OFFSET
from provenance.sgd import StepShape
from provenance.sgd.models import BIAS, LINEAR, ONE, SCALE_BITS
from provenance.sgd.shape import UNIT

CENTRE: Final = "centre"
CONTEXT: Final = "context"


@dataclass(frozen=True, slots=True)
class State:
    """The weights of a state, and its velocities unless there is no momentum; signed, (1, n)."""

    weights: Integers
    velocities: Integers | None


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of a step: digits of features, and labels signed, one row each."""

    features: Integers
    labels: Integers


def step_graph(shape: StepShape, table: Table) -> Graph:
    """Return the circuit of a shape, whose lookups go to `table`."""
    graph = Graph()
    arithmetic = Arithmetic(graph, table)
    states = [_state(arithmetic, shape, number) for number in range(shape.unroll + 1)]
    batches = [_batch(arithmetic, shape, number) for number in range(shape.unroll)]
    centre = arithmetic.digits(graph.private(CENTRE, 1, shape.features))
    graph.commit(packed(graph, centre))
    for before, batch, after in zip(states[:-1], batches, states[1:], strict=True):
        gradients = _gradients(arithmetic, shape, before.weights, batch, centre)
        _compare(arithmetic, shape, before, after, list(gradients))
    context = graph.private(CONTEXT, 1, 1)
    graph.commit(context, arithmetic.nothing(), graph.one)
    return graph


def _state(arithmetic: Arithmetic, shape: StepShape, number: int) -> State:
    """Return a state, committed to."""
    graph, width = arithmetic.graph, shape.weights
    digits = arithmetic.digits(graph.private(f"state_{number}", 1, shape.state_width))
    salt = graph.private(f"state_{number}_salt", 1, 1)
    graph.commit(packed(graph, digits, state=True), salt)
    numbers = arithmetic.move(digits, -OFFSET)
    velocities = arithmetic.lanes(numbers, width, 2 * width) if shape.momentum else None
    return State(arithmetic.lanes(numbers, 0, width), velocities)


def _batch(arithmetic: Arithmetic, shape: StepShape, number: int) -> Batch:
    """Return the records of a step, each committed to."""
    graph, features, labels = arithmetic.graph, [], []
    for row in range(shape.rows):
        name = f"record_{number}_{row}"
        features.append(arithmetic.digits(graph.private(name, 1, shape.features)))
        labels.append(arithmetic.digits(graph.private(f"{name}_label", 1, 1)))
        salt = graph.private(f"{name}_salt", 1, 1)
        graph.commit(packed(graph, arithmetic.join(features[-1], labels[-1])), salt)
    return Batch(
        arithmetic.reshape(arithmetic.join(*features), shape.rows, shape.features),
        arithmetic.move(arithmetic.reshape(arithmetic.join(*labels), shape.rows, 1), -OFFSET),
    )


def _gradients(
    arithmetic: Arithmetic, shape: StepShape, weights: Integers, batch: Batch, centre: Integers
) -> Iterator[Integers]:
    """Yield the sums of each layer's gradients, (1, weights), as provenance.sgd.models does."""
    layers = layers_of(arithmetic, shape.of, weights)
    found = forward(arithmetic, shape.of, layers, batch.features, centre)
    if found.hidden is None or found.active is None:
        expected = _expected(arithmetic, shape, batch.labels)
        errors = arithmetic.subtract(found.outputs, expected)
        yield _inner_gradients(arithmetic, errors, batch.features, centre)
        return
    expected = arithmetic.scale(one_hot(arithmetic, batch.labels, shape.outputs), ONE * ONE)
    errors = arithmetic.subtract(found.outputs, expected)
    back = arithmetic.apply(errors, arithmetic.transpose(layers[1].weights))
    passed = arithmetic.multiply(back, found.active)
    yield _inner_gradients(arithmetic, passed, batch.features, centre)
    turned = arithmetic.transpose(errors)
    yield _with_biases(
        arithmetic, arithmetic.apply(turned, found.hidden), _row_sums(arithmetic, turned), ONE
    )


def _expected(arithmetic: Arithmetic, shape: StepShape, labels: Integers) -> Integers:
    """Return what the outputs should have been, at their scale; a bit's label is made sure of."""
    if shape.model == LINEAR:
        return arithmetic.scale(labels, BIAS)
    # The sum of y * y - y: no term is negative for an integer, and 0 only for 0 and 1.
    squares = arithmetic.apply(arithmetic.transpose(labels), labels)
    wrong = arithmetic.subtract(squares, arithmetic.total(labels))
    arithmetic.zero(Integers(wrong.tensor, 0, wrong.high))
    return arithmetic.scale(Integers(labels.tensor, 0, 1), ONE)


def one_hot(arithmetic: Arithmetic, labels: Integers, classes: int) -> Integers:
    """Return a row of bits for each label (rows, 1): 1 in its place alone."""

    def places(values: Matrix) -> Matrix:
        rows = [[int(signed(label) == k) for k in range(classes)] for label in values.ravel()]
        return np.array(rows, object)

    graph, shape = arithmetic.graph, (labels.shape[0], classes)
    bits = arithmetic.bits(graph.hint(shape, places, labels.tensor))
    numbers = Integers(graph.constants([[k] for k in range(classes)]), 0, classes - 1)
    arithmetic.equal(arithmetic.apply(bits, numbers), labels)
    arithmetic.equal(_row_sums(arithmetic, bits), arithmetic.number(1, labels.shape))
    return bits


def _inner_gradients(
    arithmetic: Arithmetic, errors: Integers, features: Integers, centre: Integers
) -> Integers:
    """Return the sums of error * input over all rows, for units that see the features."""
    turned = arithmetic.transpose(errors)
    sums = _row_sums(arithmetic, turned)
    product = arithmetic.apply(turned, features)
    centred = arithmetic.subtract(product, arithmetic.apply(sums, centre))
    return _with_biases(arithmetic, centred, sums, BIAS)


def _with_biases(
    arithmetic: Arithmetic, gradients: Integers, sums: Integers, bias: int
) -> Integers:
    """Return the gradients (units, inputs) as a state lists them, each unit's bias last."""
    joined = arithmetic.join(gradients, arithmetic.scale(sums, bias))
    return arithmetic.reshape(joined, 1, joined.shape[0] * joined.shape[1])


def _row_sums(arithmetic: Arithmetic, value: Integers) -> Integers:
    """Return the sum of each row, (rows, 1)."""
    if value.shape[0] == 1:
        return arithmetic.total(value)
    # The front end would split the product with a concatenation; a product it leaves alone.
    ones = arithmetic.square(arithmetic.number(1, (value.shape[1], 1)))
    return arithmetic.apply(value, ones)


def _compare(
    arithmetic: Arithmetic,
    shape: StepShape,
    before: State,
    after: State,
    gradients: list[Integers],
) -> None:
    """Constrain the state `after` to be what the rule makes of `before` and its gradients."""
    start = 0
    moved = arithmetic.subtract(before.weights, after.weights)
    for gradient, bits in zip(gradients, SCALE_BITS[shape.model], strict=True):
        ends = start, start + gradient.shape[1]
        start = ends[1]
        value, divisor = _moment(arithmetic, shape, before, gradient, bits, ends)
        claimed = [arithmetic.lanes(moved, *ends)]
        if after.velocities is not None:
            velocity = arithmetic.lanes(after.velocities, *ends)
            claimed.append(velocity) if shape.tolerance else arithmetic.equal(velocity, claimed[0])
        for found in claimed:
            is_rounded(arithmetic, value, found, divisor, shape.tolerance)


def _moment(
    arithmetic: Arithmetic,
    shape: StepShape,
    before: State,
    gradient: Integers,
    bits: int,
    ends: tuple[int, int],
) -> tuple[Integers, int]:
    """Return what is divided, and by what, to give the velocities of a layer's weights.

    As provenance.sgd.rule has it, but for a common factor of both.
    """
    count = shape.rows << bits
    if not shape.momentum and not shape.decay:
        return gradient, count << shape.rate_bits
    common = gcd(UNIT, count)
    value = arithmetic.scale(gradient, UNIT // common)
    if before.velocities is not None:
        velocities = arithmetic.lanes(before.velocities, *ends)
        factor = (count // common << shape.rate_bits) * shape.momentum
        value = arithmetic.add(value, arithmetic.scale(velocities, factor))
    if shape.decay:
        weights = arithmetic.lanes(before.weights, *ends)
        value = arithmetic.add(value, arithmetic.scale(weights, count // common * shape.decay))
    return value, UNIT // common * count << shape.rate_bits
