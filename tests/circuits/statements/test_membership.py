"""The membership circuit against its twin, against the record tree, and against liars."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.evaluate import evaluate
from circuits.statements.membership import membership_graph, membership_values, membership_witness
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.expected.membership import MEMBERSHIP, membership_depth, membership_zeros
from provenance.field import ORDER, FieldElement
from provenance.tree import DEPTH, InclusionProof
from tests.circuits.forgeries import Forgery, forgeries
from tests.circuits.sample import Sample, sample

NAMES = tuple(MEMBERSHIP)
ELEMENTS = st.integers(1, ORDER - 1).map(FieldElement)


@cache
def honest(name: str) -> Sample:
    return sample(name, chunks=1 if name == "membership-14.v2" else 3)


@cache
def onnx(depth: int) -> bytes:
    return membership_graph(depth).onnx()


FORGERIES = tuple(forgeries(honest("membership-22.v2")))
SHALLOW = tuple(forgeries(honest("membership-14.v2")))


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_witness_leads_to_the_public_values_that_a_verifier_computes(name: str) -> None:
    found = honest(name)
    assert membership_values(found.witness) == found.public
    assert evaluate(onnx(membership_depth(name)), found.witness) == found.public


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forged_witness_is_betrayed_by_exactly_these_public_values(forgery: Forgery) -> None:
    reached = evaluate(onnx(22), forgery.witness)
    assert betrayed(forgery, reached) >= forgery.betrayed_by
    if forgery.witness["one"] == (1,):
        assert betrayed(forgery, reached) == forgery.betrayed_by
        assert membership_values(forgery.witness) == reached


@pytest.mark.parametrize("forgery", SHALLOW, ids=lambda forgery: forgery.name)
def test_forgeries_are_betrayed_without_a_top_tree_too(forgery: Forgery) -> None:
    if forgery.witness["one"] == (1,):
        assert betrayed(forgery, membership_values(forgery.witness)) == forgery.betrayed_by


def test_every_public_zero_is_needed_by_some_forgery() -> None:
    zeros = set(range(1, 2 + membership_zeros(22)))
    assert set().union(*(f.betrayed_by for f in FORGERIES)) >= zeros


def betrayed(forgery: Forgery, reached: tuple[FieldElement, ...]) -> frozenset[int]:
    pairs = enumerate(zip(reached, forgery.claimed, strict=True))
    return frozenset(number for number, (found, claimed) in pairs if found != claimed)


@settings(deadline=None, max_examples=8)
@given(st.data())
def test_any_path_in_any_tree_that_fits_is_proved(data: st.DataObject) -> None:
    top = data.draw(st.integers(0, 8))
    count = data.draw(st.integers(1, CHUNK))
    chunks = data.draw(st.integers(2**top // 2 + 1, 2**top))
    inclusion = InclusionProof(
        chunk=data.draw(st.integers(0, chunks - 1)),
        position=data.draw(st.integers(0, count - 1)),
        count=count,
        path=tuple(data.draw(st.lists(ELEMENTS, min_size=DEPTH, max_size=DEPTH))),
        top_path=tuple(data.draw(st.lists(ELEMENTS, min_size=top, max_size=top))),
    )
    leaf, leaf_blind, index_blind, context = (data.draw(ELEMENTS) for _ in range(4))
    witness = membership_witness(inclusion, chunks, leaf, leaf_blind, index_blind, context, 22)
    reached = membership_values(witness)
    assert reached[1] == chunks
    assert not any(reached[2:-4])
    assert evaluate(onnx(22), witness) == reached


def test_a_zero_leaf_has_no_witness() -> None:
    with pytest.raises(MalformedError, match="other than 0"):
        membership_witness(honest("membership-22.v2").inclusion, 3, 0, 1, 1, 1, 22)


def test_a_tree_deeper_than_the_circuit_has_no_witness() -> None:
    found = honest("membership-22.v2").inclusion
    deep = replace(found, top_path=(*found.top_path, *[FieldElement(1)] * 8))
    with pytest.raises(MalformedError, match="does not fit a circuit of 22"):
        membership_witness(deep, 3, 1, 1, 1, 1, 22)


@pytest.mark.parametrize("chunks", [0, 1, 2, 5])
def test_a_path_that_does_not_fit_so_many_chunks_has_no_witness(chunks: int) -> None:
    with pytest.raises(MalformedError, match="a dataset"):
        membership_witness(honest("membership-22.v2").inclusion, chunks, 1, 1, 1, 1, 22)


def test_the_graph_is_the_same_bytes_each_time() -> None:
    assert membership_graph(22).onnx() == membership_graph(22).onnx()
