"""The partial rounds as a linear recurrence: each new number is a sum over those before it.

In a partial round a number z enters the S-box and u = z**5 leaves it; the n = width - 1 other
elements, the lanes x, change only linearly. Write the matrix as corner m, row v, column w and inner
matrix A, and call the S-boxes of the full round before u(0) and x. Constants aside,

    z(k) = m u(k) + h(1) u(k-1) + ... + h(k) u(0) + f(k)        h(j) = v A**(j-1) w, f(k) = v A**k x

The lanes need not be held: by Cayley-Hamilton f(k) is a sum over f(k-n), ..., f(k-1), each of which
is in turn a sum over its z and the u before it. For k < n it is one over f(0), ..., f(k-1) and the
last n - k of x. So

    z(k) = m u(k) + c(k) + sum over the `past`, the last 2 n of    x(1), ..., x(n), u(0), z(0), ...

A round takes as many multiplications as with lanes, but one reduction in place of n + 1. In the end
the lanes follow from the past.
"""

from dataclasses import dataclass
from itertools import chain, pairwise

from provenance.field import ORDER
from provenance.poseidon.matrices import (
    Matrix,
    Vector,
    add,
    dot,
    inverse,
    product,
    split,
    times,
    transposed,
)
from provenance.poseidon.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The recurrence of one width; a past has 2 n numbers, oldest first, at first n zeros and x.

    Attributes:
        corner: Factor of u(k) in z(k).
        factors: For each k, from 0 to the number of partial rounds: factors of the past in z(k).
        constants: For each k what is added to z(k).
        lanes: The past that ends in the last z -> the lanes, without `left`.
        left: What to add to these lanes, the constants of the full round that follows included.
    """

    corner: int
    factors: Matrix
    constants: Vector
    lanes: Matrix
    left: Vector


def recurrence(chosen: Parameters) -> Recurrence:
    """Return the recurrence for the partial rounds of `chosen` and the round before them."""
    corner, row, column, inner = split(chosen.matrix)
    size = len(inner)
    observed, reached = [row], [column]  # v A**k and A**k w
    for _ in range(size):
        observed.append(times(transposed(inner), observed[-1]))
        reached.append(times(inner, reached[-1]))
    answers = (corner, *(dot(row, each) for each in reached))  # m, h(1), h(2), ...
    added, left = _added(chosen)
    first = [_course(observed, k) for k in range(size + 1)]
    courses = [first[min(k, size)] for k in range(len(added))]
    factors = tuple(_past(sums, rest, answers) for sums, rest in courses)
    constants = tuple(
        (each - dot(sums, added[:k][::-1])) % ORDER
        for k, (each, (sums, _)) in enumerate(zip(added, courses, strict=True))
    )
    lanes = _lanes(inner, reached, answers, observed)
    taken = tuple(-x % ORDER for each in added[-size:] for x in (0, each))
    left = add(left, times(lanes, taken))
    return Recurrence(corner, factors, constants, lanes, left)


def _added(chosen: Parameters) -> tuple[Vector, Vector]:
    """Return what constants add to each of z(0), z(1), ..., and to the lanes in the end."""
    _, row, _, inner = split(chosen.matrix)
    half = chosen.full_rounds // 2
    rounds = chosen.constants[half : half + chosen.partial_rounds + 1]
    lanes: Vector = (0,) * len(inner)
    added = [rounds[0][0]]
    for here, after in pairwise(rounds):
        lanes = add(lanes, here[1:])
        added.append((dot(row, lanes) + after[0]) % ORDER)
        lanes = times(inner, lanes)
    return tuple(added), add(lanes, rounds[-1][1:])


def _course(observed: list[Vector], k: int) -> tuple[Vector, Vector]:
    """Return f(k) as a sum: factors of f(k-1), ..., f(0), and of the last n - k of x."""
    if not k:
        return (), observed[0]
    solved = inverse(tuple(row[:k] for row in observed[:k]))
    sums = times(transposed(solved), observed[k][:k])
    seen = times(transposed(tuple(observed[:k])), sums)
    rest = tuple((x - y) % ORDER for x, y in zip(observed[k][k:], seen[k:], strict=True))
    return sums[::-1], rest


def _past(sums: Vector, rest: Vector, answers: Vector) -> Vector:
    """Return the factors of the past in z(k), from the sum that f(k) is."""
    k, size = len(sums), len(sums) + len(rest)
    pairs = [
        ((answers[j] - dot(sums[:j], answers[j - 1 :: -1])) % ORDER, sums[j - 1])
        for j in range(k, 0, -1)
    ]
    return ((0,) * (2 * size) + rest + tuple(chain.from_iterable(pairs)))[-2 * size :]


def _lanes(inner: Matrix, reached: list[Vector], answers: Vector, observed: list[Vector]) -> Matrix:
    """Return the matrix that makes the lanes from the past.

    The last n of z, less their answers to the last n of u, show the lanes of n rounds before.
    """
    size = len(inner)
    onward = inverse(tuple(observed[:size]))
    for _ in range(size):
        onward = product(inner, onward)
    rows = []
    for i, line in enumerate(onward):
        of_u = ((reached[size - 1 - j][i] - dot(line[j:], answers)) % ORDER for j in range(size))
        rows.append(tuple(chain.from_iterable(zip(of_u, line, strict=True))))
    return tuple(rows)
