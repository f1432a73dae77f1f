"""Packed digits and their commitments are those of provenance.features."""

from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.evaluate import public_values
from circuits.graph import Graph
from circuits.integers import Arithmetic
from circuits.packing import packed
from circuits.solve import solve
from circuits.table import LEAST, Table
from provenance.features import MOST, OFFSET, feature_commitment, state_commitment
from provenance.field import ORDER, FieldElement

TABLE = Table.of(14)
digits = st.integers(LEAST, MOST)


@st.composite
def matrices(draw: st.DrawFn) -> list[list[int]]:
    width = draw(st.integers(1, 40))
    return draw(st.lists(st.lists(digits, min_size=width, max_size=width), min_size=1, max_size=3))


def committed(rows: list[list[int]], salts: list[int], *, state: bool) -> tuple[FieldElement, ...]:
    graph = Graph()
    looked = Arithmetic(graph, TABLE).digits(graph.private("rows", len(rows), len(rows[0])))
    elements = packed(graph, looked, state=state)
    salt = graph.private("salts", len(rows), 1)
    for row in range(len(rows)):
        graph.commit(graph.rows(elements, row, row + 1), graph.rows(salt, row, row + 1))
    flat = [digit for row in rows for digit in row]
    return public_values(
        solve(graph, {"rows": flat, "salts": salts}, TABLE.most).outputs, hashed=True
    )


@given(matrices(), st.integers(0, ORDER - 1))
@settings(max_examples=40, deadline=None)
def test_a_rows_commitment_is_that_of_its_features(rows: list[list[int]], salt: int) -> None:
    salts = [(salt + number) % ORDER for number in range(len(rows))]
    wanted = [feature_commitment(r, FieldElement(s)) for r, s in zip(rows, salts, strict=True)]
    assert list(committed(rows, salts, state=False)) == wanted


@given(matrices(), st.integers(0, ORDER - 1))
@settings(max_examples=40, deadline=None)
def test_a_states_commitment_is_that_of_its_weights(rows: list[list[int]], salt: int) -> None:
    weights = [digit - OFFSET for digit in rows[0]]
    wanted = state_commitment(weights, FieldElement(salt))
    assert committed(rows[:1], [salt], state=True) == (wanted,)


def test_no_record_has_the_commitment_of_a_state() -> None:
    rows = [[LEAST] * 18]
    assert committed(rows, [7], state=True) != committed(rows, [7], state=False)
