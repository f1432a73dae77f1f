"""Parameters against what is published, and against a slow shift register."""

from collections.abc import Iterator
from itertools import islice

import pytest

from provenance.errors import MalformedError
from provenance.field import ORDER
from provenance.poseidon.parameters import FULL_ROUNDS, WIDTHS, Parameters, parameters


def slow_bits(width: int, partial_rounds: int) -> Iterator[int]:
    """The register a bit at a time, as the paper's appendix writes it."""
    fields = (1, 2), (0, 4), (254, 12), (width, 12), (FULL_ROUNDS, 10), (partial_rounds, 10)
    state = [int(bit) for value, size in fields for bit in f"{value:0{size}b}"] + [1] * 30

    def step() -> int:
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.append(bit)
        del state[0]
        return bit

    for _ in range(160):
        step()
    while True:
        keep, bit = step(), step()
        if keep:
            yield bit


def slow_number(bits: Iterator[int]) -> int:
    return int("".join(map(str, islice(bits, 254))), 2)


@pytest.mark.parametrize("width", [2, 3, 9])
def test_constants_and_matrix_are_what_a_slow_register_gives(width: int) -> None:
    chosen = parameters(width)
    bits = slow_bits(width, chosen.partial_rounds)
    for expected in (constant for row in chosen.constants for constant in row):
        number = slow_number(bits)
        while number >= ORDER:
            number = slow_number(bits)
        assert number == expected
    points = [slow_number(bits) for _ in range(2 * width)]
    for x, row in zip(points[:width], chosen.matrix, strict=True):
        assert [(x + y) * entry % ORDER for y, entry in zip(points[width:], row, strict=True)] == (
            [1] * width
        )


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_has_its_rounds_and_a_matrix_of_distinct_points(width: int) -> None:
    chosen = parameters(width)
    assert len(chosen.constants) == chosen.full_rounds + chosen.partial_rounds
    assert {len(row) for row in chosen.constants + chosen.matrix} == {width}
    assert len(chosen.matrix) == width
    assert len({entry for row in chosen.matrix for entry in row}) == width**2
    assert all(0 <= constant < ORDER for row in chosen.constants for constant in row)


def test_parameters_are_made_once() -> None:
    assert parameters(3) is parameters(3)
    assert isinstance(parameters(3), Parameters)


@pytest.mark.parametrize("width", [-1, 0, 1, 18])
def test_a_width_outside_the_family_is_refused(width: int) -> None:
    with pytest.raises(MalformedError, match="widths 2 to 17"):
        parameters(width)
