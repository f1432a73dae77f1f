"""Sorted keys -> the nodes of their index, block by block, level by level.

A node with keys on both sides divides its keys at one place, and no other node divides there. So
there is a row for each key but the first: the two inputs of the node whose right side begins with
that key. An input is a leaf, or the root of a subtree, lengthened by nodes with one empty side up
to where it is taken in.

    keys        05…          06…          80…
    row 1          leaf 05…, leaf 06…
    row 2                 node, leaf 80…

Where neighbours part is known from the bits they share, so a block of consecutive keys, cut
anywhere, can hash all nodes that lie within it. What is left of it, a few subtrees at its ends,
waits for the other blocks' and is joined with them as the leaves of one more block.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.exclusion_arrays import Bytes, Salter, Words, index_leaves, key_words, shared_bits
from provenance.exclusion_key import BITS
from provenance.field import ZERO, FieldElement
from provenance.poseidon import from_words, poseidon_checked

BLOCK: Final = 2**15
"""Keys hashed at a time: enough that numpy's part is small, few enough for the cache."""
NOTHING: Final = -1
"""Bits shared with what is beyond the first or the last key of all."""

Read = Callable[[int, int], Bytes]
"""Gives the keys from one number to before another, in rows of 32."""
Put = Callable[[int, Words, NDArray[np.bool_]], None]
"""Takes rows from a number on, shape (rows, 2, 4), and which of them are made."""


class Mapper(Protocol):
    """What `map` does, perhaps with threads: results come in the order of the items."""

    def __call__(
        self, work: Callable[[int], "Block"], items: Iterable[int], /
    ) -> Iterator["Block"]:
        """Yield `work` of each item."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Subtrees:
    """Consecutive subtrees, each hanging as high as its neighbours allow.

    Attributes:
        starts: Number of the first key of each.
        meets: Bits that keys share where two subtrees meet, and where the first and last of them
            meet what is beyond, shape (subtrees + 1,).
        words: First key of each, highest word first.
        values: Root of each; it hangs one below the deeper one of its two `meets`.
    """

    starts: NDArray[np.int64]
    meets: NDArray[np.int16]
    words: Words
    values: Words


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What was hashed of consecutive subtrees: a row for each, if `made`, and what is left."""

    rows: Words
    made: NDArray[np.bool_]
    left: Subtrees


def build(
    read: Read, count: int, salter: Salter, put: Put, *, block: int = BLOCK, mapper: Mapper = map
) -> FieldElement:
    """Return the root over keys, having put all rows; few rows come last and one by one.

    Args:
        read: Gives the keys, which ascend.
        count: How many there are.
        salter: Of the dataset's key.
        put: Takes rows. A row that is not made when its block comes is put later.
        block: How many keys are hashed at a time.
        mapper: Does the blocks.

    Raises:
        MalformedError: The keys do not ascend.
    """

    def work(start: int) -> Block:
        return grow(_leaves(read, start, min(start + block, count), count, salter))

    waiting: list[Subtrees] = []
    for number, done in enumerate(mapper(work, range(0, count, block))):
        put(number * block, done.rows, done.made)
        waiting.append(done.left)
    if not waiting:
        return ZERO
    joined = _joined(waiting)
    done = grow(joined)
    for i in np.flatnonzero(done.made).tolist():
        put(int(joined.starts[i]), done.rows[i : i + 1], done.made[i : i + 1])
    return from_words(done.left.values)[0]


def grow(trees: Subtrees) -> Block:
    """Return all that can be hashed of consecutive subtrees without knowing what is beyond them."""
    growth = _Growth(trees)
    for depth in range(int(trees.meets[1:-1].max(initial=NOTHING)), -1, -1):
        growth.hash_level(depth)
    return growth.block()


