"""Poseidon's partial rounds as one linear recurrence, which makes a round cheap in a circuit.

In a partial round only lane 0 passes the S-box. With z the value that enters it, u = z**5, and n
lanes that are only mixed, the mixed lanes can be eliminated (Cayley and Hamilton): lane 0 is a
fixed combination of its own past,

    z[j+1] = past[0] z[j] + … + past[n-1] z[j-n+1] + boxed[0] u[j] + … + boxed[n] u[j-n] + c[j+1]

So a circuit needs one dot product of 2 n + 2 terms a round, and only c differs from round to round.
What came before the first partial round is made up so that the recurrence leads to the true state:
u[-1] is lane 0's S-box output in the full round before, u[-2] and all before it are 0, and z[-1], …
are combinations of the other S-box outputs. After the last round the mixed lanes are recovered from
the last n values of z and u. All arithmetic is modulo r.
"""

from dataclasses import dataclass

from provenance.field import ORDER

Vector = tuple[int, ...]
Matrix = tuple[Vector, ...]


@dataclass(frozen=True, slots=True)
class PartialRounds:
    """The partial rounds of one width, from the S-box outputs s of the full round before them.

    Attributes:
        start: Row that gives z[0] from (s[0], …, s[n], 1).
        virtual: Rows that give z[-1], …, z[-n+1] from (s[1], …, s[n]).
        past: Coefficients of z[j], …, z[j-n+1].
        boxed: Coefficients of u[j], …, u[j-n].
        constants: c[1], …, one for each partial round.
        recover: Rows that give the mixed lanes as they enter the next full round, its constants
            added, from the last n values of z and then of u, newest first, and 1.
    """

    start: Vector
    virtual: Matrix
    past: Vector
    boxed: Vector
    constants: Vector
    recover: Matrix


def partial_rounds(mds: Matrix, constants: Matrix) -> PartialRounds:
    """Return the recurrence for a matrix and the constants of the rounds it stands between.

    Args:
        mds: The matrix that ends every round, width by width.
        constants: A row for each partial round, and one for the full round that follows.
    """
    n = len(mds) - 1
    corner, right = mds[0][0], mds[0][1:]
    down, mixed = tuple((row[0],) for row in mds[1:]), tuple(row[1:] for row in mds[1:])
    powers = [identity(n)]
    while len(powers) <= n:
        powers.append(product(mixed, powers[-1]))
    sight = [product((right,), power)[0] for power in powers]
    # What lane 0 gets from an S-box output 1, 2, … rounds later.
    echo = (corner, *(product((row,), down)[0][0] for row in sight[:n]))
    unseen = inverse(tuple(sight[:n]))
    past = product((sight[n],), unseen)[0][::-1]
    boxed = tuple(
        (echo[q] - sum(past[i] * echo[q - 1 - i] for i in range(q))) % ORDER for q in range(n + 1)
    )
    backwards, virtual = inverse(mixed), [right]
    while len(virtual) < n:
        virtual.append(product((virtual[-1],), backwards)[0])
    quiet, lanes = _quiet(mds, constants)
    from_z = tuple(row[::-1] for row in product(powers[n], unseen))
    from_u = tuple(
        tuple(
            (product(powers[q], down)[i][0] - sum(row[p] * echo[q - p] for p in range(q + 1)))
            % ORDER
            for q in range(n)
        )
        for i, row in enumerate(from_z)
    )
    return PartialRounds(
        start=(*mds[0], constants[0][0]),
        virtual=tuple(virtual[1:]),
        past=past,
        boxed=boxed,
        constants=tuple(
            (quiet[j + 1] - sum(a * quiet[j - i] for i, a in enumerate(past) if i <= j)) % ORDER
            for j in range(len(constants) - 1)
        ),
        recover=tuple(
            (*z, *u, (lane - sum(a * b for a, b in zip(z, quiet[::-1], strict=False))) % ORDER)
            for z, u, lane in zip(from_z, from_u, lanes, strict=True)
        ),
    )


def identity(size: int) -> Matrix:
    """Return the matrix that changes nothing."""
    return tuple(tuple(int(i == j) for j in range(size)) for i in range(size))


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return left times right."""
    columns = tuple(zip(*right, strict=True))
    return tuple(
        tuple(sum(a * b for a, b in zip(row, column, strict=True)) % ORDER for column in columns)
        for row in left
    )


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of an invertible square matrix, by Gauss and Jordan."""
    size = len(matrix)
    rows = [list(row + unit) for row, unit in zip(matrix, identity(size), strict=True)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = pow(rows[column][column], -1, ORDER)
        rows[column] = [value * scale % ORDER for value in rows[column]]
        for i in range(size):
            if i != column:
                factor = rows[i][column]
                rows[i] = [
                    (a - factor * b) % ORDER for a, b in zip(rows[i], rows[column], strict=True)
                ]
    return tuple(tuple(row[size:]) for row in rows)


def _quiet(mds: Matrix, constants: Matrix) -> tuple[Vector, Vector]:
    """Return z and the last mixed lanes of a run in which every S-box gives 0."""
    values, lanes = [], tuple(0 for _ in mds[1:])
    for row in constants:
        mixed = product(tuple(line[1:] for line in mds), tuple((lane,) for lane in lanes))
        state = tuple(
            (line[0] + constant) % ORDER for line, constant in zip(mixed, row, strict=True)
        )
        values.append(state[0])
        lanes = state[1:]
    return tuple(values), lanes
