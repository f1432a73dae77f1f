"""Content digests -> leaves and cut values, compiled: leaf.py and siphash.py for many at once.

Salts and leaf digests are one block each, laid out alike: a tag, 16 bytes, a content digest. It
imports numba, so only leaves.py imports it, and only when there is enough work.
"""

import sys
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance import leaf, siphash
from provenance.compiling import inlined, kept
from provenance.leaf import LEAF_TAG, SALT_TAG
from provenance.sha256 import kernels
from provenance.sha256.compression import Integer, address_of, compress, copy, swapped
from provenance.sha256.kernels import Lanes, available, frozen
from provenance.sha256.machines import Machine
from provenance.siphash import begin

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
_TAG: Final = len(SALT_TAG)
_SIZE: Final = _TAG + 16 + 32
_TAGS: Final = np.frombuffer(SALT_TAG + LEAF_TAG, np.uint8)
SLOTS: Final = 32
"""Blocks laid out before any is hashed: what was just written byte by byte is slow to read."""
_CARRY: Final = np.uint64(56)


class Secrets(NamedTuple):
    """What leaves are made with.

    Attributes:
        keys: Of the buckets of salts, shape (4096, 16).
        tags: Of salts, then of leaves.
        begun: The words that SipHash begins with, shape (4,).
    """

    keys: Bytes
    tags: Bytes
    begun: Words


@inlined
def _turned(word: np.uint64, bits: int) -> np.uint64:
    return word << np.uint64(bits) | word >> np.uint64(64 - bits)


@inlined
def _round(
    a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    a, c = a + b, c + d
    b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
    a, c = _turned(a, 32) + d, c + b
    return a, _turned(b, 17) ^ c, _turned(c, 32), _turned(d, 21) ^ a


@inlined
def _siphash(begun: Words, messages: Words, number: int) -> np.uint64:
    """Return the hash of one message of four words."""
    a, b, c, d = begun[0], begun[1], begun[2], begun[3]
    for i in range(5):
        word = messages[number, i] if i < 4 else np.uint64(32 << 56)
        a, b, c, d = _round(*_round(a, b, c, d ^ word))
        a ^= word
    c ^= np.uint64(0xFF)
    for _ in range(4):
        a, b, c, d = _round(a, b, c, d)
    hashed: np.uint64 = a ^ b ^ c ^ d
    return hashed


@inlined
def _write_leaf(state: NDArray[np.uint32], lane: int, words: Words, number: int) -> None:
    """Write the first 31 bytes of a digest as an integer: four words, lowest first."""
    carried = np.uint64(0)
    for i in range(4):
        high, low = state[lane, 2 * i], state[lane, 2 * i + 1]
        word = np.uint64(high) << np.uint64(32) | np.uint64(low)
        words[number, 3 - i] = word >> np.uint64(8) | carried
        carried = word << _CARRY


@inlined
def _frame(lanes: Lanes) -> None:
    """Write what all blocks have in common: where they end, and their length in bits."""
    for slot in range(len(lanes.places)):
        lanes.places[slot] = address_of(lanes.tails) + 8 * lanes.tails.shape[1] * slot
        lanes.tails[slot, _SIZE // 8] = np.uint64(0x80) << np.uint64(8 * (_SIZE % 8))
        lanes.tails[slot, 7] = swapped(np.uint64(8 * _SIZE))


@inlined
def _lay(lanes: Lanes, slot: int, tag: Integer, middle: Integer) -> None:
    """Write what a salt's and a leaf's block differ in, the tag and 16 bytes; begin to hash it."""
    copy(lanes.places[slot], tag, _TAG)
    copy(lanes.places[slot] + _TAG, middle, 16)
    for i in range(8):
        lanes.states[slot, i] = lanes.midstate[i]


@inlined
def _lay_for_salt(secrets: Secrets, lanes: Lanes, slot: int, contents: Bytes, number: int) -> None:
    bucket = np.int64(contents[number, 0]) << 4 | np.int64(contents[number, 1]) >> 4
    _lay(lanes, slot, address_of(secrets.tags), address_of(secrets.keys) + 16 * bucket)
    copy(lanes.places[slot] + _TAG + 16, address_of(contents) + 32 * number, 32)


@inlined
def _lay_for_leaf(secrets: Secrets, lanes: Lanes, slot: int) -> None:
    for i in range(4):
        lanes.states[slot, i] = swapped(lanes.states[slot, i])
    _lay(lanes, slot, address_of(secrets.tags) + _TAG, address_of(lanes.states) + 32 * slot)


@kept(sys.modules[__name__], siphash, leaf, kernels, *kernels.SOURCES)
def _finish(
    machine: Machine, contents: Bytes, secrets: Secrets, lanes: Lanes, words: Words, values: Words
) -> None:
    """Write the leaf and the cut value of each content digest; `finish` says more."""
    messages = contents.view(np.uint64)
    states, places = address_of(lanes.states), address_of(lanes.places)
    lanes.midstate[:] = lanes.states[0]
    _frame(lanes)
    for first in range(0, len(contents), len(lanes.places)):
        last = min(first + len(lanes.places), len(contents))
        for number in range(first, last):
            _lay_for_salt(secrets, lanes, number - first, contents, number)
        for slot in range(0, len(lanes.places), machine.lanes):
            compress(machine, states + 32 * slot, places + 8 * slot, 1)
        for number in range(first, last):
            _lay_for_leaf(secrets, lanes, number - first)
        for slot in range(0, len(lanes.places), machine.lanes):
            compress(machine, states + 32 * slot, places + 8 * slot, 1)
        for number in range(first, last):
            _write_leaf(lanes.states, number - first, words, number)
            values[number] = _siphash(secrets.begun, messages, number)


def finish(
    contents: Bytes, keys: Bytes, cut_key: bytes, machine: Machine | None = None
) -> tuple[Words, Words]:
    """Return the leaves as words, shape (records, 4), and the cut values, shape (records,).

    Args:
        contents: Content digests, shape (records, 32).
        keys: The key of each bucket of salts, shape (4096, 16).
        cut_key: Of SipHash.
        machine: What hashes; the fastest if none is given.
    """
    chosen = machine or available()[0]
    words, values = np.empty((len(contents), 4), np.uint64), np.empty(len(contents), np.uint64)
    secrets = Secrets(frozen(keys), _TAGS, np.array(begin(cut_key), np.uint64))
    _finish(chosen, frozen(contents), secrets, Lanes.of(SLOTS), words, values)
    return words, values
