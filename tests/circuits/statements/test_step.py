"""Circuits of training steps against their rules: equal on everything that a prover can choose."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits import sizing
from circuits.evaluate import evaluate
from circuits.registry import circuit
from circuits.solve import solve
from circuits.statements.step import logrows, step_witness
from circuits.table import Table
from provenance.errors import MalformedError, VerificationError
from provenance.features import LEAST, MOST, OFFSET
from provenance.field import FieldElement
from provenance.sgd import StepShape
from tests.circuits.statements.steps import Problem, graph_of, refusal, solved
from tests.provenance.documents import vectors

SHAPES = [
    "step-linear-3x2-r2.v1",
    "step-linear-2x1-u3-r0.v1",
    "step-linear-2x2-r1-m943718-d105.v1",
    "step-linear-2x2-u2-r1-m1048576.v1",
    "step-linear-3x1-r0-d1048576.v1",
    "step-logistic-3x2-r1.v1",
    "step-logistic-2x2-u2-r16.v1",
    "step-logistic-3x2-r3-m1-d1.v1",
    "step-mlp2to2-2x2-r3.v1",
    "step-mlp1to3-3x1-u2-r0.v1",
    "step-mlp2to2-1x1-r2-m524288-d9.v1",
]
USUAL = [
    "step-linear-64x32-r2.v1",
    "step-logistic-64x32-r1.v1",
    "step-logistic-16x30-u4-r1.v1",
    "step-mlp16to4-64x32-r3.v1",
]
DIGIT = st.integers(LEAST - OFFSET, MOST - OFFSET) | st.integers(-64, 64)
DIGIT |= st.sampled_from([LEAST - OFFSET, MOST - OFFSET, 0])


@st.composite
def problems(draw: st.DrawFn, name: str) -> Problem:
    """Steps of one shape, extremes among them; states that leave the digits' range are dropped."""
    shape = StepShape.parse(name)
    label = DIGIT if shape.model == "linear" else st.integers(0, max(1, shape.outputs - 1))
    row = st.tuples(*[DIGIT] * shape.features, label)
    batch = st.tuples(*[row] * shape.rows)
    numbers = st.lists(DIGIT, min_size=shape.state_width, max_size=shape.state_width)
    centre = draw(st.tuples(*[DIGIT] * shape.features))
    return Problem.of(shape, centre, draw(numbers), draw(st.tuples(*[batch] * shape.unroll)))


@pytest.mark.parametrize("name", SHAPES)
def test_a_circuit_agrees_with_its_rule(name: str) -> None:
    @given(problems(name))
    @settings(deadline=None, max_examples=15)
    def check(problem: Problem) -> None:
        numbers = [value for state in problem.states for value in state]
        inside = min(numbers) >= LEAST - OFFSET and max(numbers) <= MOST - OFFSET
        if inside:
            assert refusal(problem) is None
        else:  # such a run ends here: there is no commitment to that state
            with pytest.raises(VerificationError):
                solved(problem)

    check()


@pytest.mark.parametrize("logrows", [12, 13, 15, 16, 17])
@pytest.mark.parametrize(
    "name", ["step-linear-3x2-r2.v1", "step-logistic-3x2-r1.v1", "step-mlp2to2-2x2-r3.v1"]
)
def test_a_circuit_agrees_with_its_rule_at_every_size(name: str, logrows: int) -> None:
    for seed in range(4):
        assert refusal(Problem.drawn(name, seed), logrows=logrows) is None


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_circuits_agree_with_their_rules(name: str) -> None:
    problem = Problem.drawn(name)
    assert refusal(problem, logrows=circuit(name).logrows) is None
    assert refusal(problem.ending(*problem.states[0]), logrows=circuit(name).logrows) is not None


@pytest.mark.parametrize("logrows", [12, 13, 14, 15, 16])
@pytest.mark.parametrize("end", ["low", "high"])
def test_digits_at_the_ends_of_the_range_pass_at_every_size(logrows: int, end: str) -> None:
    """Inputs at their centre and a label that is the bias: nothing moves, whatever the weights."""
    value = LEAST if end == "low" else min(MOST, Table.of(logrows).most)
    problem = still(value - OFFSET)
    assert problem.states[0] == problem.states[1] == (value - OFFSET,) * 3
    assert refusal(problem, logrows=logrows) is None


@pytest.mark.parametrize("logrows", [12, 13, 14, 15, 16])
@pytest.mark.parametrize("name", ["state_0", "state_1", "record_0_0", "record_0_0_label", "centre"])
def test_digits_beyond_the_range_are_refused_at_every_size(logrows: int, name: str) -> None:
    highest = min(MOST, Table.of(logrows).most)
    for value in (LEAST - 1, highest + 1, MOST + 1, 2**14 + 5, 2**200, -1):
        everywhere = {
            key: entries if key.endswith("_salt") else (value,) * len(entries)
            for key, entries in still(0).witness.items()
        }
        one = {**still(0).witness, name: (value, *still(0).witness[name][1:])}
        assert refusal(still(0), one, logrows=logrows) == "lookup"
        assert refusal(still(0), {**still(0).witness, **everywhere}, logrows=logrows) == "lookup"


