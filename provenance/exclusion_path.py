"""From the stored rows of an index to proofs of presence and absence, of one key or of many.

Siblings are read, not hashed: at a node with keys on both sides the row of exclusion_tree holds
them, and at any other node the sibling is 0. Only a path that ends beside nothing, inside a run of
such other nodes, has a last sibling that is hashed from a row.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np

from provenance.errors import MalformedError
from provenance.exclusion_arrays import ROW, Bytes, Salter
from provenance.exclusion_key import BITS, ExclusionKey, IndexSalt
from provenance.exclusion_proof import AbsenceProof, Neighbour, PresenceProof
from provenance.field import ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.poseidon import from_words, poseidon_many, words_from_bytes

TOGETHER: Final = 1024
"""Proofs made at a time: their hashes are done together."""


@dataclass(frozen=True, slots=True, eq=False)
class IndexRows:
    """What is stored of an index, in memory or mapped into it.

    Attributes:
        keys: In order, shape (keys, 32).
        rows: Both inputs of each node that divides, shape (keys, 64); see exclusion_tree.
    """

    keys: Bytes
    rows: Bytes
    _bytes: memoryview = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_bytes", self.keys.reshape(-1).data)

    def __len__(self) -> int:
        return len(self.keys)

    def number(self, place: int) -> int:
        """Return the key at a place, as an integer."""
        return int.from_bytes(self._bytes[ROW * place : ROW * place + ROW], "big")

    def key(self, place: int) -> ExclusionKey:
        """Return the key at a place."""
        return ExclusionKey(bytes(self._bytes[ROW * place + 1 : ROW * place + ROW]))

    def input(self, place: int, side: int) -> FieldElement:
        """Return one of both inputs of the node that divides at a place: 0 is left."""
        return FieldElement.decode(self.rows[place, ROW * side : ROW * side + ROW].tobytes())


@dataclass(slots=True)
class _Span:
    """The keys under a node at `depth`; they divide at the bit `fork`, where key `middle` begins.

    A span of one key has the fork BITS: nothing parts it.
    """

    depth: int
    low: int
    high: int
    first: int
    fork: int = BITS
    middle: int = 0


@dataclass(frozen=True, slots=True)
class _Path:
    """Where a path ends, with its siblings; below `missing` one sibling is still to be hashed."""

    place: int | None
    siblings: tuple[FieldElement, ...]
    missing: _Span | None = None


class IndexProver:
    """Makes proofs from an index and the dataset key, which gives the salts."""

    def __init__(self, stored: IndexRows, dataset_key: DatasetKey) -> None:
        self._stored, self._salter = stored, Salter(dataset_key)

    def prove(self, key: ExclusionKey) -> PresenceProof | AbsenceProof:
        """Return the proof that a key is in the index, or that it is not.

        Raises:
            MalformedError: The index is damaged; there may be damage that is not seen here.
        """
        return next(self.prove_many((key,)))[1]

    def prove_many(
        self, keys: Iterable[ExclusionKey]
    ) -> Iterator[tuple[ExclusionKey, PresenceProof | AbsenceProof]]:
        """Yield each of the different `keys` with its proof, in the order of the keys.

        The way from the root is walked once for keys that share it.

        Raises:
            MalformedError: The index is damaged.
        """
        ordered, walker = iter(sorted(set(keys))), _Walker(self._stored)
        while group := list(islice(ordered, TOGETHER)):
            paths = _finished(self._stored, [walker.walk(key) for key in group])
            places = [path.place for path in paths if path.place is not None]
            salts = iter(self._salter.salts(self._stored.keys[places]))
            for key, path in zip(group, paths, strict=True):
                if path.place is None:
                    yield key, AbsenceProof(None, path.siblings)
                    continue
                salt, found = IndexSalt(next(salts).tobytes()), self._stored.key(path.place)
                if found == key:
                    yield key, PresenceProof(salt, path.siblings)
                else:
                    yield key, AbsenceProof(Neighbour(found, salt), path.siblings)


class _Walker:
    """Walks to keys in ascending order, each time from the last node that is on both paths."""

    def __init__(self, stored: IndexRows) -> None:
        self._stored = stored
        self._spans = [self._span(0, 0, len(stored))] if len(stored) else []
        self._siblings: list[FieldElement] = []

    def walk(self, key: ExclusionKey) -> _Path:
        """Return the path to a key."""
        if not self._spans:
            return _Path(None, ())
        number = key.number
        while _shared(number, self._spans[-1].first) < self._spans[-1].depth:
            self._spans.pop()
        del self._siblings[self._spans[-1].depth :]
        while (span := self._spans[-1]).fork < BITS:
            shared = _shared(number, span.first)
            if shared < span.fork:
                zeros = (ZERO,) * (shared - span.depth)
                return _Path(None, (*self._siblings, *zeros), span)
            self._descend(span, key.bit(span.fork))
        return _Path(span.low, tuple(self._siblings))

    def _descend(self, span: _Span, side: int) -> None:
        self._siblings.extend((ZERO,) * (span.fork - span.depth))
        self._siblings.append(self._stored.input(span.middle, 1 - side))
        low, high = (span.middle, span.high) if side else (span.low, span.middle)
        self._spans.append(self._span(span.fork + 1, low, high))

    def _span(self, depth: int, low: int, high: int) -> _Span:
        stored = self._stored
        first = stored.number(low)
        if high - low == 1:
            return _Span(depth, low, high, first)
        last = stored.number(high - 1)
        fork = _shared(first, last)
        if first >= last:
            raise MalformedError(f"keys {low} to {high - 1} do not ascend: the index is damaged")
        boundary = last >> BITS - 1 - fork << BITS - 1 - fork
        places = range(len(stored))
        middle = bisect_left(places, boundary, low + 1, high - 1, key=stored.number)
        return _Span(depth, low, high, first, fork, middle)


def _finished(stored: IndexRows, paths: Sequence[_Path]) -> Sequence[_Path]:
    """Return the paths with all siblings; what must be hashed is hashed for all of them at once."""
    wanted: dict[tuple[int, int], _Span] = {}
    for path in paths:
        if path.missing:
            wanted[path.missing.middle, len(path.siblings) + 1] = path.missing
    if not wanted:
        return paths
    found = dict(zip(wanted, _roots(stored, wanted), strict=True))
    return [
        _Path(None, (*path.siblings, found[path.missing.middle, len(path.siblings) + 1]))
        if path.missing
        else path
        for path in paths
    ]


def _roots(stored: IndexRows, wanted: dict[tuple[int, int], _Span]) -> Iterator[FieldElement]:
    """Return the root of the subtree that divides at each (place, depth), as it hangs at depth."""
    middles = [middle for middle, _ in wanted]
    inputs = words_from_bytes(np.asarray(stored.rows[middles]).reshape(-1, ROW)).reshape(-1, 2, 4)
    depths = np.array([span.fork for span in wanted.values()], np.int64)
    heights = np.array([depth for _, depth in wanted], np.int64)
    firsts = [span.first for span in wanted.values()]
    values = np.empty((len(firsts), 4), np.uint64)
    at = np.arange(len(firsts))
    while len(at):
        values[at] = poseidon_many(inputs)
        at = at[depths[at] > heights[at]]
        depths[at] -= 1
        sides = [firsts[i] >> BITS - 1 - int(depths[i]) & 1 for i in at]
        inputs = np.zeros((len(at), 2, 4), np.uint64)
        inputs[np.arange(len(at)), sides] = values[at]
    return iter(from_words(values))


def _shared(one: int, other: int) -> int:
    return BITS - (one ^ other).bit_length()
