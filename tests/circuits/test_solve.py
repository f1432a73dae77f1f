"""A whole witness from chosen values: hints are computed, or forced by a dishonest prover."""

import numpy as np
import pytest

from circuits.evaluate import evaluate, outputs
from circuits.graph import Graph
from circuits.solve import solve
from provenance.errors import MalformedError
from provenance.field import ORDER


def halved() -> Graph:
    """Return a circuit that shows x - 2 h for a hint h, which an honest prover takes as x / 2."""
    graph = Graph()
    x = graph.private("x", 1, 2)
    half = graph.hint((1, 2), lambda value: value // 2, x)
    graph.publish(graph.subtract(x, graph.multiply(half, graph.constants([[2, 2]]))))
    return graph


def test_hints_are_computed_from_what_is_known() -> None:
    solved = solve(halved(), {"x": (7, 10)})
    assert solved.witness == {"one": (1,), "x": (7, 10), "hint_2": (3, 5)}
    assert solved.outputs == ((1, 0, 1),)


def test_a_solved_witness_leads_where_the_onnx_graph_says() -> None:
    graph = halved()
    solved = solve(graph, {"x": (7, 10)})
    assert (evaluate(graph.onnx(), solved.witness),) == solved.outputs


def test_a_dishonest_prover_forces_a_hint() -> None:
    solved = solve(halved(), {"x": (7, 10)}, forced={"hint_2": (-1, 5)})
    assert solved.witness["hint_2"] == (ORDER - 1, 5)
    assert solved.outputs == ((9, 0, 1),)


@pytest.mark.parametrize("chosen", [{}, {"x": (1,)}, {"x": (1, 2, 3)}])
def test_what_is_missing_or_of_another_size_is_refused(chosen: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(MalformedError, match="x has"):
        solve(halved(), chosen)


def test_committed_rows_are_several_outputs() -> None:
    graph = Graph()
    x = graph.private("x", 2, 2)
    graph.commit(graph.rows(x, 1, 2))
    graph.commit(graph.total(x), graph.one)
    solved = solve(graph, {"x": (1, 2, 3, 4)})
    assert solved.outputs == ((3, 4), (10, 1)) == outputs(graph.onnx(), solved.witness)


def test_a_hint_may_be_any_integer() -> None:
    graph = Graph()
    hint = graph.hint((1, 1), lambda: np.array([[-5]], object))
    graph.publish(hint)
    assert solve(graph, {}).outputs == ((ORDER - 5, 1),)


def test_two_private_values_have_two_names() -> None:
    graph = Graph()
    graph.private("x", 1, 1)
    with pytest.raises(MalformedError, match="'x' already"):
        graph.private("x", 2, 2)
