"""Dataset commitments: one form, no contradictions; leaves and chunks against slow references."""

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import canonical
from provenance.chunk import CHUNK
from provenance.dataset import (
    MAX_CHUNKS,
    MAX_FACT,
    MAX_FACTS,
    MAX_FILES,
    MAX_INDEXES,
    DatasetCommitment,
    sources_document,
)
from provenance.errors import MalformedError
from provenance.exclusion import IndexEntry
from provenance.features import (
    FeatureField,
    FeatureSpec,
)
from provenance.field import Digest, FieldElement
from provenance.schema import Date, Field, Schema
from tests.provenance.documents import (
    DATASET,
    assert_members_are_needed,
    assert_one_form,
    other_spellings,
    refuses_or_differs,
    vectors,
    word,
)

VECTORS = vectors("dataset")
WORDS = "text-nfkc-casefold/1"


@pytest.mark.parametrize("case", VECTORS["commitments"], ids=lambda case: case["name"])
def test_commitment_vectors(case: dict[str, Any]) -> None:
    data = case["text"].encode()
    if case["digest"] is not None:
        found = DatasetCommitment.parse(data)
        assert found.encoded == data
        assert found.digest.hex() == case["digest"]
    else:
        with pytest.raises(MalformedError):
            DatasetCommitment.parse(data)


COMMITMENTS = [
    DATASET,
    replace(DATASET, features=None, indexes=(), previous=None, facts={}, order="given"),
    replace(DATASET, size_bytes=0),
    replace(DATASET, size_bytes=2**63 - 1, chunks=MAX_CHUNKS, records=MAX_CHUNKS * CHUNK),
]
COMMITMENTS[3] = replace(COMMITMENTS[3], indexes=())


@pytest.mark.parametrize("commitment", COMMITMENTS)
def test_a_commitment_has_one_form(commitment: DatasetCommitment) -> None:
    assert DatasetCommitment.parse(commitment.encoded) == commitment
    assert_members_are_needed(DatasetCommitment.parse, commitment.encoded)
    assert assert_one_form(DatasetCommitment.parse, commitment.encoded) > 400


