"""Leaves of a batch, by the compiled kernel, against the functions for one record."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from provenance.batch import Encoded, Rows
from provenance.chunk import cut_key
from provenance.encoding import Record
from provenance.features import FeatureSpec, feature_salt
from provenance.field import Digest
from provenance.leaf import DatasetKey, bucket, bucket_key, content_digest, leaf_digest, salt
from provenance.leaf_features import feature_salts
from provenance.leaves import LeafMaker, Leaves, plain_leaves
from provenance.poseidon import from_words
from provenance.record import encode_record
from provenance.schema import Bytes, Field, Schema
from provenance.sha256 import many
from provenance.sha256.machines import Machine
from provenance.siphash import siphash_many
from tests.provenance.documents import SCHEMA, SPEC

leaf_kernel = pytest.importorskip("provenance.leaf_kernel")
from provenance.sha256.kernels import available  # noqa: E402

KEY = DatasetKey(bytes(range(32)))
BLOB = Schema.of(Field("blob", Bytes()))
MACHINES = pytest.mark.parametrize("machine", available(), ids=lambda each: type(each).__name__)


@pytest.fixture
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_chooser", many.Chooser(0))


def salt_keys(key: DatasetKey) -> NDArray[np.uint8]:
    keys = b"".join(bucket_key(key, b"salt", number) for number in range(4096))
    return np.frombuffer(keys, np.uint8).reshape(4096, 16)


def noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, 32), np.uint8)


@MACHINES
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 100])
def test_the_kernel_gives_the_leaf_and_cut_value_of_each_content(
    machine: Machine, count: int
) -> None:
    contents = noise(count)
    words, values = leaf_kernel.finish(contents, salt_keys(KEY), cut_key(KEY), machine)
    digests = [Digest(row.tobytes()) for row in contents]
    assert list(from_words(words)) == [leaf_digest(salt(KEY, each), each) for each in digests]
    assert np.array_equal(values, siphash_many(cut_key(KEY), contents))
    assert np.array_equal(words, plain_leaves(KEY, contents))


@MACHINES
def test_the_first_and_last_buckets_have_their_own_keys(machine: Machine) -> None:
    contents = np.zeros((4, 32), np.uint8)
    contents[1:, :2] = [[0, 0x10], [0xFF, 0xEF], [0xFF, 0xFF]]
    words, _ = leaf_kernel.finish(contents, salt_keys(KEY), bytes(16), machine)
    assert np.array_equal(words, plain_leaves(KEY, contents))


def by_one(schema: Schema, record: Record) -> tuple[bytes, int, int]:
    content = content_digest(schema.digest, encode_record(schema, record))
    row = np.frombuffer(content, np.uint8).reshape(1, 32)
    return (
        content,
        leaf_digest(salt(KEY, content), content),
        int(siphash_many(cut_key(KEY), row)[0]),
    )


def each(leaves: Leaves) -> list[tuple[bytes, int, int]]:
    contents = [row.tobytes() for row in leaves.contents]
    return list(zip(contents, from_words(leaves.words), leaves.values.tolist(), strict=True))


@pytest.mark.usefixtures("_kernel")
@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_leaves_of_records_of_any_lengths(blobs: list[bytes]) -> None:
    records: list[Record] = [{"blob": blob} for blob in blobs]
    leaves = LeafMaker(BLOB, KEY).leaves(Rows(BLOB, records))
    assert each(leaves) == [by_one(BLOB, record) for record in records]


@pytest.mark.parametrize("spec", [None, SPEC])
def test_kernel_hashlib_and_no_numba_agree(
    spec: FeatureSpec | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[Record] = [
        {"age": i % 90, "ill": i % 3 == 0, "size": i / 8, "tags": ["a"] * (i % 3)}
        for i in range(40)
    ]
    found = []
    for chooser in (many.Chooser(), many.Chooser(0), many.Chooser(0, lambda: None)):
        monkeypatch.setattr(many, "_chooser", chooser)
        found.append(each(LeafMaker(SCHEMA, KEY, spec).leaves(Rows(SCHEMA, records))))
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == 40


@pytest.mark.usefixtures("_kernel")
def test_a_batch_of_bytes_that_is_no_list_of_records() -> None:
    class Held:
        def __len__(self) -> int:
            return 2

        def encoded(self) -> Encoded:
            return Encoded.of([b"one", b"and another"])

        def records(self) -> list[Record]:
            raise AssertionError("plain leaves need no records")

    leaves = LeafMaker(BLOB, KEY).leaves(Held())
    assert [row.tobytes() for row in leaves.contents] == [
        content_digest(BLOB.digest, b"one"),
        content_digest(BLOB.digest, b"and another"),
    ]


def test_feature_salts_are_those_of_one_record() -> None:
    contents = noise(20)
    buckets = [bucket(row.tobytes()) for row in contents]
    found = feature_salts(contents, salt_keys(KEY)[buckets])
    assert list(from_words(found)) == [feature_salt(KEY, Digest(row.tobytes())) for row in contents]


def test_a_maker_is_pickled_without_what_it_derived_and_never_shows_its_key() -> None:
    maker = LeafMaker(SCHEMA, KEY, SPEC)
    fresh = pickle.dumps(maker)
    records: list[Record] = [{"age": 1, "ill": True, "size": 1.5, "tags": []}]
    leaves = maker.leaves(Rows(SCHEMA, records))
    assert pickle.dumps(maker) == fresh
    again = pickle.loads(fresh)  # noqa: S301  # our own
    assert again == maker
    assert each(again.leaves(Rows(SCHEMA, records))) == each(leaves)
    assert KEY.hex() not in repr(maker)
    assert "DatasetKey" not in repr(maker)
