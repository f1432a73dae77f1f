"""Dishonest provers of training steps: every lie is refused, and the test says by whom.

`lookup` has no proof at all (mock refuses it, and ezkl's prover hangs on it); `statement` and
`commitment` can be proved, and the comparison of public values refuses them.
"""

from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest

from circuits.evaluate import public_values
from circuits.table import Table
from provenance.field import ORDER
from provenance.sgd import StepShape
from tests.circuits.statements.steps import Problem, graph_of, hints, lying, refusal, solved

NAMES = {
    "linear": "step-linear-3x2-r2.v1",
    "logistic": "step-logistic-3x2-r1.v1",
    "mlp": "step-mlp2to3-2x2-r2.v1",
    "momentum": "step-linear-2x1-r1-m943718-d105.v1",
    "unrolled": "step-logistic-2x2-u2-r1.v1",
}
PROBLEMS = {kind: Problem.drawn(name) for kind, name in NAMES.items()}
BASE = Table.of(14).base


@pytest.mark.parametrize("kind", NAMES)
def test_a_weight_that_is_off_by_one_is_refused(kind: str) -> None:
    problem = PROBLEMS[kind]
    last = problem.states[-1]
    for place, off in product(range(len(last)), (-1, 1)):
        lie = problem.ending(*last[:place], last[place] + off, *last[place + 1 :])
        # With momentum a velocity that is not the change of its weight is seen by a square.
        assert refusal(lie) in ("lookup", "statement")
        assert refusal(lie) == "lookup" or problem.shape.momentum


@pytest.mark.parametrize("kind", NAMES)
def test_a_weight_that_is_off_is_refused_whatever_the_hints(kind: str) -> None:
    problem, random = PROBLEMS[kind], Random(3)  # noqa: S311  # of tests
    last = problem.states[-1]
    lie = problem.ending(last[0] + 1, *last[1:])
    honest = lying(lie, lie.witness).witness
    names = hints(graph_of(problem.shape))
    for _ in range(30):
        name = random.choice(names)
        forced = [random.randrange(BASE) for _ in honest[name]]
        assert refusal(lie, forced={name: forced}) is not None


@pytest.mark.parametrize("kind", NAMES)
def test_every_hint_is_pinned_down_so_that_any_other_value_is_refused(kind: str) -> None:
    problem = PROBLEMS[kind]
    honest = solved(problem).witness
    random = Random(5)  # noqa: S311  # of tests
    names = hints(graph_of(problem.shape))
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        entries = honest[name]
        place = random.randrange(len(entries))
        for value in (entries[place] + 1, entries[place] - 1, BASE, 2**200, ORDER - 1):
            if value % ORDER != entries[place]:
                forced = (*entries[:place], value, *entries[place + 1 :])
                verdict = refusal(problem, forced={name: forced})
                # The one thing left free: on which side of the clamp a distance of 0 lies.
                side = value in (0, 1) and entries[place] in (0, 1) and not honest[following][place]
                assert verdict in ("lookup", "statement") or side


@pytest.mark.parametrize("kind", NAMES)
def test_other_records_salts_and_states_than_committed_are_seen(kind: str) -> None:
    problem = PROBLEMS[kind]
    witness = problem.witness
    other = Problem.drawn(NAMES[kind], seed=2)
    for name in witness:
        if name.endswith("_salt"):
            assert refusal(problem, {**witness, name: (5,)}) == "commitment"
    assert refusal(problem, {**witness, "context": (5,)}) == "commitment"
    assert refusal(problem, other.witness) == "commitment"
    row = problem.batches[0]
    swapped = replace(problem, batches=((row[1], row[0], *row[2:]), *problem.batches[1:]))
    assert refusal(problem, swapped.witness) == "commitment"


def test_a_batch_of_which_one_record_was_exchanged_is_seen() -> None:
    problem = PROBLEMS["linear"]
    (rows,) = problem.batches
    others = ((*rows[0][:-1], rows[0][-1] + 1), *rows[1:])
    lie = Problem.of(problem.shape, problem.rule.centre, problem.states[0], [others])
    assert refusal(lie) is None
    assert refusal(problem, lie.witness) == "commitment"


