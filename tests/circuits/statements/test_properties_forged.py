"""Liars about properties: each attack, and what refuses it."""

from typing import Any

import pytest

from circuits.evaluate import public_values
from circuits.functions.values import function_values
from circuits.graph import ONE
from provenance.errors import VerificationError
from provenance.features import OFFSET
from provenance.field import ORDER, FieldElement
from tests.circuits.statements.questions import EXAMPLES, ROWS, Question, question

EACH = pytest.mark.parametrize("name", EXAMPLES)


def reached(asked: Question, forced: Any = None, **changed: list[int]) -> list[FieldElement]:
    chosen = {**asked.chosen, **changed}
    return list(public_values(asked.solved(forced, chosen).outputs, hashed=True))


def betrayed(asked: Question, found: list[FieldElement], value: tuple[int, ...]) -> set[str]:
    """Return which public values are not those that a verifier computes for a claimed value."""
    wanted = asked.public(value)
    names = [f"row {i}" for i in range(len(wanted) - 2)] + ["value", "statement"]
    pairs = zip(names, found, wanted, strict=True)
    return {name for name, ours, theirs in pairs if ours != theirs}


def true_value(asked: Question) -> tuple[int, ...]:
    return function_values(asked.function, asked.rows)


@EACH
def test_a_value_off_by_one_is_not_the_value_proved(name: str) -> None:
    asked = question(name)
    for step in (-1, 1):
        first, *rest = true_value(asked)
        assert betrayed(asked, reached(asked), (first + step, *rest)) == {"value"}


def test_a_row_of_values_in_another_order_is_not_the_value_proved() -> None:
    asked = question("counts")
    value = true_value(asked)
    assert value != value[::-1]
    assert betrayed(asked, reached(asked), value[::-1]) == {"value"}
    assert betrayed(asked, reached(asked), value[:-1]) == {"value"}
    assert betrayed(asked, reached(asked), (*value, 0)) == {"value"}


def test_another_record_or_salt_than_committed_is_betrayed_by_its_commitment() -> None:
    asked = question("share")
    digits = [value + OFFSET for value in ROWS[0]]
    digits[4] = 7 + OFFSET
    more = (true_value(asked)[0] + 1,)
    assert betrayed(asked, reached(asked, record_0=digits), more) == {"row 0"}
    assert betrayed(asked, reached(asked, record_0_salt=[1]), true_value(asked)) == {"row 0"}


def test_weights_of_another_state_are_betrayed_by_its_commitment() -> None:
    asked = question("norm")
    found = reached(asked, state=[OFFSET] * 5)
    assert betrayed(asked, found, (0,)) == {"row 0"}


def test_records_in_another_order_are_betrayed_by_their_commitments() -> None:
    asked = question("mean")
    swapped = {"record_0": "record_1", "record_1": "record_0"}
    found = reached(asked, **{k: list(asked.chosen[v]) for k, v in swapped.items()})
    assert betrayed(asked, found, true_value(asked)) == {"row 0", "row 1"}


@pytest.mark.parametrize("digit", [2, 0, 16379, 16384, 2**200, ORDER - 1])
def test_a_digit_that_is_none_has_no_proof(digit: int) -> None:
    asked = question("mean")
    with pytest.raises(VerificationError, match="outside the table"):
        reached(asked, record_3=[digit, *asked.chosen["record_3"][1:]])


def test_the_ends_of_the_digits_have_a_proof() -> None:
    asked = Question(question("mean").function, [(3 - OFFSET, 16378 - OFFSET, 1, 0, 0), *ROWS[1:]])
    assert not betrayed(asked, reached(asked), true_value(asked))


def test_another_context_is_betrayed_by_the_statement() -> None:
    asked = question("mean")
    assert betrayed(asked, reached(asked, context=[1]), true_value(asked)) == {"statement"}


@pytest.mark.parametrize("one", [0, 2, ORDER - 1])
def test_a_unit_that_is_not_one_is_betrayed(one: int) -> None:
    asked = question("share")
    try:
        found = reached(asked, **{ONE: [one]})
    except VerificationError:
        return
    assert "statement" in betrayed(asked, found, true_value(asked))


def lies(asked: Question) -> list[tuple[str, int, int]]:
    """Return for every entry of every hint its name, its place and values that are not it."""
    honest = asked.solved().witness
    hints = [tensor for tensor in asked.graph.inputs if tensor.name.startswith("hint_")]
    return [
        (hint.name, place, false % ORDER)
        for hint in hints
        for place, true in enumerate(honest[hint.name])
        for false in {1 - true, true + 1, true - 1, -true, 2**100} - {true}
    ]


@EACH
def test_no_false_bit_digit_or_quotient_changes_what_is_proved(name: str) -> None:
    """Every hint in turn is a lie; what is computed after it follows the lie."""
    asked = question(name)
    honest, witness = true_value(asked), asked.solved().witness
    tried = lies(asked)
    assert tried or name == "norm"
    for hint, place, false in tried[:: max(1, len(tried) // 40)]:
        entries = list(witness[hint])
        entries[place] = false
        try:
            found = reached(asked, {hint: entries})
        except VerificationError:
            continue  # what follows from the lie is in no table
        assert "statement" in betrayed(asked, found, honest)


def test_a_false_quotient_with_digits_made_to_fit_has_no_proof() -> None:
    """The quotient is one off, and so is its lowest digit's remainder: nothing else is free."""
    asked = question("mean")
    quotients = [
        node
        for node in asked.graph.nodes
        if node.compute is not None and "quotient" in node.compute.__qualname__
    ]
    assert len(quotients) == 1
    true = asked.solved().witness[quotients[0].output]
    for step in (-1, 1):
        with pytest.raises(VerificationError, match="outside the table"):
            reached(asked, {quotients[0].output: [true[0] + step]})


def test_the_hints_of_comparisons_are_bits() -> None:
    """A bit of 2 would count a record twice: the sum of b * b - b betrays it."""
    asked = question("share")
    bits = [n for n in asked.graph.nodes if n.compute is not None and is_bit(n.compute)]
    assert len(bits) == 1
    true = asked.solved().witness[bits[0].output]
    for false in (2, ORDER - 1):
        entries = [false, *true[1:]]
        try:
            found = reached(asked, {bits[0].output: entries})
        except VerificationError:
            continue
        assert "statement" in betrayed(asked, found, (true_value(asked)[0] + false,))


def is_bit(compute: object) -> bool:
    return "_bit" in getattr(compute, "__qualname__", "")
