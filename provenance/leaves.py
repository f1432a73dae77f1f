"""Batches of records -> leaves -> chunks: a stream in which nothing but one open chunk is kept.

`LeafMaker` knows a dataset's schema, key and feature spec; what it makes of a batch does not depend
on the batches before it, so batches may be worked on by many threads, processes or machines.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Batch
from provenance.chunk import Cutter, Marks, cut_key
from provenance.errors import MalformedError
from provenance.features import FeatureSpec
from provenance.field import Digest
from provenance.leaf import RECORD_TAG, DatasetKey, bucket_key, leaf_digest, salt
from provenance.leaf_features import features_leaves
from provenance.poseidon import to_words
from provenance.schema import Schema
from provenance.sha256 import choose, sha256_many
from provenance.sha256.constants import BLOCK
from provenance.siphash import siphash_many
from provenance.tree import Chunk, chunk_root

Bytes = NDArray[np.uint8]
BUCKETS: Final = 2**12


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """What a run of records becomes.

    Attributes:
        contents: Content digests, secret, shape (records, 32).
        words: The leaves as Poseidon words, shape (records, 4).
        values: SipHash of the content digests under the cut key, secret, shape (records,).
    """

    contents: NDArray[np.uint8]
    words: NDArray[np.uint64]
    values: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True)
class LeafMaker:
    """Makes leaves under one schema, key and feature spec; None for plain leaves."""

    schema: Schema
    key: DatasetKey = field(repr=False)
    spec: FeatureSpec | None = None

    def __getstate__(self) -> dict[str, object]:  # type: ignore[explicit-override]  # Python 3.12
        """Pickle what it was made from, and nothing that it derived."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @cached_property
    def _prefix(self) -> bytes:
        """The block that is hashed before every record."""
        return (RECORD_TAG + self.schema.digest).ljust(BLOCK, b"\0")

    @cached_property
    def _salt_keys(self) -> Bytes:
        """The keys of all buckets of salts, shape (4096, 16)."""
        keys = b"".join(bucket_key(self.key, b"salt", number) for number in range(BUCKETS))
        return np.frombuffer(keys, np.uint8).reshape(BUCKETS, -1)

    def leaves(self, batch: Batch) -> Leaves:
        """Return the leaves of a batch.

        Raises:
            MalformedError: A record does not fit the schema, or a feature is out of range.
        """
        encoded = batch.encoded()
        contents = sha256_many(encoded.data, encoded.offsets, self._prefix)
        words, values = self._plain(contents)
        if self.spec is not None and len(words):
            secrets = self._salt_keys[contents[:, 0].astype(np.int64) << 4 | contents[:, 1] >> 4]
            words = features_leaves(self.spec, self.schema, encoded, contents, secrets, words)
        return Leaves(contents, words, values)

    def _plain(self, contents: Bytes) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return plain leaves and cut values, by the compiled kernel once it pays."""
        secret = cut_key(self.key)
        if choose(2 * len(contents)) is None:
            return plain_leaves(self.key, contents), siphash_many(secret, contents)
        kernel = importlib.import_module("provenance.leaf_kernel")
        words, values = kernel.finish(contents, self._salt_keys, secret)
        return words, values


def plain_leaves(key: DatasetKey, contents: Bytes) -> NDArray[np.uint64]:
    """Return the leaves of content digests one by one, as words: the slow, obvious reference."""
    found = (Digest(content.tobytes()) for content in contents)
    return to_words(leaf_digest(salt(key, content), content) for content in found)


@dataclass(frozen=True, slots=True, eq=False)
class LeafChunk:
    """One closed chunk and its leaves, shape (count, 4), as Poseidon words."""

    chunk: Chunk
    leaves: NDArray[np.uint64]


def chunks_of(
    batches: Iterable[Batch],
    maker: LeafMaker,
    watch: Callable[[Batch, Leaves], None] | None = None,
) -> Iterator[LeafChunk]:
    """Yield the chunks of a dataset in order, as soon as each is closed.

    Args:
        batches: Records in the dataset's order.
        maker: Of the dataset's schema, key and feature spec.
        watch: Called with each batch and its leaves, for indexes and progress.

    Raises:
        MalformedError: A record does not fit, or there is none at all.
    """
    cutter = Cutter()
    waiting = np.empty((0, 4), dtype=np.uint64)
    seen = 0
    for batch in batches:
        if not len(batch):
            continue
        seen += len(batch)
        leaves = maker.leaves(batch)
        if watch is not None:
            watch(batch, leaves)
        waiting = np.concatenate([waiting, leaves.words])
        for length in cutter.feed(Marks.of(leaves.values)):
            yield LeafChunk(chunk_root(waiting[:length]), waiting[:length])
            waiting = waiting[length:]
    if not seen:
        raise MalformedError("the dataset is empty: there is nothing to commit to")
    if len(waiting):
        yield LeafChunk(chunk_root(waiting), waiting)
