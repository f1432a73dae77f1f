"""What a function's arithmetic operators mean in a circuit: sums, products, tests, quotients.

Everything is an exact integer. `Div` and `ReduceMean` give the nearest integer, halves upwards.
"""

from collections.abc import Callable, Mapping
from typing import Final

from circuits.comparison import is_zero, magnitude, positive, rectified
from circuits.functions.function import TYPES, Operation, integers
from circuits.functions.translation import Meaning, Translation, Value, matrix
from circuits.integers import Arithmetic, Integers

_BOOL: Final = 9
Pairwise = Callable[[Arithmetic, Integers, Integers], Integers]


def pairwise(combine: Pairwise, *, boolean: bool = False) -> Meaning:
    """Return the meaning of an operator on two values of shapes that fit."""

    def meaning(translation: Translation, operation: Operation) -> Value:
        left, right = operation.inputs
        values = translation.numbers(operation, left, right)
        shape, (first, second) = translation.spread(operation, values)
        return Value(combine(translation.arithmetic, first, second), shape, boolean)

    return meaning


def folded(combine: Pairwise) -> Meaning:
    """Return the meaning of an operator on one value or more, taken from the left."""

    def meaning(translation: Translation, operation: Operation) -> Value:
        values = translation.numbers(operation, *operation.inputs)
        shape, (found, *others) = translation.spread(operation, values)
        for other in others:
            found = combine(translation.arithmetic, found, other)
        return Value(found, shape)

    return meaning


def single(change: Callable[[Arithmetic, Integers], Integers]) -> Meaning:
    """Return the meaning of an operator on one value."""

    def meaning(translation: Translation, operation: Operation) -> Value:
        (name,) = operation.inputs
        (value,) = translation.numbers(operation, name)
        translation.spend(operation, value.integers.shape[0] * value.integers.shape[1])
        return Value(change(translation.arithmetic, value.integers), value.shape)

    return meaning


def greatest(arithmetic: Arithmetic, left: Integers, right: Integers) -> Integers:
    """Return the greater of two, entry by entry."""
    more = rectified(arithmetic, arithmetic.subtract(left, right))
    found = arithmetic.add(right, more)
    return Integers(found.tensor, max(left.low, right.low), max(left.high, right.high))


def least(arithmetic: Arithmetic, left: Integers, right: Integers) -> Integers:
    """Return the lesser of two, entry by entry."""
    more = rectified(arithmetic, arithmetic.subtract(left, right))
    found = arithmetic.subtract(left, more)
    return Integers(found.tensor, min(left.low, right.low), min(left.high, right.high))


def is_greater(arithmetic: Arithmetic, left: Integers, right: Integers) -> Integers:
    """Return 1 where left > right, else 0."""
    return positive(arithmetic, arithmetic.subtract(left, right))


def is_not_less(arithmetic: Arithmetic, left: Integers, right: Integers) -> Integers:
    """Return 1 where left >= right, else 0."""
    less = is_greater(arithmetic, right, left)
    return Integers(arithmetic.subtract(arithmetic.number(1, less.shape), less).tensor, 0, 1)


def clip(translation: Translation, operation: Operation) -> Value:
    """Return a value between two constants; without one there is no end."""
    (value,) = translation.numbers(operation, operation.inputs[0])
    found, arithmetic = value.integers, translation.arithmetic
    for place, choose in enumerate((greatest, least), start=1):
        if len(operation.inputs) > place and operation.inputs[place]:
            (end,) = integers(translation.constant(operation, place))
            translation.spend(operation, found.shape[0] * found.shape[1])
            found = choose(arithmetic, found, arithmetic.number(end, found.shape))
    return Value(found, value.shape)


def choose(translation: Translation, operation: Operation) -> Value:
    """Return entries of the one or the other value, as a truth value says."""
    which, yes, no = operation.inputs
    condition = translation.value(operation, which)
    if not condition.boolean:
        raise operation.refuse("its condition must be a truth value")
    values = [condition, *translation.numbers(operation, yes, no)]
    shape, (bit, first, second) = translation.spread(operation, values)
    arithmetic = translation.arithmetic
    moved = arithmetic.multiply(bit, arithmetic.subtract(first, second))
    low, high = min(first.low, second.low), max(first.high, second.high)
    return Value(Integers(arithmetic.add(second, moved).tensor, low, high), shape)


def divide(translation: Translation, operation: Operation) -> Value:
    """Return quotients by one positive constant, to the nearest, halves upwards."""
    name, _ = operation.inputs
    (value,) = translation.numbers(operation, name)
    constant = translation.constant(operation, 1)
    if constant.size != 1 or integers(constant)[0] < 1 or constant.ndim > len(value.shape):
        raise operation.refuse("it divides by one positive constant only")
    translation.spend(operation, value.integers.shape[0] * value.integers.shape[1])
    found = translation.arithmetic.divide(value.integers, integers(constant)[0])
    return Value(found, value.shape)


def product(translation: Translation, operation: Operation) -> Value:
    """Return the product of two matrices."""
    left, right = translation.numbers(operation, *operation.inputs)
    return _product(translation, operation, left, right)