def test_another_centre_is_seen() -> None:
    problem = PROBLEMS["linear"]
    first, *rest = problem.rule.centre
    lie = Problem.of(problem.shape, (first + 1, *rest), problem.states[0], problem.batches)
    assert refusal(problem, lie.witness) == "commitment"


def test_steps_and_states_in_another_order_are_refused() -> None:
    problem = PROBLEMS["unrolled"]
    first, second = problem.batches
    swapped = Problem.of(problem.shape, problem.rule.centre, problem.states[0], (second, first))
    assert refusal(swapped) is None
    assert refusal(problem, swapped.witness) == "commitment"
    witness = problem.witness
    for one, other in (("state_0", "state_1"), ("state_1", "state_2")):
        exchanged = {
            **witness, one: witness[other], other: witness[one],
            f"{one}_salt": witness[f"{other}_salt"], f"{other}_salt": witness[f"{one}_salt"],
        }  # fmt: skip
        assert refusal(problem, exchanged) == "lookup"
    renamed = {name.replace("_0_", "_x_").replace("_1_", "_0_").replace("_x_", "_1_"): value
               for name, value in witness.items() if name.startswith("record")}  # fmt: skip
    assert refusal(problem, {**witness, **renamed}) == "lookup"


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("linear", {"rate_bits": 1}),
        ("linear", {"rate_bits": 3}),
        ("logistic", {"rate_bits": 2}),
        ("mlp", {"rate_bits": 1}),
        ("momentum", {"decay": 1}),
        ("momentum", {"momentum": 1}),
        ("momentum", {"rate_bits": 2}),
    ],
)
def test_a_step_by_another_rule_than_the_name_says_is_refused(
    kind: str, changed: dict[str, Any]
) -> None:
    state = [8000, -8000, 4000, -500, 600, 700, 1, 2, 3, 40, 50, 60, 70, 80, 90]
    problem = PROBLEMS[kind]
    width = problem.shape.state_width
    other = replace(problem.shape, **changed)
    lie = Problem.of(other, problem.rule.centre, state[:width], problem.batches)
    told = Problem.of(problem.shape, problem.rule.centre, state[:width], problem.batches)
    assert lie.states != told.states
    assert refusal(replace(lie, shape=problem.shape)) == "lookup"


@pytest.mark.parametrize("label", [2, -1, 3, 9])
def test_a_logistic_label_that_is_no_bit_is_seen_in_the_statement(label: int) -> None:
    problem = PROBLEMS["logistic"]
    ((*values, _), *rest) = problem.batches[0]
    unchecked = replace(problem, batches=((((*values, label)), *rest),))
    assert refusal(mended(unchecked)) == "statement"


@pytest.mark.parametrize("label", [3, -1, 100])
def test_a_class_that_is_none_is_seen_in_the_statement(label: int) -> None:
    problem = PROBLEMS["mlp"]
    ((*values, _), *rest) = problem.batches[0]
    unchecked = replace(problem, batches=((((*values, label)), *rest),))
    assert refusal(unchecked, forced=None) in ("statement", "lookup")


