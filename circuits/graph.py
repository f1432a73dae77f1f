"""A small language for circuits: matrices over the field, written down as an ONNX graph.

    graph = Graph()
    left, right = graph.private("left", 1, 4), graph.private("right", 1, 4)
    graph.publish(graph.multiply(left, right))

describes four products, made of eight private values, all four public. Every tensor is a matrix
(rows, lanes); its entries are field elements and ezkl computes modulo r, whatever ONNX says of
floats. A private value that follows from others is a *hint*: an honest prover computes it
(solve.py), and nothing is known of it until constrained.

Results leave in one of two ways, not both: `publish` makes entries public one by one; `commit`
makes public the hash of a row (`provenance.poseidon.ezkl_sponge`), a row each time.

What is easy to get wrong lives here:

- An ONNX literal is a float32, exact to 24 bits. A field constant is put together from 11 literals
  of 24 bits and the powers of 2**24, which grow from the private value `one`. `one` is the last
  public value, and whoever verifies checks that it is 1.
- A literal may be used once only, or ezkl demands that it be a bit. The front end shares equal
  literals and repeats a product whose result is sliced, so every literal is multiplied at once by
  something private, equal constants are made once, and only the result is handed out.
- The front end splits a product with a concatenation into many small ones, at several times the
  cost. A true reshape or transposition between them stops it: `stack` and `interleave` have one.
- Until keys are made, ezkl counts a slice of a private value or of a product as new cells.
- The front end drops what leads to no output, lookups too: whoever looks up uses the result.
- A width of one is split: a `Hash` of a single lane gets no keys; give it two.
- Many parts in one concatenation take the front end minutes: copy copies (`Arithmetic`'s filling).
- A lookup that fails makes ezkl's `prove` hang for ever: evaluate.py and `mock` come first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError, UnavailableError

LIMB_BITS: Final = 24
LIMBS: Final = 11
"""Limbs that hold any field element; a twelfth, always 0, fills the square that is transposed."""
_LIMB_ORDER: Final = (0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11)
ONE: Final = "one"
HINT: Final = "Hint"
PUBLIC: Final = "public"
OPSET: Final = 13
IR_VERSION: Final = 8
NO_ONNX: Final = "onnx is not installed: pip install 'rootline-provenance[zk]'"
_ATTRIBUTES: Final[dict[str, dict[str, Any]]] = {
    "Concat": {"axis": 1},
    "Transpose": {"perm": [1, 0]},
    "ReduceSum": {"keepdims": 1},
}

Rows = Sequence[Sequence[int]]
Matrix = NDArray[np.object_]
"""Python integers, (rows, lanes)."""
Compute = Callable[..., Matrix]
"""From the values of tensors, each 0 to r - 1, to the entries of a hint: any integers."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A matrix of field elements in the graph; `shape` is (rows, lanes)."""

    name: str
    shape: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph: an ONNX operator, or `HINT` with how to compute it."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    compute: Compute | None = None


