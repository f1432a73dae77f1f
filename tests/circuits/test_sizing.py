"""The rule that sizes circuits: against what ezkl counts, and at its edges."""

import json
from pathlib import Path

import pytest

from circuits.graph import Graph
from circuits.integers import Arithmetic
from circuits.proving.artifacts import keys, local_srs, object_path
from circuits.registry import circuit
from circuits.sizing import COLUMNS, Size, cells, hash_rows, rows, smallest
from circuits.table import Table
from provenance.errors import MalformedError
from tests.circuits.statements.questions import EXAMPLES, question


def hashing(entries: int) -> Graph:
    graph = Graph()
    graph.commit(graph.private("values", 1, entries - 3))
    graph.commit(
        graph.private("context", 1, 1), Arithmetic(graph, Table.of(12)).nothing(), graph.one
    )
    return graph


@pytest.mark.parametrize(("entries", "logrows"), [(99, 12), (100, 13), (199, 13), (200, 14)])
def test_hashes_decide_where_they_are_most(entries: int, logrows: int) -> None:
    assert hash_rows(hashing(entries)) == 41 * entries
    assert smallest(lambda _: hashing(entries)) == Size(logrows)


def test_cells_decide_where_they_are_more() -> None:
    def products(_: Table) -> Graph:
        graph = Graph()
        values = graph.private("values", 200, 100)
        graph.commit(graph.total(graph.multiply(values, values)))
        return graph

    graph = products(Table.of(14))
    assert rows(graph, COLUMNS) > 20 * hash_rows(graph)
    # inputs, powers of 2**24, products, and a sum that fills rows of three
    assert cells(graph, COLUMNS) == 20001 + 11 + 20000 + 20001
    assert smallest(products).logrows == 15


def test_dot_products_fill_rows_and_slices_count_twice() -> None:
    graph = Graph()
    left, right = graph.private("left", 2, 4), graph.private("right", 4, 5)
    before = cells(graph, COLUMNS)
    product = graph.apply(left, right)
    assert cells(graph, COLUMNS) - before == 2 * 5 * 6
    graph.transpose(graph.lanes(product, 1, 3))
    assert cells(graph, COLUMNS) - before == 2 * 5 * 6 + 12


def test_what_fits_no_size_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"needs more than 2\*\*17 rows"):
        smallest(lambda _: hashing(4000))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_ezkl_counts_nearly_the_same_and_makes_keys(name: str, tmp_path: Path) -> None:
    found = circuit(question(name).shape.name, EXAMPLES[name])
    made = keys(found, local_srs(tmp_path, found.logrows), tmp_path)
    settings = json.loads(object_path(tmp_path, made.settings).read_bytes())
    counted = settings["total_assignments"]
    assert 0.9 * counted < cells(found.graph(), COLUMNS) < 1.1 * counted
