"""Many hashes at once, on arrays of field elements."""

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.poseidon.reference import MAX_INPUTS, ezkl_sponge, poseidon
from provenance.poseidon.words import check_words, from_words, to_words


def poseidon_many(inputs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return circomlib's Poseidon of each row: (rows, 1 to 16 inputs, 4 words) -> (rows, 4 words).

    Raises:
        MalformedError: Another type or shape, or an element that is not below r.
    """
    check_words(inputs, 3)
    if not 1 <= inputs.shape[1] <= MAX_INPUTS:
        raise MalformedError(f"Poseidon takes 1 to {MAX_INPUTS} inputs, got {inputs.shape[1]}")
    return to_words(poseidon(*from_words(row)) for row in inputs)


def ezkl_sponge_many(elements: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return ezkl's sponge over each row: (rows, 1 or more elements, 4 words) -> (rows, 4 words).

    Raises:
        MalformedError: Another type or shape, or an element that is not below r.
    """
    check_words(elements, 3)
    if not elements.shape[1]:
        raise MalformedError("ezkl's sponge takes at least one element, got none")
    return to_words(ezkl_sponge(from_words(row)) for row in elements)
