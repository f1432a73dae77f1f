"""The permutation as machines compute it is the permutation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.field import ORDER
from provenance.poseidon import normalised, reference
from provenance.poseidon.parameters import WIDTHS, parameters

ELEMENTS = st.one_of(st.sampled_from([0, 1, ORDER - 1]), st.integers(0, ORDER - 1))


@pytest.mark.parametrize("scale", [1, 2**256, 2**260])
@pytest.mark.parametrize("width", WIDTHS)
def test_edges_permute_as_the_definition_says(width: int, scale: int) -> None:
    for edge in (0, 1, ORDER - 1):
        assert normalised.permute([edge] * width, scale) == reference.permute([edge] * width)


@settings(deadline=None, max_examples=60)
@given(st.lists(ELEMENTS, min_size=2, max_size=17))
def test_any_state_permutes_as_the_definition_says(state: list[int]) -> None:
    assert normalised.permute(state) == reference.permute(state)


@pytest.mark.parametrize("width", WIDTHS)
def test_there_are_no_numbers_but_those_used(width: int) -> None:
    rounds, past = parameters(width).partial_rounds, 2 * (width - 1)
    count = width + 6 * width * width + (rounds + 1) * (past + 1)
    count += (width - 1) * past + width * (width + 1)
    assert len(normalised.normalised(width, 1)) == count


def test_another_width_is_refused() -> None:
    with pytest.raises(MalformedError):
        normalised.normalised(1, 1)
