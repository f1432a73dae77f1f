"""What a function gives, exactly and plainly: the twin of its circuit, over Python integers.

numpy does what ONNX means, on arrays of Python integers, which never overflow. Two operators
differ from ONNX, because nothing here is a fraction: `Div` and `ReduceMean` give the nearest
integer, halves upwards. `Cast` between numbers changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from circuits.functions.function import Entries, Function, integers
from provenance.errors import MalformedError
from provenance.replay import rounded


def function_values(function: Function, rows: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the row of integers that a function gives of `rows`.

    Args:
        function: From `function.read`, and accepted by `translation.translate`.
        rows: Signed fixed-point values: records with their label last, or one state.

    Raises:
        MalformedError: Rows of another size than the function takes.
    """
    taken = np.array([[int(v) for v in row] for row in rows], object)
    if taken.shape != function.shape:
        raise MalformedError(f"the function takes {function.shape}, not {taken.shape}")
    values: dict[str, Any] = {"": None, **function.constants, function.input: taken}
    for operation in function.operations:
        parts = [values[name] for name in operation.inputs]
        values[operation.output] = _MEANING[operation.operator](operation.attributes, *parts)
    return integers(values[function.output])


def _whole(found: Any) -> Entries:  # noqa: ANN401
    return np.asarray(found, object)


def _truth(found: Any) -> Entries:  # noqa: ANN401
    return np.asarray(found, bool)


def _nearest(value: Entries, divisor: int) -> Entries:
    return _whole(np.vectorize(lambda v: rounded(v, divisor), otypes=[object])(value))


def _gemm(named: Mapping[str, Any], left: Entries, right: Entries, more: Any = None) -> Entries:  # noqa: ANN401
    left = left.T if named.get("transA") else left
    right = right.T if named.get("transB") else right
    found = left @ right
    return _whole(found if more is None else found + more)


def _axes(named: Mapping[str, Any], value: Entries, axes: Any) -> tuple[int, ...]:  # noqa: ANN401
    chosen = axes if axes is not None else named.get("axes")
    return tuple(range(value.ndim)) if chosen is None else integers(chosen)


def _sum(named: Mapping[str, Any], value: Entries, axes: Any = None) -> Entries:  # noqa: ANN401
    along = _axes(named, value, axes)
    return _whole(np.sum(value, axis=along, keepdims=bool(named.get("keepdims", 1))))


def _mean(named: Mapping[str, Any], value: Entries, axes: Any = None) -> Entries:  # noqa: ANN401
    along = _axes(named, value, axes)
    count = int(np.prod([value.shape[axis] for axis in along], dtype=object))
    return _nearest(_sum(named, value, axes), count)


def _clip(_: Mapping[str, Any], value: Entries, low: Any = None, high: Any = None) -> Entries:  # noqa: ANN401
    above = value if low is None else np.maximum(value, low)
    return _whole(above if high is None else np.minimum(above, high))


def _slice(
    _: Mapping[str, Any],
    value: Entries,
    starts: Entries,
    ends: Entries,
    axes: Entries | None = None,
    steps: Entries | None = None,
) -> Entries:
    first, last = integers(starts), integers(ends)
    along = range(len(first)) if axes is None else integers(axes)
    by = [1] * len(first) if steps is None else integers(steps)
    where = [slice(None)] * value.ndim
    for axis, start, end, step in zip(along, first, last, by, strict=True):
        where[axis] = slice(start, end, step)
    return value[tuple(where)]


def _reshape(_: Mapping[str, Any], value: Entries, shape: Entries) -> Entries:
    sizes = integers(shape)
    return value.reshape([value.shape[i] if size == 0 else size for i, size in enumerate(sizes)])


def _transpose(named: Mapping[str, Any], value: Entries) -> Entries:
    return value.transpose(named.get("perm"))


def _squeeze(_: Mapping[str, Any], value: Entries, axes: Any = None) -> Entries:  # noqa: ANN401
    return value.squeeze(None if axes is None else integers(axes))


def _cast(named: Mapping[str, Any], value: Entries) -> Entries:
    return value if int(named["to"]) == 9 else _whole(value + 0)


def _fold(pick: Callable[..., Any]) -> Callable[..., Entries]:
    def folded(_: Mapping[str, Any], first: Entries, *others: Entries) -> Entries:
        for other in others:
            first = _whole(pick(first, other))
        return first

    return folded


def _plain(meaning: Callable[..., Any]) -> Callable[..., Entries]:
    return lambda _, *parts: _whole(meaning(*parts))


def _test(meaning: Callable[..., Any]) -> Callable[..., Entries]:
    return lambda _, *parts: _truth(meaning(*parts))


_MEANING: Final[Mapping[str, Callable[..., Entries]]] = {
    "Add": _plain(lambda a, b: a + b),
    "Sub": _plain(lambda a, b: a - b),
    "Mul": _plain(lambda a, b: a * b),
    "Neg": _plain(lambda a: -a),
    "Abs": _plain(abs),
    "Relu": _plain(lambda a: np.maximum(a, 0)),
    "Div": lambda _, a, b: _nearest(a, integers(b)[0]),
    "Max": _fold(np.maximum),
    "Min": _fold(np.minimum),
    "Clip": _clip,
    "Greater": _test(lambda a, b: a > b),
    "GreaterOrEqual": _test(lambda a, b: a >= b),
    "Less": _test(lambda a, b: a < b),
    "LessOrEqual": _test(lambda a, b: a <= b),
    "Equal": _test(lambda a, b: a == b),
    "Where": _plain(np.where),
    "MatMul": _plain(lambda a, b: a @ b),
    "Gemm": _gemm,
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "Concat": lambda named, *parts: np.concatenate(parts, axis=named["axis"]),
    "Slice": _slice,
    "Gather": lambda named, a, i: _whole(np.take(a, i.astype(int), axis=named.get("axis", 0))),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": lambda _, a, axes: np.expand_dims(a, integers(axes)),
    "Identity": lambda _, a: a,
    "Cast": _cast,
}
