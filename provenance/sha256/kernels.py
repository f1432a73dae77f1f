"""Many messages at once: a lane of a machine takes the next message when it has done one.

It imports numba, so only `many` imports it, and only when there is enough work. numba compiles for
little-endian processors alone, and that is taken for granted here.
"""

import sys
from functools import cache
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from provenance import compiling
from provenance.compiling import features, inlined, kept
from provenance.sha256 import compression, constants, emitting, extensions, machines, vectors
from provenance.sha256.compression import Integer, address_of, compress, copy, swapped
from provenance.sha256.constants import BLOCK, START
from provenance.sha256.machines import Machine

Element = TypeVar("Element", bound=np.generic)
Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
Words = NDArray[np.uint32]
SOURCES: Final = (compiling, compression, constants, emitting, extensions, machines, vectors)
"""What the compression is compiled from."""
_IDLE: Final = -1
_MESSAGE, _LEFT, _TAIL = 0, 1, 2


class Messages(NamedTuple):
    """What is hashed.

    Attributes:
        data: All messages, one after the other.
        offsets: Where each begins and the last one ends.
        prefix: Whole blocks that come before each of them.
    """

    data: Bytes
    offsets: Integers
    prefix: Bytes


class Lanes(NamedTuple):
    """What a machine works on.

    Attributes:
        tasks: Each lane's message (-1 if it is idle), the blocks before it turns to its tail or
            ends, and the tail's blocks while it has not, shape (lanes, 3).
        states: Shape (lanes, 8).
        midstate: A state that all messages begin with, shape (8,).
        places: The address of each lane's next block.
        tails: Last bytes of each lane's message with the padding, shape (lanes, 2 blocks of 8).
    """

    tasks: Integers
    states: Words
    midstate: Words
    places: Integers
    tails: NDArray[np.uint64]

    @classmethod
    def of(cls, count: int) -> "Lanes":
        """Return so many idle lanes."""
        return cls(
            np.tile(np.array([_IDLE, 0, 0], np.int64), (count, 1)),
            np.tile(np.array(START, np.uint32), (count, 1)),
            np.zeros(8, np.uint32),
            np.zeros(count, np.int64),
            np.zeros((count, 16), np.uint64),
        )


@inlined
def _write_tail(
    tails: NDArray[np.uint64], lane: Integer, source: Integer, rest: Integer, bits: Integer
) -> int:
    """Write the last bytes of a message and the padding; return how many blocks that is.

    Args:
        tails: Two blocks for each lane, as 16 words.
        lane: Whose blocks to write.
        source: The address of what is left after the message's whole blocks.
        rest: How many bytes that is.
        bits: The length of all that is hashed.
    """
    for i in range(16):
        tails[lane, i] = 0
    copy(address_of(tails) + 2 * BLOCK * lane, source, rest)
    tails[lane, rest >> 3] |= np.uint64(0x80) << np.uint64(8 * (rest & 7))
    blocks = 1 if rest < BLOCK - 8 else 2
    tails[lane, 8 * blocks - 1] = swapped(np.uint64(bits))
    return blocks


@inlined
def _turn_to_tail(lanes: Lanes, lane: int) -> None:
    lanes.tasks[lane, _LEFT], lanes.tasks[lane, _TAIL] = lanes.tasks[lane, _TAIL], 0
    lanes.places[lane] = address_of(lanes.tails) + 2 * BLOCK * lane


@inlined
def _take(messages: Messages, lanes: Lanes, lane: int, number: int) -> None:
    """Give a lane the message of this number."""
    length = messages.offsets[number + 1] - messages.offsets[number]
    whole = length & -BLOCK
    place = address_of(messages.data) + messages.offsets[number]
    bits = 8 * (len(messages.prefix) + length)
    blocks = _write_tail(lanes.tails, lane, place + whole, length - whole, bits)
    lanes.places[lane] = place
    lanes.tasks[lane, _MESSAGE] = number
    lanes.tasks[lane, _LEFT] = whole // BLOCK
    lanes.tasks[lane, _TAIL] = blocks
    for i in range(8):
        lanes.states[lane, i] = lanes.midstate[i]
    if not whole:
        _turn_to_tail(lanes, lane)


@inlined
def _give_digest(lanes: Lanes, lane: int, out: Words) -> None:
    number = lanes.tasks[lane, _MESSAGE]
    for i in range(8):
        out[number, i] = swapped(lanes.states[lane, i])
    lanes.tasks[lane, _MESSAGE] = _IDLE


@inlined
def _align(lanes: Lanes) -> int:
    """Return how many blocks every busy lane has left; an idle one goes along with a busy one."""
    fewest, place = 2**62, lanes.places[0]
    for lane in range(len(lanes.places)):
        if lanes.tasks[lane, _MESSAGE] != _IDLE:
            fewest = min(fewest, lanes.tasks[lane, _LEFT])
            place = lanes.places[lane]
    for lane in range(len(lanes.places)):
        if lanes.tasks[lane, _MESSAGE] == _IDLE:
            lanes.places[lane] = place
    return fewest


@inlined
def _advance(lanes: Lanes, blocks: int) -> None:
    """Let every lane leave so many blocks behind."""
    for lane in range(len(lanes.places)):
        lanes.places[lane] += BLOCK * blocks
        lanes.tasks[lane, _LEFT] -= blocks


@kept(sys.modules[__name__], *SOURCES)
def _hash_messages(machine: Machine, messages: Messages, lanes: Lanes, out: Words) -> None:
    """Write the digest of each message: (messages, 8 words)."""
    # Only here, where it is compiled once, and not once more in each function it is called in.
    states, places = address_of(lanes.states), address_of(lanes.places)
    lanes.places[:] = address_of(messages.prefix)
    compress(machine, states, places, len(messages.prefix) // BLOCK)
    lanes.midstate[:] = lanes.states[0]
    begun, ended = 0, 0
    while True:
        for lane in range(len(lanes.places)):
            if lanes.tasks[lane, _LEFT]:
                continue
            if lanes.tasks[lane, _TAIL]:
                _turn_to_tail(lanes, lane)
                continue
            if lanes.tasks[lane, _MESSAGE] != _IDLE:
                _give_digest(lanes, lane, out)
                ended += 1
            if begun < len(out):
                _take(messages, lanes, lane, begun)
                begun += 1
        if ended == len(out):
            return
        blocks = _align(lanes)
        compress(machine, states, places, blocks)
        _advance(lanes, blocks)


@cache
def available() -> tuple[Machine, ...]:
    """Return the machines of this processor, the fastest first."""
    return machines.machines(features())


def frozen(array: NDArray[Element]) -> NDArray[Element]:
    """Return the same array without leave to write, so that numba compiles for one type alone."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def hash_messages(
    data: Bytes, offsets: Integers, prefix: bytes, machine: Machine | None = None
) -> Bytes:
    """Return the digests of messages that were checked: (messages, 32)."""
    chosen = machine or available()[0]
    out = np.empty((len(offsets) - 1, 8), np.uint32)
    messages = Messages(frozen(data), frozen(offsets), np.frombuffer(prefix, np.uint8))
    _hash_messages(chosen, messages, Lanes.of(chosen.lanes), out)
    return out.view(np.uint8)


def lanes() -> int:
    """Return how many messages are hashed side by side."""
    return available()[0].lanes
