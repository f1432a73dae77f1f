"""The stream from batches to chunks, against functions that hash one record at a time."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.batch import Batch, Rows
from provenance.chunk import CHUNK, Cutter, Marks, cut_key
from provenance.errors import MalformedError
from provenance.features import (
    FeatureSpec,
    digits,
    feature_commitment,
    feature_salt,
    features_leaf,
)
from provenance.field import FieldElement
from provenance.leaf import DatasetKey, content_digest, leaf_digest, salt
from provenance.leaves import LeafMaker, Leaves, chunks_of
from provenance.poseidon import from_words
from provenance.record import Record, encode_record
from provenance.schema import Field, Int, Schema, String
from provenance.siphash import siphash_many
from provenance.tree import chunk_root
from tests.provenance.documents import SCHEMA, SPEC, vectors

VECTORS = vectors("dataset")
KEY = DatasetKey(bytes(range(32)))
RECORDS: tuple[Record, ...] = tuple(
    {"age": 7 * i % 90, "ill": i % 3 == 0, "size": i / 8, "tags": ["a"] * (i % 3)}
    for i in range(50)
)


@pytest.mark.parametrize("case", VECTORS["trees"], ids=lambda case: case["name"])
def test_tree_vectors(case: dict[str, Any]) -> None:
    key = DatasetKey(bytes.fromhex(case["key"]))
    spec = FeatureSpec.from_json(case["features"]) if case["features"] else None
    schema = Schema.from_json(case["schema"])
    maker = LeafMaker(schema, key, spec)
    leaves = maker.leaves(Rows(schema, case["records"]))
    assert [content.tobytes().hex() for content in leaves.contents] == case["contents"]
    assert [leaf.hex for leaf in from_words(leaves.words)] == case["leaves"]
    (chunk,) = chunks_of([Rows(schema, case["records"])], maker)
    assert (chunk.chunk.root.hex, chunk.chunk.count) == (case["root"], len(case["records"]))


def slow_leaf(record: Record, spec: FeatureSpec | None) -> FieldElement:
    """One leaf by the functions that hash one record at a time."""
    content = content_digest(SCHEMA.digest, encode_record(SCHEMA, record))
    leaf = leaf_digest(salt(KEY, content), content)
    if spec is None:
        return leaf
    return features_leaf(leaf, feature_commitment(digits(spec, record), feature_salt(KEY, content)))


@pytest.mark.parametrize("spec", [None, SPEC, replace(SPEC, label=None)])
def test_leaves_agree_with_hashing_one_record_at_a_time(spec: FeatureSpec | None) -> None:
    leaves = LeafMaker(SCHEMA, KEY, spec).leaves(Rows(SCHEMA, RECORDS))
    assert from_words(leaves.words) == tuple(slow_leaf(record, spec) for record in RECORDS)
    assert [content.tobytes() for content in leaves.contents] == [
        content_digest(SCHEMA.digest, encode_record(SCHEMA, record)) for record in RECORDS
    ]


@pytest.mark.parametrize("spec", [None, SPEC])
def test_no_records_have_no_leaves(spec: FeatureSpec | None) -> None:
    leaves = LeafMaker(SCHEMA, KEY, spec).leaves(Rows(SCHEMA, []))
    assert (leaves.contents.shape, leaves.words.shape) == ((0, 32), (0, 4))
    assert (len(leaves), leaves.values.shape) == (0, (0,))


@given(st.lists(st.integers(0, 50), max_size=6), st.sampled_from([None, SPEC]))
@settings(deadline=None, max_examples=15)
def test_how_records_are_split_into_batches_changes_nothing(
    cuts: list[int], spec: FeatureSpec | None
) -> None:
    edges = [0, *sorted(cuts), len(RECORDS)]
    batches = [Rows(SCHEMA, RECORDS[a:b]) for a, b in pairwise(edges)]
    seen: list[bytes] = []

    def watch(batch: Batch, leaves: Leaves) -> None:
        assert len(batch) == len(leaves) > 0
        seen.append(leaves.contents.tobytes())

    maker = LeafMaker(SCHEMA, KEY, spec)
    (found,) = chunks_of(batches, maker, watch)
    whole = maker.leaves(Rows(SCHEMA, RECORDS))
    assert np.array_equal(found.leaves, whole.words)
    assert found.chunk == chunk_root([slow_leaf(record, spec) for record in RECORDS])
    assert b"".join(seen) == whole.contents.tobytes()


def test_chunks_are_cut_as_the_cut_rule_says_whatever_the_batches() -> None:
    schema, records = counted(4000)
    maker = LeafMaker(schema, KEY)
    values = siphash_many(cut_key(KEY), maker.leaves(Rows(schema, records)).contents)
    cutter = Cutter()
    lengths = [*cutter.feed(Marks.of(values)), cutter.open]
    assert len(lengths) > 1
    assert lengths[0] == CUT
    for size in (1000, 1777, 4000):
        batches = [Rows(schema, records[i : i + size]) for i in range(0, len(records), size)]
        found = list(chunks_of(batches, maker))
        assert [each.chunk.count for each in found] == lengths
        assert [len(each.leaves) for each in found] == lengths


def counted(count: int) -> tuple[Schema, list[Record]]:
    return Schema.of(Field("n", Int())), [{"n": i} for i in range(count)]


CUT = 3091
"""Where the first of these is cut, as the test above finds."""


def test_a_dataset_that_ends_where_it_is_cut_has_no_empty_chunk_after_it() -> None:
    schema, records = counted(CUT)
    found = chunks_of([Rows(schema, records)], LeafMaker(schema, KEY))
    assert [each.chunk.count for each in found] == [CUT]


@pytest.mark.slow
def test_a_dataset_that_ends_with_a_full_chunk_has_no_empty_chunk_after_it() -> None:
    schema = Schema.of(Field("n", Int()))
    constant: list[Record] = [{"n": 1}] * CHUNK
    found = chunks_of([Rows(schema, constant)], LeafMaker(schema, KEY))
    assert [each.chunk.count for each in found] == [CHUNK]


@pytest.mark.parametrize("batches", [[], [[]], [[], []]])
def test_an_empty_dataset_is_refused(batches: list[list[Record]]) -> None:
    with pytest.raises(MalformedError, match="empty"):
        list(chunks_of([Rows(SCHEMA, batch) for batch in batches], LeafMaker(SCHEMA, KEY)))


def test_a_record_out_of_a_features_range_is_refused_and_never_clipped() -> None:
    with pytest.raises(MalformedError, match="size"):
        LeafMaker(SCHEMA, KEY, SPEC).leaves(Rows(SCHEMA, [{**RECORDS[0], "size": 1e6}]))


def test_another_key_schema_or_record_gives_other_leaves() -> None:
    one: list[Record] = [{"n": "1"}]
    schema, renamed = Schema.of(Field("n", String())), Schema.of(Field("m", String()))
    found = {
        from_words(LeafMaker(each, key).leaves(Rows(each, records)).words)
        for records, each, key in (
            (one, schema, KEY),
            (one, schema, DatasetKey(bytes(32))),
            ([{"n": "2"}], schema, KEY),
            ([{"m": "1"}], renamed, KEY),
            ([{"n": 1}], Schema.of(Field("n", Int())), KEY),
        )
    }
    assert len(found) == 5
