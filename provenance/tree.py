"""From leaves to the record root, and the proof that a leaf stands under it.

    chunk root   = root of a perfect tree of depth 14 over its leaves, padded on the right with 0
    top leaf     = poseidon(2, chunk root, record count)
    record root  = root of the smallest perfect tree that holds the top leaves, padded with 0
    node         = poseidon(left, right)

The list of (chunk root, record count) is the chunk table; there is no other digest of it. A record
is found by its chunk and its position there, and its index is chunk * 2**14 + position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from provenance.canonical import Fields, Json, JsonObject
from provenance.chunk import CHUNK
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.field import ZERO, FieldElement
from provenance.poseidon import from_words, poseidon, poseidon_checked, poseidon_many, to_words

DEPTH: Final = 14
MAX_CHUNKS: Final = 2**18
"""A bigger dataset is committed in parts."""
MAX_LEVEL: Final = 32
TOP_LEAF: Final = 2

Words = NDArray[np.uint64]
"""Field elements as (elements, 4) little-endian words."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One line of the chunk table: a chunk's root, and how many records it holds."""

    root: FieldElement
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= CHUNK:
            raise MalformedError(f"a chunk holds 1 to {CHUNK} records, not {self.count}")
        if self.root == 0:
            raise MalformedError("a chunk's root is never 0")

    def to_json(self) -> JsonObject:
        """Return the chunk as it stands in a table."""
        return {"count": self.count, "root": self.root.hex}

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the chunk that `value` holds, or raise MalformedError."""
        fields = Fields.of(value, "chunk")
        chunk = cls(fields.element("root"), fields.integer("count", 1, CHUNK))
        fields.done()
        return chunk


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The way from one leaf to the record root, lowest sibling first.

    Attributes:
        chunk: Number of the chunk.
        position: Number of the record in its chunk, below `count`.
        count: Records in this chunk.
        path: DEPTH siblings within the chunk.
        top_path: One sibling for each level of the top tree.
    """

    chunk: int
    position: int
    count: int
    path: tuple[FieldElement, ...]
    top_path: tuple[FieldElement, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.count <= CHUNK:
            raise MalformedError(f"a chunk holds 1 to {CHUNK} records, not {self.count}")
        if not 0 <= self.position < self.count:
            raise MalformedError(f"no position {self.position} in a chunk of {self.count} records")
        if len(self.path) != DEPTH:
            raise MalformedError(f"a chunk's path has {DEPTH} siblings, got {len(self.path)}")
        if not 0 <= self.chunk < MAX_CHUNKS or self.chunk >> len(self.top_path):
            raise MalformedError(f"chunk {self.chunk} is not under {len(self.top_path)} siblings")

    @property
    def index(self) -> int:
        """The record's index: chunk * 2**14 + position."""
        return self.chunk * CHUNK + self.position

    def to_json(self) -> JsonObject:
        """Return the proof as it stands in evidence."""
        return {
            "chunk": self.chunk,
            "count": self.count,
            "path": [sibling.hex for sibling in self.path],
            "position": self.position,
            "top_path": [sibling.hex for sibling in self.top_path],
        }

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the proof that `value` holds, or raise MalformedError."""
        fields = Fields.of(value, "inclusion proof")
        proof = cls(
            fields.integer("chunk", 0, MAX_CHUNKS - 1),
            fields.integer("position", 0, CHUNK - 1),
            fields.integer("count", 1, CHUNK),
            elements(fields, "path", DEPTH),
            elements(fields, "top_path", top_depth(MAX_CHUNKS)),
        )
        fields.done()
        return proof


def chunk_root(leaves: Sequence[int] | Words) -> Chunk:
    """Return the chunk that `leaves` fill: 1 to 2**14 of them, none of them 0.

    Raises:
        MalformedError: No leaf, too many, a zero, or one that is no field element.
    """
    words = _leaf_words(leaves)
    return Chunk(_root(_levels(words, DEPTH)), len(words))


@dataclass(frozen=True, slots=True, eq=False)
class ChunkTree:
    """A chunk and the nodes between its leaves and its root.

    Attributes:
        chunk: Root and record count.
        inner: Levels 1 to DEPTH - 1, each without its padding, the lowest first, shape (nodes, 4).
    """

    chunk: Chunk
    inner: Words


def chunk_tree(leaves: Words) -> ChunkTree:
    """Return the chunk that `leaves` fill with all its nodes; raises as `chunk_root` does."""
    levels = _levels(_leaf_words(leaves), DEPTH)
    return ChunkTree(Chunk(_root(levels), len(leaves)), np.concatenate(levels[1:-1]))


def top_nodes(chunks: Sequence[Chunk]) -> Words:
    """Return the top tree's nodes below its root: its leaves, then level by level, unpadded."""
    levels = _top_levels(chunks)
    return np.concatenate([levels[0][:0], *levels[:-1]])


def level_sizes(count: int, depth: int) -> list[int]:
    """Return how many nodes levels 0 to `depth` - 1 over `count` leaves have without padding."""
    return [-(-count >> level) for level in range(depth)]


def sibling_places(count: int, depth: int, position: int) -> list[int | None]:
    """Return where a leaf's siblings stand among the nodes below a root, level after level.

    A place counts from the first leaf; None is padding, the root of an empty tree.
    """
    found: list[int | None] = []
    start = 0
    for level, size in enumerate(level_sizes(count, depth)):
        beside = position >> level ^ 1
        found.append(start + beside if beside < size else None)
        start += size
    return found


def record_root(chunks: Sequence[Chunk]) -> FieldElement:
    """Return the root over a chunk table, or raise MalformedError if it is empty or too long."""
    return _root(_top_levels(chunks))


def top_depth(chunk_count: int) -> int:
    """Return the depth of the top tree over 1 to MAX_CHUNKS chunks."""
    if not 1 <= chunk_count <= MAX_CHUNKS:
        raise MalformedError(f"a dataset has 1 to {MAX_CHUNKS} chunks, not {chunk_count}")
    return (chunk_count - 1).bit_length()


def prove_inclusion(
    leaves: Sequence[int] | Words, position: int, chunks: Sequence[Chunk], chunk: int
) -> InclusionProof:
    """Return the proof that a record of a chunk stands under `record_root(chunks)`.

    Args:
        leaves: All leaves of this chunk.
        position: Number of the record in it.
        chunks: The dataset's chunk table.
        chunk: Number of the chunk.

    Raises:
        MalformedError: There is no such chunk or position, or the leaves are not this chunk's.
    """
    return prove_inclusions(leaves, (position,), chunks, chunk)[0]


def prove_inclusions(
    leaves: Sequence[int] | Words, positions: Sequence[int], chunks: Sequence[Chunk], chunk: int
) -> tuple[InclusionProof, ...]:
    """Return the proofs of several records of one chunk, hashing the chunk once.

    Args:
        leaves: All leaves of this chunk.
        positions: Numbers of the records in it.
        chunks: The dataset's chunk table.
        chunk: Number of the chunk.

    Raises:
        MalformedError: There is no such chunk or position, or the leaves are not this chunk's.
    """
    words = _leaf_words(leaves)
    levels = _levels(words, DEPTH)
    wrong = [position for position in positions if not 0 <= position < len(words)]
    if not 0 <= chunk < len(chunks) or wrong:
        raise MalformedError(f"no record {wrong[:1]} in chunk {chunk} of {len(chunks)}")
    if chunks[chunk] != Chunk(_root(levels), len(words)):
        raise MalformedError(f"these are not the leaves of chunk {chunk}; read the data again")
    top_path = _path(_top_levels(chunks), chunk)
    return tuple(
        InclusionProof(chunk, position, len(words), _path(levels, position), top_path)
        for position in positions
    )


def verify_inclusion(
    leaf: FieldElement, proof: InclusionProof, root: FieldElement, chunk_count: int
) -> None:
    """Check that `leaf` is the record at `proof.index` under the record root `root`.

    Args:
        leaf: Recomputed from an opened record, never taken from the prover as it is.
        proof: Shows that the position is below its chunk's record count.
        root: From a verified dataset commitment.
        chunk_count: From the same commitment; the length of the path follows from it.

    Raises:
        MalformedError: A zero leaf, or a chunk or path that does not fit the tree.
        RootMismatchError: The path leads to another root.
    """
    if leaf == 0:
        raise MalformedError("a leaf is never 0: that is the padding")
    if proof.chunk >= chunk_count or len(proof.top_path) != top_depth(chunk_count):
        raise MalformedError(f"the path does not fit a dataset of {chunk_count} chunks")
    chunk_root = _climb(leaf, proof.position, proof.path)
    top_leaf = poseidon(TOP_LEAF, chunk_root, proof.count)
    computed = _climb(top_leaf, proof.chunk, proof.top_path)
    if computed != root:
        raise RootMismatchError(computed.hex, root.hex)


def verify_table(
    chunks: Sequence[Chunk], root: FieldElement, chunk_count: int, record_count: int
) -> None:
    """Check that a chunk table is the one that a dataset commitment speaks of.

    Raises:
        MalformedError: The table is empty or too long.
        VerificationError: It gives another root, chunk count or record count.
    """
    if len(chunks) != chunk_count:
        raise VerificationError(f"the table has {len(chunks)} chunks, not {chunk_count}")
    if (total := sum(chunk.count for chunk in chunks)) != record_count:
        raise VerificationError(f"the table counts {total} records, not {record_count}")
    if (computed := record_root(chunks)) != root:
        raise RootMismatchError(computed.hex, root.hex)


@cache
def zero_root(level: int) -> FieldElement:
    """Return the root of an empty tree of a depth from 0 to MAX_LEVEL."""
    if not 0 <= level <= MAX_LEVEL:
        raise MalformedError(f"a tree has 0 to {MAX_LEVEL} levels, not {level}")
    return ZERO if level == 0 else poseidon(zero_root(level - 1), zero_root(level - 1))


def lift(root: FieldElement, depth: int, to: int) -> FieldElement:
    """Return the root of the tree of depth `to` whose left end is a tree of depth `depth`."""
    if not 0 <= depth <= to:
        raise MalformedError(f"a tree of depth {depth} cannot be lifted to {to}")
    for level in range(depth, to):
        root = poseidon(root, zero_root(level))
    return root


def elements(fields: Fields, name: str, most: int) -> tuple[FieldElement, ...]:
    """Return the member `name`: an array of at most `most` field elements in hex."""
    items = fields.items(name, most)
    if not all(isinstance(item, str) for item in items):
        raise fields.error(name, "an array of field elements in lower-case hex")
    return tuple(FieldElement.parse(str(item)) for item in items)


def _leaf_words(leaves: Sequence[int] | Words) -> Words:
    words = leaves if isinstance(leaves, np.ndarray) else to_words(leaves)
    if not 1 <= len(words) <= CHUNK:
        raise MalformedError(f"a chunk holds 1 to {CHUNK} records, not {len(words)}")
    if not words.any(axis=1).all():
        raise MalformedError("a leaf is never 0: that is the padding")
    return words


def _top_levels(chunks: Sequence[Chunk]) -> list[Words]:
    depth = top_depth(len(chunks))
    rows = np.zeros((len(chunks), 3, 4), np.uint64)
    rows[:, 0, 0] = TOP_LEAF
    rows[:, 1] = to_words(chunk.root for chunk in chunks)
    rows[:, 2, 0] = [chunk.count for chunk in chunks]
    return _levels(poseidon_many(rows), depth)


def _levels(leaves: Words, depth: int) -> list[Words]:
    """Return the nodes of each level, without the padding, from the leaves to the root."""
    levels = [leaves]
    for level in range(depth):
        nodes = levels[-1]
        if len(nodes) % 2:
            nodes = np.concatenate((nodes, to_words([zero_root(level)])))
        hashed = poseidon_checked if level else poseidon_many  # hashes are field elements
        levels.append(hashed(nodes.reshape(-1, 2, 4)))
    return levels


def _root(levels: list[Words]) -> FieldElement:
    return from_words(levels[-1])[0]


def _path(levels: list[Words], position: int) -> tuple[FieldElement, ...]:
    siblings = []
    for level, nodes in enumerate(levels[:-1]):
        beside = position >> level ^ 1
        inside = beside < len(nodes)
        siblings.append(from_words(nodes[beside : beside + 1])[0] if inside else zero_root(level))
    return tuple(siblings)


def _climb(node: FieldElement, position: int, path: Sequence[FieldElement]) -> FieldElement:
    for level, sibling in enumerate(path):
        left, right = (sibling, node) if position >> level & 1 else (node, sibling)
        node = poseidon(left, right)
    return node
