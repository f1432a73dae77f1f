"""The traps of ezkl 23.0.5 that the circuit language stands between: each shown on ezkl itself.

Source: measured; the table's end and the single use of constants are in no document of ezkl's.
"""

import pytest

from circuits.graph import Graph, Tensor
from circuits.integers import Arithmetic
from circuits.packing import packed
from circuits.solve import solve
from circuits.statements.models import relu
from circuits.table import LEAST, Table
from provenance.features import MOST
from provenance.field import ORDER
from tests.circuits.mocking import Claimed, mocked

pytestmark = pytest.mark.slow


def looked_up(value: int) -> Claimed:
    """Return the claim that a looked-up value is itself."""
    return {"one": (1,), "x": (value, 3)}, [(value, 3, 1)]


@pytest.mark.parametrize("logrows", range(11, 18))
def test_ezkls_table_ends_where_ours_says(logrows: int) -> None:
    table, graph = Table.of(logrows), Graph()
    graph.publish(graph.look_up(graph.private("x", 1, 2)))
    values = (0, 1, LEAST - 1, LEAST, table.most, table.most + 1, 2**200, ORDER - 1)
    found = mocked(graph, table, 1, [looked_up(value) for value in values])
    assert found == [False, False, False, True, True, False, False, False]


@pytest.mark.parametrize("logrows", range(11, 18))
def test_digits_end_at_16378_at_every_table_size(logrows: int) -> None:
    table, graph = Table.of(logrows), Graph()
    arithmetic = Arithmetic(graph, table)
    digits = arithmetic.digits(graph.private("x", 1, 2))
    graph.publish(digits.tensor, arithmetic.nothing())
    most = min(MOST, table.most)
    claims: list[Claimed] = [
        ({"one": (1,), "x": (value, 3)}, [(value, 3, 0, 1)])
        for value in (LEAST - 1, LEAST, most, most + 1, 2**14 - 1, 2**14)
    ]
    assert mocked(graph, table, 1, claims) == [False, True, True, False, False, False]


def test_digits_that_borrow_from_each_other_are_refused() -> None:
    table, graph = Table.of(14), Graph()
    arithmetic = Arithmetic(graph, table)
    digits = arithmetic.digits(graph.private("x", 1, 3))
    graph.commit(packed(graph, digits), graph.private("salt", 1, 1))
    graph.commit(arithmetic.nothing(), graph.one)
    honest = solve(graph, {"x": (5, 6, 7), "salt": (9,)}, table.most)
    borrowed = {**honest.witness, "x": (5 + 2**14, 5, 7)}
    claims: list[Claimed] = [(honest.witness, honest.outputs), (borrowed, honest.outputs)]
    assert mocked(graph, table, 1, claims) == [True, False]


def test_a_lookup_whose_result_is_unused_still_counts() -> None:
    table, graph = Table.of(12), Graph()
    arithmetic = Arithmetic(graph, table)
    x = arithmetic.digits(graph.private("x", 1, 1))
    arithmetic.between(x, 10, 20)
    graph.publish(arithmetic.nothing())
    claims: list[Claimed] = [({"one": (1,), "x": (value,)}, [(0, 1)]) for value in (10, 20, 21)]
    assert mocked(graph, table, 1, claims) == [True, True, False]


def test_what_hints_and_digits_lead_to_is_what_ezkl_computes() -> None:
    table, graph = Table.of(13), Graph()
    arithmetic = Arithmetic(graph, table)
    x = arithmetic.move(arithmetic.digits(graph.private("x", 2, 3)), -8192)
    quotient = arithmetic.divide(arithmetic.multiply(x, x), 77)
    passed, active = relu(arithmetic, x, 2)
    shown: list[Tensor] = [part.tensor for part in (passed, active, quotient)]
    graph.publish(*shown, arithmetic.nothing())
    values = (3, 8192, 16370, 8191, 8193, 9000)
    honest = solve(graph, {"x": values}, table.most)
    row = [int(value) for value in honest.outputs[0]]
    wrong = [[*row[:12], row[12] + 1, *row[13:]], [*row[:-2], 1, 1]]
    claims: list[Claimed] = [(honest.witness, [claimed]) for claimed in (row, *wrong)]
    assert mocked(graph, table, 2, claims) == [True, False, False]
