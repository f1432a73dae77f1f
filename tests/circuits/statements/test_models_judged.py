"""Inference and evaluation circuits against the rules of provenance.sgd, and against liars."""

from collections.abc import Sequence
from typing import Any

import pytest

from circuits.evaluate import evaluate, public_values
from circuits.graph import HINT
from circuits.registry import circuit
from circuits.statements.evaluation import COUNTED, evaluation_chosen, evaluation_graph
from circuits.statements.inference import INPUTS, inference_chosen, inference_graph
from provenance.errors import MalformedError, VerificationError
from provenance.features import OFFSET
from provenance.field import ORDER, ZERO, FieldElement
from provenance.sgd import Model
from tests.circuits.statements.judged import CONTEXT, EVALUATIONS, INFERENCES, SALT, TABLE, Judged

EACH = pytest.mark.parametrize("name", [*INFERENCES, *EVALUATIONS])
SEEDS = pytest.mark.parametrize("seed", range(4))
MLP = "evaluation-mlp4to3-6x5.v1"
LOGISTIC = "evaluation-logistic-6x5.v1"


def reached(judged: Judged, forced: Any = None, **changed: Sequence[int]) -> list[FieldElement]:
    found = judged.solved({**judged.chosen, **changed}, forced)
    return list(public_values(found.outputs, hashed=True))


def differing(found: Sequence[FieldElement], wanted: Sequence[FieldElement]) -> set[int]:
    """Return which public values differ, counted from the end: the statement is -1."""
    count = len(wanted)
    pairs = enumerate(zip(found, wanted, strict=True))
    return {place - count for place, (ours, theirs) in pairs if ours != theirs}


@SEEDS
@EACH
def test_an_honest_proof_shows_what_the_rule_computes(name: str, seed: int) -> None:
    assert tuple(reached(Judged(name, seed))) == Judged(name, seed).public


@pytest.mark.parametrize("count", [1, 4, 5])
@pytest.mark.parametrize("name", EVALUATIONS)
def test_fewer_records_than_rows_are_filled_up_with_padding(name: str, count: int) -> None:
    assert tuple(reached(Judged(name, 3, count))) == Judged(name, 3, count).public


@pytest.mark.parametrize("name", [INFERENCES[1], INFERENCES[-1], MLP])
def test_the_onnx_that_is_proved_says_the_same(name: str) -> None:
    judged = Judged(name)
    make = inference_graph if judged.shape.inputs else evaluation_graph
    witness = judged.solved().witness
    assert evaluate(make(judged.shape, TABLE).onnx(), witness, TABLE.most) == judged.public


@EACH
def test_each_circuit_is_found_by_name(name: str) -> None:
    found = circuit(name)
    assert found.hashed
    assert found.onnx() == circuit(name).onnx()


def test_each_shape_is_of_one_family() -> None:
    for family, name in (("inference", EVALUATIONS[0]), ("evaluation", INFERENCES[0])):
        with pytest.raises(MalformedError):
            circuit(name.replace(name.partition("-")[0], family))


def tied() -> Judged:
    """Return an mlp whose outputs are all equal on every record: the lowest class is predicted."""
    judged = Judged(MLP, 5)
    object.__setattr__(judged, "state", (*judged.state[:24], *[0] * 15))
    return judged


def test_of_equal_outputs_the_lowest_is_predicted() -> None:
    judged = tied()
    assert judged.value == sum(row[-1] == 0 for row in judged.rows)
    assert tuple(reached(judged)) == judged.public


@pytest.mark.parametrize(("bias", "predicted"), [(1, 0), (2, 1), (-1, 0), (3, 1)])
def test_one_half_itself_is_not_above_one_half(bias: int, predicted: int) -> None:
    """With a bias of 1, z is 128 and p is 512; with 2, z is 256 and p is 513."""
    judged = Judged(LOGISTIC)
    object.__setattr__(judged, "state", (0, 0, 0, 0, 0, bias))
    assert judged.value == sum(row[-1] == predicted for row in judged.rows)
    assert tuple(reached(judged)) == judged.public


@EACH
def test_a_value_off_by_one_is_not_the_value_proved(name: str) -> None:
    judged = Judged(name)
    if not judged.shape.inputs:
        for step in (-1, 1):
            wanted = judged.claimed(judged.value + step)
            assert differing(reached(judged), wanted) == {-2}
        return
    first = ((judged.outputs[0][0] + 1, *judged.outputs[0][1:]), *judged.outputs[1:])
    assert differing(reached(judged), judged.answered(first)) == {-2}


def test_rows_of_padding_that_are_counted_are_betrayed() -> None:
    judged = Judged(LOGISTIC, 3, 4)
    for counted in ([1] * 6, [1, 1, 1, 1, 1, 0]):
        assert -2 in differing(reached(judged, **{COUNTED: counted}), judged.public)


@pytest.mark.parametrize("counted", [[0, 1, 1, 1, 1, 1], [1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 0, 1]])
def test_a_record_cannot_be_left_out_in_favour_of_padding(counted: list[int]) -> None:
    judged = Judged(LOGISTIC, 3, 4)
    assert -1 in differing(reached(judged, **{COUNTED: counted}), judged.public)


@pytest.mark.parametrize("false", [2, ORDER - 1, 2**100])
def test_a_row_counts_once_or_not_at_all(false: int) -> None:
    judged = Judged(LOGISTIC, 3, 4)
    try:
        found = reached(judged, **{COUNTED: [1, 1, 1, false, 0, 0]})
    except VerificationError:
        return
    assert -1 in differing(found, judged.public)


