"""Poseidon in a circuit against Poseidon."""

import pytest

from circuits.evaluate import evaluate
from circuits.graph import Graph
from circuits.hashing import Hash
from provenance.errors import MalformedError
from provenance.field import ORDER
from provenance.poseidon import poseidon


@pytest.mark.parametrize(("width", "lanes"), [(3, 1), (3, 5), (4, 3), (5, 2)])
def test_each_lane_holds_its_own_hash(width: int, lanes: int) -> None:
    columns = [[pow(7, 99 + i + 9 * j, ORDER) for i in range(width - 1)] for j in range(lanes)]
    columns[0] = [0] * (width - 1)
    graph = Graph()
    graph.publish(Hash(graph, width)(graph.private("x", width - 1, lanes)))
    rows = tuple(value for row in zip(*columns, strict=True) for value in row)
    *found, one = evaluate(graph.onnx(), {"one": (1,), "x": rows})
    assert found == [poseidon(*column) for column in columns]
    assert one == 1


def test_one_set_of_constants_serves_several_uses() -> None:
    graph = Graph()
    hashed = Hash(graph, 3)
    once = hashed(graph.private("x", 2, 1))
    graph.publish(hashed(graph.stack(once, once)))
    inner = poseidon(3, 4)
    assert evaluate(graph.onnx(), {"one": (1,), "x": (3, 4)}) == (poseidon(inner, inner), 1)


def test_inputs_that_do_not_fit_the_width_are_refused() -> None:
    graph = Graph()
    with pytest.raises(MalformedError):
        Hash(graph, 3)(graph.private("x", 3, 1))
