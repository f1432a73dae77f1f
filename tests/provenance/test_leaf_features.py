"""Leaves of kind `features` by columns and kernels, against the functions for one record."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.batch import Rows
from provenance.errors import MalformedError
from provenance.features import (
    FeatureField,
    FeatureSpec,
    digits,
    feature_commitment,
    feature_elements,
    feature_salt,
    features_leaf,
)
from provenance.field import FieldElement
from provenance.leaf import DatasetKey, content_digest, leaf_digest, salt
from provenance.leaf_features import FeatureRow, feature_rows
from provenance.leaves import LeafMaker, chunks_of
from provenance.poseidon import ezkl_sponge, from_words
from provenance.record import encode_record
from provenance.schema import Bool, Field, Float64, List, Schema, String
from tests.provenance.documents import SCHEMA, SPEC

ROOT = Path(__file__).parents[2]
KEY = DatasetKey(bytes(range(32)))
Records = Sequence[Mapping[str, Any]]


def by_one(spec: FeatureSpec, schema: Schema, records: Records) -> list[FeatureRow]:
    """Return rows by features.py and leaf.py alone."""
    found = []
    for record in records:
        content = content_digest(schema.digest, encode_record(schema, record))
        blind, values = feature_salt(KEY, content), digits(spec, record)
        commitment = feature_commitment(values, blind)
        found.append(
            FeatureRow(values, blind, commitment, leaf_digest(salt(KEY, content), content))
        )
    return found


def leaves_by_one(spec: FeatureSpec, schema: Schema, records: Records) -> list[FieldElement]:
    rows = by_one(spec, schema, records)
    return [features_leaf(row.leaf_digest, row.commitment) for row in rows]


def cells(count: int) -> list[dict[str, Any]]:
    return [
        {"age": at % 90, "ill": at % 3 == 0, "size": at / 8, "tags": ["a"] * (at % 3)}
        for at in range(count)
    ]


def test_leaves_are_those_of_the_records_one_by_one() -> None:
    leaves = LeafMaker(SCHEMA, KEY, SPEC).leaves(Rows(SCHEMA, cells(30)))
    assert list(from_words(leaves.words)) == leaves_by_one(SPEC, SCHEMA, cells(30))


@settings(deadline=None, max_examples=6)
@given(st.integers(1, 40), st.integers(0, 1), st.randoms(use_true_random=False))
def test_any_number_of_features_fills_its_elements(count: int, labels: int, source: Any) -> None:
    names = [f"f{at:02}" for at in range(count)]
    schema = Schema.of(*(Field(name, Float64()) for name in names), Field("label", Bool()))
    spec = FeatureSpec(
        tuple(FeatureField(name, 7) for name in names),
        FeatureField("label", 0) if labels else None,
    )
    records = [
        {**{name: source.uniform(-60, 60) for name in names}, "label": source.random() < 0.5}
        for _ in range(5)
    ]
    leaves = LeafMaker(schema, KEY, spec).leaves(Rows(schema, records))
    assert list(from_words(leaves.words)) == leaves_by_one(spec, schema, records)


@pytest.mark.parametrize("sizes", [(60,), (1,) * 60, (7, 0, 50, 3), (59, 1)])
def test_however_records_come_in_batches_chunks_are_the_same(sizes: tuple[int, ...]) -> None:
    records, batches, at = cells(60), [], 0
    for size in sizes:
        batches.append(Rows(SCHEMA, records[at : at + size]))
        at += size
    found = list(chunks_of(batches, LeafMaker(SCHEMA, KEY, SPEC)))
    leaves = [leaf for chunk in found for leaf in from_words(chunk.leaves)]
    assert leaves == leaves_by_one(SPEC, SCHEMA, records)


def test_a_feature_out_of_range_names_record_and_field() -> None:
    records = [*cells(3), {"age": 9000, "ill": True, "size": 1e9, "tags": []}]
    with pytest.raises(
        MalformedError, match=r"^record 4 of the batch: feature 'age': .*nothing is"
    ):
        LeafMaker(SCHEMA, KEY, SPEC).leaves(Rows(SCHEMA, records))


@settings(deadline=None, max_examples=8)
@given(st.lists(st.integers(0, 19), max_size=6))
def test_rows_of_chosen_records_are_what_a_prover_opens(chosen: list[int]) -> None:
    batch, expected = Rows(SCHEMA, cells(20)), by_one(SPEC, SCHEMA, cells(20))
    rows = feature_rows(SPEC, SCHEMA, KEY, batch, chosen)
    assert list(rows) == [expected[number] for number in chosen]
    committed = from_words(LeafMaker(SCHEMA, KEY, SPEC).leaves(batch).words)
    for number, row in zip(chosen, rows, strict=True):
        assert row.leaf == committed[number]
        assert row.commitment == ezkl_sponge(feature_elements(row.digits, row.salt))


@pytest.mark.parametrize("number", [-1, 20])
def test_a_record_that_is_not_in_the_batch_is_refused(number: int) -> None:
    with pytest.raises(MalformedError, match="a batch of 20 records has no record"):
        feature_rows(SPEC, SCHEMA, KEY, Rows(SCHEMA, cells(20)), [0, number])


def test_a_row_never_shows_its_key_and_depends_on_it() -> None:
    batch = Rows(SCHEMA, cells(2))
    (one,) = feature_rows(SPEC, SCHEMA, KEY, batch, [1])
    (other,) = feature_rows(SPEC, SCHEMA, DatasetKey(bytes(32)), batch, [1])
    assert one.digits == other.digits
    assert one.salt != other.salt
    assert one.commitment != other.commitment


ALONE = """
import sys
from provenance.batch import Rows
from provenance.leaves import LeafMaker
from provenance.leaf import DatasetKey
from provenance.poseidon import from_words
from provenance.record import decode_record
from tests.provenance.documents import SCHEMA, SPEC
assert "numba" not in sys.modules, "numba is imported before there is work"
sys.modules["numba"] = sys.modules["pyarrow"] = None
records = [{"age": at, "ill": True, "size": at / 8, "tags": ["a"]} for at in range(400)]
leaves = LeafMaker(SCHEMA, DatasetKey(bytes(range(32))), SPEC).leaves(Rows(SCHEMA, records))
print(from_words(leaves.words)[399].hex)
"""


def test_without_numba_and_pyarrow_leaves_are_the_same() -> None:
    record = {"age": 399, "ill": True, "size": 399 / 8, "tags": ["a"]}
    (leaf,) = leaves_by_one(SPEC, SCHEMA, [record])
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == leaf.hex


def test_features_after_texts_and_lists_are_found() -> None:
    fields = Schema.of(Field("a", String()), Field("b", List(Float64())), Field("x", Float64()))
    spec = FeatureSpec((FeatureField("x", 4),))
    records: list[dict[str, Any]] = [
        {"a": "é" * at, "b": [1.0] * (3 - at % 3), "x": at / 16} for at in range(9)
    ]
    leaves = LeafMaker(fields, KEY, spec).leaves(Rows(fields, records))
    assert list(from_words(leaves.words)) == leaves_by_one(spec, fields, records)
