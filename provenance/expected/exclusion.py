"""The public values of a proof that keys are not in an exclusion index, neighbours hidden.

docs/spec/circuits/exclusion.md lists them in order.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from provenance.errors import MalformedError
from provenance.exclusion_key import BITS
from provenance.field import ZERO, FieldElement

EXCLUSION: Final[Mapping[str, tuple[int, int]]] = {
    "exclusion-40.v1": (40, 1),
    "exclusion-64.v1": (64, 1),
    "exclusion-40x4.v1": (40, 4),
}
"""Exclusion circuits: name to the longest path and the number of keys."""


def exclusion_size(circuit: str) -> tuple[int, int]:
    """Return a circuit's longest path and number of keys, or raise MalformedError."""
    if circuit not in EXCLUSION:
        raise MalformedError(f"{circuit!r:.60} is no exclusion circuit: {', '.join(EXCLUSION)}")
    return EXCLUSION[circuit]


def exclusion_public(
    circuit: str, root: FieldElement, keys: Sequence[int], context: FieldElement
) -> tuple[FieldElement, ...]:
    """Return all public values that an exclusion proof must have, in order.

    Args:
        circuit: Name of the exclusion circuit.
        root: Of the index, from a verified dataset commitment.
        keys: As many as the circuit has, each of 248 bits, derived from the raw values by whoever
            asks; with fewer to ask for, one is named several times.
        context: From `provenance.proof.context`, of the statement that the proof belongs to.

    Raises:
        MalformedError: No such circuit, another number of keys, or one that is none.
    """
    depth, count = exclusion_size(circuit)
    if len(keys) != count:
        raise MalformedError(f"{circuit} is about {count} keys, not {len(keys)}")
    if not all(0 <= key < 1 << BITS for key in keys):
        raise MalformedError(f"a key of an index has {BITS} bits")
    bits = (FieldElement(key >> BITS - 1 - level & 1) for key in keys for level in range(depth))
    zeros = (ZERO,) * exclusion_zeros(depth, count)
    return (*[root] * count, *map(FieldElement, keys), *bits, *zeros, context, FieldElement(1))


def exclusion_zeros(depth: int, keys: int) -> int:
    """Return how many public zeros an exclusion circuit has.

    For each key one for each node below the root (depth - 1), for each level's being on the path
    and for its bit of the neighbour (depth each), for each two further bits of the neighbour, and
    for the end's being a leaf or empty, the neighbour's being another key, and the last sibling.
    """
    return keys * ((depth - 1) + depth + depth + (BITS - depth) // 2 + 1 + 1 + 1)
