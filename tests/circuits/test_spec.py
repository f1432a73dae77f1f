"""The registry: what is pinned is what the source makes."""

import pytest

from circuits.pinned import PINNED
from circuits.registry import circuit
from circuits.spec import Circuit
from provenance import canonical
from provenance.errors import MalformedError
from provenance.expected.membership import MEMBERSHIP

EACH = pytest.mark.parametrize(
    "each", [circuit(name) for name in PINNED], ids=lambda each: each.name
)


@EACH
def test_the_graph_has_the_pinned_digest(each: Circuit) -> None:
    assert canonical.digest(each.onnx()) == each.onnx_digest


@EACH
def test_a_circuit_says_what_it_shows_and_what_is_public(each: Circuit) -> None:
    assert circuit(each.name).name == each.name
    assert len(each.statement) > 80
    assert any("context" in line for line in each.public)


@EACH
def test_nothing_is_left_to_ezkls_defaults_that_round_or_look_up(each: Circuit) -> None:
    told = each.run_arguments
    assert told["input_scale"] == told["param_scale"] == 0
    assert told["input_visibility"] == "private"
    assert (told["logrows"], told["num_inner_cols"]) == (each.logrows, each.columns)


def test_every_membership_circuit_is_registered() -> None:
    assert {name for name in PINNED if name.startswith("membership")} == set(MEMBERSHIP)


def test_an_unknown_circuit_is_refused_with_those_there_are() -> None:
    with pytest.raises(MalformedError, match=r"membership"):
        circuit("membership-23.v2")
