"""A compact sparse Merkle tree over keys, so that "this is not in here" has a proof.

    leaf  = poseidon(1, key, salt)
    node  = poseidon(left, right), also with one empty child
    empty = 0, and a subtree that holds one leaf is that leaf

The bits of a key, the top one first, say where it stands: 0 is left. So a builder gains nothing by
misplacing a key. Building and proving is done here, by the issuer; a verifier needs only
provenance.exclusion_proof, whose names are found here too.
"""

from collections.abc import Iterable
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from provenance.errors import VerificationError
from provenance.exclusion_arrays import ROW, Salter, Words, as_rows, distinct, key_array
from provenance.exclusion_key import (
    ExclusionKey,
    IndexSalt,
    field_names,
    field_path,
    index_leaf,
    index_salt,
    key,
    record_keys,
)
from provenance.exclusion_path import IndexProver, IndexRows
from provenance.exclusion_proof import (
    AbsenceProof,
    IndexEntry,
    Neighbour,
    PresenceProof,
    verify_absence,
    verify_presence,
)
from provenance.exclusion_tree import build
from provenance.leaf import DatasetKey
from provenance.normalise import NORMALISERS, normalise
from provenance.poseidon import words_to_bytes

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
    """A built index that fits into memory: its root, and what is needed to prove."""

    __slots__ = ("_prover", "_rows", "root")

    def __init__(self, keys: Iterable[ExclusionKey], dataset_key: DatasetKey) -> None:
        ordered = distinct(as_rows(key_array(keys)))
        rows = np.zeros((len(ordered), 2, 4), np.uint64)

        def put(start: int, found: Words, made: NDArray[np.bool_]) -> None:
            rows[start : start + len(found)][made] = found[made]

        self.root = build(
            lambda start, stop: ordered[start:stop], len(ordered), Salter(dataset_key), put
        )
        inputs = words_to_bytes(rows.reshape(-1, 4)).reshape(-1, 2 * ROW)
        self._rows = IndexRows(ordered, inputs)
        self._prover = IndexProver(self._rows, dataset_key)

    @classmethod
    def build(cls, keys: Iterable[ExclusionKey], dataset_key: DatasetKey) -> Self:
        """Return the index over the different ones of `keys`."""
        return cls(keys, dataset_key)

    @property
    def count(self) -> int:
        """The number of keys."""
        return len(self._rows)

    @property
    def keys(self) -> tuple[ExclusionKey, ...]:
        """The keys in order."""
        return tuple(self._rows.key(place) for place in range(self.count))

    def entry(self, normaliser: str, field: str, without: int) -> IndexEntry:
        """Return what a dataset commitment says about this index."""
        return IndexEntry(normaliser, field, (), self.root, self.count, without)

    def prove(self, key: ExclusionKey) -> PresenceProof | AbsenceProof:
        """Return the proof that a key is in the index, or that it is not."""
        return self._prover.prove(key)


class Provable(Protocol):
    """An index in memory, or the prover of one that is stored."""

    def prove(self, key: ExclusionKey, /) -> PresenceProof | AbsenceProof:
        """Return the proof that a key is in the index, or that it is not."""
        ...


def prove_presence(index: Provable, key: ExclusionKey) -> PresenceProof:
    """Return the proof that `key` is in the index, or raise VerificationError if it is not."""
    proof = index.prove(key)
    if isinstance(proof, AbsenceProof):
        raise VerificationError("the key is not in the index")
    return proof


def prove_absence(index: Provable, key: ExclusionKey) -> AbsenceProof:
    """Return the proof that `key` is not in the index, or raise VerificationError if it is."""
    proof = index.prove(key)
    if isinstance(proof, PresenceProof):
        raise VerificationError("the key is in the index")
    return proof
