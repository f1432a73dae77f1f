"""A compact sparse Merkle tree over keys, so that "this is not in here" has a proof.

    leaf  = poseidon(1, key, salt)
    node  = poseidon(left, right), also with one empty child
    empty = 0, and a subtree that holds one leaf is that leaf

The bits of a key, the top one first, say where it stands: 0 is left. So a builder gains nothing by
misplacing a key. Building and proving is done here, by the issuer; a verifier needs only
provenance.exclusion_proof, whose names are found here too.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np

from provenance.errors import VerificationError
from provenance.exclusion_key import (
    BITS,
    LEAF,
    ExclusionKey,
    IndexSalt,
    field_names,
    field_path,
    index_leaf,
    index_salt,
    key,
    record_keys,
)
from provenance.exclusion_proof import (
    AbsenceProof,
    IndexEntry,
    Neighbour,
    PresenceProof,
    verify_absence,
    verify_presence,
)
from provenance.field import ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.normalise import NORMALISERS, normalise
from provenance.poseidon import from_words, poseidon_many, to_words

__all__ = [
    "NORMALISERS",
    "AbsenceProof",
    "ExclusionIndex",
    "ExclusionKey",
    "IndexEntry",
    "IndexSalt",
    "Neighbour",
    "PresenceProof",
    "field_names",
    "field_path",
    "index_leaf",
    "index_salt",
    "key",
    "normalise",
    "prove_absence",
    "prove_presence",
    "record_keys",
    "verify_absence",
    "verify_presence",
]


class ExclusionIndex:
    """A built index: its root, and what is needed to prove."""

    __slots__ = ("_leaves", "_nodes", "_numbers", "_salts", "keys", "root")

    def __init__(self, keys: Iterable[ExclusionKey], dataset_key: DatasetKey) -> None:
        self.keys = tuple(sorted(set(keys)))
        self._salts = tuple(index_salt(dataset_key, key) for key in self.keys)
        self._numbers = [key.number for key in self.keys]
        self._leaves = _hash_leaves(self._numbers, self._salts)
        self._nodes: dict[tuple[int, int], FieldElement] = {}
        self._hash_nodes()
        self.root = self._value(0, 0, len(self.keys))

    @classmethod
    def build(cls, keys: Iterable[ExclusionKey], dataset_key: DatasetKey) -> Self:
        """Return the index over the different ones of `keys`."""
        return cls(keys, dataset_key)

    @property
    def count(self) -> int:
        """The number of keys."""
        return len(self.keys)

    def entry(self, normaliser: str, field: str, without: int) -> IndexEntry:
        """Return what a dataset commitment says about this index."""
        return IndexEntry(normaliser, field, (), self.root, self.count, without)

    def walk(self, key: ExclusionKey) -> tuple[int | None, tuple[FieldElement, ...]]:
        """Return the number of the key that stands in the place of `key`, and the siblings."""
        low, high, siblings = 0, len(self.keys), list[FieldElement]()
        while high - low > 1:
            depth = len(siblings)
            middle = self._middle(depth, low, high)
            if key.bit(depth):
                siblings.append(self._value(depth + 1, low, middle))
                low = middle
            else:
                siblings.append(self._value(depth + 1, middle, high))
                high = middle
        return (low if high > low else None), tuple(siblings)

    def neighbour(self, number: int) -> Neighbour:
        """Return a key with its salt."""
        return Neighbour(self.keys[number], self._salts[number])

    def _middle(self, depth: int, low: int, high: int) -> int:
        shift = BITS - 1 - depth
        boundary = (self._numbers[low] >> shift | 1) << shift
        return bisect_left(self._numbers, boundary, low, high)

    def _value(self, depth: int, low: int, high: int) -> FieldElement:
        if high - low < 2:
            return self._leaves[low] if high > low else ZERO
        return self._nodes[depth, low]

    def _hash_nodes(self) -> None:
        for depth, spans in reversed(list(enumerate(self._spans()))):
            rows = [
                (self._value(depth + 1, low, middle), self._value(depth + 1, middle, high))
                for low, middle, high in spans
            ]
            words = to_words(node for row in rows for node in row).reshape(-1, 2, 4)
            hashes = from_words(poseidon_many(words))
            self._nodes |= {
                (depth, span[0]): node for span, node in zip(spans, hashes, strict=True)
            }

    def _spans(self) -> Iterator[list[tuple[int, int, int]]]:
        """Yield for each depth where its nodes, of two keys or more, begin, divide and end."""
        wanted = [(0, len(self.keys))]
        for depth in range(BITS):
            spans = [
                (low, self._middle(depth, low, high), high)
                for low, high in wanted
                if high - low > 1
            ]
            if not spans:
                return
            yield spans
            wanted = [
                half for low, middle, high in spans for half in ((low, middle), (middle, high))
            ]


def prove_presence(index: ExclusionIndex, key: ExclusionKey) -> PresenceProof:
    """Return the proof that `key` is in the index, or raise VerificationError if it is not."""
    number, siblings = index.walk(key)
    if number is None or index.keys[number] != key:
        raise VerificationError("the key is not in the index")
    return PresenceProof(index.neighbour(number).salt, siblings)


def prove_absence(index: ExclusionIndex, key: ExclusionKey) -> AbsenceProof:
    """Return the proof that `key` is not in the index, or raise VerificationError if it is."""
    number, siblings = index.walk(key)
    if number is None:
        return AbsenceProof(None, siblings)
    if index.keys[number] == key:
        raise VerificationError("the key is in the index")
    return AbsenceProof(index.neighbour(number), siblings)


def _hash_leaves(numbers: Sequence[int], salts: Sequence[IndexSalt]) -> tuple[FieldElement, ...]:
    rows = np.zeros((len(numbers), 3, 4), np.uint64)
    rows[:, 0, 0] = LEAF
    rows[:, 1] = to_words(numbers)
    rows[:, 2] = to_words(int.from_bytes(salt, "big") for salt in salts)
    return from_words(poseidon_many(rows))
