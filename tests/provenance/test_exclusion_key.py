import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.exclusion_key import (
    ExclusionKey,
    IndexSalt,
    check_field,
    field_names,
    field_path,
    index_leaf,
    index_salt,
    key,
    record_keys,
)
from provenance.leaf import DatasetKey, bucket_key
from provenance.normalise import normalise
from provenance.poseidon import poseidon
from provenance.schema import Bytes, Field, Int, List, Map, Schema, String, Struct

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/exclusion.json").read_text()
)
FOLD = "text-nfkc-casefold/1"
NAMES = st.lists(st.text(st.sampled_from("ab.\\é"), min_size=1, max_size=4), max_size=4)


@pytest.mark.parametrize("case", VECTORS["keys"], ids=lambda case: case["name"])
def test_key_vectors(case: dict[str, Any]) -> None:
    value = bytes.fromhex(case["digest"]) if "digest" in case else case["text"]
    assert key(case["normaliser"], case["field"], value).hex() == case["key"]


@pytest.mark.parametrize("case", VECTORS["salts"], ids=lambda case: case["key"][:8])
def test_salt_and_leaf_vectors(case: dict[str, Any]) -> None:
    found = ExclusionKey(bytes.fromhex(case["key"]))
    salt = index_salt(DatasetKey(bytes.fromhex(case["dataset_key"])), found)
    assert salt.hex() == case["salt"]
    assert index_leaf(found, salt).hex == case["leaf"]


@settings(deadline=None, max_examples=50)
@given(NAMES)
def test_a_field_path_gives_its_names_back(names: list[str]) -> None:
    assert field_names(field_path(names)) == tuple(names)


@settings(deadline=None, max_examples=50)
@given(NAMES, NAMES)
def test_different_names_have_different_paths(one: list[str], other: list[str]) -> None:
    assert (field_path(one) == field_path(other)) == (one == other)


@pytest.mark.parametrize("path", [".", "a.", ".a", "a..b", "\\", "a\\", "a\\b", "\\\\\\"])
def test_another_spelling_of_a_path_is_refused(path: str) -> None:
    with pytest.raises(MalformedError, match=r"field path|empty name"):
        field_names(path)


def test_an_empty_name_has_no_path() -> None:
    with pytest.raises(MalformedError, match="empty name"):
        field_path(["a", ""])


@settings(deadline=None, max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["a", "b.c", "\\."]))
def test_a_key_is_the_digest_of_its_framed_parts(text: str, field: str) -> None:
    frame = b"RL-xkey"
    normalised = normalise(FOLD, text)
    for part in (FOLD.encode(), field.encode(), normalised):
        frame += len(part).to_bytes(4, "big") + part
    assert key(FOLD, field, text) == sha256(frame).digest()[:31]


def test_keys_of_another_field_or_normaliser_differ() -> None:
    digest = bytes(32)
    keys = {key(FOLD, "a", "x"), key(FOLD, "b", "x"), key(FOLD, "a.x", ""), key(FOLD, "a", ".x")}
    assert len(keys | {key("exact/1", "", digest)}) == 5


def test_exact_has_no_field_and_every_other_normaliser_has_one() -> None:
    for normaliser, field, value in (("exact/1", "a", bytes(32)), (FOLD, "", "x")):
        with pytest.raises(MalformedError, match="empty field path"):
            key(normaliser, field, value)


def test_a_record_has_a_key_for_each_different_element() -> None:
    record = {
        "tags": ["A", "b", None, "a"],
        "author": {"name": "X"},
        "parts": [{"by": "P"}, {"by": None}, {"by": ["Q", "p"]}],
        "none": None,
    }

    def found(field: str) -> list[ExclusionKey]:
        return list(record_keys(FOLD, field, record))

    assert found("tags") == [key(FOLD, "tags", "a"), key(FOLD, "tags", "b")]
    assert found("author.name") == [key(FOLD, "author.name", "x")]
    assert found("parts.by") == [key(FOLD, "parts.by", "p"), key(FOLD, "parts.by", "q")]
    for empty in ("none", "none.deeper", "missing", "author.missing"):
        assert found(empty) == []
    with pytest.raises(MalformedError, match="inside a value"):
        found("author.name.first")
    assert record_keys("exact/1", "", bytes(32)) == (key("exact/1", "", bytes(32)),)


SCHEMA = Schema.of(
    Field("tags", List(String())),
    Field("size", Int()),
    Field("a.b", String()),
    Field("parts", List(Struct((Field("by", String()), Field("raw", Bytes()))))),
    Field("more", Map(String(), String())),
)


@pytest.mark.parametrize("field", ["tags", "a\\.b", "parts.by"])
def test_a_string_of_the_schema_can_be_indexed(field: str) -> None:
    check_field(SCHEMA, FOLD, field)
    check_field(SCHEMA, "exact/1", "")


@pytest.mark.parametrize(
    ("normaliser", "field", "why"),
    [
        (FOLD, "size", "no string"),
        (FOLD, "parts", "no string"),
        (FOLD, "parts.raw", "no string"),
        (FOLD, "more", "no string"),
        (FOLD, "more.key", "no field"),
        (FOLD, "absent", "no field"),
        (FOLD, "tags.x", "no field"),
        (FOLD, "a.b", "no field"),
        (FOLD, "", "empty field path"),
        ("exact/1", "tags", "empty field path"),
    ],
)
def test_a_field_that_cannot_be_indexed_is_refused(normaliser: str, field: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        check_field(SCHEMA, normaliser, field)


@settings(deadline=None, max_examples=20)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=31, max_size=31))
def test_a_salt_depends_on_the_secret_of_its_bucket(secret: bytes, number: bytes) -> None:
    found = ExclusionKey(number)
    bucket = (number[0] << 8 | number[1]) >> 4
    inner = bucket_key(DatasetKey(secret), b"xslt", bucket)
    salt = index_salt(DatasetKey(secret), found)
    assert salt == sha256(b"RL-xslt" + inner + number).digest()[:31]
    assert index_leaf(found, salt) == poseidon(1, found.number, int.from_bytes(salt, "big"))


@pytest.mark.parametrize("size", [0, 30, 32])
def test_keys_and_salts_of_another_size_are_refused(size: int) -> None:
    for kind in (ExclusionKey, IndexSalt):
        with pytest.raises(MalformedError, match="31 bytes"):
            kind(bytes(size))


def test_bits_are_taken_from_the_top() -> None:
    found = ExclusionKey(bytes([0b01000000, *[0] * 29, 1]))
    assert [found.bit(depth) for depth in (0, 1, 2, 246, 247)] == [0, 1, 0, 0, 1]
