"""What a verifier expects of proofs about a model: what it answers, and how often it is right.

    inference-logistic-1x30-open.v1            one row of 30 features, shown
    inference-mlp16to4-8x32-committed.v1       eight committed records, their labels with them
    inference-linear-8x32-unlabelled.v1        eight committed records of a dataset without labels
    evaluation-logistic-64x30.v1               up to 64 committed records with labels

`-v` before the version says that the state holds a velocity for each weight, after the weights.
All public values are hashes: the state's commitment, the records' or the inputs', the centre's, the
value's and the statement's, in this order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from provenance.errors import MalformedError
from provenance.expected.functions import value_commitment
from provenance.expected.steps import centre_commitment, statement_commitment
from provenance.features import OFFSET, feature_commitment, feature_elements
from provenance.field import ZERO, FieldElement
from provenance.poseidon import ezkl_sponge
from provenance.sgd import Model
from provenance.sgd.models import LINEAR, LOGISTIC, MLP

OPEN: Final = "open"
COMMITTED: Final = "committed"
UNLABELLED: Final = "unlabelled"
MAX_ROWS: Final = 2**12
MAX_FEATURES: Final = 4096
MAX_UNITS: Final = 2**10

_NUMBER: Final = "([1-9][0-9]{0,4})"
_MODEL: Final = rf"(?:({LINEAR}|{LOGISTIC})|{MLP}{_NUMBER}to{_NUMBER})-{_NUMBER}x{_NUMBER}"
_INFERENCE: Final = re.compile(
    rf"inference-{_MODEL}-({OPEN}|{COMMITTED}|{UNLABELLED})(-v)?\.v1",
)
_EVALUATION: Final = re.compile(rf"evaluation-{_MODEL}()(-v)?\.v1")


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Which inference or evaluation circuit it is.

    Attributes:
        model: Which model, and its sizes.
        rows: How many rows it is asked about.
        inputs: `open`, `committed` or `unlabelled`; empty in an evaluation.
        velocities: Whether the state holds velocities after its weights.
    """

    model: Model
    rows: int
    inputs: str = ""
    velocities: bool = False

    def __post_init__(self) -> None:
        sizes = (self.rows, self.model.features, self.model.hidden or 1, self.model.outputs)
        limits = (MAX_ROWS, MAX_FEATURES, MAX_UNITS, MAX_UNITS)
        if not all(1 <= size <= most for size, most in zip(sizes, limits, strict=True)):
            raise MalformedError(f"{self.name:.80}: a size is 0 or too large")
        if self.inputs not in ("", OPEN, COMMITTED, UNLABELLED):
            raise MalformedError(f"inputs are open, committed or unlabelled, not {self.inputs!r}")

    @property
    def name(self) -> str:
        """The circuit's name."""
        model = self.model
        kind = f"{MLP}{model.hidden}to{model.outputs}" if model.kind == MLP else model.kind
        family = f"inference-{kind}" if self.inputs else f"evaluation-{kind}"
        inputs = f"-{self.inputs}" if self.inputs else ""
        return f"{family}-{self.rows}x{model.features}{inputs}{'-v' * self.velocities}.v1"

    @property
    def is_labelled(self) -> bool:
        """Whether each committed row ends with a label."""
        return self.inputs in ("", COMMITTED)

    @property
    def width(self) -> int:
        """Digits of a row."""
        return self.model.features + self.is_labelled

    @property
    def state_width(self) -> int:
        """Digits of the state."""
        return self.model.weights * (1 + self.velocities)

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the shape that a circuit's name tells, or raise MalformedError."""
        found = _INFERENCE.fullmatch(name) or _EVALUATION.fullmatch(name)
        if not found:
            raise MalformedError(f"{name!r:.80} is no inference or evaluation circuit")
        kind, hidden, outputs, rows, features, inputs, velocities = found.groups()
        sizes = (int(hidden), int(outputs)) if hidden else (0, 1)
        model = Model(kind or MLP, int(features), *sizes)
        return cls(model, int(rows), inputs, bool(velocities))


def inference_public(
    shape: ModelShape,
    state: FieldElement,
    rows: Sequence[FieldElement] | Sequence[Sequence[int]],
    centre: Sequence[int],
    outputs: Sequence[Sequence[int]],
    context: FieldElement,
) -> tuple[FieldElement, ...]:
    """Return the public values that a proof of an inference must have.

    Args:
        shape: The circuit's.
        state: Commitment to the model's state.
        rows: The records' feature commitments; or, of open inputs, their signed values.
        centre: What is taken off each feature.
        outputs: What the claim says the model answers, a row for each: z, p, or the outputs o.
        context: Of the claim's part, from `provenance.proof.context`.

    Raises:
        MalformedError: Sizes that are not the circuit's, or a value that no circuit gives.
    """
    model = shape.model
    if not shape.inputs or (len(rows), len(centre)) != (shape.rows, model.features):
        raise MalformedError(f"{shape.name} is no inference from {len(rows)} such rows")
    if [len(row) for row in outputs] != [model.outputs] * shape.rows:
        raise MalformedError(f"{shape.name}: {model.outputs} outputs for each row were expected")
    asked = [row for row in rows if isinstance(row, FieldElement)]
    shown = [tuple(row) for row in rows if not isinstance(row, FieldElement)]
    if len(shown if shape.inputs == OPEN else asked) != shape.rows:
        raise MalformedError(f"{shape.name} needs its inputs {shape.inputs}")
    return (
        state,
        *((inputs_commitment(shape, shown),) if shown else asked),
        centre_commitment(centre),
        value_commitment([value for row in outputs for value in row]),
        statement_commitment(context),
    )


def inputs_commitment(shape: ModelShape, rows: Sequence[Sequence[int]]) -> FieldElement:
    """Return the hash of open inputs' packed digits, row after row; public, so without a salt.

    Raises:
        MalformedError: A row of another width, or a value that is no digit.
    """
    if any(len(row) != shape.model.features for row in rows):
        raise MalformedError(f"{shape.name}: each row has {shape.model.features} inputs")
    digits = [value + OFFSET for row in rows for value in row]
    return ezkl_sponge(feature_elements(digits, ZERO)[:-1])


def evaluation_public(
    shape: ModelShape,
    state: FieldElement,
    rows: Sequence[FieldElement],
    centre: Sequence[int],
    value: int,
    context: FieldElement,
) -> tuple[FieldElement, ...]:
    """Return the public values that a proof of an evaluation must have.

    Args:
        shape: The circuit's.
        state: Commitment to the model's state.
        rows: Feature commitments of the records that count; where they are fewer than the
            circuit's rows, rows of padding are expected after them, which do not count.
        centre: What is taken off each feature.
        value: How many rows are predicted right; of a linear model the sum of squared errors.
        context: Of the claim's part, from `provenance.proof.context`.

    Raises:
        MalformedError: No record or too many, or sizes that are not the circuit's.
    """
    if shape.inputs or not 1 <= len(rows) <= shape.rows or len(centre) != shape.model.features:
        raise MalformedError(f"{shape.name} is no evaluation over {len(rows)} such records")
    return (
        state,
        *rows,
        *[padding_commitment(shape)] * (shape.rows - len(rows)),
        centre_commitment(centre),
        value_commitment((value, len(rows))),
        statement_commitment(context),
    )


def padding_commitment(shape: ModelShape) -> FieldElement:
    """Return the commitment to a row of padding: every digit 2**13, and the salt 0."""
    return feature_commitment([OFFSET] * shape.width, ZERO)
