import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError
from provenance.field import ORDER, Digest, FieldElement
from provenance.leaf import (
    DatasetKey,
    Salt,
    blinded_index,
    blinded_leaf,
    bucket,
    bucket_key,
    content_digest,
    leaf_digest,
    salt,
)
from provenance.poseidon import poseidon

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/leaf.json").read_text())
SECRET = DatasetKey(bytes(range(32)))
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_leaf_vectors(case: dict[str, Any]) -> None:
    content = content_digest(Digest.parse(case["schema_digest"]), bytes.fromhex(case["encoded"]))
    assert content.hex() == case["content_digest"]
    opened = salt(DatasetKey(bytes.fromhex(case["dataset_key"])), content)
    assert opened.hex() == case["salt"]
    leaf = leaf_digest(opened, content)
    assert leaf.hex == case["leaf_digest"]
    blind = FieldElement.parse(case["blind"])
    assert blinded_leaf(leaf, blind).hex == case["blinded_leaf"]
    assert blinded_index(case["index"], blind).hex == case["blinded_index"]


@settings(deadline=None, max_examples=30)
@given(DIGESTS, st.binary(max_size=200))
def test_the_schema_fills_one_block_before_the_record(schema: Digest, encoded: bytes) -> None:
    block = b"RL-record" + schema + bytes(23)
    assert len(block) == 64
    assert content_digest(schema, encoded) == sha256(block + encoded).digest()


@settings(deadline=None, max_examples=50)
@given(DIGESTS)
def test_salt_and_leaf_are_digests_of_one_block(content: Digest) -> None:
    number = int(content.hex()[:3], 16)
    assert bucket(content) == number
    secret = hmac.new(SECRET, b"salt" + number.to_bytes(2, "big"), "sha256").digest()[:16]
    assert bucket_key(SECRET, b"salt", number) == secret
    opened = salt(SECRET, content)
    assert opened == sha256(b"RL-salt" + secret + content).digest()[:16]
    leaf = leaf_digest(opened, content)
    assert leaf.encoded == b"\0" + sha256(b"RL-leaf" + opened + content).digest()[:31]


def test_another_record_schema_salt_or_key_gives_another_leaf() -> None:
    schema, other = Digest(bytes(32)), Digest(b"\1" * 32)
    contents = [
        content_digest(schema, b""),
        content_digest(schema, b"\0"),
        content_digest(other, b""),
    ]
    secrets = [SECRET, DatasetKey(bytes(32))]
    leaves = {leaf_digest(salt(secret, each), each) for secret in secrets for each in contents}
    assert len(leaves) == 6


def test_the_same_record_keeps_its_leaf() -> None:
    content = content_digest(Digest(bytes(32)), b"record")
    assert salt(SECRET, content) == salt(DatasetKey(bytes(SECRET)), content)


def test_blinded_values_are_neither_nodes_nor_each_other() -> None:
    values = {blinded_leaf(5, 6), blinded_index(5, 6), poseidon(5, 6), poseidon(3, 5, 6)}
    assert len(values) == 4
    with pytest.raises(MalformedError):
        blinded_leaf(ORDER, 1)
    with pytest.raises(MalformedError):
        blinded_index(1, -1)


def test_a_dataset_key_is_never_printed() -> None:
    assert str(SECRET) == f"{SECRET}" == repr(SECRET) == "DatasetKey(...)"
    assert bytes(SECRET) == bytes(range(32))


@pytest.mark.parametrize(("kind", "size"), [(DatasetKey, 32), (Salt, 16)])
def test_keys_and_salts_of_another_size_are_refused(kind: type[bytes], size: int) -> None:
    for wrong in (0, size - 1, size + 1):
        with pytest.raises(MalformedError, match=f"{size} bytes"):
            kind(bytes(wrong))
