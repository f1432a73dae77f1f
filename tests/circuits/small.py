"""The smallest circuits of both forms: they prove in a second, so that tests can do so often."""

from dataclasses import replace

from circuits.graph import Graph
from circuits.solve import Solved, solve
from circuits.spec import Circuit
from circuits.table import Table

TABLE = Table(9, 1)
SALT = 2**200 + 17
ROW = (411, 37, 402, 499, 283)
"""Looked up, and secret."""


def open_graph() -> Graph:
    """Return: the product of two private values is public."""
    graph = Graph()
    left, right = graph.private("left", 1, 1), graph.private("right", 1, 1)
    graph.publish(graph.multiply(left, right))
    return graph


OPEN = Circuit("product-open.v1", "a product", ("product", "one"), open_graph, 6, 2)


def open_solved(left: int = 3, right: int = 5) -> Solved:
    """Return a witness of `OPEN`."""
    return solve(open_graph(), {"left": [left], "right": [right]})


def hashed_graph() -> Graph:
    """Return: a row of looked-up values is committed to with a salt; then the statement."""
    graph = Graph()
    row = graph.look_up(graph.private("row", 1, len(ROW)))
    graph.commit(row, graph.private("salt", 1, 1))
    zero = graph.subtract(graph.one, graph.one)
    graph.commit(graph.private("context", 1, 1), zero, graph.one)
    return graph


HASHED = replace(
    OPEN,
    name="row-hashed.v1",
    statement="a row",
    public=("row", "statement"),
    graph=hashed_graph,
    logrows=TABLE.logrows,
    table=TABLE,
    hashed=True,
)


def hashed_solved(context: int = 7) -> Solved:
    """Return a witness of `HASHED`."""
    chosen = {"row": ROW, "salt": [SALT], "context": [context]}
    return solve(hashed_graph(), chosen, TABLE.most)
