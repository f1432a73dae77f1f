"""Functions to start from, built with onnx alone: each asks a question that auditors ask.

    function = mean_of_field(rows=64, fields=31, field=2)
    circuit(property_shape(read(function)).name, function)

They work on the digits' signed values, so a constant that is compared with a field must be at that
field's scale. Whoever relies on a value reads the function that it is named by; those here are
short.
"""

from collections.abc import Sequence
from typing import Any, Final

from circuits.functions.function import RECORDS, STATE
from circuits.graph import IR_VERSION, NO_ONNX, OPSET
from provenance.errors import UnavailableError

VALUE: Final = "value"
_DOUBLE, _INT64 = 11, 7


def mean_of_field(rows: int, fields: int, field: int) -> bytes:
    """Return the function: the mean of a field, to the nearest integer of its scale."""
    build = _Builder(RECORDS, rows, fields)
    build("ReduceMean", build.column(field), axes=[0], output=VALUE)
    return build.onnx(1)


def histogram(rows: int, fields: int, field: int, edges: Sequence[int]) -> bytes:
    """Return the function: how many records lie below the first edge, between edges, above all.

    A record that lies on an edge counts above it. There is one count more than edges.
    """
    build = _Builder(RECORDS, rows, fields)
    reached = build("GreaterOrEqual", build.column(field), build.numbers([list(edges)]))
    counts = build("ReduceSum", build.number(reached), build.whole([0]), keepdims=1)
    all_rows, none = build.numbers([[rows]]), build.numbers([[0]])
    at_least = build("Concat", all_rows, counts, axis=1)
    beyond = build("Concat", counts, none, axis=1)
    build("Sub", at_least, beyond, output=VALUE)
    return build.onnx(len(edges) + 1)


def share_of_code(rows: int, fields: int, field: int, code: int) -> bytes:
    """Return the function: how many records have this code, such as a licence's, in a field."""
    build = _Builder(RECORDS, rows, fields)
    found = build("Equal", build.column(field), build.numbers([[code]]))
    build("ReduceSum", build.number(found), build.whole([0]), keepdims=1, output=VALUE)
    return build.onnx(1)


def fairness_counts(rows: int, fields: int, group: int, outcome: int) -> bytes:
    """Return the function: members and positives of group 1, then of all the others.

    Args:
        rows: How many records.
        fields: Digits of a record, the label's included.
        group: Field that is 1 in the group and another number elsewhere.
        outcome: Field that is above 0 where the outcome is positive.
    """
    build = _Builder(RECORDS, rows, fields)
    inside = build.number(build("Equal", build.column(group), build.numbers([[1]])))
    outside = build("Sub", build.numbers([[1]]), inside)
    good = build.number(build("Greater", build.column(outcome), build.numbers([[0]])))
    both = [build("Mul", each, good) for each in (inside, outside)]
    table = build("Concat", inside, both[0], outside, both[1], axis=1)
    build("ReduceSum", table, build.whole([0]), keepdims=1, output=VALUE)
    return build.onnx(4)


def fairness_gap(rows: int, fields: int, group: int, outcome: int, members: int) -> bytes:
    """Return the function: 1000 times the difference of two positive rates, and the group's size.

    The group's size is a constant of the function, because nothing but a constant divides; the
    value shows the true size too, and the first number means what it says only if they agree.
    """
    build = _Builder(RECORDS, rows, fields)
    inside = build.number(build("Equal", build.column(group), build.numbers([[1]])))
    good = build.number(build("Greater", build.column(outcome), build.numbers([[0]])))
    both = build("Mul", inside, good)
    table = build("Concat", inside, both, good, axis=1)
    sums = build("ReduceSum", table, build.whole([0]), keepdims=1)
    size, positive, every = (build.cut(sums, i) for i in range(3))
    others = build("Sub", every, positive)
    # positive / members - others / (rows - members), over the common denominator.
    left = build("Mul", positive, build.numbers([[1000 * (rows - members)]]))
    right = build("Mul", others, build.numbers([[1000 * members]]))
    common = build.numbers([[members * (rows - members)]])
    gap = build("Div", build("Sub", left, right), common)
    build("Concat", gap, size, axis=1, output=VALUE)
    return build.onnx(2)


def sum_of_squares(weights: int) -> bytes:
    """Return the function: the square of a state's norm, at the square of its scale."""
    build = _Builder(STATE, 1, weights)
    squares = build("Mul", STATE, STATE)
    build("ReduceSum", squares, build.whole([1]), keepdims=1, output=VALUE)
    return build.onnx(1)


class _Builder:
    """An ONNX graph under construction; calling it adds a node and returns the node's output."""

    def __init__(self, taken: str, rows: int, lanes: int) -> None:
        try:
            from onnx import helper
        except ImportError as error:
            raise UnavailableError(NO_ONNX) from error
        self._helper: Any = helper
        self._taken, self._shape = taken, (rows, lanes)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def __call__(self, operator: str, *inputs: str, output: str = "", **named: Any) -> str:  # noqa: ANN401
        made = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(operator, inputs, [made], name=made, **named))
        return made

    def numbers(self, rows: Sequence[Sequence[int]]) -> str:
        """Return a constant matrix."""
        entries = [float(value) for row in rows for value in row]
        return self._constant(_DOUBLE, [len(rows), len(rows[0])], entries)

    def whole(self, entries: Sequence[int]) -> str:
        """Return a constant list: axes, bounds."""
        return self._constant(_INT64, [len(entries)], entries)

    def column(self, field: int) -> str:
        """Return one field of all records."""
        return self.cut(RECORDS, field)

    def cut(self, value: str, lane: int) -> str:
        """Return one lane of a value."""
        return self("Slice", value, self.whole([lane]), self.whole([lane + 1]), self.whole([1]))

    def number(self, truth: str) -> str:
        """Return truth values as 0 and 1."""
        return self("Cast", truth, to=_DOUBLE)

    def onnx(self, width: int) -> bytes:
        """Return the graph's bytes; its value is a row of `width` integers."""
        helper = self._helper
        taken = helper.make_tensor_value_info(self._taken, _DOUBLE, self._shape)
        given = helper.make_tensor_value_info(VALUE, _DOUBLE, [1, width])
        graph = helper.make_graph(
            self._nodes, "function", [taken], [given], initializer=self._constants
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        encoded: bytes = model.SerializeToString(deterministic=True)
        return encoded

    def _constant(self, kind: int, sizes: Sequence[int], entries: Sequence[float]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._helper.make_tensor(name, kind, sizes, entries))
        return name
