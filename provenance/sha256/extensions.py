"""SHA-256's compression by x86's own instructions.

A state is two vectors, (f, e, b, a) and (h, g, d, c) from the lowest word up. One instruction does
two rounds; the next waits for it, so the messages' instructions take turns.

Source: Intel, "New Instructions Supporting the Secure Hash Algorithm on Intel Architecture
Processors", 2013.
"""

from llvmlite import ir

from provenance.sha256.constants import ROUNDS
from provenance.sha256.emitting import (
    Values,
    call,
    constants,
    picked,
    read,
    read_block,
    vector,
    write,
)


def load(builder: ir.IRBuilder, states: ir.Value, lanes: int) -> list[Values]:
    """Return each lane's state, from eight words in their usual order."""
    found = []
    for base in range(0, 32 * lanes, 32):
        low, high = (read(builder, vector(4), states, base + at) for at in (0, 16))
        found.append(
            [picked(builder, low, high, 5, 4, 1, 0), picked(builder, low, high, 7, 6, 3, 2)]
        )
    return found


def store(builder: ir.IRBuilder, states: ir.Value, found: list[Values]) -> None:
    """Write each lane's state as words in their usual order."""
    for lane, state in enumerate(found):
        write(builder, picked(builder, *state, 3, 2, 7, 6), states, 32 * lane)
        write(builder, picked(builder, *state, 1, 0, 5, 4), states, 32 * lane + 16)


def compress(builder: ir.IRBuilder, before: list[Values], blocks: Values) -> list[Values]:
    """Return each lane's state after one more block, of which the addresses are given."""
    states = before
    words = [read_block(builder, block, 4) for block in blocks]
    for quarter in range(0, 64, 4):
        added = constants(*ROUNDS[quarter : quarter + 4])
        sums = [builder.add(each[0], added) for each in words]
        states = _two_rounds(builder, states, sums)
        states = _two_rounds(
            builder, states, [picked(builder, each, each, 2, 3, 0, 1) for each in sums]
        )
        words = [each[1:] + _next_words(builder, each, quarter) for each in words]
    return [
        [builder.add(*pair) for pair in zip(*lane, strict=True)]
        for lane in zip(before, states, strict=True)
    ]


def _two_rounds(builder: ir.IRBuilder, states: list[Values], sums: Values) -> list[Values]:
    """Return the states after two rounds, with the two lowest of words and constants added."""
    return [
        [call(builder, "llvm.x86.sha256rnds2", other, one, added), one]
        for (one, other), added in zip(states, sums, strict=True)
    ]


def _next_words(builder: ir.IRBuilder, words: Values, quarter: int) -> Values:
    """Return the four words that follow sixteen, none once the last are known."""
    if quarter >= 48:
        return []
    first = call(builder, "llvm.x86.sha256msg1", words[0], words[1])
    middle = picked(builder, words[2], words[3], 1, 2, 3, 4)
    return [call(builder, "llvm.x86.sha256msg2", builder.add(first, middle), words[3])]
