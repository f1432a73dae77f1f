"""The two hash functions made of the permutation, which must never be mixed.

`poseidon(a, b, ...)` is circomlib's: one permutation of width inputs + 1, the capacity 0 first.

>>> poseidon(1, 2)
7853200120776062878684798364095072458815029376092732009249414926327459813530

`ezkl_sponge` is what ezkl computes over hashed tensors: width 2, one element absorbed at a time,
capacity 2**64 last, no padding. It does not bind the number of elements: its caller must.

>>> ezkl_sponge([1, 2]) == poseidon(1, 2)
False

Source: iden3/circomlib: circuits/poseidon.circom; zkonduit/ezkl: src/circuit/modules/poseidon.rs.
"""

from collections.abc import Sequence
from typing import Final

from provenance.errors import MalformedError
from provenance.field import ORDER, FieldElement
from provenance.poseidon.normalised import permute

MAX_INPUTS: Final = 16
EZKL_CAPACITY: Final = 2**64


def poseidon(*inputs: int) -> FieldElement:
    """Return circomlib's Poseidon of 1 to 16 inputs.

    Raises:
        MalformedError: No input, more than 16, or one that is not below r.
    """
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise MalformedError(f"Poseidon takes 1 to {MAX_INPUTS} inputs, got {len(inputs)}")
    return FieldElement(permute([0, *map(FieldElement, inputs)])[0])


def ezkl_sponge(elements: Sequence[int]) -> FieldElement:
    """Return what ezkl's `poseidon_hash` gives for one or more elements.

    Raises:
        MalformedError: No element, or one that is not below r.
    """
    if not elements:
        raise MalformedError("ezkl's sponge takes at least one element, got none")
    first, second = 0, EZKL_CAPACITY
    for element in map(FieldElement, elements):
        first, second = permute([(first + element) % ORDER, second])
    return FieldElement(first)
