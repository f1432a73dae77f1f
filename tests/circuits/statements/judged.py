"""Small models over small sets of records, and all that a proof about one needs."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from circuits.solve import Chosen, Solved, solve
from circuits.statements.evaluation import evaluation_chosen, evaluation_graph, evaluation_value
from circuits.statements.inference import inference_chosen, inference_graph, inference_values
from circuits.table import Table
from provenance.expected.models import OPEN, ModelShape, evaluation_public, inference_public
from provenance.features import OFFSET, feature_commitment, state_commitment
from provenance.field import FieldElement

TABLE = Table.of(14)
CONTEXT = FieldElement(2**201 + 3)
SALT = FieldElement(2**240 + 1)
INFERENCES = (
    "inference-logistic-1x5-open.v1",
    "inference-logistic-3x5-committed.v1",
    "inference-linear-3x5-unlabelled.v1",
    "inference-linear-2x5-open-v.v1",
    "inference-mlp4to3-3x5-committed.v1",
)
EVALUATIONS = (
    "evaluation-logistic-6x5.v1",
    "evaluation-logistic-6x5-v.v1",
    "evaluation-linear-6x5.v1",
    "evaluation-mlp4to3-6x5.v1",
)


@dataclass(frozen=True)
class Judged:
    """A model, the rows that it is asked about, and what follows."""

    name: str
    seed: int = 1
    count: int | None = None
    """Records that count, where they are fewer than the circuit's rows."""
    rows: tuple[tuple[int, ...], ...] = field(init=False)
    state: tuple[int, ...] = field(init=False)
    centre: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        drawn, shape = random.Random(self.seed), self.shape  # noqa: S311  # the same rows each time
        features, labels = shape.model.features, max(2, shape.model.outputs)
        values = {
            "rows": tuple(
                tuple(
                    [drawn.randint(-400, 400) for _ in range(features)]
                    + [drawn.randrange(labels)] * shape.is_labelled
                )
                for _ in range(self.count or shape.rows)
            ),
            "state": tuple(drawn.randint(-900, 900) for _ in range(shape.state_width)),
            "centre": tuple(drawn.randint(-50, 50) for _ in range(features)),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> ModelShape:
        return ModelShape.parse(self.name)

    @property
    def weights(self) -> Sequence[int]:
        return self.state[: self.shape.model.weights]

    @property
    def salts(self) -> list[FieldElement]:
        return [FieldElement(10**31 + i) for i, _ in enumerate(self.rows)]

    @property
    def state_commitment(self) -> FieldElement:
        return state_commitment(self.state, SALT)

    @property
    def commitments(self) -> list[FieldElement]:
        pairs = zip(self.rows, self.salts, strict=True)
        return [feature_commitment([v + OFFSET for v in row], salt) for row, salt in pairs]

    @property
    def value(self) -> int:
        return evaluation_value(self.shape.model, self.weights, self.rows, self.centre)

    @property
    def outputs(self) -> tuple[tuple[int, ...], ...]:
        features = [row[: self.shape.model.features] for row in self.rows]
        return inference_values(self.shape.model, self.weights, features, self.centre)

    @property
    def chosen(self) -> Chosen:
        choose = inference_chosen if self.shape.inputs else evaluation_chosen
        state = (self.state, SALT)
        return choose(self.shape, state, self.rows, self.salts, self.centre, CONTEXT)

    @property
    def public(self) -> tuple[FieldElement, ...]:
        if not self.shape.inputs:
            return self.claimed(self.value)
        return self.answered(self.outputs)

    def answered(self, outputs: Sequence[Sequence[int]]) -> tuple[FieldElement, ...]:
        asked = self.rows if self.shape.inputs == OPEN else self.commitments
        return inference_public(
            self.shape, self.state_commitment, asked, self.centre, outputs, CONTEXT
        )

    def claimed(self, value: int) -> tuple[FieldElement, ...]:
        rows = self.commitments
        return evaluation_public(
            self.shape, self.state_commitment, rows, self.centre, value, CONTEXT
        )

    def solved(self, chosen: Chosen | None = None, forced: Chosen | None = None) -> Solved:
        make = inference_graph if self.shape.inputs else evaluation_graph
        return solve(make(self.shape, TABLE), {**self.chosen, **(chosen or {})}, TABLE.most, forced)
