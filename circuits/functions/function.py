"""A function that somebody brings as ONNX: read within bounds, and nothing of it taken on trust.

    function = read(onnx_bytes)
    function.input, function.shape                    "records", (64, 31)
    [operation.operator for operation in function.operations]

A function takes one matrix of integers, `records` (rows, fields) or `state` (1, weights), and gives
one row of integers (1, n). Here its nodes become plain values: names, attributes, constants. What
they mean is said twice: by translation.py for the circuit, and by values.py, plainly.
Only what both know how to read passes; anything else is refused with the name of its node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from circuits.graph import NO_ONNX
from provenance import canonical
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest

MAX_BYTES: Final = 2**20
MAX_OPERATIONS: Final = 256
MAX_ENTRIES: Final = 2**16
"""Entries of one matrix: of the input, a constant or a value."""
OPSETS: Final = range(13, 22)
RECORDS: Final = "records"
STATE: Final = "state"

Entries = NDArray[Any]
"""Python integers (object), or truth values (bool)."""
Attribute = int | float | tuple[int, ...] | tuple[float, ...] | Entries

_NUMBERS: Final = {1: "FLOAT", 11: "DOUBLE", 6: "INT32", 7: "INT64"}
_BOOL: Final = 9
TYPES: Final = frozenset({*_NUMBERS, _BOOL})
_INT, _FLOAT, _TENSOR, _FLOATS, _INTS = 2, 1, 4, 6, 7

ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Neg", "Abs", "Relu", "MatMul"), frozenset()),
    **dict.fromkeys(("Max", "Min", "Clip", "Where", "Identity", "Slice"), frozenset()),
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal"), frozenset()),
    **dict.fromkeys(("Squeeze", "Unsqueeze"), frozenset()),
    "Gemm": frozenset({"alpha", "beta", "transA", "transB"}),
    "ReduceSum": frozenset({"keepdims", "noop_with_empty_axes"}),
    "ReduceMean": frozenset({"axes", "keepdims", "noop_with_empty_axes"}),
    "Cast": frozenset({"to", "saturate"}),
    "Concat": frozenset({"axis"}),
    "Gather": frozenset({"axis"}),
    "Reshape": frozenset({"allowzero"}),
    "Transpose": frozenset({"perm"}),
    "Constant": frozenset({"value", "value_int", "value_ints", "value_float", "value_floats"}),
}
"""Every operator that a function may use, and the attributes that are understood."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One node: what it does, of which values, and how errors name it."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Attribute]
    label: str

    def refuse(self, why: str) -> MalformedError:
        """Return the error that this node is not understood."""
        return MalformedError(f"function, {self.label}: {why}")


@dataclass(frozen=True, slots=True)
class Function:
    """A function as plain values.

    Attributes:
        digest: SHA-256 of its ONNX bytes: what a statement names it by.
        input: `records` or `state`.
        shape: Rows and lanes of the input.
        constants: By name, of rank 0 to 2.
        operations: In an order in which each finds its inputs.
        output: Name of the value that is shown.
    """

    digest: Digest
    input: str
    shape: tuple[int, int]
    constants: Mapping[str, Entries] = field(repr=False)
    operations: tuple[Operation, ...] = field(repr=False)
    output: str


def read(data: bytes) -> Function:
    """Return the function that ONNX bytes hold.

    Raises:
        MalformedError: Too long, no ONNX, or something in it that is not understood.
        UnavailableError: The package onnx is not installed.
    """
    if len(data) > MAX_BYTES:
        raise MalformedError(f"function: at most {MAX_BYTES} bytes, not {len(data)}")
    graph = _graph(data)
    name, shape = _input(graph)
    constants = {tensor.name: _entries(tensor) for tensor in graph.initializer}
    known = {name, *constants}
    if len(known) != 1 + len(graph.initializer):
        raise MalformedError("function: two initialisers, or one and the input, share a name")
    operations = []
    for number, node in enumerate(graph.node):
        operation = _operation(node, number, known)
        known.add(operation.output)
        if operation.operator == "Constant":
            constants[operation.output] = _constant(operation)
        else:
            operations.append(operation)
    if len(graph.output) != 1 or graph.output[0].name not in known:
        raise MalformedError("function: it must have one output, and compute it")
    output = graph.output[0].name
    return Function(canonical.digest(data), name, shape, constants, tuple(operations), output)