def gemm(translation: Translation, operation: Operation) -> Value:
    """Return the product of two matrices, either transposed or not, and a third added."""
    named = operation.attributes
    if named.get("alpha", 1) != 1 or named.get("beta", 1) != 1:
        raise operation.refuse("alpha and beta must be 1")
    left, right, *more = translation.numbers(operation, *operation.inputs)
    if named.get("transA", 0):
        left = _transposed(translation, left)
    if named.get("transB", 0):
        right = _transposed(translation, right)
    found = _product(translation, operation, left, right)
    if not more:
        return found
    (added,) = more
    shape, (first, second) = translation.spread(operation, [found, added])
    if shape != found.shape:
        raise operation.refuse(f"{added.shape} cannot be added to {found.shape}")
    return Value(translation.arithmetic.add(first, second), shape)


def total(translation: Translation, operation: Operation) -> Value:
    """Return sums along axes."""
    found, _ = _total(translation, operation)
    return found


def mean(translation: Translation, operation: Operation) -> Value:
    """Return means along axes, to the nearest integer, halves upwards."""
    found, count = _total(translation, operation)
    return Value(translation.arithmetic.divide(found.integers, count), found.shape)


def cast(translation: Translation, operation: Operation) -> Value:
    """Return the same integers as numbers, or 0 and 1 as truth values."""
    (name,) = operation.inputs
    value, to = translation.value(operation, name), operation.attributes.get("to")
    if to not in TYPES:
        raise operation.refuse("it may cast to FLOAT, DOUBLE, INT32, INT64 and BOOL")
    if to == _BOOL and not 0 <= value.integers.low <= value.integers.high <= 1:
        raise operation.refuse("only what is surely 0 or 1 can become a truth value: compare it")
    return Value(value.integers, value.shape, to == _BOOL)


def _transposed(translation: Translation, value: Value) -> Value:
    rows, lanes = value.shape
    return Value(translation.arithmetic.transpose(value.integers), (lanes, rows))


def _product(translation: Translation, operation: Operation, left: Value, right: Value) -> Value:
    (rows, inner), (other, lanes) = left.shape, right.shape
    if inner != other:
        raise operation.refuse(f"cannot multiply {left.shape} by {right.shape}")
    translation.spend(operation, rows * inner * lanes)
    found = translation.arithmetic.apply(left.integers, right.integers)
    return Value(found, (rows, lanes))


def _total(translation: Translation, operation: Operation) -> tuple[Value, int]:
    """Return sums along axes, and how many entries each has."""
    (value,) = translation.numbers(operation, operation.inputs[0])
    rank, named = len(value.shape), operation.attributes
    if len(operation.inputs) > 1:
        chosen = integers(translation.constant(operation, 1))
    elif "axes" in named:
        chosen = integers(named["axes"])
    elif named.get("noop_with_empty_axes", 0):
        raise operation.refuse("it has no axes to sum along")
    else:
        chosen = tuple(range(rank))
    axes = {range(rank)[axis] for axis in chosen}
    if len(axes) != len(chosen):
        raise operation.refuse("an axis is given twice")
    size = value.integers.shape[0] * value.integers.shape[1]
    translation.spend(operation, size)
    found = _along(translation.arithmetic, value.integers, {axis + 2 - rank for axis in axes})
    kept = tuple(1 if axis in axes else n for axis, n in enumerate(value.shape))
    if not named.get("keepdims", 1):
        kept = tuple(n for axis, n in enumerate(value.shape) if axis not in axes)
    rows, lanes = matrix(kept)
    return Value(translation.arithmetic.reshape(found, rows, lanes), kept), size // (rows * lanes)


def _along(arithmetic: Arithmetic, value: Integers, axes: set[int]) -> Integers:
    rows, lanes = value.shape
    if axes == {0, 1}:
        return arithmetic.total(value)
    if axes == {0}:
        return arithmetic.apply(arithmetic.transpose(value), _ones(arithmetic, rows))
    if axes == {1}:
        return arithmetic.apply(value, _ones(arithmetic, lanes))
    return value


def _ones(arithmetic: Arithmetic, count: int) -> Integers:
    """Return a column of ones; a true transposition keeps products with it whole."""
    half = max(2, -(-count // 2))
    turned = arithmetic.transpose(arithmetic.number(1, (2, half)))
    return arithmetic.rows(arithmetic.reshape(turned, 2 * half, 1), 0, count)


def _negative(arithmetic: Arithmetic, value: Integers) -> Integers:
    return arithmetic.subtract(arithmetic.number(0, value.shape), value)


MEANINGS: Final[Mapping[str, Meaning]] = {
    "Add": pairwise(lambda a, left, right: a.add(left, right)),
    "Sub": pairwise(lambda a, left, right: a.subtract(left, right)),
    "Mul": pairwise(lambda a, left, right: a.multiply(left, right)),
    "Neg": single(_negative),
    "Relu": single(rectified),
    "Abs": single(magnitude),
    "Max": folded(greatest),
    "Min": folded(least),
    "Clip": clip,
    "Greater": pairwise(is_greater, boolean=True),
    "Less": pairwise(lambda a, left, right: is_greater(a, right, left), boolean=True),
    "GreaterOrEqual": pairwise(is_not_less, boolean=True),
    "LessOrEqual": pairwise(lambda a, left, right: is_not_less(a, right, left), boolean=True),
    "Equal": pairwise(lambda a, left, right: is_zero(a, a.subtract(left, right)), boolean=True),
    "Where": choose,
    "Div": divide,
    "MatMul": product,
    "Gemm": gemm,
    "ReduceSum": total,
    "ReduceMean": mean,
    "Cast": cast,
}
