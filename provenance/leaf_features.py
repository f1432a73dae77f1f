"""Plain leaves -> leaves of kind `features`, for a batch: features.py for many records at once.

Digits come from the records' canonical bytes by columns (feature_columns.py), and all hashing is
done together. `feature_rows` gives of chosen records what a prover has to know.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Batch, Encoded
from provenance.errors import MalformedError
from provenance.feature_columns import feature_digits, packed
from provenance.features import (
    FEATURE_TAG,
    FEATURES_LEAF,
    FeatureSpec,
    feature_salt,
    features_leaf,
)
from provenance.field import FieldElement
from provenance.leaf import DatasetKey, content_digest, leaf_digest, salt
from provenance.poseidon import (
    ezkl_sponge_many,
    from_words,
    poseidon_checked,
    to_words,
    words_from_bytes,
)
from provenance.schema import Schema
from provenance.sha256 import sha256_rows

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """What a prover knows of a record: the preimage of its feature commitment, and its leaf's.

    Attributes:
        digits: Of its features, the label last.
        salt: Of its feature commitment; secret.
        commitment: To digits and salt.
        leaf_digest: Its leaf of kind `plain`.
    """

    digits: tuple[int, ...]
    salt: FieldElement
    commitment: FieldElement
    leaf_digest: FieldElement

    @property
    def leaf(self) -> FieldElement:
        """The leaf of kind `features`, as it stands in the tree."""
        return features_leaf(self.leaf_digest, self.commitment)


def features_leaves(
    spec: FeatureSpec,
    schema: Schema,
    encoded: Encoded,
    contents: Bytes,
    secrets: Bytes,
    plain: Words,
) -> Words:
    """Return the leaves of records, shape (records, 4).

    Args:
        spec: Which features, and how they become digits.
        schema: Of the records.
        encoded: Their canonical bytes.
        contents: Their content digests, shape (records, 32).
        secrets: The keys of their salt buckets, shape (records, 16).
        plain: Their leaves of kind `plain`, shape (records, 4).

    Raises:
        MalformedError: A feature is out of range.
    """
    digits = feature_digits(spec, schema, encoded)
    commitments = _commitments(digits, feature_salts(contents, secrets))
    tags = np.broadcast_to(to_words([FEATURES_LEAF]), plain.shape)
    return poseidon_checked(np.stack([tags, plain, commitments], axis=1))


def feature_salts(contents: Bytes, secrets: Bytes) -> Words:
    """Return the salts of records' feature commitments, shape (records, 4).

    Args:
        contents: Their content digests, shape (records, 32).
        secrets: The keys of their salt buckets, shape (records, 16).
    """
    tags = np.broadcast_to(np.frombuffer(FEATURE_TAG, np.uint8), (len(contents), len(FEATURE_TAG)))
    digests = sha256_rows(np.concatenate([tags, secrets, contents], axis=1))
    return words_from_bytes(np.pad(digests[:, :31], ((0, 0), (1, 0))))


def feature_rows(
    spec: FeatureSpec, schema: Schema, key: DatasetKey, batch: Batch, chosen: Sequence[int]
) -> tuple[FeatureRow, ...]:
    """Return what a prover knows of chosen records of a batch, in the order of `chosen`.

    Args:
        spec: The dataset's.
        schema: The dataset's.
        key: The dataset's.
        batch: Records as they were committed.
        chosen: Their numbers in the batch, from 0.

    Raises:
        MalformedError: No such record, or a record of the batch does not fit schema and spec.
    """
    if not all(0 <= number < len(batch) for number in chosen):
        raise MalformedError(f"a batch of {len(batch)} records has no record of such a number")
    if not chosen:
        return ()
    encoded, name = batch.encoded(), schema.digest
    digits = feature_digits(spec, schema, encoded)[:, list(chosen)]
    contents = [content_digest(name, encoded.one(number)) for number in chosen]
    salts = [feature_salt(key, content) for content in contents]
    commitments = from_words(_commitments(digits, to_words(salts)))
    plain = [leaf_digest(salt(key, content), content) for content in contents]
    rows = map(tuple, digits.T.tolist())
    return tuple(map(FeatureRow, rows, salts, commitments, plain))


def _commitments(digits: Words, salts: Words) -> Words:
    """Return feature commitments (records, 4), of digits (features, records) and salts."""
    return ezkl_sponge_many(np.concatenate([packed(digits), salts[:, np.newaxis]], axis=1))
