"""What a circuit's graph means: its public values over the field, computed exactly and slowly.

ezkl reads the same bytes and proves the same arithmetic; here nothing is compiled or proved. It
tells the public values that a witness leads to, honest or not, and so serves as the first check
before a proof and as the judge of forged witnesses in tests.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from circuits.graph import PUBLIC
from provenance.errors import MalformedError, UnavailableError
from provenance.field import ORDER, FieldElement

Matrix = NDArray[np.object_]
Operation = Callable[[Sequence[Any], Mapping[str, int]], Matrix]


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
        inputs = [values[name] for name in node.input]
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        values[node.output[0]] = _OPERATIONS[node.op_type](inputs, attributes)
    return tuple(FieldElement(int(v)) for v in values[PUBLIC].ravel())


def _exact(array: NDArray[np.float32]) -> Matrix:
    return np.array([int(v) for v in array.ravel().tolist()], object).reshape(array.shape)


def _slice(inputs: Sequence[Any], _: Mapping[str, int]) -> Matrix:
    value, first, end, axis = inputs
    where = [slice(None)] * value.ndim
    where[int(axis[0])] = slice(int(first[0]), int(end[0]))
    found: Matrix = value[tuple(where)]
    return found


_OPERATIONS: dict[str, Operation] = {
    "Add": lambda inputs, _: (inputs[0] + inputs[1]) % ORDER,
    "Sub": lambda inputs, _: (inputs[0] - inputs[1]) % ORDER,
    "Mul": lambda inputs, _: inputs[0] * inputs[1] % ORDER,
    "MatMul": lambda inputs, _: inputs[0] @ inputs[1] % ORDER,
    "Concat": lambda inputs, attributes: np.concatenate(inputs, attributes["axis"]),
    "Reshape": lambda inputs, _: inputs[0].reshape(inputs[1]),
    "Slice": _slice,
    "Transpose": lambda inputs, _: inputs[0].T,
    "Identity": lambda inputs, _: inputs[0],
}
