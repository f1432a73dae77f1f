"""The two hashes against circomlibjs, ezkl, and a second implementation of the permutation."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.field import ORDER, FieldElement
from provenance.poseidon import ezkl_sponge, poseidon, reference

FOLDER = Path(__file__).parents[2] / "vectors"
VECTORS: dict[str, Any] = json.loads((FOLDER / "poseidon.json").read_text())
OPINION: dict[str, Any] = json.loads((FOLDER / "poseidon_second_opinion.json").read_text())


def described(case: dict[str, Any]) -> str:
    name = case.get("name") or case.get("why")
    return str(name or f"{len(case['inputs'])} inputs")


@pytest.mark.parametrize("case", VECTORS["circomlib"], ids=described)
def test_poseidon_gives_what_circomlibjs_gives(case: dict[str, Any]) -> None:
    assert poseidon(*map(int, case["inputs"])) == int(case["output"])


@pytest.mark.parametrize("case", VECTORS["ezkl_sponge"], ids=described)
def test_the_sponge_gives_what_ezkl_gives(case: dict[str, Any]) -> None:
    output = ezkl_sponge([int(element) for element in case["inputs"]])
    assert output == int(case["output"])
    assert output.to_bytes(32, "little").hex() == case["output_hex_little_endian"]


@pytest.mark.parametrize("case", OPINION["cases"], ids=described)
def test_a_second_implementation_is_of_the_same_opinion(case: dict[str, Any]) -> None:
    inputs = list(map(int, case["inputs"]))
    assert poseidon(*inputs) == int(case["output"])
    assert reference.permute([0, *inputs])[0] == int(case["output"])


def test_the_second_opinion_covers_three_widths_twenty_times() -> None:
    lengths = [len(case["inputs"]) for case in OPINION["cases"]]
    assert all(lengths.count(length) >= 20 for length in (2, 3, 4))


@pytest.mark.parametrize("case", VECTORS["refused"], ids=described)
def test_what_is_no_list_of_field_elements_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        poseidon(*map(int, case["inputs"]))


@pytest.mark.parametrize("elements", [[], [ORDER], [0, -1], [1, 2**256]])
def test_the_sponge_refuses_no_elements_and_values_outside_the_field(elements: list[int]) -> None:
    with pytest.raises(MalformedError):
        ezkl_sponge(elements)


def test_a_value_is_never_reduced_to_its_remainder() -> None:
    assert poseidon(0, 1) != poseidon(0, ORDER - 1)
    with pytest.raises(MalformedError):
        poseidon(0, ORDER + 1)


def test_outputs_are_field_elements() -> None:
    assert isinstance(poseidon(1), FieldElement)
    assert isinstance(ezkl_sponge([1]), FieldElement)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, ORDER - 1), st.integers(0, ORDER - 1))
def test_order_matters_and_the_two_hashes_differ(left: int, right: int) -> None:
    assert (poseidon(left, right) == poseidon(right, left)) == (left == right)
    assert ezkl_sponge([left, right]) != poseidon(left, right)
    assert poseidon(left, right, 0) != poseidon(left, right)


def test_the_sponge_binds_zeros_at_the_end_only_by_their_number() -> None:
    assert len({ezkl_sponge([1] + [0] * zeros) for zeros in range(4)}) == 4
