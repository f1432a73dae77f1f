"""The permutation with sparse rounds is the permutation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.field import ORDER
from provenance.poseidon import reference
from provenance.poseidon.parameters import WIDTHS
from provenance.poseidon.sparse import permute, schedule

ELEMENTS = st.one_of(st.sampled_from([0, 1, ORDER - 1]), st.integers(0, ORDER - 1))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("edge", [0, 1, ORDER - 1])
def test_edges_permute_as_the_definition_says(width: int, edge: int) -> None:
    assert permute([edge] * width) == reference.permute([edge] * width)


@settings(deadline=None, max_examples=60)
@given(st.lists(ELEMENTS, min_size=2, max_size=17))
def test_any_state_permutes_as_the_definition_says(state: list[int]) -> None:
    assert permute(state) == reference.permute(state)


def test_a_schedule_lists_its_numbers_in_the_order_of_use() -> None:
    rounds = schedule(3)
    numbers = list(rounds)
    assert len(numbers) == 8 * (3 + 9) + 57 * (1 + 3 + 2)
    assert numbers[:3] == list(rounds.before[0].constants)
    assert numbers[48] == rounds.partial[0].constant
    assert numbers[-3:] == list(rounds.after[-1].matrix[-1])


def test_a_state_of_another_width_is_refused() -> None:
    with pytest.raises(MalformedError):
        permute([1])