@dataclass(slots=True, eq=False)
class _Growth:
    """Subtrees while they are joined from the deepest level upwards; `at` names one by its start.

    Attributes:
        trees: As they were.
        values: Root of the subtree that begins at each place, where one still does.
        before: Where the subtree before begins, for each place where one begins.
        after: Where the next one begins.
        lifting: Where subtrees begin that must be lengthened.
        heights: The depth that each of them must reach.
    """

    trees: Subtrees
    values: Words = field(init=False)
    rows: Words = field(init=False)
    made: NDArray[np.bool_] = field(init=False)
    before: NDArray[np.int64] = field(init=False)
    after: NDArray[np.int64] = field(init=False)
    order: NDArray[np.int64] = field(init=False)
    ends: NDArray[np.int64] = field(init=False)
    lifting: NDArray[np.int64] = field(init=False)
    heights: NDArray[np.int16] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.trees.values)
        inner = self.trees.meets[1:-1]
        self.values = self.trees.values.copy()
        self.rows = np.zeros((count, 2, 4), np.uint64)
        self.made = np.zeros(count, np.bool_)
        self.before, self.after = np.arange(-1, count), np.arange(1, count + 1)
        self.order = np.argsort(inner, kind="stable") + 1
        self.ends = np.searchsorted(inner[self.order - 1], np.arange(BITS + 1))
        self.lifting, self.heights = np.empty(0, np.int64), np.empty(0, np.int16)

    def hash_level(self, depth: int) -> None:
        """Hash the nodes of one level; the levels below are done."""
        left, right, above = self._dividing(depth)
        at = np.concatenate((left, self.lifting))
        if not len(at):
            return
        inputs = np.zeros((len(at), 2, 4), np.uint64)
        divided, lengthened = inputs[: len(left)], inputs[len(left) :]
        divided[:, 0] = self.values.take(left, axis=0)  # indexing would take twice as long
        divided[:, 1] = self.values.take(right, axis=0)
        self.rows[right], self.made[right] = divided, True
        side = self._bit(self.lifting, depth)
        lengthened[np.arange(len(side)), side] = self.values.take(self.lifting, axis=0)
        self.values[at] = poseidon_checked(inputs)
        heights = np.concatenate((above + np.int16(1), self.heights))
        going = heights < depth
        self.lifting, self.heights = at[going], heights[going]

    def _dividing(
        self, depth: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int16]]:
        """Return both sides of each node that divides at a depth, and the depth it hangs under."""
        meets = self.trees.meets
        right = self.order[self.ends[depth] : self.ends[depth + 1]]
        left, end = self.before[right], self.after[right]
        above = np.maximum(meets[left], meets[end])
        whole = above < depth  # else it goes on beyond these subtrees
        left, right, end = left[whole], right[whole], end[whole]
        self.after[left], self.before[end] = end, left
        return left, right, above[whole]

    def _bit(self, at: NDArray[np.int64], depth: int) -> NDArray[np.int64]:
        word, bit = divmod(depth + 256 - BITS, 64)
        bits: Words = self.trees.words[at, word] >> np.uint64(63 - bit) & np.uint64(1)
        return bits.astype(np.int64)

    def block(self) -> Block:
        """Return what came of it."""
        left = np.zeros(len(self.values), np.bool_)
        place = 0
        while place < len(left):
            left[place] = True
            place = int(self.after[place])
        meets = self.trees.meets[np.append(left, True)]
        starts, words = self.trees.starts[left], self.trees.words[left]
        return Block(self.rows, self.made, Subtrees(starts, meets, words, self.values[left]))


def _leaves(read: Read, start: int, stop: int, count: int, salter: Salter) -> Subtrees:
    """Return keys as subtrees of one leaf each."""
    low, high = max(start - 1, 0), min(stop + 1, count)
    rows = read(low, high)
    meets = np.full(stop - start + 1, NOTHING, np.int16)
    words = key_words(rows)
    meets[low + 1 - start : high - start] = shared_bits(words)
    own = slice(start - low, stop - low)
    values = index_leaves(words[own], salter.salts(rows[own]))
    return Subtrees(np.arange(start, stop), meets, words[own], values)


def _joined(parts: list[Subtrees]) -> Subtrees:
    return Subtrees(
        np.concatenate([part.starts for part in parts]),
        np.concatenate([*(part.meets[:-1] for part in parts), parts[-1].meets[-1:]]),
        np.concatenate([part.words for part in parts]),
        np.concatenate([part.values for part in parts]),
    )