@given(st.integers(0, 8 * len(DATASET.encoded) - 1))
@settings(deadline=None, max_examples=300)
def test_a_flipped_bit_never_gives_an_equal_commitment(place: int) -> None:
    data = bytearray(DATASET.encoded)
    data[place // 8] ^= 1 << place % 8
    refuses_or_differs(DatasetCommitment.parse, bytes(data), DATASET.encoded)


def test_the_leaf_kind_and_the_feature_spec_say_the_same() -> None:
    value = json.loads(DATASET.encoded)
    for changed in (
        {**value, "leaf": "plain"},
        {**value, "features": None},
        {**value, "leaf": "keyed"},
    ):
        with pytest.raises(MalformedError, match="does not fit the feature spec"):
            DatasetCommitment.parse(canonical.encode(changed))


def test_what_is_derived_from_a_commitment() -> None:
    assert DATASET.label == "cells@v2"
    assert DATASET.digest == sha256(DATASET.encoded).digest()
    depths = [replace(DATASET, chunks=n, records=7000).depth for n in (1, 2, 3, 4, 5)]
    assert depths == [0, 1, 2, 2, 3]


def entry(normaliser: str, field: str, keys: int, without: int) -> IndexEntry:
    return IndexEntry(normaliser, field, (), FieldElement(1 if keys else 0), keys, without)


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "issuer in upper case": {"issuer": "A" * 64},
    "issuer is a name": {"issuer": "me"},
    "name": {"name": "Cells"},
    "version": {"version": ""},
    "order": {"order": "natural/2"},
    "no chunk": {"chunks": 0},
    "too many chunks": {"chunks": MAX_CHUNKS + 1, "records": MAX_CHUNKS * CHUNK},
    "more chunks than records": {"chunks": 3, "records": 2, "indexes": ()},
    "more records than chunks hold": {"records": 2 * CHUNK + 1},
    "no record": {"records": 0, "indexes": ()},
    "root zero": {"root": FieldElement(0)},
    "negative size": {"size_bytes": -1},
    "huge size": {"size_bytes": 2**63},
    "too many facts": {"facts": {f"f{i}": "" for i in range(MAX_FACTS + 1)}},
    "a fact without a name": {"facts": {"": "x"}},
    "a fact under a sentence": {"facts": {"made in": "x"}},
    "a fact too long": {"facts": {"f": "x" * (MAX_FACT + 1)}},
    "a feature that is no field": {"features": FeatureSpec((FeatureField("weight", 0),))},
    "a feature that is no number": {"features": FeatureSpec((FeatureField("tags", 0),))},
    "a label that is no field": {
        "features": FeatureSpec((FeatureField("age", 0),), FeatureField("dead", 0), "zero")
    },
    "a feature that is a date": {
        "schema": Schema.of(Field("day", Date())),
        "features": FeatureSpec((FeatureField("day", 0),)),
        "indexes": (),
    },
    "too many indexes": {
        "indexes": tuple(entry(f"n-{i}/1", "tags", 1, 0) for i in range(MAX_INDEXES + 1))
    },
    "an index twice": {"indexes": (entry(WORDS, "tags", 9, 0), entry(WORDS, "tags", 8, 1))},
    "an index over no field": {"indexes": (entry(WORDS, "other", 9, 0),)},
    "an index over a number": {"indexes": (entry(WORDS, "age", 9, 0),)},
    "more without a key than there are": {"indexes": (entry(WORDS, "tags", 9, 7001),)},
    "keys of no record": {"indexes": (entry(WORDS, "tags", 9, 7000),)},
    "no keys, but not of all": {"indexes": (entry(WORDS, "tags", 0, 6999),)},
    "exact keys for more than all": {"indexes": (entry("exact/1", "", 7001, 0),)},
    "a record without itself": {"indexes": (entry("exact/1", "", 6999, 1),)},
    "no exact key at all": {"indexes": (entry("exact/1", "", 0, 7000),)},
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_commitment_that_contradicts_itself_cannot_be_made(name: str) -> None:
    with pytest.raises(MalformedError):
        replace(DATASET, **CONTRADICTIONS[name])


def test_an_index_that_no_record_has_a_key_in_is_empty() -> None:
    found = replace(DATASET, indexes=(entry(WORDS, "tags", 0, 7000),))
    assert DatasetCommitment.parse(found.encoded) == found


def test_a_normaliser_of_a_later_version_is_read() -> None:
    found = replace(DATASET, indexes=(entry("domain/1", "where.host", 1, 0),))
    assert DatasetCommitment.parse(found.encoded) == found


@dataclass(frozen=True)
class Source:
    path: str
    size: int
    sha256: Digest


def test_the_sources_document_is_salted_canonical_and_ordered() -> None:
    files = [Source("b", 2**60, word("b")), Source("a", 1, word("a"))]
    value = canonical.decode(sources_document(files, bytes(range(32))))
    assert value == {
        "kind": "rootline/sources/v1",
        "salt": bytes(range(32)).hex(),
        "files": [
            {"path": "b", "bytes": str(2**60), "sha256": word("b").hex()},
            {"path": "a", "bytes": 1, "sha256": word("a").hex()},
        ],
    }
    assert sources_document(files, bytes(32)) != sources_document(files[::-1], bytes(32))


def test_sources_without_a_full_salt_or_with_a_path_twice_are_refused() -> None:
    one = Source("a", 1, word("a"))
    for size in (0, 31, 33):
        with pytest.raises(MalformedError, match="32 bytes"):
            sources_document([one], bytes(size))
    with pytest.raises(MalformedError, match="one path"):
        sources_document([one, replace(one, size=2)], bytes(32))
    with pytest.raises(MalformedError, match="at most"):
        sources_document([one] * (MAX_FILES + 1), bytes(32))


def test_another_spelling_of_a_commitment_is_refused() -> None:
    for spelling in other_spellings(DATASET.encoded):
        with pytest.raises(MalformedError):
            DatasetCommitment.parse(spelling)
