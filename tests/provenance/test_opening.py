"""Openings: one record shown, and every way to show another one."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from provenance import canonical
from provenance.batch import Rows
from provenance.canonical import Fields
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.features import FeatureSpec, digits, feature_commitment, feature_salt
from provenance.field import FieldElement
from provenance.leaf import DatasetKey, Salt, content_digest, leaf_digest, salt
from provenance.leaves import LeafMaker
from provenance.opening import (
    KIND,
    MAX_RECORD,
    FeatureOpening,
    Opening,
    decode_hex,
    opened_leaf,
    verify_features,
    verify_opening,
)
from provenance.poseidon import from_words
from provenance.record import Record, encode_record
from provenance.tree import chunk_root, prove_inclusion, record_root
from tests.provenance.documents import DATASET, SCHEMA, SPEC, assert_members_are_needed, spoiled

KEY = DatasetKey(bytes(range(32)))
RECORDS: list[Record] = [
    {"age": i, "ill": i % 2 == 0, "size": i / 4, "tags": ["a"] * i} for i in range(5)
]


@dataclass(frozen=True)
class World:
    """Five records in two chunks, as the commitment says, of either kind of leaf."""

    spec: FeatureSpec | None

    def opening(self, number: int) -> Opening:
        words = LeafMaker(SCHEMA, KEY, self.spec).leaves(Rows(SCHEMA, RECORDS)).words
        parts = [words[:3], words[3:]]
        chunk, position = divmod(number, 3)
        encoded = encode_record(SCHEMA, RECORDS[number])
        content = content_digest(SCHEMA.digest, encoded)
        return Opening(
            encoded,
            salt(KEY, content),
            feature_salt(KEY, content) if self.spec else None,
            prove_inclusion(parts[chunk], position, [chunk_root(part) for part in parts], chunk),
        )

    @property
    def commitment(self) -> Any:
        words = LeafMaker(SCHEMA, KEY, self.spec).leaves(Rows(SCHEMA, RECORDS)).words
        root = record_root([chunk_root(words[:3]), chunk_root(words[3:])])
        return replace(DATASET, features=self.spec, root=root, chunks=2, records=5, indexes=())


PLAIN, FEATURES = World(None), World(SPEC)
WORLDS = pytest.mark.parametrize("world", [PLAIN, FEATURES], ids=["plain", "features"])


def parse(data: bytes) -> Opening:
    return Opening.from_fields(Fields.of(canonical.decode(data), "opening"))


@WORLDS
@pytest.mark.parametrize("number", range(5))
def test_an_opened_record_is_read_and_stands_in_the_dataset(world: World, number: int) -> None:
    opening = world.opening(number)
    assert parse(opening.encoded) == opening
    assert verify_opening(opening, world.commitment) == RECORDS[number]
    leaf, values = opened_leaf(opening, SCHEMA, world.spec)
    assert (
        leaf
        == from_words(LeafMaker(SCHEMA, KEY, world.spec).leaves(Rows(SCHEMA, RECORDS)).words)[
            number
        ]
    )
    assert values == RECORDS[number]


@WORLDS
def test_an_opening_has_one_form(world: World) -> None:
    opening = world.opening(2)
    data = opening.encoded
    assert_members_are_needed(parse, data)
    refused = 0
    for changed in spoiled(json.loads(data)):
        other = canonical.encode(changed)
        try:
            found = parse(other)
        except MalformedError:
            refused += 1
        else:
            assert found.encoded == other
            assert other == data or found != opening
    assert refused > 100


def test_a_record_that_is_not_there_is_refused() -> None:
    opening = PLAIN.opening(2)
    other: Record = {**RECORDS[2], "age": 99}
    changed = replace(opening, encoded_record=encode_record(SCHEMA, other))
    with pytest.raises(RootMismatchError):
        verify_opening(changed, PLAIN.commitment)


@WORLDS
def test_a_record_under_another_salt_path_or_dataset_is_refused(world: World) -> None:
    opening, other = world.opening(2), world.opening(1)
    for changed in (replace(opening, salt=Salt(bytes(16))), replace(opening, path=other.path)):
        with pytest.raises(RootMismatchError):
            verify_opening(changed, world.commitment)
    with pytest.raises(RootMismatchError):
        verify_opening(opening, replace(world.commitment, root=FieldElement(7)))


def test_another_feature_salt_or_spec_gives_another_leaf() -> None:
    opening = FEATURES.opening(2)
    with pytest.raises(RootMismatchError):
        verify_opening(replace(opening, feature_salt=FieldElement(1)), FEATURES.commitment)
    coarser = replace(SPEC, fields=(SPEC.fields[0], replace(SPEC.fields[1], scale_bits=3)))
    with pytest.raises(RootMismatchError):
        verify_opening(opening, replace(FEATURES.commitment, features=coarser))


def test_a_plain_leaf_is_never_read_as_one_with_features_nor_the_other_way_round() -> None:
    with pytest.raises(VerificationError, match="kind of leaf"):
        verify_opening(PLAIN.opening(2), FEATURES.commitment)
    with pytest.raises(VerificationError, match="kind of leaf"):
        verify_opening(FEATURES.opening(2), PLAIN.commitment)


def test_bytes_that_are_no_record_are_refused() -> None:
    opening = PLAIN.opening(2)
    for data in (b"", opening.encoded_record[:-1], opening.encoded_record + b"\0", b"\2" * 40):
        with pytest.raises(MalformedError):
            verify_opening(replace(opening, encoded_record=data), PLAIN.commitment)


def test_a_list_that_claims_more_items_than_there_are_bytes_ends_at_once() -> None:
    encoded = PLAIN.opening(0).encoded_record
    assert encoded.endswith(bytes(4))
    with pytest.raises(MalformedError, match="ends at byte"):
        opened_leaf(
            replace(PLAIN.opening(0), encoded_record=encoded[:-4] + b"\xff" * 4), SCHEMA, None
        )


@pytest.mark.parametrize("text", ["0", "000", "0G", "AB", "0x", " 00 ", "00\n", "a b0"])
def test_a_record_is_written_in_lower_case_hex(text: str) -> None:
    with pytest.raises(MalformedError, match="lower-case hex"):
        decode_hex(text)


def test_a_record_too_long_to_be_read_cannot_be_opened() -> None:
    most = replace(PLAIN.opening(0), encoded_record=bytes(MAX_RECORD))
    assert parse(most.encoded) == most
    with pytest.raises(MalformedError, match="at most 4194304"):
        replace(most, encoded_record=bytes(MAX_RECORD + 1))


def test_an_opening_of_another_kind_is_refused() -> None:
    value = json.loads(PLAIN.opening(0).encoded) | {"kind": "rootline/opening/v2"}
    with pytest.raises(MalformedError, match=KIND):
        parse(canonical.encode(value))


def features(number: int) -> FeatureOpening:
    """Return which feature commitment stands at a record's index, from its opening."""
    opening = FEATURES.opening(number)
    content = content_digest(SCHEMA.digest, opening.encoded_record)
    assert opening.feature_salt is not None
    commitment = feature_commitment(digits(SPEC, RECORDS[number]), opening.feature_salt)
    return FeatureOpening(leaf_digest(opening.salt, content), commitment, opening.path)


