"""Training steps to prove and to lie about: a problem, its witness, and who refuses a witness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Self

from circuits.evaluate import public_values
from circuits.graph import HINT, Graph
from circuits.solve import Solved, solve
from circuits.statements.step import Witness, step_witness
from circuits.statements.step_graph import step_graph
from circuits.table import Table
from provenance.errors import VerificationError
from provenance.expected.steps import step_public
from provenance.features import OFFSET, feature_commitment, state_commitment
from provenance.field import FieldElement
from provenance.sgd import Rule, StepShape

States = tuple[tuple[int, ...], ...]
CONTEXT = FieldElement(77)


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule's steps: states around them, and their records."""

    shape: StepShape
    rule: Rule
    states: States
    batches: tuple[States, ...]

    @classmethod
    def of(
        cls,
        shape: StepShape,
        centre: Sequence[int],
        state: Sequence[int],
        batches: Sequence[States],
    ) -> Self:
        """Return the steps that the rule of a shape makes from a first state."""
        rule = Rule(shape.of, tuple(centre), shape.rate_bits, shape.momentum, shape.decay)
        states = [tuple(state)]
        for batch in batches:
            states.append(rule.step(states[-1], batch))
        return cls(shape, rule, tuple(states), tuple(batches))

    @classmethod
    def drawn(cls, name: str, seed: int = 1, reach: int = 400) -> Self:
        """Return some problem of this shape, the same for the same seed."""
        shape, random = StepShape.parse(name), Random(seed)  # noqa: S311  # of tests
        labels = range(-2000, 2000) if shape.model == "linear" else range(max(2, shape.outputs))

        def numbers(count: int) -> tuple[int, ...]:
            return tuple(random.randint(-reach, reach) for _ in range(count))

        batches = [
            tuple((*numbers(shape.features), random.choice(labels)) for _ in range(shape.rows))
            for _ in range(shape.unroll)
        ]
        return cls.of(shape, numbers(shape.features), numbers(shape.state_width), batches)

    @property
    def witness(self) -> Witness:
        """What an honest prover chooses; salts are numbers."""
        return step_witness(
            self.shape,
            [(state, 1000 + number) for number, state in enumerate(self.states)],
            [
                [(record, 2000 + 100 * step + row) for row, record in enumerate(batch)]
                for step, batch in enumerate(self.batches)
            ],
            self.rule.centre,
            CONTEXT,
        )

    @property
    def public(self) -> tuple[FieldElement, ...]:
        """What a verifier expects, from commitments made outside of circuits."""
        states = [
            state_commitment(state, FieldElement(1000 + number))
            for number, state in enumerate(self.states)
        ]
        rows = [
            [
                feature_commitment(
                    [value + OFFSET for value in record], FieldElement(2000 + 100 * step + row)
                )
                for row, record in enumerate(batch)
            ]
            for step, batch in enumerate(self.batches)
        ]
        return step_public(self.shape, states, rows, self.rule.centre, CONTEXT)

    def ending(self, *last: int) -> Self:
        """Return the same steps with another last state."""
        return replace(self, states=(*self.states[:-1], last))


@cache
def graph_of(shape: StepShape, logrows: int = 14) -> Graph:
    """Return a circuit, built once."""
    return step_graph(shape, Table.of(logrows))


def solved(
    problem: Problem,
    witness: Witness | None = None,
    forced: Mapping[str, Sequence[int]] | None = None,
    logrows: int = 14,
    shape: StepShape | None = None,
) -> Solved:
    """Return what a witness, an honest one without another, leads to."""
    graph = graph_of(shape or problem.shape, logrows)
    return solve(graph, witness or problem.witness, Table.of(logrows).most, forced)


def refusal(
    problem: Problem,
    witness: Witness | None = None,
    forced: Mapping[str, Sequence[int]] | None = None,
    logrows: int = 14,
    shape: StepShape | None = None,
) -> str | None:
    """Return who refuses a witness for what is said of a problem.

    `lookup`: a value outside the table, which has no proof; `statement`: something wrong inside,
    seen from the last public value; `commitment`: another public value; None: nobody.
    """
    try:
        found = solved(problem, witness, forced, logrows, shape)
    except VerificationError:
        return "lookup"
    if found.outputs[-1][1] != 0:
        return "statement"
    return None if public_values(found.outputs, hashed=True) == problem.public else "commitment"


def hints(graph: Graph) -> list[str]:
    """Return the names of a circuit's hints in order."""
    return [node.output for node in graph.nodes if node.operator == HINT]


def lying(problem: Problem, witness: Witness, logrows: int = 14) -> Solved:
    """Return what a witness leads to whose lookups fail, as if nothing were looked up."""
    graph = step_graph(problem.shape, Table.of(logrows))
    graph.nodes = [
        replace(node, operator="Identity") if node.operator == "HardSwish" else node
        for node in graph.nodes
    ]
    return solve(graph, witness)
