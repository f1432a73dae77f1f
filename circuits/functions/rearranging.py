"""What a function's operators that only move entries mean in a circuit: none adds a constraint."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

import numpy as np

from circuits.functions.function import Operation, integers
from circuits.functions.translation import Meaning, Translation, Value, matrix
from circuits.integers import Arithmetic, Integers


def concat(translation: Translation, operation: Operation) -> Value:
    """Return values side by side along an axis."""
    parts = [translation.value(operation, name) for name in operation.inputs]
    ranks, kinds = {len(p.shape) for p in parts}, {p.boolean for p in parts}
    if len(ranks) != 1 or ranks == {0} or len(kinds) != 1:
        raise operation.refuse("its inputs must have one rank, 1 or 2, and one type")
    (rank,), (boolean,) = ranks, kinds
    axis = range(rank)[int(operation.attributes["axis"])]  # type: ignore[arg-type]
    if len({p.shape[:axis] + p.shape[axis + 1 :] for p in parts}) != 1:
        raise operation.refuse(f"shapes {[p.shape for p in parts]} do not fit")
    shape = list(parts[0].shape)
    shape[axis] = sum(p.shape[axis] for p in parts)
    translation.spend(operation, prod(shape))
    together = _together(translation.arithmetic, axis + 2 - rank, [p.integers for p in parts])
    return Value(together, tuple(shape), boolean)


def cut(translation: Translation, operation: Operation) -> Value:
    """Return the entries from starts to ends along axes, with steps."""
    value = translation.value(operation, operation.inputs[0])
    if not 3 <= len(operation.inputs) <= 5:
        raise operation.refuse("it takes starts and ends, perhaps axes and steps")
    lists = [
        integers(translation.constant(operation, place)) if operation.inputs[place] else ()
        for place in range(1, len(operation.inputs))
    ]
    starts, ends, axes, steps = (*lists, (), ())[:4]
    axes, steps = axes or tuple(range(len(starts))), steps or (1,) * len(starts)
    if len({range(len(value.shape))[axis] for axis in axes}) != len(axes):
        raise operation.refuse("an axis is given twice")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        along = range(len(value.shape))[axis]
        chosen = range(value.shape[along])[start:end:step]
        value = _picked(translation, operation, value, along, tuple(chosen))
    return value


def gather(translation: Translation, operation: Operation) -> Value:
    """Return the entries at constant places along an axis."""
    name, _ = operation.inputs
    value, places = translation.value(operation, name), translation.constant(operation, 1)
    axis = range(len(value.shape))[int(operation.attributes.get("axis", 0))]  # type: ignore[arg-type]
    size = value.shape[axis]
    picked = _picked(
        translation, operation, value, axis, tuple(range(size)[i] for i in integers(places))
    )
    shape = value.shape[:axis] + places.shape + value.shape[axis + 1 :]
    return _reshaped(translation, operation, picked, shape)


def reshape(translation: Translation, operation: Operation) -> Value:
    """Return the same entries in another shape; 0 keeps a size, -1 is what is left."""
    name, _ = operation.inputs
    value, asked = translation.value(operation, name), integers(translation.constant(operation, 1))
    if operation.attributes.get("allowzero", 0):
        raise operation.refuse("allowzero must be 0")
    shape = [value.shape[i] if size == 0 else size for i, size in enumerate(asked)]
    if shape.count(-1) == 1:
        rest = prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = prod(value.shape) // rest
    return _reshaped(translation, operation, value, tuple(shape))


def squeeze(translation: Translation, operation: Operation) -> Value:
    """Return the same entries without axes of one."""
    value = translation.value(operation, operation.inputs[0])
    rank = len(value.shape)
    if len(operation.inputs) > 1:
        asked = integers(translation.constant(operation, 1))
        axes = {range(rank)[axis] for axis in asked}
        if len(axes) != len(asked):
            raise operation.refuse("an axis is given twice")
    else:
        axes = {axis for axis in range(rank) if value.shape[axis] == 1}
    if any(value.shape[axis] != 1 for axis in axes):
        raise operation.refuse(f"{value.shape} cannot be squeezed along {sorted(axes)}")
    shape = tuple(size for axis, size in enumerate(value.shape) if axis not in axes)
    return _reshaped(translation, operation, value, shape)


def unsqueeze(translation: Translation, operation: Operation) -> Value:
    """Return the same entries with more axes of one."""
    name, _ = operation.inputs
    value, axes = translation.value(operation, name), integers(translation.constant(operation, 1))
    rank = len(value.shape) + len(axes)
    places = {range(rank)[axis] for axis in axes}
    if len(places) != len(axes):
        raise operation.refuse("an axis is given twice")
    sizes = iter(value.shape)
    shape = tuple(1 if axis in places else next(sizes) for axis in range(rank))
    return _reshaped(translation, operation, value, shape)


def transpose(translation: Translation, operation: Operation) -> Value:
    """Return a matrix with its axes exchanged, or as it is."""
    (name,) = operation.inputs
    value = translation.value(operation, name)
    rank = len(value.shape)
    order = integers(operation.attributes.get("perm", tuple(reversed(range(rank)))))
    if sorted(order) != list(range(rank)):
        raise operation.refuse(f"{order} is no order of {rank} axes")
    if order == tuple(range(rank)):
        return value
    shape = value.shape[1], value.shape[0]
    turned = translation.arithmetic.transpose(value.integers)
    return Value(turned, shape, value.boolean)


def same(translation: Translation, operation: Operation) -> Value:
    """Return a value as it is."""
    (name,) = operation.inputs
    return translation.value(operation, name)


def _picked(
    translation: Translation, operation: Operation, value: Value, axis: int, places: Sequence[int]
) -> Value:
    """Return the entries at places along an axis, run by run."""
    if not places:
        raise operation.refuse("nothing is left")
    shape = (*value.shape[:axis], len(places), *value.shape[axis + 1 :])
    translation.spend(operation, prod(shape))
    lying = axis + 2 - len(value.shape)
    arithmetic = translation.arithmetic
    take = arithmetic.rows if lying == 0 else arithmetic.lanes
    breaks = [i for i in range(1, len(places)) if places[i] != places[i - 1] + 1]
    runs = [tuple(run) for run in np.split(np.array(places), breaks)]
    parts = [take(value.integers, int(run[0]), int(run[-1]) + 1) for run in runs]
    return Value(_together(arithmetic, lying, parts), shape, value.boolean)


def _together(arithmetic: Arithmetic, axis: int, parts: Sequence[Integers]) -> Integers:
    if len(parts) == 1:
        return parts[0]
    return arithmetic.stack(*parts) if axis == 0 else arithmetic.join(*parts)


def _reshaped(
    translation: Translation, operation: Operation, value: Value, shape: tuple[int, ...]
) -> Value:
    if len(shape) > 2 or min(shape, default=1) < 1 or prod(shape) != prod(value.shape):
        raise operation.refuse(f"{value.shape} cannot become {shape}")
    found = translation.arithmetic.reshape(value.integers, *matrix(shape))
    return Value(found, shape, value.boolean)


MEANINGS: Final[Mapping[str, Meaning]] = {
    "Concat": concat,
    "Slice": cut,
    "Gather": gather,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
    "Identity": same,
}
