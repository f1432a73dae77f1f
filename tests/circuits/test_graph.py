"""Each block of the circuit language against plain integers, and the shapes it refuses."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.evaluate import evaluate
from circuits.graph import Graph, Tensor
from provenance.errors import MalformedError, UnavailableError
from provenance.field import ORDER

ELEMENTS = st.integers(0, ORDER - 1)
VALUES = (5, 7, ORDER - 1, 2**200, 0, 1)


def reached(graph: Graph, *parts: Tensor, **witness: tuple[int, ...]) -> tuple[int, ...]:
    graph.publish(*parts)
    *public, one = evaluate(graph.onnx(), {"one": (1,), **witness})
    assert one == 1
    return tuple(public)


def inputs() -> tuple[Graph, Tensor]:
    graph = Graph()
    return graph, graph.private("x", 2, 3)


def test_arithmetic_is_entry_by_entry_and_modulo_r() -> None:
    graph, x = inputs()
    y = graph.private("y", 2, 3)
    parts = (graph.add(x, y), graph.subtract(x, y), graph.multiply(x, y), graph.fifth_power(x))
    other = tuple(reversed(VALUES))
    assert reached(graph, *parts, x=VALUES, y=other) == (
        *((a + b) % ORDER for a, b in zip(VALUES, other, strict=True)),
        *((a - b) % ORDER for a, b in zip(VALUES, other, strict=True)),
        *((a * b) % ORDER for a, b in zip(VALUES, other, strict=True)),
        *(pow(a, 5, ORDER) for a in VALUES),
    )


def test_apply_is_the_matrix_product() -> None:
    graph, x = inputs()
    y = graph.private("y", 3, 1)
    expected = (5 * 2 + 7 * 3 - 4, 2**200 * 2 + 4)
    assert reached(graph, graph.apply(x, y), x=VALUES, y=(2, 3, 4)) == expected


def test_tensors_are_cut_and_put_together() -> None:
    graph, x = inputs()
    parts = (
        graph.rows(x, 1, 2),
        graph.lanes(x, 0, 2),
        graph.stack(graph.rows(x, 1, 2), x),
        graph.join(graph.lanes(x, 2, 3), x),
        graph.repeat(graph.lanes(x, 0, 1), 2),
        graph.interleave(graph.rows(x, 0, 1), graph.rows(x, 1, 2)),
        graph.reshape(x, 3, 2),
    )
    shapes = [(1, 3), (2, 2), (3, 3), (2, 4), (2, 2), (1, 6), (3, 2)]
    assert [part.shape for part in parts] == shapes
    assert reached(graph, *parts, x=tuple(range(6))) == (
        *(3, 4, 5),
        *(0, 1, 3, 4),
        *(3, 4, 5, 0, 1, 2, 3, 4, 5),
        *(2, 0, 1, 2, 5, 3, 4, 5),
        *(0, 0, 3, 3),
        *(0, 3, 1, 4, 2, 5),
        *range(6),
    )


def test_what_leaves_a_tensor_as_it_is_adds_nothing() -> None:
    graph, x = inputs()
    assert graph.rows(x, 0, 2) is x
    assert graph.reshape(x, 2, 3) is x
    assert graph.join(x) is x


@settings(deadline=None, max_examples=30)
@given(st.lists(ELEMENTS, min_size=1, max_size=6, unique=True))
def test_constants_are_exact_whatever_their_size(values: list[int]) -> None:
    graph = Graph()
    assert reached(graph, graph.constants([values])) == tuple(values)


@pytest.mark.parametrize("value", [0, 1, 2**24 - 1, 2**24, 2**24 + 1, 2**99, 2**100, ORDER - 1])
def test_constants_at_the_edges_of_a_literal_are_exact(value: int) -> None:
    graph = Graph()
    assert reached(graph, graph.constants([[value, 3]])) == (value, 3)


def test_constants_scale_with_one_so_that_a_false_one_shows() -> None:
    graph = Graph()
    graph.publish(graph.constants([[7]]), graph.constants([[2**200 + 1]]))
    assert evaluate(graph.onnx(), {"one": (2,)})[-1] == 2
    assert evaluate(graph.onnx(), {"one": (0,)}) == (0, 0, 0)


def test_equal_constants_are_made_once_because_the_front_end_shares_them() -> None:
    graph = Graph()
    assert graph.constants([[1, 2, 4]]) is graph.constants([[1, 2, 4]])


def test_non_boolean_is_zero_for_bits_only() -> None:
    graph, x = inputs()
    found = reached(graph, graph.non_boolean(x), x=(0, 1, 2, ORDER - 1, 5, 1))
    assert [value == 0 for value in found] == [True, True, False, False, False, True]


def test_numbers_are_written_lowest_bit_first() -> None:
    graph, x = inputs()
    assert reached(graph, graph.numbers(x, 3), x=(1, 0, 1, 0, 1, 1)) == (5 << 3, 6 << 3)


def test_the_same_graph_gives_the_same_bytes() -> None:
    def made() -> bytes:
        graph, x = inputs()
        graph.publish(graph.fifth_power(x))
        return graph.onnx()

    assert made() == made()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda graph, x: graph.add(x, graph.one),
        lambda graph, x: graph.apply(x, x),
        lambda graph, x: graph.join(x, graph.one),
        lambda graph, x: graph.reshape(x, 4, 2),
        lambda graph, x: graph.rows(x, 1, 3),
        lambda graph, x: graph.lanes(x, 2, 2),
    ],
)
def test_shapes_that_do_not_fit_are_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(MalformedError):
        wrong(*inputs())


def test_without_onnx_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x = inputs()
    graph.publish(x)
    onnx = graph.onnx()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnavailableError, match=r"\[zk\]"):
        graph.onnx()
    with pytest.raises(UnavailableError, match=r"\[zk\]"):
        evaluate(onnx, {})
