"""Property circuits against their twin, against plain Python, and against liars."""

from collections import Counter

import pytest

from circuits.evaluate import evaluate, public_values
from circuits.functions.function import read
from circuits.functions.values import function_values
from circuits.registry import circuit
from circuits.statements.properties import property_shape
from provenance.errors import MalformedError
from tests.circuits.statements.questions import EXAMPLES, ROWS, TABLE, WEIGHTS, question

EACH = pytest.mark.parametrize("name", EXAMPLES)


def answers() -> dict[str, tuple[int, ...]]:
    """Return what each example asks for, counted by hand."""
    third = [row[2] for row in ROWS]
    bins = Counter(sum(row[1] >= edge for edge in (-20, 0, 15)) for row in ROWS)
    inside, outside = ([row for row in ROWS if row[3] == group] for group in (1, 0))
    good = [sum(row[0] > 0 for row in rows) for rows in (inside, outside)]
    rate = 1000 * (good[0] * 8 - good[1] * 4)
    return {
        "mean": ((2 * sum(third) + 12) // 24,),
        "histogram": tuple(bins[i] for i in range(4)),
        "share": (sum(row[4] == 7 for row in ROWS),),
        "counts": (len(inside), good[0], len(outside), good[1]),
        "gap": ((2 * rate + 32) // 64, 4),
        "norm": (sum(w * w for w in WEIGHTS),),
    }


@EACH
def test_an_honest_proof_shows_commitments_the_value_and_the_statement(name: str) -> None:
    asked = question(name)
    value = function_values(asked.function, asked.rows)
    assert value == answers()[name]
    assert public_values(asked.solved().outputs, hashed=True) == asked.public(value)


@EACH
def test_the_onnx_that_is_proved_says_the_same(name: str) -> None:
    asked = question(name)
    witness = asked.solved().witness
    reached = evaluate(asked.graph.onnx(), witness, TABLE.most)
    assert reached == asked.public(answers()[name])


@EACH
def test_a_circuit_is_found_by_name_and_function(name: str) -> None:
    found = circuit(question(name).shape.name, EXAMPLES[name])
    assert found.hashed
    assert found.logrows == 12
    assert found.onnx() == circuit(found.name, EXAMPLES[name]).onnx()


def test_a_name_needs_its_own_function() -> None:
    name = question("mean").shape.name
    with pytest.raises(MalformedError, match="needs its function's ONNX"):
        circuit(name)
    with pytest.raises(MalformedError, match="the function given is that of property-12x5-"):
        circuit(name, EXAMPLES["share"])
    assert property_shape(read(EXAMPLES["share"])).name != name
