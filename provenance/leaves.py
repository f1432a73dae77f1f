"""Batches of records -> leaves -> chunks: a stream in which nothing but one open chunk is kept.

`LeafMaker` knows a dataset's schema, key and feature spec; what it makes of a batch does not depend
on the batches before it, so batches may be worked on by many threads, processes or machines.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from provenance.batch import Batch
from provenance.chunk import Cutter, Marks, cut_key
from provenance.errors import MalformedError
from provenance.features import FeatureSpec, digits, feature_elements, feature_salt
from provenance.field import Digest
from provenance.leaf import DatasetKey, content_digest, leaf_digest, salt
from provenance.poseidon import ezkl_sponge_many, poseidon_many, to_words
from provenance.schema import Schema
from provenance.siphash import siphash_many
from provenance.tree import Chunk, chunk_root


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

    @cached_property
    def _schema_digest(self) -> Digest:
        return self.schema.digest

    def leaves(self, batch: Batch) -> Leaves:
        """Return the leaves of a batch.

        Raises:
            MalformedError: A record does not fit the schema, or a feature is out of range.
        """
        encoded = batch.encoded()
        found = [
            content_digest(self._schema_digest, encoded.one(number))
            for number in range(len(encoded))
        ]
        contents = np.frombuffer(b"".join(found), np.uint8).reshape(-1, 32)
        words = to_words(leaf_digest(salt(self.key, content), content) for content in found)
        if self.spec is not None and found:
            words = self._with_features(batch, found, words)
        return Leaves(contents, words, siphash_many(cut_key(self.key), contents))

    def _with_features(
        self, batch: Batch, contents: list[Digest], plain: NDArray[np.uint64]
    ) -> NDArray[np.uint64]:
        assert self.spec is not None  # noqa: S101  # the caller asked
        elements = [
            feature_elements(digits(self.spec, row), feature_salt(self.key, content))
            for row, content in zip(batch.records(), contents, strict=True)
        ]
        flat = to_words(element for row in elements for element in row)
        commitments = ezkl_sponge_many(flat.reshape(len(contents), -1, 4))
        tags = to_words([3] * len(contents))
        return poseidon_many(np.stack([tags, plain, commitments], axis=1))


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
