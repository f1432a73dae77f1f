"""Bounded integers: every operation against Python's own, and what each constraint refuses."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.graph import Graph
from circuits.integers import BOUND, Arithmetic, Integers, signed
from circuits.solve import Chosen, Solved, solve
from circuits.table import LEAST, Table
from provenance.errors import MalformedError, VerificationError
from provenance.features import MOST, OFFSET
from provenance.field import ORDER
from provenance.replay import rounded

TABLES = [Table.of(k) for k in range(10, 18)]
TABLE = Table.of(14)
Build = Callable[[Arithmetic, Integers], Integers | None]


def built(build: Build, shape: tuple[int, int] = (2, 2), table: Table = TABLE) -> Graph:
    """Return a circuit that makes something of digits, shows it, and what must be zero."""
    graph = Graph()
    arithmetic = Arithmetic(graph, table)
    made = build(
        arithmetic, arithmetic.move(arithmetic.digits(graph.private("x", *shape)), -OFFSET)
    )
    shown = [made.tensor] if made else []
    graph.publish(*shown, arithmetic.nothing())
    return graph


def reached(
    build: Build, *values: int, shape: tuple[int, int] = (2, 2), forced: Chosen | None = None
) -> list[int]:
    """Return the signed public values that digits lead to, without `one`."""
    chosen = {"x": [value + OFFSET for value in values]}
    solved = solve(built(build, shape), chosen, TABLE.most, forced)
    return [signed(value) for value in solved.outputs[0]][:-1]


signed_values = st.integers(LEAST - OFFSET, MOST - OFFSET)
fours = st.lists(signed_values, min_size=4, max_size=4)


@given(fours, st.integers(1, 10**6))
@settings(max_examples=50, deadline=None)
def test_division_is_to_the_nearest_with_halves_upwards(values: list[int], divisor: int) -> None:
    *found, zero = reached(lambda a, x: a.divide(a.scale(x, 1000), divisor), *values)
    assert found == [rounded(1000 * value, divisor) for value in values]
    assert zero == 0


@given(fours)
@settings(max_examples=50, deadline=None)
def test_sums_and_products_are_those_of_matrices(values: list[int]) -> None:
    x = np.array(values, object).reshape(2, 2)

    def build(a: Arithmetic, m: Integers) -> Integers:
        mixed = a.subtract(a.multiply(m, a.transpose(m)), a.scale(a.move(m, 7), -3))
        return a.add(a.apply(mixed, m), a.filled(a.total(a.square(m)), 2, 2))

    wanted = (x * x.T + 3 * (x + 7)) @ x + (x * x).sum()
    assert reached(build, *values) == [*wanted.ravel(), 0]


@pytest.mark.parametrize("value", [4, 5, 16, 17])
def test_between_takes_its_ends_and_nothing_beyond(value: int) -> None:
    def build(arithmetic: Arithmetic, x: Integers) -> None:
        arithmetic.between(x, 5, 16)

    if 5 <= value <= 16:
        assert reached(build, value, shape=(1, 1)) == [0]
    else:
        with pytest.raises(VerificationError, match="outside the table"):
            reached(build, value, shape=(1, 1))


@given(st.integers(0, 2**60), st.integers(0, 2**60))
@settings(max_examples=100, deadline=None)
def test_naturals_up_to_a_bound_all_fit(value: int, more: int) -> None:
    graph = Graph()
    arithmetic = Arithmetic(graph, TABLE)
    arithmetic.natural(Integers(graph.private("x", 1, 1), 0, value + more))
    graph.publish(arithmetic.nothing())
    assert solve(graph, {"x": (value,)}, TABLE.most).outputs[0][0] == 0


@pytest.mark.parametrize("value", [-1, ORDER - 1, 2**200, -(2**40)])
def test_what_is_below_zero_or_huge_has_no_digits(value: int) -> None:
    graph = Graph()
    arithmetic = Arithmetic(graph, TABLE)
    arithmetic.natural(Integers(graph.private("x", 1, 1), 0, 2**40))
    graph.publish(arithmetic.nothing())
    with pytest.raises(VerificationError, match="outside the table"):
        solve(graph, {"x": (value,)}, TABLE.most)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"k={table.logrows}")
@pytest.mark.parametrize("digit", [2, 3, MOST, MOST + 1, 2**14, 2**200, ORDER - 1])
def test_a_digit_is_3_to_16378_whatever_the_table(table: Table, digit: int) -> None:
    graph = built(lambda _, x: x, (1, 1), table)
    if LEAST <= digit <= min(MOST, table.most):
        assert solve(graph, {"x": (digit,)}, table.most).outputs[0][0] == (digit - OFFSET) % ORDER
    else:
        with pytest.raises(VerificationError, match="outside the table"):
            solve(graph, {"x": (digit,)}, table.most)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"k={table.logrows}")
def test_digits_of_any_table_pack_without_ambiguity(table: Table) -> None:
    digits = Arithmetic(Graph(), table).digits(Graph().private("x", 1, 1))
    assert digits.high < 2**14
    assert digits.high == min(MOST, table.most)


def hints(build: Build, *values: int) -> tuple[Graph, Solved]:
    graph = built(build, (1, 1))
    return graph, solve(graph, {"x": [v + OFFSET for v in values]}, TABLE.most)


def forged(build: Build, value: int, moved: dict[str, int]) -> int:
    """Return what must be zero where a prover adds something to chosen hints."""
    graph, honest = hints(build, value)
    forced = {name: (honest.witness[name][0] + by,) for name, by in moved.items()}
    return solve(graph, {"x": (value + OFFSET,)}, TABLE.most, forced).outputs[0][-2]


@pytest.mark.parametrize("by", [1, -1, 5])
def test_another_quotient_is_refused_by_a_lookup(by: int) -> None:
    with pytest.raises(VerificationError, match="outside the table"):
        forged(lambda a, x: a.divide(x, 10), 1234, {"hint_2": by})


def test_bits_other_than_0_and_1_show() -> None:
    graph = Graph()
    arithmetic = Arithmetic(graph, TABLE)
    arithmetic.bits(graph.private("x", 1, 3))
    graph.publish(arithmetic.nothing())
    found = [solve(graph, {"x": (0, 1, bit)}, TABLE.most).outputs[0][0] for bit in (0, 1, 2, 300)]
    assert [value == 0 for value in found] == [True, True, False, False]


def test_equal_shows_a_difference_of_either_sign() -> None:
    def build(arithmetic: Arithmetic, x: Integers) -> None:
        arithmetic.equal(arithmetic.rows(x, 0, 1), arithmetic.rows(x, 1, 2))

    assert reached(build, 5, -3, 5, -3) == [0]
    assert reached(build, 5, -3, 6, -4) == [2]


def test_what_could_wrap_is_refused_when_the_circuit_is_built() -> None:
    def build(arithmetic: Arithmetic, x: Integers) -> Integers:
        for _ in range(5):
            x = arithmetic.square(x)
        return x

    with pytest.raises(MalformedError, match="wrap"):
        built(build)
    with pytest.raises(MalformedError, match="wrap"):
        Integers(Graph().one, 0, BOUND)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"k={table.logrows}")
@pytest.mark.parametrize("bits", range(200, 251, 5))
def test_digits_of_a_natural_never_reach_what_is_negative(table: Table, bits: int) -> None:
    """Seventeen digits to the base 2**15 pass r, and -1 would have digits then."""
    graph = Graph()
    arithmetic = Arithmetic(graph, table)
    value = Integers(graph.private("x", 1, 1), -(2**bits), 2**bits)
    try:
        arithmetic.natural(value)
    except MalformedError as error:
        assert "wrap" in str(error)  # noqa: PT017  # either way nothing negative passes
        return
    graph.publish(arithmetic.nothing())
    for negative in (-1, -(2 ** (bits - 1)), -(2**bits)):
        with pytest.raises(VerificationError, match="outside the table"):
            solve(graph, {"x": (negative,)}, table.most)


def test_only_what_is_never_negative_goes_into_the_sum_of_zeros() -> None:
    with pytest.raises(MalformedError, match="never negative"):
        built(lambda a, x: a.zero(x))
    with pytest.raises(MalformedError, match="cannot divide"):
        built(lambda a, x: a.divide(x, 0))
    with pytest.raises(MalformedError, match="natural"):
        built(lambda a, x: a.natural(x, -1))