def _graph(data: bytes) -> Any:  # noqa: ANN401  # onnx has no types
    try:
        from google.protobuf.message import DecodeError
        from onnx import load_model_from_string
    except ImportError as error:
        raise UnavailableError(NO_ONNX) from error
    try:
        model = load_model_from_string(data)
    except DecodeError as error:
        raise MalformedError("function: these bytes are no ONNX model") from error
    opsets = [opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    if len(opsets) != 1 or opsets[0] not in OPSETS:
        raise MalformedError(f"function: opset {OPSETS[0]} to {OPSETS[-1]}, not {opsets}")
    graph = model.graph
    if model.functions or model.training_info or graph.sparse_initializer:
        raise MalformedError("function: functions, training and sparse tensors are not understood")
    if not 0 < len(graph.node) <= MAX_OPERATIONS:
        raise MalformedError(f"function: 1 to {MAX_OPERATIONS} nodes, not {len(graph.node)}")
    return graph


def _input(graph: Any) -> tuple[str, tuple[int, int]]:  # noqa: ANN401
    if len(graph.input) != 1 or graph.input[0].name not in (RECORDS, STATE):
        raise MalformedError(f"function: one input, named {RECORDS!r} or {STATE!r}")
    name, tensor = graph.input[0].name, graph.input[0].type.tensor_type
    if tensor.elem_type not in _NUMBERS:
        raise MalformedError(f"function: {name} must be of {', '.join(_NUMBERS.values())}")
    shape = [dim.dim_value for dim in tensor.shape.dim]
    if len(shape) != 2 or min(shape) < 1 or shape[0] * shape[1] > MAX_ENTRIES:
        raise MalformedError(f"function: {name} needs two fixed sizes, not {shape}")
    if name == STATE and shape[0] != 1:
        raise MalformedError(f"function: {name} has one row, not {shape[0]}")
    return name, (shape[0], shape[1])


def _operation(node: Any, number: int, known: set[str]) -> Operation:  # noqa: ANN401
    texts = (node.op_type, node.name, node.domain, *node.input, *node.output)
    if not all(isinstance(text, str) for text in texts):
        raise MalformedError(f"function, node {number}: a name is no valid text")
    label = f"node {node.name or number!r:.60} ({node.op_type:.30})"
    inputs = tuple(node.input)
    while inputs and not inputs[-1]:  # an optional input left out
        inputs = inputs[:-1]
    plain = Operation(node.op_type, inputs, "", {}, label)
    if node.op_type not in ATTRIBUTES or node.domain not in ("", "ai.onnx"):
        raise plain.refuse("no operator that functions may use")
    if len(node.output) != 1 or not node.output[0] or node.output[0] in known:
        raise plain.refuse("it must have one output, with a name of its own")
    missing = [name for name in inputs if name and name not in known]
    if missing:
        raise plain.refuse(f"{missing[0]!r:.60} is not known there")
    attributes = {each.name: _attribute(each, plain) for each in node.attribute}
    unknown = sorted(attributes.keys() - ATTRIBUTES[node.op_type])
    if unknown or len(attributes) != len(node.attribute):
        raise plain.refuse(f"attributes {unknown!r:.60} are not understood, or given twice")
    wrong = [name for name, value in attributes.items() if not _is_typed(name, value)]
    if wrong:
        raise plain.refuse(f"attribute {wrong[0]!r:.60} is of another type than it should be")
    return Operation(node.op_type, inputs, node.output[0], attributes, label)


def _is_typed(name: str, value: Attribute) -> bool:
    """Return whether an attribute has its type: one integer, unless its name says otherwise."""
    if name in ("axes", "perm", "value_ints"):
        return isinstance(value, tuple) and all(isinstance(entry, int) for entry in value)
    if name in ("alpha", "beta", "value_float"):
        return isinstance(value, float)
    if name == "value_floats":
        return isinstance(value, tuple) and all(isinstance(entry, float) for entry in value)
    return isinstance(value, np.ndarray if name == "value" else int)


def _attribute(found: Any, where: Operation) -> Attribute:  # noqa: ANN401
    if found.type == _INT:
        return int(found.i)
    if found.type == _FLOAT:
        return float(found.f)
    if found.type == _INTS:
        return tuple(found.ints)
    if found.type == _FLOATS:
        return tuple(found.floats)
    if found.type == _TENSOR:
        return _entries(found.t)
    raise where.refuse(f"attribute {found.name!r:.60} is of no type that is understood")


def _constant(operation: Operation) -> Entries:
    if operation.inputs or len(operation.attributes) != 1:
        raise operation.refuse("a constant has one value")
    (value,) = operation.attributes.values()
    return value if isinstance(value, np.ndarray) else _integral(np.array(value), operation.output)


def _entries(tensor: Any) -> Entries:  # noqa: ANN401
    """Return a stored tensor's entries; one whose data lie in another file is refused unread."""
    from onnx import numpy_helper

    name = f"constant {tensor.name!r:.60}"
    if tensor.data_location or tensor.external_data or tensor.HasField("segment"):
        raise MalformedError(f"function, {name}: its data must stand in the function itself")
    if tensor.data_type not in TYPES or len(tensor.dims) > 2:
        raise MalformedError(f"function, {name}: numbers or truth values of rank 0 to 2")
    if not 0 < np.prod([1, *map(int, tensor.dims)], dtype=object) <= MAX_ENTRIES:
        raise MalformedError(f"function, {name}: 1 to {MAX_ENTRIES} entries")
    try:
        return _integral(numpy_helper.to_array(tensor), tensor.name)
    except (ValueError, TypeError) as error:
        raise MalformedError(f"function, {name}: sizes and data do not fit") from error


def _integral(array: Entries, name: str) -> Entries:
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.round(array))).all():
        raise MalformedError(f"function, constant {name!r:.60}: only integers, scale them first")
    whole: Entries = np.array([int(v) for v in array.ravel().tolist()], object)
    return whole.reshape(array.shape)


def integers(value: Attribute | Sequence[int]) -> tuple[int, ...]:
    """Return a constant's or an attribute's entries as a list of integers."""
    if isinstance(value, np.ndarray):
        return tuple(int(entry) for entry in value.ravel())
    return tuple(map(int, value)) if isinstance(value, Sequence) else (int(value),)
