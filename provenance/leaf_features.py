"""Plain leaves -> leaves of kind `features`, for a batch: features.py for many records at once.

Digits are read record by record, as they come from Python values; all hashing is done together.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.encoding import Record
from provenance.features import (
    FEATURE_TAG,
    FEATURES_LEAF,
    FeatureSpec,
    digits,
    feature_elements,
)
from provenance.field import FieldElement
from provenance.poseidon import ezkl_sponge_many, poseidon_many, to_words
from provenance.sha256 import sha256_rows

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]


def features_leaves(
    spec: FeatureSpec, records: Sequence[Record], contents: Bytes, secrets: Bytes, plain: Words
) -> Words:
    """Return the leaves of records, shape (records, 4).

    Args:
        spec: Which features, and how they become digits.
        records: At least one.
        contents: Their content digests, shape (records, 32).
        secrets: The keys of their salt buckets, shape (records, 16).
        plain: Their leaves of kind `plain`, shape (records, 4).

    Raises:
        MalformedError: A feature is out of range.
    """
    salts = feature_salts(contents, secrets)
    elements = [
        feature_elements(digits(spec, record), salt)
        for record, salt in zip(records, salts, strict=True)
    ]
    flat = to_words(element for row in elements for element in row)
    commitments = ezkl_sponge_many(flat.reshape(len(records), -1, 4))
    tags = to_words([FEATURES_LEAF] * len(records))
    return poseidon_many(np.stack([tags, plain, commitments], axis=1))


def feature_salts(contents: Bytes, secrets: Bytes) -> Iterator[FieldElement]:
    """Yield the salt of each record's feature commitment; arguments as in `features_leaves`."""
    tags = np.tile(np.frombuffer(FEATURE_TAG, np.uint8), (len(contents), 1))
    digests = sha256_rows(np.concatenate([tags, secrets, contents], axis=1))
    return (FieldElement(int.from_bytes(row[:31].tobytes(), "big")) for row in digests)
