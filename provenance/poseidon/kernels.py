"""Many hashes at once, compiled by numba for one of three machines; the lock is released.

A machine is chosen by what the processor has (`FEATURES`): an instruction that it lacks must not
even be written, since LLVM then ends the process. Compiled code is kept from process to process
where the application names a folder for it (`NUMBA_CACHE_DIR`), never in the source tree.

It imports numba, so only `many` imports it, and only when there is enough work.
"""

import sys
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from provenance.compiling import compiled, features, kept
from provenance.errors import UnavailableError
from provenance.poseidon import fma, ifma, permutation, primitives, scalar, vectors
from provenance.poseidon.hashes import EZKL_CAPACITY
from provenance.poseidon.normalised import normalised
from provenance.poseidon.parameters import parameters
from provenance.poseidon.permutation import permute
from provenance.poseidon.primitives import (
    MACHINES,
    TOKENS,
    Token,
    element_bytes,
    enter,
    group,
    leave,
    number_bytes,
)
from provenance.poseidon.words import to_words

Array = NDArray[np.uint64]

_ALIGNMENT: Final = 64


@dataclass(frozen=True, slots=True)
class Kernel:
    """Hashes rows that were checked before, on one machine."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a machine whose instructions the processor lacks, before anything is compiled."""
        lacking = sorted(MACHINES[self.name].FEATURES - features())
        if lacking:
            needs = ", ".join(lacking)
            raise UnavailableError(f"Poseidon on {self.name} needs a processor with {needs}")

    def poseidon_rows(self, inputs: Array) -> Array:
        """Return circomlib's Poseidon of each row: (rows, inputs, 4) -> (rows, 4)."""
        initial = np.zeros((inputs.shape[1] + 1, 4), np.uint64)
        return self._hashed(_plain(inputs)[:, np.newaxis], initial, 0)

    def ezkl_sponge_rows(self, elements: Array) -> Array:
        """Return ezkl's sponge over each row: (rows, elements, 4) -> (rows, 4)."""
        blocks = _plain(elements)[:, :, np.newaxis]
        return self._hashed(blocks, to_words([EZKL_CAPACITY, 0]), 1)

    def _hashed(self, rows: Array, initial: Array, first: int) -> Array:
        width = len(initial)
        out = np.empty((len(rows), 4), np.uint64)
        numbers, rounds = _table(self.name, width), parameters(width).partial_rounds
        _hash_rows(TOKENS[self.name], rows, initial, first, numbers, rounds, out)
        return out


def _plain(rows: Array) -> Array:
    """Return rows of the one kind that compiled code is kept for: in one piece, and writeable."""
    return np.require(rows, requirements=["C", "W"])


@cache
def fastest() -> Kernel:
    """Return the kernel for the fastest machine that the processor can be."""
    has = features()
    return Kernel(next(name for name, machine in MACHINES.items() if has >= machine.FEATURES))


@cache
def _table(machine: str, width: int) -> Array:
    """Return the numbers of the permutation as the machine loads them."""
    chosen = MACHINES[machine]
    return chosen.table(normalised(width, chosen.MONTGOMERY))


@compiled
def _enter_block(
    machine: Token, state: int, width: int, words: Array, block: Array, first: int, numbers: int
) -> None:
    """Add to the state the words, the block's of each row put into them, and first constants.

    Args:
        machine: Its token.
        state: Address of `width` elements.
        width: 2 to 17.
        words: (width, 4, lanes): what is added; then 0 again.
        block: (up to lanes, rate, 4).
        first: The element to which the block's first is added.
        numbers: Address of the machine's table.
    """
    rows, rate, _ = block.shape
    for lane in range(rows):
        for i in range(rate):
            for k in range(4):
                words[first + i, k, lane] = block[lane, i, k]
    for i in range(width):
        element, number = state + i * element_bytes(machine), numbers + i * number_bytes(machine)
        enter(machine, element, words[i].ctypes.data, element, number)
    words[:] = 0


@kept(sys.modules[__name__], permutation, primitives, vectors, ifma, fma, scalar)
def _hash_rows(
    machine: Token,
    rows: Array,
    initial: Array,
    first: int,
    table: Array,
    rounds: int,
    out: Array,
) -> None:
    """Hash each row: block after block is added to the state, which is then permuted.

    Args:
        machine: The token of one.
        rows: (rows, blocks, rate, 4 words), below r.
        initial: (width, 4 words), the state before the first block, element 0 last.
        first: The state's element to which a block's first is added.
        table: The machine's, for the width.
        rounds: Partial rounds.
        out: (rows, 4 words), written: element 0 in the end.
    """
    count, blocks, _, _ = rows.shape
    width = len(initial)
    lanes, size = group(machine), element_bytes(machine)
    elements = (3 * width + 2 * rounds) * size // 8
    memory = np.empty(elements + 4 * width * lanes + _ALIGNMENT // 8, np.uint64)
    memory = memory[-memory.ctypes.data % _ALIGNMENT // 8 :]
    words = memory[elements : elements + 4 * width * lanes].reshape((width, 4, lanes))
    state, numbers = memory.ctypes.data, table.ctypes.data
    zeros, rest = state + width * size, numbers + width * number_bytes(machine)
    for start in range(0, count, lanes):
        memory[: (2 * width - 1) * size // 8] = 0
        for i in range(width):
            for k in range(4):
                words[i, k] = initial[i, k]
        for block in range(blocks):
            group_block = rows[start : start + lanes, block]
            _enter_block(machine, state, width, words, group_block, first, numbers)
            outputs = 1 if block == blocks - 1 else width
            permute(machine, state, zeros, width, rounds, rest, outputs)
        leave(machine, words.ctypes.data, state + (width - 1) * size)
        for lane in range(min(lanes, count - start)):
            for k in range(4):
                out[start + lane, k] = words[0, k, lane]