class Graph:
    """A circuit under construction: private values, operations, public values."""

    def __init__(self) -> None:
        """Start with the private value `one`, the first that a witness lists."""
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.nodes: list[Node] = []
        self.literals: list[tuple[str, NDArray[np.generic]]] = []
        self._constants: dict[tuple[tuple[int, ...], ...], Tensor] = {}
        self.one = self.private(ONE, 1, 1)
        self._powers = self._grow()

    def private(self, name: str, rows: int, lanes: int) -> Tensor:
        """Return a matrix of private values; nothing is known of them until constrained."""
        if any(known.name == name for known in self.inputs):
            raise MalformedError(f"there is a private value {name!r} already")
        self.inputs.append(Tensor(name, (rows, lanes)))
        return self.inputs[-1]

    def hint(self, shape: tuple[int, int], compute: Compute, *parts: Tensor) -> Tensor:
        """Return private values that an honest prover computes from the values of `parts`."""
        made = self.private(f"hint_{len(self.inputs)}", *shape)
        names = tuple(tensor.name for tensor in parts)
        self.nodes.append(Node(HINT, names, made.name, compute))
        return made

    def look_up(self, value: Tensor) -> Tensor:
        """Return the same values, each now known to lie in the circuit's table (see Table).

        HardSwish is the identity from 3 upwards, and the table begins there.
        """
        return self._node("HardSwish", (value,), value.shape)

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of all entries, (1, 1)."""
        axes = self._stored(np.array([0, 1], np.int64))
        return self._node("ReduceSum", (value, axes), (1, 1))

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the sum, entry by entry."""
        return self._pairwise("Add", left, right)

    def subtract(self, left: Tensor, right: Tensor) -> Tensor:
        """Return left - right, entry by entry."""
        return self._pairwise("Sub", left, right)

    def multiply(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the product, entry by entry."""
        return self._pairwise("Mul", left, right)

    def fifth_power(self, value: Tensor) -> Tensor:
        """Return value**5, entry by entry: Poseidon's S-box."""
        square = self.multiply(value, value)
        return self.multiply(self.multiply(square, square), value)

    def apply(self, matrix: Tensor, value: Tensor) -> Tensor:
        """Return the matrix product, each entry one dot product."""
        if matrix.shape[1] != value.shape[0]:
            raise MalformedError(f"cannot multiply {matrix.shape} by {value.shape}")
        return self._node("MatMul", (matrix, value), (matrix.shape[0], value.shape[1]))

    def stack(self, *parts: Tensor) -> Tensor:
        """Return the parts one below the other."""
        rows, lanes = sum(part.shape[0] for part in parts), parts[0].shape[1]
        flat = self.join(*(self.reshape(p, 1, p.shape[0] * p.shape[1]) for p in parts))
        return self.reshape(flat, rows, lanes)

    def join(self, *parts: Tensor) -> Tensor:
        """Return the parts side by side."""
        rows = parts[0].shape[0]
        if any(part.shape[0] != rows for part in parts):
            raise MalformedError(f"cannot join {[part.shape for part in parts]}")
        lanes = sum(part.shape[1] for part in parts)
        return parts[0] if len(parts) == 1 else self._node("Concat", parts, (rows, lanes))

    def repeat(self, column: Tensor, lanes: int) -> Tensor:
        """Return a column in each of `lanes` lanes."""
        return self.join(*[column] * lanes)

    def interleave(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the row that takes an entry of each of two equal rows in turn.

        Unlike `join`, its result can stand on the left of `apply` without being split.
        """
        pairs = self.reshape(self.join(first, second), 2, first.shape[1])
        turned = self._node("Transpose", (pairs,), (first.shape[1], 2))
        return self.reshape(turned, 1, 2 * first.shape[1])

    def rows(self, value: Tensor, first: int, end: int) -> Tensor:
        """Return rows `first` to `end` - 1."""
        return self._slice(value, 0, first, end)

    def lanes(self, value: Tensor, first: int, end: int) -> Tensor:
        """Return lanes `first` to `end` - 1."""
        return self._slice(value, 1, first, end)

    def transpose(self, value: Tensor) -> Tensor:
        """Return the matrix with rows and lanes exchanged."""
        rows, lanes = value.shape
        if 1 in value.shape:
            return self.reshape(value, lanes, rows)
        return self._node("Transpose", (value,), (lanes, rows))

    def reshape(self, value: Tensor, rows: int, lanes: int) -> Tensor:
        """Return the same entries, row by row, in another shape."""
        if rows * lanes != value.shape[0] * value.shape[1]:
            raise MalformedError(f"cannot reshape {value.shape} to {(rows, lanes)}")
        if value.shape == (rows, lanes):
            return value
        shape = self._stored(np.array([rows, lanes], np.int64))
        return self._node("Reshape", (value, shape), (rows, lanes))

    def constants(self, rows: Rows) -> Tensor:
        """Return a matrix of any field elements; it costs the less, the fewer need 254 bits."""
        name = tuple(map(tuple, rows))
        if name not in self._constants:
            self._constants[name] = self._assembled(rows)
        return self._constants[name]

    def non_boolean(self, bits: Tensor) -> Tensor:
        """Return b * b - b for each entry: 0 exactly when b is 0 or 1."""
        return self.subtract(self.multiply(bits, bits), bits)

    def numbers(self, bits: Tensor, lowest: int = 0) -> Tensor:
        """Return, as a column, the number that each row of bits writes, lowest bit first.

        Args:
            bits: Up to 100 bits a row.
            lowest: The lowest bit is worth 2**lowest.
        """
        return self.apply(bits, self.constants([[2 ** (lowest + i)] for i in range(bits.shape[1])]))

    def publish(self, *parts: Tensor) -> None:
        """Make the entries of these matrices public in this order, and `one` after them."""
        self._output(PUBLIC, (*parts, self.one))

    def commit(self, *parts: Tensor) -> None:
        """Make public the hash of a row: the entries of these matrices in this order.

        The last row of a circuit ends with `one`.
        """
        self._output(f"committed_{len(self.outputs)}", parts)

    def onnx(self) -> bytes:
        """Return the graph as ONNX: the same bytes for the same graph.

        Raises:
            UnavailableError: The package onnx is not installed.
        """
        try:
            from onnx import TensorProto, helper, numpy_helper
        except ImportError as error:
            raise UnavailableError(NO_ONNX) from error
        inputs, outputs = (
            [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.shape) for t in tensors]
            for tensors in (self.inputs, self.outputs)
        )
        graph = helper.make_graph(
            nodes=[
                helper.make_node(
                    n.operator, n.inputs, [n.output], **_ATTRIBUTES.get(n.operator, {})
                )
                for n in self.nodes
                if n.operator != HINT
            ],
            name="rootline",
            inputs=inputs,
            outputs=outputs,
            initializer=[numpy_helper.from_array(array, name) for name, array in self.literals],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        encoded: bytes = model.SerializeToString(deterministic=True)
        return encoded

    def _output(self, name: str, parts: Sequence[Tensor]) -> None:
        row = self.join(*(self.reshape(p, 1, p.shape[0] * p.shape[1]) for p in parts))
        self.outputs.append(Tensor(name, row.shape))
        self.nodes.append(Node("Identity", (row.name,), name))

    def _assembled(self, rows: Rows) -> Tensor:
        shape = len(rows), len(rows[0])
        if all(map(_is_exact, chain(*rows))):
            ones = self.reshape(self.repeat(self.one, shape[0] * shape[1]), *shape)
            return self.multiply(self._literal(rows), ones)
        mask = 2**LIMB_BITS - 1
        limbs = [[value >> LIMB_BITS * i & mask for i in _LIMB_ORDER] for value in chain(*rows)]
        return self.reshape(self.apply(self._literal(limbs), self._powers), *shape)

    def _grow(self) -> Tensor:
        """Return the powers of 2**24 as a column, in the order of `_LIMB_ORDER`."""
        base = self.constants([[2**LIMB_BITS]])
        powers = [self.one]
        while len(powers) < LIMBS:
            powers.append(self.multiply(powers[-1], base))
        # Only a true transposition keeps the front end from splitting every product with this.
        square = self.reshape(self.join(*powers, self.one), 3, 4)
        return self.reshape(self._node("Transpose", (square,), (4, 3)), 12, 1)

    def _literal(self, rows: Rows) -> Tensor:
        """Return integers that float32 holds exactly, to be multiplied once by private values."""
        exact = np.array(rows, np.float32)
        if any(np.array_equal(exact, known) for _, known in self.literals):
            raise MalformedError(
                f"the constants {rows!r:.60} stand in the graph already; share them"
            )
        return self._stored(exact)

    def _pairwise(self, operator: str, left: Tensor, right: Tensor) -> Tensor:
        if left.shape != right.shape:
            raise MalformedError(f"{operator} of {left.shape} and {right.shape}")
        return self._node(operator, (left, right), left.shape)

    def _slice(self, value: Tensor, axis: int, first: int, end: int) -> Tensor:
        shape = list(value.shape)
        if not 0 <= first < end <= shape[axis]:
            raise MalformedError(f"no entries {first} to {end} along axis {axis} of {value.shape}")
        shape[axis] = end - first
        if shape == list(value.shape):
            return value
        bounds = [self._stored(np.array([number], np.int64)) for number in (first, end, axis)]
        return self._node("Slice", (value, *bounds), (shape[0], shape[1]))

    def _stored(self, array: NDArray[np.generic]) -> Tensor:
        self.literals.append((f"literal_{len(self.literals)}", array))
        rows, lanes = array.shape if array.ndim == 2 else (1, array.size)
        return Tensor(self.literals[-1][0], (rows, lanes))

    def _node(self, operator: str, inputs: Sequence[Tensor], shape: tuple[int, int]) -> Tensor:
        output = Tensor(f"value_{len(self.nodes)}", shape)
        names = tuple(tensor.name for tensor in inputs)
        self.nodes.append(Node(operator, names, output.name))
        return output


def _is_exact(value: int) -> bool:
    """Return whether float32 holds an integer exactly, and ezkl's 128-bit integers do too."""
    spare = max(0, value.bit_length() - LIMB_BITS)
    return 0 <= value < 2**100 and value >> spare << spare == value
