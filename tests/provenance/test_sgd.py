"""Rules of training by SGD: against exact fractions, the older rule, and at their ends."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.replay import Logistic
from provenance.sgd import Model, Rule, StepShape, rule_of
from provenance.sgd.models import probability
from tests.provenance.documents import vectors, word

VECTORS = vectors("sgd")
SEED = word("seed")
EXTREME = st.sampled_from([-8189, 8186, 0, 1, -1])
VALUE = st.integers(-8189, 8186) | st.integers(-40, 40) | EXTREME
MODELS = [Model("linear", 3), Model("logistic", 2), Model("mlp", 2, 3, 2), Model("mlp", 1, 1, 3)]
PLAIN: dict[str, Any] = {"centre": [1, -2], "rate_bits": 3}


@st.composite
def problems(draw: st.DrawFn) -> tuple[Rule, list[int], list[list[int]]]:
    """A rule, a state and rows that fit it, extremes among them."""
    model = draw(st.sampled_from(MODELS))
    share = st.sampled_from([0, 1, 2**19, 2**20 - 1, 2**20])
    rule = Rule(
        model,
        tuple(draw(st.lists(VALUE, min_size=model.features, max_size=model.features))),
        draw(st.integers(0, 4) | st.just(16)),
        draw(share),
        draw(share),
    )
    width = rule.shape(1, 1).state_width
    state = draw(st.lists(VALUE, min_size=width, max_size=width))
    label = VALUE if model.kind == "linear" else st.integers(0, max(1, model.outputs - 1))
    row = st.tuples(*[VALUE] * model.features, label).map(list)
    return rule, state, draw(st.lists(row, min_size=1, max_size=4))


@given(problems())
@settings(deadline=None)
def test_a_step_is_gradient_descent_in_exact_fractions(
    problem: tuple[Rule, list[int], list[list[int]]],
) -> None:
    rule, state, rows = problem
    assert rule.step(state, rows) == tuple(slow_step(rule, state, rows))


def slow_step(rule: Rule, state: Sequence[int], rows: Sequence[Sequence[int]]) -> Iterator[int]:
    """Weights, inputs and rates as fractions, rounded where rules say so."""
    count, unit = rule.model.weights, Fraction(1, 2**10)
    velocities = state[count:] if rule.momentum else [0] * count
    mean = [Fraction(0)] * count
    for row in rows:
        for place, gradient in enumerate(slow_gradient(rule, state[:count], row)):
            mean[place] += gradient / len(rows)
    moved = []
    for weight, velocity, gradient in zip(state, velocities, mean, strict=False):
        kept = Fraction(rule.momentum, 2**20) * velocity * unit
        pulled = gradient + Fraction(rule.decay, 2**20) * weight * unit
        moved.append(nearest((kept + pulled / 2**rule.rate_bits) / unit))
    yield from (weight - change for weight, change in zip(state, moved, strict=False))
    if rule.momentum:
        yield from moved


def slow_gradient(rule: Rule, weights: Sequence[int], row: Sequence[int]) -> Iterator[Fraction]:
    *values, label = row
    inputs = [Fraction(v - c, 2**7) for v, c in zip(values, rule.centre, strict=True)]
    inputs.append(Fraction(1))
    units = [Fraction(w, 2**10) for w in weights]
    if rule.model.kind == "mlp":
        yield from slow_mlp(rule.model, units, inputs, label)
        return
    found = products([units], inputs)[0]
    if rule.model.kind == "logistic":
        error = Fraction(min(max(nearest((found / 4 + Fraction(1, 2)) * 2**10), 0), 2**10), 2**10)
        error -= label
    else:
        error = found - Fraction(label, 2**10)
    yield from (error * x for x in inputs)


def slow_mlp(
    model: Model, units: list[Fraction], inputs: list[Fraction], label: int
) -> Iterator[Fraction]:
    size = model.features + 1
    first = [units[size * h : size * (h + 1)] for h in range(model.hidden)]
    rest, size = units[size * model.hidden :], model.hidden + 1
    second = [rest[size * k : size * (k + 1)] for k in range(model.outputs)]
    sums = products(first, inputs)
    hidden = [max(Fraction(nearest(z * 2**10), 2**10), Fraction(0)) for z in sums]
    outputs = products(second, [*hidden, Fraction(1)])
    errors = [o - (label == k) for k, o in enumerate(outputs)]
    for number in range(model.hidden):
        (back,) = products([errors], [unit[number] for unit in second])
        yield from (back * x if hidden[number] else Fraction(0) for x in inputs)
    for error in errors:
        yield from (error * a for a in [*hidden, Fraction(1)])


def products(units: list[list[Fraction]], inputs: list[Fraction]) -> list[Fraction]:
    pairs = (zip(unit, inputs, strict=True) for unit in units)
    return [sum((w * x for w, x in pair), Fraction(0)) for pair in pairs]


def nearest(value: Fraction) -> int:
    return floor(value + Fraction(1, 2))


@given(st.data(), st.integers(1, 4), st.integers(0, 16))
@settings(deadline=None)
def test_the_first_logistic_rule_is_what_it_was(data: Any, width: int, rate_bits: int) -> None:
    centre = data.draw(st.lists(VALUE, min_size=width, max_size=width))
    weights = data.draw(st.lists(VALUE, min_size=width + 1, max_size=width + 1))
    rows = data.draw(
        st.lists(st.tuples(*[VALUE] * width, st.integers(0, 1)), min_size=1, max_size=4)
    )
    declared = {"centre": centre, "rate_bits": rate_bits, "momentum": 5, "batch": 3}
    rule, old = rule_of("logistic-sgd-fixed/1", "zeros/1", declared), Logistic.of(declared)
    assert rule.step(weights, rows) == old.step(weights, rows)
    assert rule.initial(SEED) == old.initial
    assert [rule.model.forward(weights, rule.centred(row[:-1])) for row in rows] == [
        (old.probability(weights, row[:-1]),) for row in rows
    ]
    second = rule_of("logistic-sgd-fixed/2", "zeros/1", {**declared, "momentum": 0})
    assert second == rule


@pytest.mark.parametrize("case", VECTORS["steps"], ids=lambda case: case["name"])
def test_step_vectors(case: dict[str, Any]) -> None:
    rule = rule_of(case["optimiser"], "zeros/1", case["hyperparameters"])
    if case["after"] is None:
        with pytest.raises(MalformedError):
            rule.step(case["before"], case["batch"])
    else:
        assert list(rule.step(case["before"], case["batch"])) == case["after"]


@pytest.mark.parametrize("case", VECTORS["initials"], ids=lambda case: case["name"])
def test_initial_vectors(case: dict[str, Any]) -> None:
    rule = rule_of(case["optimiser"], case["initial"], case["hyperparameters"])
    assert list(rule.initial(SEED)) == case["weights"]


@pytest.mark.parametrize("case", VECTORS["names"], ids=lambda case: str(case["name"]))
def test_name_vectors(case: dict[str, Any]) -> None:
    if case["weights"] is None:
        with pytest.raises(MalformedError):
            StepShape.parse(case["name"])
    else:
        shape = StepShape.parse(case["name"])
        assert (shape.name, shape.weights) == (case["name"], case["weights"])
        assert shape.state_width == case["state_width"]


@given(st.builds(
    StepShape, st.sampled_from(["linear", "logistic"]), st.integers(1, 99), st.integers(1, 99),
    unroll=st.integers(1, 9), rate_bits=st.integers(0, 16), momentum=st.integers(0, 2**20),
    decay=st.integers(0, 2**20), tolerance=st.integers(0, 99),
) | st.builds(
    StepShape, st.just("mlp"), st.integers(1, 99), st.integers(1, 99), st.integers(1, 99),
    st.integers(2, 99), tolerance=st.integers(0, 9),
))  # fmt: skip
@settings(deadline=None)
def test_a_name_says_all_of_a_shape(shape: StepShape) -> None:
    assert StepShape.parse(shape.name) == shape


def test_a_rule_of_momentum_keeps_velocities() -> None:
    rule = rule_of("linear-sgd-fixed/1", "uniform/1", {**PLAIN, "momentum": 9, "initial_span": 100})
    state = rule.initial(SEED)
    assert len(state) == 6
    assert state[3:] == (0, 0, 0)
    assert len(set(state[:3])) == 3
    assert all(-100 <= weight <= 100 for weight in state)
    assert rule.shape(5, 2).name == "step-linear-5x2-u2-r3-m9.v1"


def test_uniform_weights_reach_both_ends_and_nothing_beyond() -> None:
    rule = replace(
        rule_of("linear-sgd-fixed/1", "zeros/1", {"centre": [0] * 99, "rate_bits": 0}), span=1
    )
    assert set(rule.initial(SEED)) == {-1, 0, 1}


def test_momentum_half_without_a_gradient_halves_and_rounds_upwards() -> None:
    rule = Rule(Model("linear", 1), (0,), 0, momentum=2**19)
    state = (0, 0, 5, -5)
    assert rule.step(state, [(0, 0)]) == (-3, 2, 3, -2)


def test_the_derivative_of_relu_at_0_is_0() -> None:
    rule = Rule(Model("mlp", 1, 1, 2), (0,), 0)
    state = (0, 0, 8000, 0, 0, 0)
    assert rule.step(state, [(128, 0)])[:2] == (0, 0)


def test_the_hard_sigmoid_at_its_corners() -> None:
    assert [probability(n) for n in (-(2**18), -(2**18) + 256, 2**18, 2**18 - 257)] == [
        0, 1, 1024, 1023,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("optimiser", "initial", "changed"),
    [
        ("adam/1", "zeros/1", {}),
        ("linear-sgd-fixed/1", "ones/1", {}),
        ("linear-sgd-fixed/1", "uniform/1", {}),
        ("linear-sgd-fixed/1", "uniform/1", {"initial_span": 0}),
        ("linear-sgd-fixed/1", "uniform/1", {"initial_span": 8187}),
        ("linear-sgd-fixed/1", "zeros/1", {"momentum": 2**20 + 1}),
        ("linear-sgd-fixed/1", "zeros/1", {"decay": -1}),
        ("linear-sgd-fixed/1", "zeros/1", {"decay": True}),
        ("linear-sgd-fixed/1", "zeros/1", {"rate_bits": 17}),
        ("mlp-sgd-fixed/1", "zeros/1", {"hidden": 3}),
        ("mlp-sgd-fixed/1", "zeros/1", {"hidden": 3, "outputs": 1}),
        ("mlp-sgd-fixed/1", "zeros/1", {"hidden": 0, "outputs": 2}),
    ],
)
def test_unknown_rules_and_values_out_of_range_are_refused(
    optimiser: str, initial: str, changed: dict[str, Any]
) -> None:
    with pytest.raises(MalformedError):
        rule_of(optimiser, initial, {**PLAIN, **changed})


@pytest.mark.parametrize(
    ("state", "rows"),
    [
        ((0, 0, 0), []),
        ((0, 0), [(1, 2, 0)]),
        ((0, 0, 0, 0), [(1, 2, 0)]),
        ((0, 0, 0), [(1, 2)]),
        ((0, 0, 0), [(1, 2, 3, 0)]),
        ((0, 0, 0), [(1, 2, 2)]),
        ((0, 0, 0), [(1, 2, -1)]),
    ],
)
def test_steps_that_do_not_fit_are_refused(
    state: tuple[int, ...], rows: list[tuple[int, ...]]
) -> None:
    with pytest.raises(MalformedError):
        rule_of("logistic-sgd-fixed/2", "zeros/1", PLAIN).step(state, rows)


def test_a_class_that_an_mlp_has_no_output_for_is_refused() -> None:
    rule = Rule(Model("mlp", 1, 1, 3), (0,), 0)
    state = (0,) * 8
    rule.step(state, [(0, 2)])
    for label in (3, -1):
        with pytest.raises(MalformedError, match="label"):
            rule.step(state, [(0, label)])


def test_a_forward_pass_needs_weights_and_inputs_that_fit() -> None:
    for weights, inputs in (((1, 2), (3, 4)), ((1, 2, 3), (4,))):
        with pytest.raises(MalformedError, match="weights and"):
            Model("linear", 2).forward(weights, inputs)
    with pytest.raises(MalformedError, match="no model"):
        Model("forest", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "forest"}, {"rows": 0}, {"features": 4097}, {"unroll": 0}, {"rate_bits": 17},
        {"hidden": 1}, {"outputs": 2}, {"momentum": -1}, {"tolerance": 8193}, {"model": "mlp"},
    ],
)  # fmt: skip
def test_shapes_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        StepShape(**{"model": "linear", "rows": 1, "features": 1, **wrong})
