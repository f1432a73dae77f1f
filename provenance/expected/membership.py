"""The public values of a proof that a hidden record stands under a dataset's record root.

docs/spec/circuits/membership.md lists them in order.
"""

from collections.abc import Mapping
from typing import Final

from provenance.errors import MalformedError
from provenance.field import ZERO, FieldElement
from provenance.tree import DEPTH, lift, top_depth

MEMBERSHIP: Final[Mapping[str, int]] = {
    "membership-14.v2": 14,
    "membership-22.v2": 22,
    "membership-32.v2": 32,
}
"""Membership circuits: name to total depth, 14 levels in the chunk and the rest above it."""


def membership_depth(circuit: str) -> int:
    """Return the total depth of a membership circuit, or raise MalformedError."""
    if circuit not in MEMBERSHIP:
        raise MalformedError(f"{circuit!r:.60} is no membership circuit: {', '.join(MEMBERSHIP)}")
    return MEMBERSHIP[circuit]


def membership_public(
    circuit: str,
    root: FieldElement,
    chunk_count: int,
    blinded_leaf: FieldElement,
    blinded_index: FieldElement,
    context: FieldElement,
) -> tuple[FieldElement, ...]:
    """Return all public values that a membership proof must have, in order.

    Args:
        circuit: Name of the membership circuit.
        root: Record root of a verified dataset commitment.
        chunk_count: From the same commitment; it gives the depth that the root is lifted from, and
            no record of a later chunk has a proof.
        blinded_leaf: Commitment to the leaf that the proof is about.
        blinded_index: Commitment to its index.
        context: From `provenance.proof.context`, of the statement that the proof belongs to.

    Raises:
        MalformedError: No such circuit, or it is too shallow for so many chunks.
    """
    depth = membership_depth(circuit)
    lifted = lift(root, top_depth(chunk_count), depth - DEPTH)
    zeros = (ZERO,) * membership_zeros(depth)
    count, one = FieldElement(chunk_count), FieldElement(1)
    return (lifted, count, *zeros, blinded_leaf, blinded_index, context, one)


def membership_zeros(depth: int) -> int:
    """Return how many public zeros a membership circuit of a total depth has.

    One for each node above the leaf (depth - 1), for each bit of index (depth), chunks that come
    later (depth - 14), last position and slack (14 each), for position <= last position, and for
    leaf != 0.
    """
    return (depth - 1) + depth + (depth - DEPTH) + DEPTH + DEPTH + 1 + 1