def parse_features(data: bytes) -> FeatureOpening:
    return FeatureOpening.from_fields(Fields.of(canonical.decode(data), "opening"))


def test_a_feature_commitment_stands_where_its_record_does_and_shows_nothing_of_it() -> None:
    for number in range(5):
        shown = features(number)
        verify_features(shown, FEATURES.commitment)
        assert parse_features(canonical.encode(shown.json)) == shown
        assert set(shown.json) == {"kind", "leaf", "commitment", "path"}


def test_whatever_is_changed_in_a_feature_opening_is_refused() -> None:
    honest = features(3)
    assert_members_are_needed(parse_features, canonical.encode(honest.json))
    for changed in spoiled(honest.json):
        data = canonical.encode(changed)
        if data == canonical.encode(honest.json):
            continue  # -0 is 0
        with pytest.raises((MalformedError, VerificationError)):
            verify_features(parse_features(data), FEATURES.commitment)


def test_a_feature_commitment_of_another_record_or_dataset_is_refused() -> None:
    one, other = features(1), features(2)
    for wrong in (
        replace(one, path=other.path),
        replace(one, commitment=other.commitment),
        replace(one, leaf=other.leaf),
        replace(one, leaf=one.commitment, commitment=one.leaf),
    ):
        with pytest.raises(RootMismatchError):
            verify_features(wrong, FEATURES.commitment)
    with pytest.raises(VerificationError, match="commits to no features"):
        verify_features(one, PLAIN.commitment)
    with pytest.raises(MalformedError, match="never 0"):
        replace(one, leaf=FieldElement(0))
