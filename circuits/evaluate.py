"""What a circuit's graph means: its public values over the field, computed exactly and slowly.

ezkl reads the same bytes and proves the same arithmetic; here nothing is compiled or proved. It
tells the public values that a witness leads to, honest or not, and so serves as the first check
before a proof and as the judge of forged witnesses in tests.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from circuits.graph import PUBLIC, Matrix
from circuits.table import LEAST
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import ORDER, FieldElement
from provenance.poseidon import ezkl_sponge

Outputs = tuple[tuple[FieldElement, ...], ...]
"""The entries of each output, in order: one row of public values, or rows to be hashed."""


def evaluate(
    onnx: bytes, witness: Mapping[str, Sequence[int]], most: int = 0
) -> tuple[FieldElement, ...]:
    """Return the public values that the private values `witness` lead to; see `outputs`."""
    return public_values(outputs(onnx, witness, most), hashed=is_hashed(onnx))


def public_values(found: Outputs, *, hashed: bool) -> tuple[FieldElement, ...]:
    """Return what a proof shows of a circuit's outputs: the hash of each, or the only one."""
    return tuple(map(ezkl_sponge, found)) if hashed else found[0]


def is_hashed(onnx: bytes) -> bool:
    """Return whether a circuit's outputs are committed to instead of shown."""
    return str(_load(onnx).output[0].name) != PUBLIC


def outputs(onnx: bytes, witness: Mapping[str, Sequence[int]], most: int = 0) -> Outputs:
    """Return the outputs that the private values `witness` lead to.

    Args:
        onnx: A circuit's graph.
        witness: The entries of each input, row by row; any integers, reduced modulo r.
        most: The last value of the circuit's table, for circuits that look values up.

    Raises:
        MalformedError: An input is missing, has another size, or the graph uses another operator.
        VerificationError: A value that is looked up is not in the table.
        UnavailableError: The package onnx is not installed.
    """
    graph = _load(onnx)
    values = _literals(graph)
    for tensor in graph.input:
        shape = [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
        entries = witness.get(tensor.name, ())
        if len(entries) != np.prod(shape):
            raise MalformedError(
                f"input {tensor.name} has {np.prod(shape)} entries, not {len(entries)}"
            )
        values[tensor.name] = np.array([v % ORDER for v in entries], object).reshape(shape)
    for node in graph.node:
        parts = [values[name] for name in node.input]
        values[node.output[0]] = apply(node.op_type, parts, most)
    found = (values[tensor.name].ravel() for tensor in graph.output)
    return tuple(tuple(FieldElement(int(v)) for v in row) for row in found)


def apply(operator: str, parts: Sequence[Any], most: int) -> Matrix:
    """Return what one operation makes of the values of its inputs.

    Raises:
        MalformedError: An operator that circuits do not use.
        VerificationError: A value that is looked up is not in the table.
    """
    if operator == "HardSwish":
        return _look_up(parts[0], most)
    if operator not in _OPERATIONS:
        raise MalformedError(f"operator {operator} has no meaning here")
    return _OPERATIONS[operator](*parts)


def exact(array: NDArray[Any]) -> Matrix:
    """Return a literal of float32 as Python integers; integers of shapes and bounds stay."""
    if array.dtype != np.float32:
        return array.astype(object)
    return np.array([int(v) for v in array.ravel().tolist()], object).reshape(array.shape)


def _load(onnx: bytes) -> Any:  # noqa: ANN401  # onnx has no types
    try:
        from onnx import load_model_from_string
    except ImportError as error:
        raise UnavailableError("onnx is missing: pip install rootline-provenance[zk]") from error
    return load_model_from_string(onnx).graph


def _literals(graph: Any) -> dict[str, Any]:  # noqa: ANN401  # onnx has no types
    from onnx import numpy_helper

    return {tensor.name: exact(numpy_helper.to_array(tensor)) for tensor in graph.initializer}


def _look_up(value: Matrix, most: int) -> Matrix:
    """Return the value unchanged; it may be secret, so the error does not tell it."""
    if not all(LEAST <= entry <= most for entry in value.ravel()):
        raise VerificationError(f"a value is outside the table of {LEAST} to {most}")
    return value


def _slice(value: Matrix, first: Matrix, end: Matrix, axis: Matrix) -> Matrix:
    where = slice(int(first[0]), int(end[0]))
    return value[where] if axis[0] == 0 else value[:, where]


_OPERATIONS: Final[dict[str, Callable[..., Matrix]]] = {
    "Add": lambda left, right: (left + right) % ORDER,
    "Sub": lambda left, right: (left - right) % ORDER,
    "Mul": lambda left, right: left * right % ORDER,
    "MatMul": lambda left, right: left @ right % ORDER,
    "Concat": lambda *parts: np.concatenate(parts, axis=1),
    "Reshape": lambda value, shape: value.reshape(tuple(shape)),
    "ReduceSum": lambda value, _: np.array([[value.sum() % ORDER]], object),
    "Slice": _slice,
    "Transpose": lambda value: value.T,
    "Identity": lambda value: value,
}
