"""Three models on integers: what they make of a record, and the gradients of their weights.

Weights are at scale 2**10, inputs at 2**7 once their centre is taken off; the input of a bias is
2**7, or 2**10 in the second layer. Nothing is rounded but what is said to be.

    linear      z = sum of weight * input                 scale 2**17
    logistic    p = clamp(512 + R(z, 512), 0, 1024)       scale 2**10
    mlp         a = max(0, R(z, 2**7)), one a hidden unit, scale 2**10
                o = sum of weight * a                     scale 2**20

Weights stand unit by unit, each unit's bias last; an mlp's hidden units before its outputs.

>>> Model("linear", 2).forward((1024, 0, 512), (256, 128))
(327680,)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from provenance.errors import MalformedError
from provenance.replay import rounded

LINEAR: Final = "linear"
LOGISTIC: Final = "logistic"
MLP: Final = "mlp"
INPUT_BITS: Final = 7
WEIGHT_BITS: Final = 10
BIAS: Final = 2**INPUT_BITS
ONE: Final = 2**WEIGHT_BITS
SCALE_BITS: Final = {LINEAR: (14,), LOGISTIC: (7,), MLP: (27, 20)}
"""Bits that each layer's gradients have beyond the scale of weights."""

Ints = Sequence[int]


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its sizes; `hidden` is 0 and `outputs` 1 unless it is an mlp."""

    kind: str
    features: int
    hidden: int = 0
    outputs: int = 1

    def __post_init__(self) -> None:
        if self.kind not in SCALE_BITS:
            raise MalformedError(f"no model {self.kind!r:.40}; there are {', '.join(SCALE_BITS)}")

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Units, and inputs of each with its bias, layer by layer."""
        if self.kind != MLP:
            return ((1, self.features + 1),)
        return (self.hidden, self.features + 1), (self.outputs, self.hidden + 1)

    @property
    def weights(self) -> int:
        """How many weights there are, biases with them."""
        return sum(units * inputs for units, inputs in self.layers)

    @property
    def scale_bits(self) -> tuple[int, ...]:
        """For each weight, the bits that its gradient has beyond the scale of weights."""
        layers = zip(SCALE_BITS[self.kind], self.layers, strict=True)
        return tuple(bits for bits, (units, inputs) in layers for _ in range(units * inputs))

    def forward(self, weights: Ints, inputs: Ints) -> tuple[int, ...]:
        """Return what the model makes of one record: z, p, or the outputs o.

        Args:
            weights: As a state lists them, without velocities.
            inputs: One a feature, their centre taken off.

        Raises:
            MalformedError: Not as many weights or inputs as the model has.
        """
        if (len(weights), len(inputs)) != (self.weights, self.features):
            raise MalformedError(
                f"{self.kind}: {self.weights} weights and {self.features} inputs, "
                f"not {len(weights)} and {len(inputs)}"
            )
        first, *second = self._units(weights)
        sums = _products(first, (*inputs, BIAS))
        if self.kind == LOGISTIC:
            return (probability(*sums),)
        return tuple(_products(second[0], _hidden(sums))) if second else tuple(sums)

    def gradients(self, weights: Ints, rows: Sequence[Ints], labels: Ints) -> tuple[int, ...]:
        """Return the sum over all rows of each weight's gradient, at its own scale.

        Args:
            weights: As a state lists them, without velocities.
            rows: The inputs of each record, their centre taken off.
            labels: Scale 2**10 in the linear model, a bit or the number of a class in the others.
        """
        pairs = zip(rows, labels, strict=True)
        return tuple(map(sum, zip(*(self._gradient(weights, *p) for p in pairs), strict=True)))

    def is_label(self, label: int) -> bool:
        """Return whether a record's label is one that the model can learn."""
        classes = self.outputs if self.kind == MLP else 2
        return self.kind == LINEAR or 0 <= label < classes

    def _gradient(self, weights: Ints, inputs: Ints, label: int) -> Iterator[int]:
        (found, *others), extended = self.forward(weights, inputs), (*inputs, BIAS)
        if self.kind == LINEAR:
            yield from ((found - BIAS * label) * x for x in extended)
        elif self.kind == LOGISTIC:
            yield from ((found - ONE * label) * x for x in extended)
        else:
            expected = [ONE * ONE * (label == number) for number in range(self.outputs)]
            errors = [o - e for o, e in zip((found, *others), expected, strict=True)]
            first, second = self._units(weights)
            hidden = _hidden(_products(first, extended))
            for number in range(self.hidden):
                back = sum(e * unit[number] for e, unit in zip(errors, second, strict=True))
                yield from ((back if hidden[number] > 0 else 0) * x for x in extended)
            yield from (e * a for e in errors for a in hidden)

    def _units(self, weights: Ints) -> list[list[Ints]]:
        """Return each layer's units, each as its weights."""
        layers, start = [], 0
        for units, inputs in self.layers:
            ends = range(start, start + units * inputs, inputs)
            layers.append([weights[first : first + inputs] for first in ends])
            start += units * inputs
        return layers


def probability(z: int) -> int:
    """Return the hard sigmoid clamp(1/2 + z/4, 0, 1) of z at scale 2**17, at scale 2**10."""
    return max(0, min(ONE, ONE // 2 + rounded(z, 2**9)))


def _hidden(sums: Ints) -> tuple[int, ...]:
    """Return what hidden units pass on, and the input of the biases above them."""
    return (*(max(0, rounded(z, BIAS)) for z in sums), ONE)


def _products(units: Sequence[Ints], inputs: Ints) -> list[int]:
    return [sum(w * x for w, x in zip(unit, inputs, strict=True)) for unit in units]
