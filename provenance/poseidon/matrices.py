"""Matrices and vectors over the field, as tuples of integers below r."""

from collections.abc import Sequence
from operator import mul

from provenance.field import ORDER

Vector = tuple[int, ...]
Matrix = tuple[Vector, ...]


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    """Return the sum of the products, as long as the shorter of the two is."""
    total: int = sum(map(mul, left, right))
    return total % ORDER


def add(left: Vector, right: Vector) -> Vector:
    """Return left + right."""
    return tuple((x + y) % ORDER for x, y in zip(left, right, strict=True))


def times(matrix: Matrix, vector: Sequence[int]) -> Vector:
    """Return matrix · vector."""
    return tuple(dot(row, vector) for row in matrix)


def transposed(matrix: Matrix) -> Matrix:
    """Return the matrix with rows for columns."""
    return tuple(zip(*matrix, strict=True))


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return left · right."""
    columns = transposed(right)
    return tuple(times(columns, row) for row in left)


def split(matrix: Matrix) -> tuple[int, Vector, Vector, Matrix]:
    """Return the corner, the rest of the first row, of the first column, and of the matrix."""
    (corner, *row), *below = matrix
    column = tuple(line[0] for line in below)
    return corner, tuple(row), column, tuple(line[1:] for line in below)


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a matrix none of whose leading minors is 0, or raise ValueError."""
    size = len(matrix)
    rows = [[*row, *(int(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for i in range(size):
        scale = pow(rows[i][i], -1, ORDER)
        rows[i] = [x * scale % ORDER for x in rows[i]]
        for j in range(size):
            factor = rows[j][i] if j != i else 0
            rows[j] = [(x - factor * y) % ORDER for x, y in zip(rows[j], rows[i], strict=True)]
    return tuple(tuple(row[size:]) for row in rows)
