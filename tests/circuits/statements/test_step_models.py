"""The blocks of models alone: whatever hints a prover takes, no other result comes out of them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.graph import Graph
from circuits.integers import Arithmetic, Integers
from circuits.solve import solve
from circuits.statements.models import relu, sigmoid, up_to
from circuits.statements.step_graph import one_hot
from circuits.table import Table
from provenance.errors import VerificationError
from provenance.features import OFFSET
from provenance.field import ORDER
from provenance.replay import rounded
from provenance.sgd.models import probability
from tests.circuits.statements.steps import hints

SIGMOID_UNIT = 100
"""What an entry is multiplied by, so that sums reach beyond both ends of the sigmoid."""


def sigmoid_of(arithmetic: Arithmetic, value: Integers) -> list[Integers]:
    return [sigmoid(arithmetic, arithmetic.scale(value, SIGMOID_UNIT))]


def relu_of(arithmetic: Arithmetic, value: Integers) -> list[Integers]:
    return list(relu(arithmetic, value, 128))


def one_hot_of(arithmetic: Arithmetic, value: Integers) -> list[Integers]:
    return [one_hot(arithmetic, value, 4)]


Block = Callable[[Arithmetic, Integers], list[Integers]]


@cache
def graph_of(block: Block, logrows: int = 14) -> Graph:
    """Return a circuit of one block over one signed integer; its results and what is wrong."""
    graph = Graph()
    arithmetic = Arithmetic(graph, Table.of(logrows))
    value = arithmetic.move(arithmetic.digits(graph.private("value", 1, 1)), -OFFSET)
    found = block(arithmetic, value)
    graph.commit(*(part.tensor for part in found), arithmetic.nothing(), graph.one)
    return graph


def found(
    block: Block,
    value: int,
    forced: Mapping[str, Sequence[int]] | None = None,
    logrows: int = 14,
) -> list[int] | None:
    """Return the results, or None if somebody refuses them."""
    most = Table.of(logrows).most
    try:
        (row,) = solve(graph_of(block, logrows), {"value": (value + OFFSET,)}, most, forced).outputs
    except VerificationError:
        return None
    *results, wrong, _ = map(int, row)
    return None if wrong else results


@given(st.integers(3 - OFFSET, 16354 - OFFSET), st.sampled_from([12, 13, 14, 15, 16]))
@settings(deadline=None)
def test_blocks_agree_with_plain_arithmetic(value: int, logrows: int) -> None:
    quotient = rounded(value, 128)
    assert found(relu_of, value, logrows=logrows) == [max(0, quotient), int(quotient > 0)]
    expected = probability(SIGMOID_UNIT * value)
    assert found(sigmoid_of, value, logrows=logrows) == [expected]


@pytest.mark.parametrize("value", [-8189, -700, -64, -65, -1, 0, 1, 63, 64, 65, 191, 192, 8186])
def test_no_hints_give_another_relu(value: int) -> None:
    bit, size, *_ = hints(graph_of(relu_of))
    quotient = rounded(value, 128)
    true = [max(0, quotient), int(quotient > 0)]
    for b in (0, 1, 2, -1, pow(2, -1, ORDER)):
        near = (quotient - 2, quotient - 1, quotient, quotient + 1, -quotient, 1 - quotient, 0)
        for m in near:
            assert found(relu_of, value, {bit: (b,), size: (m,)}) in (None, true)


@pytest.mark.parametrize("value", [-8189, -2622, -2621, -5, 0, 5, 2618, 2619, 2622, 8186])
def test_no_hints_give_another_sigmoid(value: int) -> None:
    result, bit, size, *_ = hints(graph_of(sigmoid_of))
    before = 512 + rounded(SIGMOID_UNIT * value, 512)
    true = probability(SIGMOID_UNIT * value)
    results = (0, 1, 512, 1023, 1024, 1025, true - 1, true + 1, before - 1, before, before + 1)
    for p, b in product(results, (0, 1, 2, -1)):
        for m in {p - before, before - p, 0}:
            lie = found(sigmoid_of, value, {result: (p,), bit: (b,), size: (m,)})
            assert lie in (None, [true])


@pytest.mark.parametrize("label", [0, 1, 2, 3])
def test_no_bits_give_another_class(label: int) -> None:
    (places, *_) = hints(graph_of(one_hot_of))
    true = [int(label == k) for k in range(4)]
    assert found(one_hot_of, label) == true
    for bits in product((-1, 0, 1, 2, pow(2, -1, ORDER)), repeat=4):
        assert found(one_hot_of, label, {places: bits}) in (None, true)
    for none in (-1, 4, 6):
        for bits in product((-1, 0, 1, 2), repeat=4):
            assert found(one_hot_of, none, {places: bits}) is None


@pytest.mark.parametrize("logrows", [12, 13, 14, 15, 16])
@pytest.mark.parametrize(
    ("most", "factor"),
    [(1, 1), (127, 1), (511, 1), (1023, 1), (1024, 1), (4095, 1), (30004, 5), (35999, 6)],
)
def test_a_range_ends_where_it_ends(most: int, factor: int, logrows: int) -> None:
    def ranged(arithmetic: Arithmetic, value: Integers) -> list[Integers]:
        up_to(arithmetic, arithmetic.scale(value, factor), most)
        return [value]

    for value in (0, most // factor):
        assert found(ranged, value, logrows=logrows) == [value]
    for value in (-1, most // factor + 1, -8000):
        assert found(ranged, value, logrows=logrows) is None
