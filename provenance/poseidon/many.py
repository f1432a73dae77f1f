"""Many hashes at once, on arrays of field elements, by the compiled kernel once it pays.

Importing numba and loading the kernel takes as long as hundreds of hashes in pure Python, and
compiling it as long as thousands. So the first `PATIENCE` permutations of a process are done in
pure Python, unless one call asks for more: a short check never waits for numba, and a builder of
trees, also one that hashes in small batches, soon has the kernel.
"""

import importlib
import logging
from functools import cache
from typing import Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from provenance.errors import MalformedError
from provenance.poseidon import plain
from provenance.poseidon.hashes import MAX_INPUTS
from provenance.poseidon.words import check_words

PATIENCE: Final = 1024

_logger = logging.getLogger("rootline")


class Backend(Protocol):
    """Hashes rows that were checked before."""

    @property
    def name(self) -> str:
        """Return its machine, or "python"."""

    def poseidon_rows(self, inputs: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return circomlib's Poseidon of each row."""

    def ezkl_sponge_rows(self, elements: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return ezkl's sponge over each row."""


class Chooser:
    """Chooses pure Python until `patience` permutations were asked for, then what is fastest.

    Two threads at once may both load the kernel, which does no harm.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._fastest: Backend | None = None

    def choose(self, permutations: int) -> Backend:
        """Return what is to do so many permutations now."""
        if self._fastest is None:
            self._patience -= permutations
            if self._patience >= 0:
                return plain
            self._fastest = fastest()
        return self._fastest


def fastest() -> Backend:
    """Return the compiled kernel, or pure Python where numba cannot be imported."""
    try:
        return cast("Backend", importlib.import_module("provenance.poseidon.kernels").fastest())
    except ImportError:
        _notice()
        return plain


@cache
def _notice() -> None:
    _logger.warning("numba is missing: Poseidon hashes in pure Python, many times slower")


def backend() -> str:
    """Return the name of what does much work: "ifma", "fma", "scalar" or "python"."""
    return fastest().name


_chooser = Chooser()


def poseidon_many(inputs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return circomlib's Poseidon of each row: (rows, 1 to 16 inputs, 4 words) -> (rows, 4 words).

    Raises:
        MalformedError: Another type or shape, or an element that is not below r.
    """
    check_words(inputs, 3)
    return poseidon_checked(inputs)


def poseidon_checked(inputs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return what `poseidon_many` does, of elements that are known to be below r.

    Only for values that this package made or checked: others may come out as another's hash.
    """
    if not 1 <= inputs.shape[1] <= MAX_INPUTS:
        raise MalformedError(f"Poseidon takes 1 to {MAX_INPUTS} inputs, got {inputs.shape[1]}")
    return _chooser.choose(len(inputs)).poseidon_rows(inputs)


def ezkl_sponge_many(elements: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return ezkl's sponge over each row: (rows, 1 or more elements, 4 words) -> (rows, 4 words).

    Raises:
        MalformedError: Another type or shape, or an element that is not below r.
    """
    check_words(elements, 3)
    rows, length, _ = elements.shape
    if not length:
        raise MalformedError("ezkl's sponge takes at least one element, got none")
    return _chooser.choose(rows * length).ezkl_sponge_rows(elements)
