"""What a circuit's graph means: its public values over the field, computed exactly and slowly.

ezkl reads the same bytes and proves the same arithmetic; here nothing is compiled or proved. It
tells the public values that a witness leads to, honest or not, and so serves as the first check
before a proof and as the judge of forged witnesses in tests.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from circuits.graph import PUBLIC
from provenance.errors import MalformedError, UnavailableError
from provenance.field import ORDER, FieldElement

Matrix = NDArray[np.object_]


def evaluate(onnx: bytes, witness: Mapping[str, Sequence[int]]) -> tuple[FieldElement, ...]:
    """Return the public values that the private values `witness` lead to.

    Args:
        onnx: A circuit's graph.
        witness: The entries of each input, row by row; any integers, reduced modulo r.

    Raises:
        MalformedError: An input is missing, has another size, or the graph uses another operator.
        UnavailableError: The package onnx is not installed.
    """
    try:
        from onnx import load_model_from_string, numpy_helper
    except ImportError as error:
        raise UnavailableError("onnx is missing: pip install rootline-provenance[zk]") from error
    graph = load_model_from_string(onnx).graph
    values: dict[str, Any] = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    values = {
        name: _exact(array) if array.dtype == np.float32 else array
        for name, array in values.items()
    }
    for tensor in graph.input:
        shape = [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
        entries = witness.get(tensor.name, ())
        if len(entries) != np.prod(shape):
            raise MalformedError(
                f"input {tensor.name} has {np.prod(shape)} entries, not {len(entries)}"
            )
        values[tensor.name] = np.array([v % ORDER for v in entries], object).reshape(shape)
    for node in graph.node:
        if node.op_type not in _OPERATIONS:
            raise MalformedError(f"operator {node.op_type} has no meaning here")
        values[node.output[0]] = _OPERATIONS[node.op_type](*(values[name] for name in node.input))
    return tuple(FieldElement(int(v)) for v in values[PUBLIC].ravel())


def _exact(array: NDArray[np.float32]) -> Matrix:
    return np.array([int(v) for v in array.ravel().tolist()], object).reshape(array.shape)


def _slice(value: Matrix, first: Matrix, end: Matrix, axis: Matrix) -> Matrix:
    where = slice(int(first[0]), int(end[0]))
    return value[where] if axis[0] == 0 else value[:, where]


_OPERATIONS: Final[dict[str, Callable[..., Matrix]]] = {
    "Add": lambda left, right: (left + right) % ORDER,
    "Sub": lambda left, right: (left - right) % ORDER,
    "Mul": lambda left, right: left * right % ORDER,
    "MatMul": lambda left, right: left @ right % ORDER,
    "Concat": lambda *parts: np.concatenate(parts, axis=1),
    "Reshape": lambda value, shape: value.reshape(shape),
    "Slice": _slice,
    "Transpose": lambda value: value.T,
    "Identity": lambda value: value,
}
