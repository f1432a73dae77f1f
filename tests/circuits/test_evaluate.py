"""What a graph means, and what is refused rather than guessed."""

import pytest

from circuits.evaluate import evaluate
from circuits.graph import Graph
from provenance.errors import MalformedError
from provenance.field import ORDER


def test_entries_are_reduced_modulo_r() -> None:
    graph = Graph()
    graph.publish(graph.private("x", 1, 2))
    assert evaluate(graph.onnx(), {"one": (1,), "x": (-1, ORDER + 2)}) == (ORDER - 1, 2, 1)


@pytest.mark.parametrize("witness", [{}, {"one": (1, 2)}, {"one": ()}])
def test_a_missing_or_misshapen_input_is_refused(witness: dict[str, tuple[int, ...]]) -> None:
    graph = Graph()
    graph.publish()
    with pytest.raises(MalformedError, match="input one has 1 entries"):
        evaluate(graph.onnx(), witness)


def test_an_operator_of_another_language_is_refused() -> None:
    graph = Graph()
    graph.publish()
    foreign = graph.onnx().replace(b"Mul", b"Div")
    with pytest.raises(MalformedError, match="operator Div"):
        evaluate(foreign, {"one": (1,)})
