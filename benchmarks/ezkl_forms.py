"""One step of SGD as a user of ezkl would write it: the peers of our step circuits.

Floats at scale 2**10, the gradient divided by an integer, inputs and outputs `hashed` by ezkl's
Poseidon or committed to by KZG (`polycommit`). Their statements are weaker than ours: one hash of
the whole batch instead of one a record, no range of anything hashed, quotients up to one unit off.

    network(Step(64, 32))             w' = w - Xt (X w - y) / (rows * 8)
    network(Step(64, 32, 16, 4))      W1, W2 of a hidden layer with relu, squared error
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SCALE: Final = 10
INVERSE_RATE: Final = 8
Values = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a linear model, or of one with a hidden layer if `hidden` is not 0."""

    rows: int
    features: int
    hidden: int = 0
    outputs: int = 1

    def values(self) -> Values:
        """Return weights and a batch, from a seed."""
        source = np.random.default_rng(0)
        inputs = source.normal(size=(self.rows, self.features)).clip(-3, 3)
        if not self.hidden:
            weights = source.normal(size=(self.features, 1)) / np.sqrt(self.features)
            return {"w": weights, "x": inputs, "y": inputs @ weights[::-1]}
        labels = np.eye(self.outputs)[source.integers(0, self.outputs, self.rows)]
        first = source.normal(size=(self.features, self.hidden)) / np.sqrt(self.features)
        second = source.normal(size=(self.hidden, self.outputs)) / np.sqrt(self.hidden)
        return {"v": first, "w": second, "x": inputs, "y": labels}


@dataclass(frozen=True, slots=True)
class Form:
    """A step under one visibility, in the fewest rows that ezkl's own count allows."""

    step: Step
    visibility: str
    logrows: int

    @property
    def arguments(self) -> dict[str, object]:
        """All that ezkl is told."""
        return {
            "input_scale": SCALE,
            "param_scale": SCALE,
            "scale_rebase_multiplier": 1,
            "input_visibility": self.visibility,
            "output_visibility": self.visibility,
            "param_visibility": "fixed",
            "num_inner_cols": 2,
            "decomp_base": 1024,
            "decomp_legs": 4,
            "logrows": self.logrows,
        }


LINEAR: Final = Step(64, 32)
SMALL: Final = Step(16, 8)
HIDDEN: Final = Step(64, 32, 16, 4)
FORMS: Final = {
    "linear 64x32, hashed": Form(LINEAR, "hashed", 17),
    "linear 64x32, polycommit": Form(LINEAR, "polycommit", 15),
    "linear 16x8, hashed": Form(SMALL, "hashed", 13),
    "linear 16x8, polycommit": Form(SMALL, "polycommit", 12),
    "MLP 32-16-4, batch 64, hashed": Form(HIDDEN, "hashed", 18),
}
LARGE: Final = "MLP 32-16-4, batch 64, hashed"
"""Takes some 8 GB and several minutes."""


class _Graph:
    """ONNX nodes under construction."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.literals: list[Any] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401
        from onnx import helper

        output = f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def literal(self, value: float) -> str:
        from onnx import numpy_helper

        name = f"literal_{len(self.literals)}"
        array = np.full((1, 1), value, np.float32)
        self.literals.append(numpy_helper.from_array(array, name))
        return name

    def moved(self, weights: str, gradient: str, rows: int) -> str:
        change = self.op("Div", gradient, self.literal(rows * INVERSE_RATE))
        return self.op("Sub", weights, change)

    def transposed(self, value: str) -> str:
        return self.op("Transpose", value, perm=[1, 0])


def network(step: Step) -> bytes:
    """Return the ONNX of a step; its outputs are the weights after it."""
    from onnx import TensorProto, helper

    graph = _Graph()
    moved = _hidden(graph, step) if step.hidden else _linear(graph, step)
    values = step.values()
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
        for name, array in values.items()
    ]
    outputs = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, values[name].shape)
        for name, output in moved.items()
    ]
    made = helper.make_graph(graph.nodes, "step", inputs, outputs, graph.literals)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    encoded: bytes = model.SerializeToString(deterministic=True)
    return encoded


def _linear(graph: _Graph, step: Step) -> dict[str, str]:
    error = graph.op("Sub", graph.op("MatMul", "x", "w"), "y")
    return {"w": graph.moved("w", graph.op("MatMul", graph.transposed("x"), error), step.rows)}


def _hidden(graph: _Graph, step: Step) -> dict[str, str]:
    from onnx import TensorProto

    before = graph.op("MatMul", "x", "v")
    after = graph.op("Relu", before)
    error = graph.op("Sub", graph.op("MatMul", after, "w"), "y")
    second = graph.op("MatMul", graph.transposed(after), error)
    active = graph.op("Cast", graph.op("Greater", before, graph.literal(0)), to=TensorProto.FLOAT)
    back = graph.op("Mul", graph.op("MatMul", error, graph.transposed("w")), active)
    first = graph.op("MatMul", graph.transposed("x"), back)
    return {"v": graph.moved("v", first, step.rows), "w": graph.moved("w", second, step.rows)}


def write(form: Form, folder: Path) -> None:
    """Write a form's network, arguments and input into a folder."""
    import json

    (folder / "network.onnx").write_bytes(network(form.step))
    (folder / "arguments.json").write_text(json.dumps(form.arguments))
    data = [array.ravel().tolist() for array in form.step.values().values()]
    (folder / "input.json").write_text(json.dumps({"input_data": data}))
