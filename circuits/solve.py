"""From the values that a prover chooses to the whole witness: hints are computed on the way.

    solved = solve(graph, {"digits": …, "salt": …}, most=16378)
    solved.witness["hint_7"], solved.outputs

A dishonest prover takes other hints: `forced` says which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from circuits.evaluate import Outputs, apply, exact
from circuits.graph import HINT, ONE, Graph, Matrix, Node, Tensor
from provenance.errors import MalformedError
from provenance.field import ORDER, FieldElement

Chosen = Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Solved:
    """The private values in the circuit's order, by name, and the outputs they lead to.

    Both are kept out of every text that is made of it; outputs of hashed circuits are secret too.
    """

    witness: Mapping[str, tuple[int, ...]] = field(repr=False)
    outputs: Outputs = field(repr=False)


def solve(graph: Graph, chosen: Chosen, most: int = 0, forced: Chosen | None = None) -> Solved:
    """Return the whole witness.

    Args:
        graph: The circuit.
        chosen: The entries of each private value that is no hint; `one` is known.
        most: The last value of the circuit's table.
        forced: Hints that are taken from here instead of being computed: a dishonest prover.

    Raises:
        MalformedError: A value is missing or has another size.
        VerificationError: A value that is looked up is not in the table.
    """
    given = {ONE: (1,), **chosen, **(forced or {})}
    hints = {node.output for node in graph.nodes if node.operator == HINT}
    values: dict[str, Any] = {name: exact(array) for name, array in graph.literals}
    for tensor in graph.inputs:
        if tensor.name in given or tensor.name not in hints:
            values[tensor.name] = _matrix(tensor, given.get(tensor.name, ()))
    for node in graph.nodes:
        if node.output not in values:
            values[node.output] = _value(node, values, most)
    return Solved(
        {tensor.name: tuple(values[tensor.name].ravel()) for tensor in graph.inputs},
        tuple(tuple(map(FieldElement, values[out.name].ravel())) for out in graph.outputs),
    )


def _value(node: Node, values: Mapping[str, Any], most: int) -> Matrix:
    parts = [values[name] for name in node.inputs]
    if node.compute is None:
        return apply(node.operator, parts, most)
    found: Matrix = node.compute(*parts) % ORDER
    return found


def _matrix(tensor: Tensor, entries: Sequence[int]) -> Matrix:
    if len(entries) != tensor.shape[0] * tensor.shape[1]:
        raise MalformedError(f"{tensor.name} has {tensor.shape} entries, not {len(entries)}")
    return np.array([int(v) % ORDER for v in entries], object).reshape(tensor.shape)
