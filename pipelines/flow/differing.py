"""What changed between two versions, from their stored leaves: record by record, or as a proof.

Only chunks that the two versions do not share are read, so a small change of a big dataset is found
at once. No record is read: one that is equal has an equal leaf.
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.flow.catalogue import Version, find_version, nodes_of, versions
from pipelines.flow.workspace import Workspace
from provenance.difference import (
    Difference,
    Held,
    changed,
    check_line,
    difference,
    verify_difference,
)
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.tree import Words, chunk_root
from storage.nodes import NodeFile

MAX_LEAVES: Final = 2**24
"""Leaves of changed chunks that are compared at once: about 2 GB of memory."""

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Changes:
    """Which records differ, by their running numbers from 0, in order.

    Attributes:
        changed: A record that went, and the one that came in its place: both stand at the same
            distance after the same kept record.
        removed: Other records of the earlier version that the later one has no more.
        added: Other records of the later version that the earlier one had not.
        kept: How many records stand in both, wherever.
    """

    changed: tuple[tuple[int, int], ...]
    removed: tuple[int, ...]
    added: tuple[int, ...]
    kept: int


def find_pair(space: Workspace, before: str, after: str) -> tuple[Version, Version]:
    """Return two versions of one dataset by their names, the earlier one named first.

    Raises:
        MalformedError: They cannot be compared, or stand the wrong way round.
        UnavailableError: This home has none of that name.
    """
    pair = find_version(space, before), find_version(space, after)
    one, two = (version.commitment for version in pair)
    check_line(one, two)
    line = [version.commitment.digest for version in versions(space, one.name)]
    if line.index(one.digest) > line.index(two.digest):
        raise MalformedError(f"{two.label} came before {one.label}: name them in that order")
    return pair


def document(space: Workspace, before: Version, after: Version) -> Difference:
    """Return the verifiable difference of two versions, checked as a reader would.

    Raises:
        MalformedError: They cannot be compared, or too much changed for one document.
        UnavailableError: A version's leaves are not here.
        VerificationError: They are damaged.
    """
    sides = [_held(version, nodes_of(space, version.commitment)) for version in (before, after)]
    made = difference(*sides)
    verify_difference(made, before.commitment, after.commitment)
    return made


def compare(before: NodeFile, after: NodeFile) -> Changes:
    """Return which records differ between two versions.

    Raises:
        VerificationError: The leaves of a chunk are not those of its table.
        UnavailableError: Too many chunks changed to be compared in memory.
    """
    ours = _listed(before, changed(before.chunks, after.chunks))
    theirs = _listed(after, changed(after.chunks, before.chunks))
    went, came = _unmatched(ours.words, theirs.words)
    kept = before.records - int(went.sum())
    return _paired(_places(before, ours, went), _places(after, theirs, came), kept)


@dataclass(frozen=True, slots=True, eq=False)
class _Listed:
    """The records of a version's changed chunks: running numbers, and leaves (records, 4)."""

    numbers: Numbers
    words: Words


def _held(version: Version, nodes: NodeFile) -> Held:
    return Held(version.commitment, nodes.chunks, nodes.leaves_of)


def _listed(nodes: NodeFile, chunks: Sequence[int]) -> _Listed:
    counts = np.array([chunk.count for chunk in nodes.chunks], np.int64)
    if (total := int(counts[list(chunks)].sum())) > MAX_LEAVES:
        raise UnavailableError(
            f"{total} records stand in chunks that changed; at most {MAX_LEAVES} are compared: "
            "choose versions that lie closer"
        )
    starts = np.cumsum(counts) - counts
    numbers = [np.arange(starts[chunk], starts[chunk] + counts[chunk]) for chunk in chunks]
    words = [_checked(nodes, chunk) for chunk in chunks]
    return _Listed(
        np.concatenate([np.empty(0, np.int64), *numbers]),
        np.concatenate([np.empty((0, 4), np.uint64), *words]),
    )


def _checked(nodes: NodeFile, chunk: int) -> Words:
    words = nodes.leaves_of(chunk)
    if chunk_root(words) != nodes.chunks[chunk]:
        raise VerificationError(f"{nodes.path}: the leaves of chunk {chunk} give another root")
    return words


def _unmatched(ours: Words, theirs: Words) -> tuple[Mask, Mask]:
    """Return which leaves of each side the other has not, or not so often: the last of equals."""
    both = np.concatenate([ours, theirs])
    order = np.lexsort(both.T)
    rises = np.any(both[order[1:]] != both[order[:-1]], axis=1)
    names = np.empty(len(both), np.int64)
    names[order] = np.concatenate([np.zeros(min(1, len(both)), np.int64), np.cumsum(rises)])
    one, two = names[: len(ours)], names[len(ours) :]
    return _beyond(one, two, len(both)), _beyond(two, one, len(both))


def _beyond(names: Numbers, other: Numbers, distinct: int) -> Mask:
    """Return which of `names` stand there as often before as they do in all of `other`."""
    order = np.argsort(names, kind="stable")
    ordered = names[order]
    before = np.empty(len(names), np.int64)
    before[order] = np.arange(len(names)) - np.searchsorted(ordered, ordered)
    found: Mask = before >= np.bincount(other, minlength=distinct)[names]
    return found


Place = tuple[bytes, int]
"""The kept leaf before a record, empty at the very beginning, and the distance from it."""


def _places(nodes: NodeFile, listed: _Listed, marked: Mask) -> Iterator[tuple[Place, int]]:
    """Yield place and number of each marked record: marked ones went or came, others are kept."""
    numbers = listed.numbers
    first = np.ones(len(numbers), np.bool_)  # whether the record just before is a kept one
    first[1:] = (np.diff(numbers) != 1) | ~marked[:-1]
    anchors = np.maximum.accumulate(np.where(first, numbers - 1, -1))
    for number, anchor in zip(numbers[marked].tolist(), anchors[marked].tolist(), strict=True):
        leaf = nodes.leaves[anchor].tobytes() if anchor >= 0 else b""
        yield (leaf, number - anchor), number


def _paired(
    went: Iterator[tuple[Place, int]], came: Iterator[tuple[Place, int]], kept: int
) -> Changes:
    waiting: dict[Place, deque[int]] = defaultdict(deque)
    for place, number in came:
        waiting[place].append(number)
    pairs: list[tuple[int, int]] = []
    removed: list[int] = []
    for place, number in went:
        if waiting.get(place):
            pairs.append((number, waiting[place].popleft()))
        else:
            removed.append(number)
    added = sorted(number for numbers in waiting.values() for number in numbers)
    return Changes(tuple(pairs), tuple(removed), tuple(added), kept)
