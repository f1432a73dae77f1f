"""The shape of a training step's circuit, and its name.

    step-linear-64x32-r2.v1                     64 rows of 32 features, learning rate 2**-2
    step-logistic-16x30-u4-r1.v1                four steps in one proof
    step-mlp16to4-64x32-r3-m943718-d105.v1      momentum 0.9, weight decay 0.0001, both times 2**20
    step-linear-16x8-r2-e2.v1                   up to 2 units from the exact weights

>>> StepShape.parse("step-mlp16to4-64x32-r3.v1").weights
596
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from provenance.errors import MalformedError
from provenance.sgd.models import LINEAR, LOGISTIC, MLP, Model

UNIT: Final = 2**20
"""Momentum and decay are multiples of 1 / UNIT."""
LIMITS: Final = {
    "rows": (1, 2**14),
    "features": (1, 4096),
    "unroll": (1, 2**10),
    "rate_bits": (0, 16),
    "momentum": (0, UNIT),
    "decay": (0, UNIT),
    "tolerance": (0, 2**8),
}
HIDDEN: Final = (1, 2**10)
OUTPUTS: Final = (2, 2**10)

_NUMBER: Final = "(0|[1-9][0-9]{0,7})"
_NAME: Final = re.compile(
    rf"step-(?:(linear|logistic)|mlp{_NUMBER}to{_NUMBER})-{_NUMBER}x{_NUMBER}"
    rf"(?:-u{_NUMBER})?-r{_NUMBER}(?:-m{_NUMBER})?(?:-d{_NUMBER})?(?:-e{_NUMBER})?\.v1"
)


@dataclass(frozen=True, slots=True)
class StepShape:
    """All that a training step's circuit is about; docs/spec/circuits/step.md.

    Attributes:
        model: `linear`, `logistic` or `mlp`.
        rows: Records a step.
        features: Fields of a record but its label.
        hidden: Hidden units of an mlp, else 0.
        outputs: Outputs of an mlp, else 1.
        unroll: Steps in one proof.
        rate_bits: The learning rate is 2**-rate_bits.
        momentum: In units of 2**-20.
        decay: Of weights, in units of 2**-20.
        tolerance: By how many units of the last place a state may differ from the exact one.
    """

    model: str
    rows: int
    features: int
    hidden: int = 0
    outputs: int = 1
    unroll: int = 1
    rate_bits: int = 0
    momentum: int = 0
    decay: int = 0
    tolerance: int = 0

    def __post_init__(self) -> None:
        if self.model not in (LINEAR, LOGISTIC, MLP):
            raise MalformedError(f"no model {self.model!r:.40}; there are linear, logistic, mlp")
        layers = (HIDDEN, OUTPUTS) if self.model == MLP else ((0, 0), (1, 1))
        limits = {**LIMITS, "hidden": layers[0], "outputs": layers[1]}
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                found = getattr(self, name)
                raise MalformedError(f"{self.model} step: {name} from {least} to {most}: {found}")

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the shape with this name, which is written in one way only.

        Raises:
            MalformedError: No step circuit has this name.
        """
        found = _NAME.fullmatch(name)
        if found is None:
            raise MalformedError(f"{name!r:.80} names no training step")
        hidden, outputs, rows, features, *options = (int(text or 0) for text in found.groups()[1:])
        unroll, rate_bits, momentum, decay, tolerance = options
        shape = cls(
            model=found[1] or MLP,
            rows=rows,
            features=features,
            hidden=hidden,
            outputs=outputs if found[1] is None else 1,
            unroll=unroll or 1,
            rate_bits=rate_bits,
            momentum=momentum,
            decay=decay,
            tolerance=tolerance,
        )
        if shape.name != name:
            raise MalformedError(f"{name!r:.80} is written {shape.name}")
        return shape

    @property
    def name(self) -> str:
        """The circuit's name and version."""
        model = f"mlp{self.hidden}to{self.outputs}" if self.model == MLP else self.model
        unroll = f"-u{self.unroll}" if self.unroll > 1 else ""
        options = (("m", self.momentum), ("d", self.decay), ("e", self.tolerance))
        written = "".join(f"-{letter}{value}" for letter, value in options if value)
        return f"step-{model}-{self.rows}x{self.features}{unroll}-r{self.rate_bits}{written}.v1"

    @property
    def of(self) -> Model:
        """The model and its sizes."""
        return Model(self.model, self.features, self.hidden, self.outputs)

    @property
    def weights(self) -> int:
        """How many weights the model has."""
        return self.of.weights

    @property
    def state_width(self) -> int:
        """Digits of a state: the weights, and with momentum as many velocities after them."""
        return self.weights * (2 if self.momentum else 1)
