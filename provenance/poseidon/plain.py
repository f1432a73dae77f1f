"""Many hashes, one after the other in pure Python: for few of them, or where numba is missing."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.field import FieldElement
from provenance.poseidon.hashes import ezkl_sponge, poseidon
from provenance.poseidon.words import WORDS, from_words, to_words

name: Final = "python"


def poseidon_rows(inputs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return circomlib's Poseidon of checked rows: (rows, inputs, 4 words) -> (rows, 4 words)."""
    return to_words(poseidon(*row) for row in _rows(inputs))


def ezkl_sponge_rows(elements: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return ezkl's sponge over checked rows: (rows, elements, 4 words) -> (rows, 4 words)."""
    return to_words(ezkl_sponge(row) for row in _rows(elements))


def _rows(words: NDArray[np.uint64]) -> Iterator[tuple[FieldElement, ...]]:
    """Yield the elements of each row, converted all at once, which is far faster than by row."""
    rows, length, _ = words.shape
    elements = from_words(words.reshape(-1, WORDS))
    for start in range(0, rows * length, length):
        yield elements[start : start + length]