def still(value: int) -> Problem:
    shape = StepShape.parse("step-linear-1x2-r0.v1")
    return Problem.of(shape, (value, value), (value,) * 3, [((value,) * 3,)])


def test_a_step_with_tolerance_accepts_so_much_and_no_more() -> None:
    for name in ("step-linear-3x2-r2-e2.v1", "step-mlp2to2-2x2-r1-e2.v1"):
        problem = Problem.drawn(name)
        exact = problem.states[-1]
        for off, verdict in ((-3, "lookup"), (-2, None), (1, None), (2, None), (3, "lookup")):
            for place in range(len(exact)):
                moved = (*exact[:place], exact[place] + off, *exact[place + 1 :])
                assert refusal(problem.ending(*moved)) == verdict


def test_with_momentum_weights_and_velocities_may_each_differ_so_much() -> None:
    problem = Problem.drawn("step-linear-3x1-r1-m943718-e1.v1")
    w0, w1, u0, u1 = problem.states[-1]
    assert refusal(problem.ending(w0 + 1, w1, u0 + 1, u1 - 1)) is None
    assert refusal(problem.ending(w0, w1 + 2, u0, u1)) == "lookup"
    assert refusal(problem.ending(w0, w1, u0, u1 - 2)) == "lookup"


def test_sizes_are_by_rule_and_what_is_too_large_is_refused_at_once() -> None:
    sizes = {name: circuit(name).logrows for name in USUAL}
    assert sizes == dict(zip(USUAL, (14, 14, 14, 14), strict=True))
    assert logrows(StepShape.parse("step-linear-16x8-r2.v1")) == 12
    assert logrows(StepShape.parse("step-linear-16x8-u4-r2.v1")) == 13
    for name in (
        "step-linear-16384x4096-r2.v1",
        "step-linear-2000x30-r2.v1",
        "step-mlp64to10-512x100-r3.v1",
    ):
        with pytest.raises(MalformedError, match="take fewer rows"):
            circuit(name)
    for name in USUAL[:2]:
        shape = StepShape.parse(name)
        assert sizing.hash_rows(graph_of(shape)) + sizing.RESERVED_ROWS <= 2 ** logrows(shape)


def test_a_statement_says_what_a_name_says() -> None:
    text = circuit("step-mlp2to3-4x5-u6-r7-m8-d9-e10.v1").statement
    for part in (
        "7 states",
        "4 records of 5 features",
        "2**-7",
        "momentum 8/",
        "decay 9/",
        "10 units",
    ):
        assert part in text
    assert "exactly" in circuit("step-linear-4x5-r7.v1").statement


def test_a_witness_has_the_parts_of_its_shape() -> None:
    shape = StepShape.parse("step-linear-1x1-r0.v1")
    states, batch = [((0, 0), 1)] * 2, [((0, 0), 2)]
    assert len(step_witness(shape, states, [batch], (0,), 3)) == 9
    for wrong in ((states[:1], [batch]), (states, []), (states, [batch * 2])):
        with pytest.raises(MalformedError, match="not as many"):
            step_witness(shape, *wrong, (0,), 3)


def test_another_shape_has_another_circuit() -> None:
    shape = StepShape.parse("step-linear-2x2-r1-m5-d7-e1.v1")
    graphs = {graph_of(shape).onnx()}
    for name in ("r2-m5-d7-e1", "r1-m6-d7-e1", "r1-m5-d8-e1", "r1-m5-d7-e2", "u2-r1-m5-d7-e1"):
        graphs.add(graph_of(StepShape.parse(f"step-linear-2x2-{name}.v1")).onnx())
    assert len(graphs) == 6


@pytest.mark.parametrize("case", vectors("step")["cases"], ids=lambda case: case["name"])
def test_vectors_of_public_values_come_out_of_the_circuit(case: dict[str, Any]) -> None:
    witness = step_witness(
        StepShape.parse(case["name"]),
        list(zip(case["weights"], case["state_salts"], strict=True)),
        [
            list(zip(*step, strict=True))
            for step in zip(case["records"], case["record_salts"], strict=True)
        ],
        case["centre"],
        FieldElement.parse(case["context"]),
    )
    graph, table = graph_of(StepShape.parse(case["name"])), Table.of(14)
    found = evaluate(graph.onnx(), solve(graph, witness, table.most).witness, table.most)
    assert [value.hex for value in found] == case["public"]
