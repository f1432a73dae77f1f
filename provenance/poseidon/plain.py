"""Many hashes, one after the other in pure Python: for few of them, or where numba is missing."""

import numpy as np
from numpy.typing import NDArray

from provenance.poseidon.hashes import ezkl_sponge, poseidon
from provenance.poseidon.words import from_words, to_words


def poseidon_rows(inputs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return circomlib's Poseidon of checked rows: (rows, inputs, 4 words) -> (rows, 4 words)."""
    return to_words(poseidon(*from_words(row)) for row in inputs)


def ezkl_sponge_rows(elements: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return ezkl's sponge over checked rows: (rows, elements, 4 words) -> (rows, 4 words)."""
    return to_words(ezkl_sponge(from_words(row)) for row in elements)
