"""Which leaves went and which came between two versions of a dataset, shown without any record.

    {"after":{"chunks":[{"count":3,"root":"…"},…],"commitment":"…","leaves":["<hex>",…]},
     "before":{"chunks":[…],"commitment":"…","leaves":[…]},"kind":"rootline/difference/v1"}

Chunks that both tables have hold the same leaves, which cancel. All leaves of every other chunk
are listed, one string a chunk; hashed, they give the chunk's line in a table that gives a
commitment's root. So what is left when both lists are compared is exactly what went and came
(docs/spec/difference.md).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, RootMismatchError, VerificationError
from provenance.field import Digest, FieldElement, parse_hex
from provenance.poseidon import words_from_bytes, words_to_bytes
from provenance.tree import MAX_CHUNKS, Chunk, Words, chunk_root, verify_table

KIND: Final = "rootline/difference/v1"
MAX_BYTES: Final = 2**26
"""A document is no longer: it holds about a million leaves."""
LEAF: Final = 32


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions, as a difference speaks of it.

    Attributes:
        commitment: Digest of the version's commitment.
        chunks: Its whole chunk table.
        leaves: The leaves of each chunk that changed, in the table's order, 32 bytes a leaf.
    """

    commitment: Digest
    chunks: tuple[Chunk, ...]
    leaves: tuple[bytes, ...]

    @property
    def json(self) -> JsonObject:
        """The side as it stands in a document."""
        return {
            "commitment": self.commitment.hex(),
            "chunks": [chunk.to_json() for chunk in self.chunks],
            "leaves": [leaves.hex() for leaves in self.leaves],
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions, the earlier one first, with the leaves of exactly those chunks that changed."""

    before: Side
    after: Side

    def __post_init__(self) -> None:
        """Raise MalformedError where leaves are listed for other chunks than the changed ones."""
        for side, other in ((self.before, self.after), (self.after, self.before)):
            counts = [side.chunks[number].count for number in changed(side.chunks, other.chunks)]
            if [len(leaves) for leaves in side.leaves] != [LEAF * count for count in counts]:
                raise MalformedError(
                    f"difference: {len(counts)} chunks of {side.commitment.hex()[:16]}… changed, "
                    "and other leaves than theirs are listed"
                )

    @property
    def encoded(self) -> bytes:
        """The difference as canonical JSON."""
        return canonical.encode(
            {"kind": KIND, "before": self.before.json, "after": self.after.json}
        )

    @classmethod
    def parse(cls, data: bytes) -> "Difference":
        """Return the difference that `data` writes, nothing in it verified yet.

        Raises:
            MalformedError: Too long, not in its one form, or other leaves than those of the chunks
                that changed.
        """
        fields = Fields.parse(data, KIND, limit=MAX_BYTES)
        sides = [_parse_side(fields.inner(name)) for name in ("before", "after")]
        fields.done()
        chunks = [chunks for _, chunks, _ in sides]
        found = [
            Side(commitment, table, _parse_leaves(texts, table, other))
            for (commitment, table, texts), other in zip(sides, reversed(chunks), strict=True)
        ]
        return cls(*found)


@dataclass(frozen=True, slots=True)
class Change:
    """What a verified difference shows.

    Attributes:
        went: Leaves of the earlier version that the later one has no more, ascending; one that
            went several times stands there as often.
        came: Leaves of the later version that the earlier one had not, likewise.
        kept: How many leaves stand in both.
    """

    went: tuple[FieldElement, ...]
    came: tuple[FieldElement, ...]
    kept: int


def changed(chunks: Sequence[Chunk], other: Sequence[Chunk]) -> tuple[int, ...]:
    """Return the numbers of the chunks that `other` has not, or not so often, in order."""
    common = Counter(other)
    found: list[int] = []
    for number, chunk in enumerate(chunks):
        if common[chunk]:
            common[chunk] -= 1
        else:
            found.append(number)
    return tuple(found)


def check_line(before: DatasetCommitment, after: DatasetCommitment) -> None:
    """Check that two commitments are versions of one dataset whose leaves can be compared.

    Raises:
        MalformedError: One version twice, other datasets, the wrong way round, or leaves that
            cannot be compared since schema or feature spec differ.
    """
    pair = f"{before.label} and {after.label}"
    if before.digest == after.digest:
        raise MalformedError(f"{pair} are one version: a difference is between two")
    if (before.name, before.log) != (after.name, after.log):
        raise MalformedError(f"{pair} are different datasets: compare versions of one")
    if before.previous == after.digest:
        raise MalformedError(f"{after.label} came before {before.label}: name them in that order")
    for what, one, two in (
        ("schemas", before.schema.digest, after.schema.digest),
        ("feature specs", before.features, after.features),
    ):
        if one != two:
            raise MalformedError(
                f"{pair} have different {what}, so every leaf differs and none can be compared"
            )


@dataclass(frozen=True, slots=True)
class Held:
    """A version whose leaves are at hand: its commitment, chunk table, and leaves by chunk."""

    commitment: DatasetCommitment
    chunks: Sequence[Chunk]
    leaves_of: Callable[[int], Words]


def difference(before: Held, after: Held) -> Difference:
    """Return the difference of two versions.

    Raises:
        MalformedError: They cannot be compared (see `check_line`), or it would be too long.
    """
    check_line(before.commitment, after.commitment)
    size = size_bytes(before.chunks, after.chunks)
    if size > MAX_BYTES:
        raise MalformedError(
            f"a difference of {size} bytes; at most {MAX_BYTES} are read: "
            "register versions that lie closer, and show one difference for each step"
        )
    return Difference(_side(before, after.chunks), _side(after, before.chunks))


def size_bytes(before: Sequence[Chunk], after: Sequence[Chunk]) -> int:
    """Return how long the document of a difference will be, from the two chunk tables."""
    empty = Side(Digest(bytes(32)), (), ())
    return len(Difference(empty, empty).encoded) + _size(before, after) + _size(after, before)


def verify_difference(
    shown: Difference, before: DatasetCommitment, after: DatasetCommitment
) -> Change:
    """Return which leaves went and came, once they hash up to both commitments.

    Args:
        shown: From `Difference.parse`.
        before: From a verified attestation; the earlier version.
        after: From a verified attestation; the later version.

    Raises:
        MalformedError: The versions cannot be compared, or a leaf is zero or no field element.
        VerificationError: A table or a chunk's leaves give another root, or the difference is of
            other versions.
    """
    check_line(before, after)
    for side, commitment in ((shown.before, before), (shown.after, after)):
        if side.commitment != commitment.digest:
            raise VerificationError(f"the difference speaks of another version: {commitment.label}")
        verify_table(side.chunks, commitment.root, commitment.chunks, commitment.records)
    _verify_leaves(shown.before, shown.after.chunks)
    _verify_leaves(shown.after, shown.before.chunks)
    ours, theirs = (Counter(_leaves(side)) for side in (shown.before, shown.after))
    went, came = _ascending(ours - theirs), _ascending(theirs - ours)
    return Change(went, came, before.records - len(went))


def _parse_side(fields: Fields) -> tuple[Digest, tuple[Chunk, ...], tuple[str, ...]]:
    commitment = fields.digest("commitment")
    chunks = tuple(Chunk.from_json(item) for item in fields.items("chunks", MAX_CHUNKS))
    texts = fields.items("leaves", MAX_CHUNKS)
    if not all(isinstance(text, str) for text in texts):
        raise fields.error("leaves", "an array of leaves in lower-case hex, a string a chunk")
    fields.done()
    return commitment, chunks, tuple(map(str, texts))


def _parse_leaves(
    texts: Sequence[str], chunks: Sequence[Chunk], other: Sequence[Chunk]
) -> tuple[bytes, ...]:
    numbers = changed(chunks, other)
    if len(texts) != len(numbers):
        raise MalformedError(
            f"difference: {len(numbers)} chunks changed, the leaves of {len(texts)} are listed"
        )
    return tuple(
        parse_hex(text, LEAF * chunks[number].count)
        for text, number in zip(texts, numbers, strict=True)
    )


def _side(held: Held, other: Sequence[Chunk]) -> Side:
    leaves = (held.leaves_of(number) for number in changed(held.chunks, other))
    listed = tuple(words_to_bytes(words).tobytes() for words in leaves)
    return Side(held.commitment.digest, tuple(held.chunks), listed)


def _size(chunks: Sequence[Chunk], other: Sequence[Chunk]) -> int:
    """Return how many bytes the arrays of one side take, brackets left out."""
    lines = sum(len('{"count":,"root":""}') + 2 * LEAF + len(str(c.count)) for c in chunks)
    listed = [chunks[number].count for number in changed(chunks, other)]
    strings = sum(len('""') + 2 * LEAF * count for count in listed)
    commas = max(0, len(chunks) - 1) + max(0, len(listed) - 1)
    return lines + strings + commas


def _verify_leaves(side: Side, other: Sequence[Chunk]) -> None:
    for number, leaves in zip(changed(side.chunks, other), side.leaves, strict=True):
        words = words_from_bytes(np.frombuffer(leaves, np.uint8).reshape(-1, LEAF))
        computed, wanted = chunk_root(words).root, side.chunks[number].root
        if computed != wanted:
            raise RootMismatchError(computed.hex, wanted.hex)


def _leaves(side: Side) -> Iterator[bytes]:
    """Yield each leaf that a side lists, 32 bytes big-endian."""
    for leaves in side.leaves:
        yield from (leaves[i : i + LEAF] for i in range(0, len(leaves), LEAF))


def _ascending(leaves: Counter[bytes]) -> tuple[FieldElement, ...]:
    return tuple(FieldElement.decode(leaf) for leaf in sorted(leaves.elements()))
