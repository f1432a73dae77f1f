"""Example functions over small sets of records, and all that a proof about one needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from circuits.functions import examples
from circuits.functions.function import Function, read
from circuits.graph import Graph
from circuits.solve import Chosen, Solved, solve
from circuits.statements.properties import property_chosen, property_graph, property_shape
from circuits.table import Table
from provenance.expected.functions import PropertyShape, property_public
from provenance.features import OFFSET, feature_commitment, state_commitment
from provenance.field import FieldElement

TABLE = Table.of(14)
CONTEXT = FieldElement(2**200 + 7)
ROWS = tuple(
    (i * 37 % 301 - 150, i * 11 % 90 - 40, 500 - i * i, int(i % 3 == 0), (0, 7, 1, 2)[i % 4])
    for i in range(12)
)
"""Twelve records: three measures, group 0 or 1, a code."""
WEIGHTS = (300, -20, 7, 0, -1024)
EXAMPLES = {
    "mean": examples.mean_of_field(12, 5, 2),
    "histogram": examples.histogram(12, 5, 1, [-20, 0, 15]),
    "share": examples.share_of_code(12, 5, 4, 7),
    "counts": examples.fairness_counts(12, 5, 3, 0),
    "gap": examples.fairness_gap(12, 5, 3, 0, 4),
    "norm": examples.sum_of_squares(5),
}


@dataclass(frozen=True)
class Question:
    """A function over rows, solved honestly or by force."""

    function: Function
    rows: Sequence[Sequence[int]]

    @property
    def shape(self) -> PropertyShape:
        return property_shape(self.function)

    @property
    def graph(self) -> Graph:
        return property_graph(self.function, TABLE)

    @property
    def salts(self) -> list[FieldElement]:
        return [FieldElement(10**30 + i) for i, _ in enumerate(self.rows)]

    @property
    def commitments(self) -> list[FieldElement]:
        pairs = zip(self.rows, self.salts, strict=True)
        if self.shape.is_state:
            return [state_commitment(row, salt) for row, salt in pairs]
        return [feature_commitment([v + OFFSET for v in row], salt) for row, salt in pairs]

    @property
    def chosen(self) -> Chosen:
        return property_chosen(self.function, self.rows, self.salts, CONTEXT)

    def solved(self, forced: Chosen | None = None, chosen: Chosen | None = None) -> Solved:
        return solve(self.graph, chosen or self.chosen, TABLE.most, forced)

    def public(self, value: Sequence[int]) -> tuple[FieldElement, ...]:
        return property_public(self.shape, self.commitments, value, CONTEXT)


def question(name: str) -> Question:
    """Return an example by name."""
    function = read(EXAMPLES[name])
    return Question(function, [WEIGHTS] if name == "norm" else ROWS)
