"""Rules of training: initial state and step, from a start's declared values.

    D = rows * 2**(bits of the gradient's scale), rate = 2**-rate_bits, one rounding a weight:

    velocity' = R(2**rate_bits * D * momentum * velocity + 2**20 * gradient + D * decay * weight,
                  2**20 * D * 2**rate_bits)
    weight'   = weight - velocity'

Without momentum and decay that is weight - R(gradient, D * 2**rate_bits), and no velocity is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.replay import INITIAL, OPTIMISER, Logistic, below, draws, rounded
from provenance.sgd.models import LINEAR, LOGISTIC, MLP, Model
from provenance.sgd.shape import HIDDEN, LIMITS, OUTPUTS, UNIT, StepShape

UNIFORM: Final = "uniform/1"
MAX_SPAN: Final = 2**13 - 6
MODELS: Final = {
    OPTIMISER: LOGISTIC,
    "logistic-sgd-fixed/2": LOGISTIC,
    "linear-sgd-fixed/1": LINEAR,
    "mlp-sgd-fixed/1": MLP,
}
"""Optimiser to model."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An optimiser with its declared values, and how its run begins.

    Attributes:
        model: What is trained.
        centre: What is taken off each feature.
        rate_bits: The learning rate is 2**-rate_bits.
        momentum: In units of 2**-20; unless it is 0 a state holds a velocity a weight, too.
        decay: Of weights and biases alike, in units of 2**-20.
        span: Weights begin within ±span.
    """

    model: Model
    centre: tuple[int, ...]
    rate_bits: int
    momentum: int = 0
    decay: int = 0
    span: int = 0

    def initial(self, seed: Digest) -> tuple[int, ...]:
        """Return the state before the first step; velocities are 0."""
        words, bound = draws(seed, "initial"), 2 * self.span + 1
        weights = [below(words, bound) - self.span for _ in range(self.model.weights)]
        return (*weights, *(0 for _ in weights if self.momentum))

    def step(self, state: Sequence[int], rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Return the state after one step.

        Args:
            state: The weights, with momentum their velocities after them.
            rows: A record's feature values each, its label last.

        Raises:
            MalformedError: No row; a row or a state of another width; a label that is none.
        """
        shape = self.shape(len(rows), 1)
        if len(state) != shape.state_width:
            raise MalformedError(f"a state of {shape.state_width} numbers, not {len(state)}")
        inputs, labels = [self.centred(row[:-1]) for row in rows], [row[-1] for row in rows]
        if not all(map(self.model.is_label, labels)):
            raise MalformedError(f"{self.model.kind}: a label that is none")
        weights = state[: shape.weights]
        velocities = state[shape.weights :] or (0,) * shape.weights
        moved = tuple(
            rounded(self._moment(w, u, g, len(rows) << bits), UNIT * len(rows) << self._bits(bits))
            for w, u, g, bits in zip(
                weights,
                velocities,
                self.model.gradients(weights, inputs, labels),
                self.model.scale_bits,
                strict=True,
            )
        )
        after = tuple(w - u for w, u in zip(weights, moved, strict=True))
        return (*after, *moved) if self.momentum else after

    def centred(self, values: Sequence[int]) -> tuple[int, ...]:
        """Return a record's inputs: its feature values without the label, their centre off."""
        if len(values) != len(self.centre):
            raise MalformedError(f"a row of {len(self.centre)} features, not {len(values)}")
        return tuple(v - c for v, c in zip(values, self.centre, strict=True))

    def shape(self, rows: int, unroll: int, tolerance: int = 0) -> StepShape:
        """Return the shape of the circuit that proves `unroll` steps of `rows` records each."""
        model = self.model
        return StepShape(
            model=model.kind,
            rows=rows,
            features=model.features,
            hidden=model.hidden,
            outputs=model.outputs,
            unroll=unroll,
            rate_bits=self.rate_bits,
            momentum=self.momentum,
            decay=self.decay,
            tolerance=tolerance,
        )

    def _bits(self, scale_bits: int) -> int:
        return scale_bits + self.rate_bits

    def _moment(self, weight: int, velocity: int, gradient: int, divisor: int) -> int:
        kept = (divisor << self.rate_bits) * self.momentum * velocity
        return kept + UNIT * gradient + divisor * self.decay * weight


def rule_of(optimiser: str, initial: str, hyperparameters: JsonObject) -> Rule:
    """Return the rule that a start declares.

    Args:
        optimiser: A name of `MODELS`.
        initial: `zeros/1` or `uniform/1`.
        hyperparameters: `centre` and `rate_bits`; `momentum` and `decay`, 0 where absent,
            but for logistic-sgd-fixed/1; `hidden` and `outputs` of an mlp; `initial_span` for
            uniform/1. Others are of other rules.

    Raises:
        MalformedError: No such rule, or a value is missing or out of range.
    """
    if optimiser not in MODELS:
        raise MalformedError(f"no optimiser {optimiser!r:.40}; there are {', '.join(MODELS)}")
    if initial not in (INITIAL, UNIFORM):
        raise MalformedError(f"no initial state {initial!r:.40}; there are {INITIAL}, {UNIFORM}")
    plain = Logistic.of(hyperparameters)  # the same bounds for centre and rate in every rule
    fields = Fields.of(dict(hyperparameters), f"optimiser {optimiser}")
    kind, sizes = MODELS[optimiser], {}
    if kind == MLP:
        sizes = {
            "hidden": fields.integer("hidden", *HIDDEN),
            "outputs": fields.integer("outputs", *OUTPUTS),
        }
    model = Model(kind, len(plain.centre), **sizes)
    rule = Rule(model, plain.centre, plain.rate_bits)
    if optimiser != OPTIMISER:
        rule = replace(rule, momentum=_share(fields, "momentum"), decay=_share(fields, "decay"))
    if initial == UNIFORM:
        rule = replace(rule, span=fields.integer("initial_span", 1, MAX_SPAN))
    return rule


def tolerance_of(hyperparameters: JsonObject) -> int:
    """Return by how many units of the last place a start lets each state be off its rule.

    That is for training in floating point, whose states are rounded; 0 where it is not declared.

    Raises:
        MalformedError: It is no such number.
    """
    fields = Fields.of(dict(hyperparameters), "tolerance")
    return fields.integer("tolerance", *LIMITS["tolerance"]) if "tolerance" in fields.members else 0


def _share(fields: Fields, name: str) -> int:
    return fields.integer(name, *LIMITS[name]) if name in fields.members else 0