def mended(problem: Problem) -> Problem:
    """Return a logistic step over labels that are none, with the state that the formula gives."""
    count, shape, rule = len(problem.batches[0]), problem.shape, problem.rule
    sums = [0] * shape.weights
    for *values, label in problem.batches[0]:
        inputs = rule.centred(values)
        (p,) = shape.of.forward(problem.states[0], inputs)
        for place, x in enumerate((*inputs, 128)):
            sums[place] += (p - 1024 * label) * x
    divisor = count << (7 + shape.rate_bits)
    moved = [(2 * total + divisor) // (2 * divisor) for total in sums]
    return problem.ending(*(w - m for w, m in zip(problem.states[0], moved, strict=True)))


def clamped(z: int) -> Problem:
    """A logistic step of one record, whose sum is z * 2**9."""
    shape = StepShape.parse("step-logistic-1x1-r4.v1")
    return Problem.of(shape, (0,), (0, 4 * z), [((0, 0),)])


@pytest.mark.parametrize("z", [100, -100, 512, -512, 700, -700])
def test_a_false_clamp_is_refused_whatever_goes_with_it(z: int) -> None:
    """Probability, bit and distance are forced together, so that their sum is right."""
    problem = clamped(z)
    names = hints(graph_of(problem.shape))
    honest = solved(problem).witness
    probability, bit, distance, *_ = names
    true = max(0, min(1024, 512 + z))
    assert honest[probability] == (true,)
    for p, b in product((0, 1, 512, 1023, 1024, 1025, true - 1, true + 1, 512 + z), (0, 1)):
        apart = (512 + z - p) if b else (p - 512 - z)
        if p != true:
            forced = {probability: (p,), bit: (b,), distance: (apart,)}
            assert refusal(problem, forced=forced) in ("lookup", "statement")
    for b, apart in ((2, 0), (-1, 0), (1 - honest[bit][0], honest[distance][0] or 1)):
        forced = {bit: (b,), distance: (apart,)}
        assert refusal(problem, forced=forced) in ("lookup", "statement")


def hidden(z: int) -> Problem:
    """An mlp's step of one record, whose only hidden unit comes to z."""
    shape = StepShape.parse("step-mlp1to2-1x1-r4.v1")
    return Problem.of(shape, (0,), (0, z, 500, -300, 20, 10), [((0, 1),)])


@pytest.mark.parametrize("z", [5, 1, 0, -1, -5, 8000, -8000])
def test_a_false_bit_of_a_hidden_unit_is_refused_whatever_goes_with_it(z: int) -> None:
    problem = hidden(z)
    bit, magnitude, *_ = hints(graph_of(problem.shape))
    honest = solved(problem).witness
    assert honest[bit] == (int(z > 0),)
    assert honest[magnitude] == (z - 1 if z > 0 else -z,)
    for b in (0, 1, 2, -1):
        for size in (z - 1, -z, z, 0, 1):
            if (b, size % ORDER) != (honest[bit][0], honest[magnitude][0]):
                forced = {bit: (b,), magnitude: (size,)}
                assert refusal(problem, forced=forced) in ("lookup", "statement")


def test_a_false_class_is_refused_whatever_the_bits() -> None:
    shape = StepShape.parse("step-mlp1to4-1x1-r4.v1")
    problem = Problem.of(shape, (0,), (0, 50, *range(8)), [((0, 3),)])
    honest = solved(problem).witness
    (places,) = [n for n in hints(graph_of(shape)) if honest[n] == (0, 0, 0, 1)]
    halves = pow(2, -1, ORDER)
    lies: list[tuple[int, ...]] = [*product((0, 1), repeat=4)]
    lies += [
        (-1, 1, 1, 0),
        (0, 0, halves * 3, 0),
        (1, 0, 0, 2),
        (0, 3, 0, 0),
        (halves, 0, 0, halves),
    ]
    for lie in lies:
        if lie != (0, 0, 0, 1):
            assert refusal(problem, forced={places: lie}) in ("lookup", "statement")


@pytest.mark.parametrize("logrows", [12, 13, 14, 15, 16])
def test_a_borrow_between_packed_digits_has_the_same_commitment_and_is_refused(
    logrows: int,
) -> None:
    """16387 = 3 + 2**14 lies inside the tables of more than 2**14 rows."""
    shape = StepShape.parse("step-linear-1x2-r4.v1")
    problem = Problem.of(shape, (0, 0), (0, 0, 0), [((3 - 8192, 100, 0),)])
    first, second = problem.witness["record_0_0"]
    lie = {**problem.witness, "record_0_0": (first + 2**14, second - 1)}
    free = lying(problem, lie, logrows)
    assert public_values(free.outputs, hashed=True)[2] == problem.public[2]
    assert refusal(problem, lie, logrows=logrows) == "lookup"
