"""SHA-256's compression of eight messages at once, each in its own place of the vectors.

Source: FIPS 180-4, sections 4.1.2 and 6.2.2; its letters a to h are the state's words.
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
    """Return the state as eight vectors, one for each of its words."""
    return [_turned(builder, [read(builder, vector(8), states, 32 * i) for i in range(lanes)])]


def store(builder: ir.IRBuilder, states: ir.Value, found: list[Values]) -> None:
    """Write the state lane after lane."""
    for lane, words in enumerate(_turned(builder, found[0])):
        write(builder, words, states, 32 * lane)


def compress(builder: ir.IRBuilder, before: list[Values], blocks: Values) -> list[Values]:
    """Return the state after one more block for each lane, of which the addresses are given."""
    halves = zip(*(read_block(builder, block, 8) for block in blocks), strict=True)
    words = [word for half in halves for word in _turned(builder, list(half))]
    state = before[0]
    for number in range(64):
        state = _round(builder, state, words[0], ROUNDS[number])
        words = words[1:] + ([_next_word(builder, words)] if number < 48 else [])
    return [[builder.add(*pair) for pair in zip(before[0], state, strict=True)]]


def _round(builder: ir.IRBuilder, state: Values, word: ir.Value, constant: int) -> Values:
    a, b, c, d, e, f, g, h = state
    choice = builder.xor(g, builder.and_(e, builder.xor(f, g)))
    majority = builder.xor(builder.and_(a, b), builder.and_(c, builder.xor(a, b)))
    total = builder.add(h, builder.add(word, constants(*[constant] * 8)))
    total = builder.add(builder.add(total, choice), _turns(builder, e, 6, 11, 25))
    top = builder.add(builder.add(total, majority), _turns(builder, a, 2, 13, 22))
    return [top, a, b, c, builder.add(d, total), e, f, g]


def _next_word(builder: ir.IRBuilder, words: Values) -> ir.Value:
    """Return the word that follows sixteen."""
    low = builder.xor(_turns(builder, words[1], 7, 18), _shifted(builder, words[1], 3))
    high = builder.xor(_turns(builder, words[14], 17, 19), _shifted(builder, words[14], 10))
    return builder.add(builder.add(words[0], low), builder.add(words[9], high))


def _shifted(builder: ir.IRBuilder, words: ir.Value, bits: int) -> ir.Value:
    return builder.lshr(words, constants(*[bits] * 8))


def _turns(builder: ir.IRBuilder, words: ir.Value, *turns: int) -> ir.Value:
    """Return the words turned right by each number of bits, all combined by exclusive or."""
    first, *rest = (
        call(builder, "llvm.fshr.v8i32", words, words, constants(*[bits] * 8)) for bits in turns
    )
    for each in rest:
        first = builder.xor(first, each)
    return first


def _turned(builder: ir.IRBuilder, rows: Values) -> Values:
    """Return eight rows of eight words as columns, by three shuffles of cards."""
    for _ in range(3):
        pairs = [(rows[i], rows[i + 4]) for i in range(4)]
        rows = [
            picked(builder, *pair, *places)
            for pair in pairs
            for places in ((0, 8, 1, 9, 2, 10, 3, 11), (4, 12, 5, 13, 6, 14, 7, 15))
        ]
    return rows
