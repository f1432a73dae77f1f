"""Models inside a circuit: what provenance.sgd.models computes, on bounded integers.

    layers = layers_of(arithmetic, model, weights)
    found = forward(arithmetic, model, layers, features, centre)      # one row a record

Inputs are never formed: with digits u of a record and c of the centre, and a unit's weights w and
bias b, the sum of w (u - c) + 2**7 b is u · w plus something that is the same for every record.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from circuits.graph import Tensor
from circuits.integers import Arithmetic, Integers, signed
from provenance.replay import rounded
from provenance.sgd.models import BIAS, LOGISTIC, MLP, ONE, Model, probability

SIGMOID_STEP: Final = 2**9
"""What R divides z by in the hard sigmoid."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's weights (inputs, units) and biases (1, units), signed."""

    weights: Integers
    biases: Integers


@dataclass(frozen=True, slots=True)
class Forward:
    """What a model makes of records, one row each.

    Attributes:
        outputs: z, p or o; (records, outputs).
        hidden: What an mlp's hidden units pass on, (records, hidden).
        active: Which of them do, as bits.
    """

    outputs: Integers
    hidden: Integers | None = None
    active: Integers | None = None


def layers_of(arithmetic: Arithmetic, model: Model, weights: Integers) -> list[Layer]:
    """Return a model's layers, of its signed weights as a state lists them: (1, weights)."""
    layers, start = [], 0
    for units, inputs in model.layers:
        part = arithmetic.lanes(weights, start, start + units * inputs)
        turned = arithmetic.transpose(arithmetic.reshape(part, units, inputs))
        layers.append(
            Layer(
                arithmetic.rows(turned, 0, inputs - 1), arithmetic.rows(turned, inputs - 1, inputs)
            )
        )
        start += units * inputs
    return layers


def forward(
    arithmetic: Arithmetic,
    model: Model,
    layers: Sequence[Layer],
    features: Integers,
    centre: Integers,
) -> Forward:
    """Return what the model makes of each record.

    Args:
        arithmetic: The circuit's.
        model: Which model, and its sizes.
        layers: From `layers_of`.
        features: Digits of the records' features, without labels: (records, features).
        centre: Digits of the centre, (1, features).
    """
    first = layers[0]
    common = arithmetic.subtract(
        arithmetic.scale(first.biases, BIAS), arithmetic.apply(centre, first.weights)
    )
    sums = _plus_row(arithmetic, arithmetic.apply(features, first.weights), common)
    if model.kind == LOGISTIC:
        return Forward(sigmoid(arithmetic, sums))
    if model.kind != MLP:
        return Forward(sums)
    hidden, active = relu(arithmetic, sums, BIAS)
    above = arithmetic.apply(hidden, layers[1].weights)
    outputs = _plus_row(arithmetic, above, arithmetic.scale(layers[1].biases, ONE))
    return Forward(outputs, hidden, active)


def relu(arithmetic: Arithmetic, value: Integers, divisor: int) -> tuple[Integers, Integers]:
    """Return max(0, R(value, divisor)), and whether that is above 0; `divisor` is even.

    With a bit b and a natural m, R is m + 1 where b is 1 and -m where it is 0: every integer in
    just one way.
    """

    def quotient(n: int) -> int:
        return rounded(n, divisor)

    bit = arithmetic.bits(_hint(arithmetic, value, lambda n: int(quotient(n) > 0)))
    size = _hint(arithmetic, value, lambda n: max(quotient(n) - 1, -quotient(n)))
    magnitude = arithmetic.free(value.shape, max(quotient(value.high), -quotient(value.low)), size)
    both = arithmetic.multiply(bit, magnitude)
    kept = arithmetic.add(both, bit)
    found = arithmetic.subtract(arithmetic.add(kept, both), magnitude)
    is_rounded(arithmetic, value, found, divisor)
    return Integers(kept.tensor, 0, max(0, quotient(value.high))), bit


def sigmoid(arithmetic: Arithmetic, value: Integers) -> Integers:
    """Return clamp(512 + R(value, 512), 0, 1024) of a column.

    With p the result, a bit b and a natural m, what is clamped is p + m where b is 1 and p - m
    where it is 0; m is 0 unless p is 1024 in the one case and 0 in the other.
    """

    def beyond(n: int) -> int:
        return ONE // 2 + rounded(n, SIGMOID_STEP) - probability(n)

    found = arithmetic.free(value.shape, ONE, _hint(arithmetic, value, probability))
    room = arithmetic.subtract(arithmetic.number(ONE, value.shape), found)
    room = arithmetic.natural(room, ONE)
    found = Integers(found.tensor, 0, ONE)
    bit = arithmetic.bits(_hint(arithmetic, value, lambda n: int(beyond(n) > 0)))
    size = _hint(arithmetic, value, lambda n: abs(beyond(n)))
    most = max(beyond(value.high), -beyond(value.low))
    magnitude = arithmetic.free(value.shape, most, size)
    over = arithmetic.multiply(bit, magnitude)
    under = arithmetic.subtract(magnitude, over)
    # No product is ever negative, so none can make up for another.
    arithmetic.zero(_dot(arithmetic, over, room))
    arithmetic.zero(_dot(arithmetic, under, found))
    clamped = arithmetic.subtract(arithmetic.add(found, over), under)
    rest = arithmetic.subtract(value, arithmetic.scale(clamped, SIGMOID_STEP))
    # z + 512 * 512 is what is rounded, and half of 512 more makes what is left over natural.
    moved = arithmetic.move(rest, ONE // 2 * SIGMOID_STEP + SIGMOID_STEP // 2)
    up_to(arithmetic, moved, SIGMOID_STEP - 1)
    return found


def is_rounded(
    arithmetic: Arithmetic, value: Integers, found: Integers, divisor: int, slack: int = 0
) -> None:
    """Constrain `found` to be R(value, divisor), give or take `slack`; `divisor` is even."""
    rest = arithmetic.subtract(value, arithmetic.scale(found, divisor))
    up_to(
        arithmetic,
        arithmetic.move(rest, divisor // 2 + slack * divisor),
        divisor * (2 * slack + 1) - 1,
    )


def up_to(arithmetic: Arithmetic, value: Integers, most: int) -> None:
    """Constrain entries to be from 0 to `most`; by one lookup where a multiple of them allows it.

    A multiple of an integer that is looked up cannot wrap round, since its bounds are known.
    """
    last = arithmetic.table.base - 1
    factor = last // most
    if factor and last // factor == most:
        arithmetic.natural(arithmetic.scale(value, factor), last)
    else:
        arithmetic.between(value, 0, most)


def _dot(arithmetic: Arithmetic, left: Integers, right: Integers) -> Integers:
    """Return the sum of products, (1, 1), of columns whose products are never negative."""
    total = arithmetic.apply(
        arithmetic.reshape(left, 1, left.shape[0]), arithmetic.reshape(right, right.shape[0], 1)
    )
    return Integers(total.tensor, 0, total.high)


def _plus_row(arithmetic: Arithmetic, value: Integers, row: Integers) -> Integers:
    """Return each row of `value` plus the same `row`, (1, lanes)."""
    rows, lanes = value.shape
    repeated = arithmetic.reshape(arithmetic.join(*[row] * rows), rows, lanes)
    return arithmetic.add(value, repeated)


def _hint(arithmetic: Arithmetic, value: Integers, function: Callable[[int], int]) -> Tensor:
    """Return private values, each a function of an entry; `signed` gives the integer it is."""
    each = np.vectorize(lambda n: function(signed(n)), otypes=[object])
    return arithmetic.graph.hint(value.shape, each, value.tensor)
