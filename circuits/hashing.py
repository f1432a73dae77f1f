"""Circomlib's Poseidon inside a circuit: many hashes of one width side by side, one in each lane.

Full rounds are matrix products; the partial rounds run as the recurrence of recurrence.py. The
capacity enters as 0, so lane 0's S-box output of the first round is a constant.
"""

from collections.abc import Sequence
from itertools import chain

from circuits.graph import Graph, Tensor
from circuits.recurrence import Matrix, partial_rounds
from provenance.field import ORDER
from provenance.poseidon.parameters import parameters


class Hash:
    """Poseidon of one width in one graph; its constants are assembled once, for all its uses."""

    def __init__(self, graph: Graph, width: int) -> None:
        """Assemble the constants for `width` - 1 inputs."""
        known = parameters(width)
        half, end = known.full_rounds // 2, known.full_rounds // 2 + known.partial_rounds
        partial = partial_rounds(known.matrix, known.constants[half : end + 1])
        self.width = width
        self._graph = graph
        self._entry = graph.constants([[constant] for constant in known.constants[0][1:]])
        self._first = graph.constants(_first_round(known.matrix, known.constants))
        self._before = [
            graph.constants(_with_constants(known.matrix, row)) for row in known.constants[2:half]
        ]
        self._start = graph.constants([partial.start])
        self._virtual = graph.constants(partial.virtual)
        self._past, self._boxed = graph.constants([partial.past]), graph.constants([partial.boxed])
        self._constants = [graph.constants([[constant]]) for constant in partial.constants]
        self._recover = graph.constants(partial.recover)
        self._after = [
            graph.constants(_with_constants(known.matrix, row))
            for row in known.constants[end + 1 :]
        ]
        self._last = graph.constants([known.matrix[0]])

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return one hash a lane, as a row, of inputs (width - 1, lanes)."""
        graph, lanes = self._graph, inputs.shape[1]
        entry = graph.repeat(self._entry, lanes)
        state = self._round(self._first, graph.add(inputs, entry))
        for matrix in self._before:
            state = self._round(matrix, state)
        state = self._partial(graph.fifth_power(state))
        for matrix in self._after:
            state = self._round(matrix, state)
        return graph.apply(self._last, graph.fifth_power(state))

    def _round(self, matrix: Tensor, state: Tensor) -> Tensor:
        """Return the state after S-box, matrix and the next round's constants."""
        return self._affine(matrix, self._graph.fifth_power(state))

    def _partial(self, boxed: Tensor) -> Tensor:
        """Return the state that enters the full rounds after the partial ones."""
        graph, lanes = self._graph, boxed.shape[1]
        one = graph.repeat(graph.one, lanes)
        zero = graph.subtract(one, one)
        earlier = graph.apply(self._virtual, graph.rows(boxed, 1, self.width))
        z = [self._affine(self._start, boxed), *_split(graph, earlier)]
        u = [graph.rows(boxed, 0, 1)] + [zero] * (self.width - 2)
        for constant in self._constants:
            u = [graph.fifth_power(z[0]), *u][: self.width]
            step = graph.interleave(graph.join(self._past, constant), self._boxed)
            pairs = zip([*z, one], u, strict=True)
            z = [graph.apply(step, graph.stack(*chain(*pairs))), *z[:-1]]
        return graph.stack(z[0], self._affine(self._recover, *z, *u[:-1]))

    def _affine(self, matrix: Tensor, *parts: Tensor) -> Tensor:
        """Return matrix · (parts, 1)."""
        ones = self._graph.repeat(self._graph.one, parts[0].shape[1])
        return self._graph.apply(matrix, self._graph.stack(*parts, ones))


def _split(graph: Graph, value: Tensor) -> list[Tensor]:
    return [graph.rows(value, row, row + 1) for row in range(value.shape[0])]


def _with_constants(matrix: Sequence[Sequence[int]], constants: Sequence[int]) -> list[list[int]]:
    return [[*row, constant] for row, constant in zip(matrix, constants, strict=True)]


def _first_round(matrix: Matrix, constants: Matrix) -> list[list[int]]:
    """Return the first round's matrix for the inputs' lanes, with what lane 0 adds to each row."""
    capacity = pow(constants[0][0], 5, ORDER)
    added = [
        row[0] * capacity + constant for row, constant in zip(matrix, constants[1], strict=True)
    ]
    return _with_constants([row[1:] for row in matrix], [value % ORDER for value in added])
