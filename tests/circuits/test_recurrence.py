"""The recurrence of the partial rounds against Poseidon itself."""

import pytest

from circuits.recurrence import identity, inverse, partial_rounds, product
from provenance.field import ORDER
from provenance.poseidon import poseidon
from provenance.poseidon.parameters import Parameters, parameters


def hashed(inputs: list[int]) -> int:
    """Return Poseidon with the partial rounds as the recurrence says."""
    known = parameters(len(inputs) + 1)
    half = known.full_rounds // 2
    state = [a + b for a, b in zip([0, *inputs], known.constants[0], strict=True)]
    for row in known.constants[1:half]:
        state = after(known, [pow(value, 5, ORDER) for value in state], row)
    state = partial(known, [pow(value, 5, ORDER) for value in state])
    for row in (*known.constants[half + known.partial_rounds + 1 :], (0,) * known.width):
        state = after(known, [pow(value, 5, ORDER) for value in state], row)
    return state[0]


def after(known: Parameters, boxed: list[int], constants: tuple[int, ...]) -> list[int]:
    rows = zip(known.matrix, constants, strict=True)
    return [(dot(row, boxed) + constant) % ORDER for row, constant in rows]


def partial(known: Parameters, boxed: list[int]) -> list[int]:
    half, n = known.full_rounds // 2, known.width - 1
    rounds = known.constants[half : half + known.partial_rounds + 1]
    found = partial_rounds(known.matrix, rounds)
    z = [dot(found.start, [*boxed, 1]), *(dot(row, boxed[1:]) for row in found.virtual)]
    u = [boxed[0], *[0] * n]
    for constant in found.constants:
        u = [pow(z[0], 5, ORDER), *u][: n + 1]
        z = [(dot(found.past, z) + dot(found.boxed, u) + constant) % ORDER, *z][:n]
    return [z[0], *(dot(row, [*z, *u[:n], 1]) for row in found.recover)]


def dot(row: tuple[int, ...], values: list[int]) -> int:
    return sum(a * b for a, b in zip(row, values, strict=True)) % ORDER


@pytest.mark.parametrize("width", [2, 3, 4, 5, 9])
def test_poseidon_by_recurrence_is_poseidon(width: int) -> None:
    inputs = [pow(7, 100 + i, ORDER) for i in range(width - 1)]
    assert hashed(inputs) == poseidon(*inputs)
    assert hashed([0] * (width - 1)) == poseidon(*[0] * (width - 1))


def test_a_matrix_times_its_inverse_is_the_identity() -> None:
    matrix = tuple(tuple(pow(7, 99 + (5 * i + j) ** 2, ORDER) for j in range(4)) for i in range(4))
    assert product(matrix, inverse(matrix)) == identity(4)
    assert inverse(((0, 1), (1, 0))) == ((0, 1), (1, 0))