@EACH
def test_weights_of_another_state_are_betrayed_by_its_commitment(name: str) -> None:
    judged = Judged(name)
    other = [OFFSET] * judged.shape.state_width
    assert differing(reached(judged, state=other), judged.public) >= {-len(judged.public)}


@EACH
def test_another_input_than_claimed_is_betrayed_by_its_commitment(name: str) -> None:
    judged = Judged(name)
    row = INPUTS if judged.shape.inputs == "open" else "record_0"
    digits = list(judged.chosen[row])
    digits[0] += 1
    found = differing(reached(judged, **{row: digits}), judged.public)
    assert 1 - len(judged.public) in found


@EACH
def test_another_centre_or_context_is_betrayed(name: str) -> None:
    judged = Judged(name)
    moved = [digit + 1 for digit in judged.chosen["centre"]]
    assert -3 in differing(reached(judged, centre=moved), judged.public)
    assert differing(reached(judged, context=[CONTEXT + 1]), judged.public) == {-1}


@EACH
@pytest.mark.parametrize("digit", [2, 16379, 2**200, ORDER - 1])
def test_a_digit_that_is_none_has_no_proof(name: str, digit: int) -> None:
    judged = Judged(name)
    for row in {"state", "centre", INPUTS, "record_0"} & judged.chosen.keys():
        with pytest.raises(VerificationError, match="outside the table"):
            reached(judged, **{row: [digit, *judged.chosen[row][1:]]})


@EACH
def test_no_false_hint_changes_what_is_proved(name: str) -> None:
    """Every hint in turn is a lie; what is computed after it follows the lie."""
    judged = Judged(name)
    witness, honest = judged.solved().witness, judged.public
    make = inference_graph if judged.shape.inputs else evaluation_graph
    hints = [n.output for n in make(judged.shape, TABLE).nodes if n.operator == HINT]
    tried = [
        (hint, place, lie % ORDER)
        for hint in hints
        for place, true in enumerate(witness[hint])
        for lie in {1 - true, true + 1, true - 1, -true} - {true}
    ]
    assert tried or "linear" in name
    for hint, place, lie in tried[:: max(1, len(tried) // 25)]:
        entries = list(witness[hint])
        entries[place] = lie
        try:
            found = reached(judged, {hint: entries})
        except VerificationError:
            continue
        # A hint that decides nothing, such as which way nothing was clamped, may be anything.
        assert tuple(found) == honest or -1 in differing(found, honest)


def biased(*biases: int) -> tuple[Judged, str]:
    """Return an mlp whose outputs are these biases on every record, and the hint that chooses."""
    judged = Judged(MLP)
    units = [weight for bias in biases for weight in (0, 0, 0, 0, bias)]
    object.__setattr__(judged, "state", (*judged.state[:24], *units))
    nodes = evaluation_graph(judged.shape, TABLE).nodes
    chosen = [n.output for n in nodes if getattr(n.compute, "__name__", "") == "greatest"]
    assert tuple(reached(judged)) == judged.public
    return judged, chosen[0]


@pytest.mark.parametrize(("biases", "choice"), [((5, 9, 8), (1, 0, 1)), ((-5, -9, -8), (0, 0, 0))])
def test_two_classes_chosen_or_none_are_betrayed(
    biases: tuple[int, ...], choice: tuple[int, ...]
) -> None:
    """Together they are more than the greatest, or nothing is more than what is negative."""
    judged, hint = biased(*biases)
    true = judged.solved().witness[hint]
    assert -1 in differing(reached(judged, {hint: [*choice, *true[3:]]}), judged.public)


@pytest.mark.parametrize("choice", [(1, 0, 0), (0, 0, 1)])
def test_a_class_that_is_not_the_best_cannot_be_chosen(choice: tuple[int, ...]) -> None:
    judged, hint = biased(5, 9, 8)
    true = judged.solved().witness[hint]
    assert true[:3] == (0, 1, 0)
    with pytest.raises(VerificationError, match="outside the table"):
        reached(judged, {hint: [*choice, *true[3:]]})


def test_of_equal_classes_the_higher_cannot_be_chosen() -> None:
    judged, hint = biased(9, 9, 8)
    true = judged.solved().witness[hint]
    with pytest.raises(VerificationError, match="outside the table"):
        reached(judged, {hint: [0, 1, 0, *true[3:]]})


def test_rows_that_do_not_fit_have_no_witness() -> None:
    shape, state = Judged(LOGISTIC).shape, ((0,) * 6, SALT)
    for rows in ([], [[0] * 6] * 7, [[0] * 5]):
        with pytest.raises(MalformedError, match="1 to 6 rows of 6"):
            evaluation_chosen(shape, state, rows, [ZERO] * len(rows), [0] * 5, CONTEXT)
    shape = Judged(INFERENCES[1]).shape
    with pytest.raises(MalformedError, match="3 rows of 6"):
        inference_chosen(shape, state, [[0] * 6] * 2, [ZERO] * 2, [0] * 5, CONTEXT)


def test_the_rule_is_that_of_training() -> None:
    """p of one record as provenance.replay has it: the model is the one that was trained."""
    judged = Judged(INFERENCES[0])
    inputs = [v - c for v, c in zip(judged.rows[0], judged.centre, strict=True)]
    assert judged.outputs == (Model("logistic", 5).forward(judged.weights, inputs),)
