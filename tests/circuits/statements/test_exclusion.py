"""The exclusion circuit against its twin, against real indexes, and against liars."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.evaluate import evaluate
from circuits.pinned import PINNED
from circuits.registry import circuit
from circuits.statements.exclusion import exclusion_graph
from circuits.statements.exclusion_witness import exclusion_values, exclusion_witness
from provenance.errors import MalformedError, VerificationError
from provenance.exclusion import (
    AbsenceProof,
    ExclusionIndex,
    ExclusionKey,
    Neighbour,
    index_salt,
    prove_absence,
)
from provenance.expected.exclusion import EXCLUSION, exclusion_public
from provenance.field import FieldElement
from tests.circuits.absences import (
    ASKED,
    DATASET_KEY,
    LENGTH,
    Places,
    absence,
    absence_forgeries,
    expected,
    sharing,
)
from tests.circuits.forgeries import Forgery
from tests.circuits.sample import CONTEXT
from tests.provenance.documents import vectors

VECTORS = vectors("exclusion_circuit")
FORGERIES = tuple(absence_forgeries())
KEYS = st.binary(min_size=31, max_size=31).map(ExclusionKey)


@cache
def onnx(depth: int, keys: int = 1) -> bytes:
    return exclusion_graph(depth, keys).onnx()


@pytest.mark.parametrize("name", EXCLUSION)
def test_an_honest_witness_leads_to_the_public_values_that_a_verifier_computes(name: str) -> None:
    depth, count = EXCLUSION[name]
    asked = [ASKED, sharing(8), sharing(9), ASKED][:count]
    index = absence(depth).index
    proofs = [prove_absence(index, key) for key in asked]
    witness = exclusion_witness(asked, proofs, CONTEXT, depth)
    public = exclusion_public(name, index.root, [key.number for key in asked], CONTEXT)
    assert exclusion_values(witness) == public
    assert evaluate(circuit(name).onnx(), witness) == public
    assert [tensor.name for tensor in circuit(name).graph().inputs] == list(witness)


@pytest.mark.parametrize("beside_nothing", [False, True])
def test_an_end_is_a_neighbour_or_nothing(*, beside_nothing: bool) -> None:
    found = absence(beside_nothing=beside_nothing)
    assert evaluate(onnx(8), found.witness) == exclusion_values(found.witness) == found.public
    assert (found.end == 0) == beside_nothing


def test_an_empty_index_and_one_with_a_single_key_have_paths_of_no_siblings() -> None:
    for keys in ([], [sharing(0)], [sharing(200)]):
        index = ExclusionIndex(keys, DATASET_KEY)
        proof = prove_absence(index, ASKED)
        assert not proof.siblings
        witness = exclusion_witness([ASKED], [proof], CONTEXT, 8)
        assert evaluate(onnx(8), witness) == expected(index.root, ASKED, 8)


@settings(deadline=None, max_examples=10)
@given(st.data())
def test_absence_from_any_small_index_is_proved(data: st.DataObject) -> None:
    present = set(data.draw(st.lists(KEYS, max_size=6)))
    asked = data.draw(KEYS)
    for bits in data.draw(st.lists(st.integers(0, 30), max_size=4)):
        other = 1 << 247 - bits | data.draw(st.integers(0, (1 << 247 - bits) - 1))
        present.add(ExclusionKey((asked.number ^ other).to_bytes(31, "big")))
    index = ExclusionIndex(present - {asked}, DATASET_KEY)
    proof = prove_absence(index, asked)
    if len(proof.siblings) > 16:
        with pytest.raises(MalformedError, match=r"longer than 16: use exclusion-64\.v1"):
            exclusion_witness([asked], [proof], CONTEXT, 16)
    depth = 16 if len(proof.siblings) <= 16 else 64
    witness = exclusion_witness([asked], [proof], CONTEXT, depth)
    assert exclusion_values(witness) == expected(index.root, asked, depth)
    if depth == 16:
        assert evaluate(onnx(16), witness) == expected(index.root, asked, depth)


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forged_witness_is_betrayed_by_exactly_these_public_values(forgery: Forgery) -> None:
    reached = evaluate(onnx(8), forgery.witness)
    if forgery.witness["one"] != (1,):
        assert betrayed(forgery, reached) >= forgery.betrayed_by
        return
    assert betrayed(forgery, reached) == forgery.betrayed_by
    assert exclusion_values(forgery.witness) == reached


@pytest.mark.parametrize("case", VECTORS["honest"], ids=lambda case: case["circuit"])
def test_recorded_absences_lead_to_their_public_values(case: dict[str, Any]) -> None:
    asked = [ExclusionKey(bytes.fromhex(key)) for key in case["keys"]]
    proofs = [AbsenceProof.from_json(proof) for proof in case["absences"]]
    root, context = FieldElement.parse(case["root"]), FieldElement.parse(case["context"])
    numbers = [key.number for key in asked]
    public = exclusion_public(case["circuit"], root, numbers, context)
    assert [value.hex for value in public] == case["public"]
    depth, _ = EXCLUSION[case["circuit"]]
    assert exclusion_values(exclusion_witness(asked, proofs, context, depth)) == public


@pytest.mark.parametrize("case", VECTORS["forged"], ids=lambda case: case["name"])
def test_recorded_forgeries_are_betrayed(case: dict[str, Any]) -> None:
    rows = VECTORS["witness"] | case["changed"]
    witness = {name: [int(value, 16) for value in row] for name, row in rows.items()}
    root, context = FieldElement.parse(case["claimed"]["root"]), FieldElement.parse(case["context"])
    key = int(case["claimed"]["key"], 16)
    claimed = exclusion_public("exclusion-40.v1", root, [key], context)
    pairs = enumerate(zip(exclusion_values(witness), claimed, strict=True))
    differing = {str(number): found.hex for number, (found, told) in pairs if found != told}
    assert differing == case["reached"]
    assert differing


def test_every_public_zero_and_bit_is_needed_by_some_forgery() -> None:
    at = Places(8)
    needed = {*range(at.bit(0), at.bit(8)), *range(at.node(1), at.last + 1)}
    assert set().union(*(f.betrayed_by for f in FORGERIES)) >= needed


def betrayed(forgery: Forgery, reached: tuple[FieldElement, ...]) -> frozenset[int]:
    pairs = enumerate(zip(reached, forgery.claimed, strict=True))
    return frozenset(number for number, (found, claimed) in pairs if found != claimed)


def test_every_exclusion_circuit_is_pinned() -> None:
    assert {name for name in PINNED if name.startswith("exclusion")} == set(EXCLUSION)


def test_a_present_key_has_no_witness() -> None:
    index = absence().index
    own = Neighbour(ASKED, index_salt(DATASET_KEY, ASKED))
    with pytest.raises(VerificationError, match="it is in the index"):
        exclusion_witness([ASKED], [AbsenceProof(own, ())], CONTEXT, 8)
    assert index.root


def test_a_neighbour_from_elsewhere_has_no_witness() -> None:
    proof = prove_absence(absence().index, ASKED)
    other = sharing(LENGTH - 1)
    astray = AbsenceProof(Neighbour(other, index_salt(DATASET_KEY, other)), proof.siblings)
    with pytest.raises(VerificationError, match="does not stand where"):
        exclusion_witness([ASKED], [astray], CONTEXT, 8)


def test_a_path_that_is_too_long_names_the_deeper_circuit() -> None:
    index = ExclusionIndex([sharing(45), sharing(47)], DATASET_KEY)
    proof = prove_absence(index, ASKED)
    assert len(proof.siblings) == 46
    with pytest.raises(MalformedError, match=r"46 siblings is longer than 40: use exclusion-64"):
        exclusion_witness([ASKED], [proof], CONTEXT, 40)
    witness = exclusion_witness([ASKED], [proof], CONTEXT, 64)
    public = exclusion_public("exclusion-64.v1", index.root, [ASKED.number], CONTEXT)
    assert exclusion_values(witness) == public


@pytest.mark.parametrize("count", [0, 1])
def test_each_key_needs_its_proof(count: int) -> None:
    proof = prove_absence(absence().index, ASKED)
    with pytest.raises(MalformedError, match="proofs of absence"):
        exclusion_witness([ASKED] * (2 * count), [proof] * count, CONTEXT, 8)


def test_the_verifiers_side_refuses_other_circuits_and_keys() -> None:
    with pytest.raises(MalformedError, match="no exclusion circuit"):
        exclusion_public("exclusion-41.v1", CONTEXT, [1], CONTEXT)
    with pytest.raises(MalformedError, match="about 4 keys, not 1"):
        exclusion_public("exclusion-40x4.v1", CONTEXT, [1], CONTEXT)
    for key in (-1, 2**248):
        with pytest.raises(MalformedError, match="248 bits"):
            exclusion_public("exclusion-40.v1", CONTEXT, [key], CONTEXT)
