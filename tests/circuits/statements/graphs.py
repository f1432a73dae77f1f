"""Random small functions, and a short way to write one down."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from onnx import helper

DOUBLE, INT64, BOOL = 11, 7, 9
SMALL = st.integers(-9, 9)
TESTS = ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")
Sizes = tuple[int, ...]


class Writer:
    """An ONNX graph under construction."""

    def __init__(self, rows: int, lanes: int, taken: str = "records") -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.taken, self.sizes = taken, (rows, lanes)

    def __call__(self, operator: str, *inputs: str, output: str = "", **named: Any) -> str:
        made = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [made], **named))
        return made

    def number(self, entries: Sequence[float], sizes: Sizes, kind: int = DOUBLE) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, kind, sizes, entries))
        return name

    def whole(self, *entries: int) -> str:
        return self.number(entries, (len(entries),), INT64)

    def model(self, output: str = "value", opset: int = 13) -> Any:
        graph = helper.make_graph(
            self.nodes,
            "function",
            [helper.make_tensor_value_info(self.taken, DOUBLE, self.sizes)],
            [helper.make_tensor_value_info(output, DOUBLE, None)],
            initializer=self.constants,
        )
        found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        found.ir_version = 8
        return found

    def onnx(self, output: str = "value", opset: int = 13) -> bytes:
        encoded: bytes = self.model(output, opset).SerializeToString()
        return encoded


@dataclass(frozen=True)
class Drawn:
    """A random function, its input, and whether float64 computes it exactly."""

    onnx: bytes
    rows: list[list[int]]
    exact: bool


@st.composite
def functions(draw: st.DrawFn) -> Drawn:
    """Return a function of up to six random operators over a small matrix."""
    rows, lanes = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    write = Writer(rows, lanes)
    sizes: Sizes = (rows, lanes)
    name, exact, squared = "records", True, False
    for _ in range(draw(st.integers(1, 6))):
        step = draw(st.sampled_from(STEPS))
        if step is _product_of_two and squared:
            continue
        squared = squared or step is _product_of_two
        exact = exact and step not in (_quotient, _mean)
        name, sizes = step(draw, write, name, sizes)
    write("Reshape", name, write.whole(1, -1), output="value")
    numbers = st.lists(st.integers(-200, 200), min_size=lanes, max_size=lanes)
    taken = draw(st.lists(numbers, min_size=rows, max_size=rows))
    return Drawn(write.onnx(), taken, exact)


Made = tuple[str, Sizes]


def _partner(draw: st.DrawFn, write: Writer, sizes: Sizes) -> str:
    rows, lanes = sizes
    shape = draw(st.sampled_from([(1, 1), (1, lanes), (rows, 1), sizes, (), (lanes,)]))
    count = 1
    for size in shape:
        count *= size
    return write.number(draw(st.lists(SMALL, min_size=count, max_size=count)), shape)


def _single(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    operator = draw(st.sampled_from(["Neg", "Abs", "Relu", "Identity"]))
    return write(operator, name), sizes


def _pair(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    operator = draw(st.sampled_from(["Add", "Sub", "Mul", "Max", "Min"]))
    names = [name, _partner(draw, write, sizes)]
    return write(operator, *(names if draw(st.booleans()) else names[::-1])), sizes


def _product_of_two(_: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    return write("Mul", name, name), sizes


def _test(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    truth = write(draw(st.sampled_from(TESTS)), name, _partner(draw, write, sizes))
    if draw(st.booleans()):
        return write("Cast", truth, to=DOUBLE), sizes
    return write("Where", truth, name, _partner(draw, write, sizes)), sizes


def _quotient(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    return write("Div", name, write.number([draw(st.integers(1, 40))], (1,))), sizes


def _clip(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    ends = [write.number([draw(SMALL)], ()) if draw(st.booleans()) else "" for _ in range(2)]
    return write("Clip", name, *ends), sizes


def _sum(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    axes = draw(st.sampled_from([(0,), (1,), (0, 1), (-1,)]))
    kept = tuple(1 if i in [a % 2 for a in axes] else n for i, n in enumerate(sizes))
    return write("ReduceSum", name, write.whole(*axes), keepdims=1), kept


def _mean(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    axis = draw(st.integers(0, 1))
    flat = write("ReduceMean", name, axes=[axis], keepdims=0)
    kept = (1, sizes[1]) if axis == 0 else (sizes[0], 1)
    return write("Unsqueeze", flat, write.whole(axis)), kept


def _product(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    lanes, turned = draw(st.integers(1, 3)), draw(st.booleans())
    count = sizes[1] * lanes
    entries = draw(st.lists(SMALL, min_size=count, max_size=count))
    if not turned:
        return write("MatMul", name, write.number(entries, (sizes[1], lanes))), (sizes[0], lanes)
    matrix = write.number(entries, (lanes, sizes[1]))
    added = write.number(draw(st.lists(SMALL, min_size=lanes, max_size=lanes)), (lanes,))
    return write("Gemm", name, matrix, added, transB=1), (sizes[0], lanes)


def _slice(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    axis = draw(st.integers(0, 1))
    first, step = draw(st.integers(0, sizes[axis] - 1)), draw(st.sampled_from([1, 2]))
    bounds = (write.whole(n) for n in (first, 99, axis - 2, step))
    kept = list(sizes)
    kept[axis] = len(range(first, sizes[axis], step))
    return write("Slice", name, *bounds), tuple(kept)


def _gather(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    axis = draw(st.integers(0, 1))
    size = sizes[axis]
    places = draw(st.lists(st.integers(-size, size - 1), min_size=1, max_size=3))
    kept = list(sizes)
    kept[axis] = len(places)
    return write("Gather", name, write.whole(*places), axis=axis), tuple(kept)


def _turned(_: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    return write("Transpose", name, perm=[1, 0]), sizes[::-1]


def _doubled(draw: st.DrawFn, write: Writer, name: str, sizes: Sizes) -> Made:
    axis = draw(st.integers(0, 1))
    kept = list(sizes)
    kept[axis] *= 2
    return write("Concat", name, name, axis=axis), tuple(kept)


STEPS = (
    *(_single, _pair, _pair, _product_of_two, _test, _test, _quotient, _clip, _sum, _mean),
    *(_product, _slice, _gather, _turned, _doubled),
)
