"""Many messages at once: a lane of a machine takes the next message when it has done one.

It imports numba, so only `many` imports it, and only when there is enough work.
"""

import sys
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from provenance import compiling
from provenance.compiling import compiled, features, kept
from provenance.sha256 import compression, constants, emitting, extensions, machines, vectors
from provenance.sha256.compression import compress
from provenance.sha256.constants import BLOCK, START
from provenance.sha256.machines import Machine

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]
States = NDArray[np.uint32]
SOURCES: Final = (compiling, compression, constants, emitting, extensions, machines, vectors)
"""What the compression is compiled from."""
_MESSAGE, _LEFT, _TAIL = 0, 1, 2
_IDLE = -1


class Messages(NamedTuple):
    """What is hashed.

    Attributes:
        data: All messages, one after the other.
        offsets: Where each begins and the last one ends.
        midstate: The state before each.
        before: Bytes that led to that state.
    """

    data: Bytes
    offsets: Integers
    midstate: States
    before: int


class Lanes(NamedTuple):
    """What a machine works on.

    Attributes:
        tasks: Each lane's message (-1 if it is idle), its blocks left before it turns to its tail
            or ends, and the tail's blocks if they are not begun, shape (lanes, 3).
        states: Shape (lanes, 8).
        places: The address of each lane's next block.
        tails: Last bytes of each lane's message with the padding, shape (lanes, 2 blocks).
    """

    tasks: Integers
    states: States
    places: Integers
    tails: Bytes

    @classmethod
    def of(cls, machine: Machine) -> "Lanes":
        """Return idle lanes for a machine."""
        count = machine.lanes
        return cls(
            np.full((count, 3), _IDLE, np.int64),
            np.zeros((count, 8), np.uint32),
            np.zeros(count, np.int64),
            np.zeros((count, 2 * BLOCK), np.uint8),
        )


@compiled
def write_digest(state: States, out: Bytes) -> None:
    """Write a state's words, each with its highest byte first."""
    for word in range(8):
        for i in range(4):
            out[4 * word + i] = state[word] >> np.uint32(24 - 8 * i)


@compiled
def _write_tail(messages: Messages, begin: int, end: int, tail: Bytes) -> int:
    """Write what follows a message's whole blocks, and the padding; return how many blocks."""
    length = end - begin
    rest = length % BLOCK
    size = BLOCK if rest < BLOCK - 8 else 2 * BLOCK
    for i in range(rest):
        tail[i] = messages.data[end - rest + i]
    tail[rest] = 0x80
    for i in range(rest + 1, size - 8):
        tail[i] = 0
    for i in range(8):
        tail[size - 1 - i] = 8 * (messages.before + length) >> 8 * i
    return size // BLOCK


@compiled
def _turn_to_tail(lanes: Lanes, lane: int) -> None:
    lanes.tasks[lane, _LEFT], lanes.tasks[lane, _TAIL] = lanes.tasks[lane, _TAIL], 0
    lanes.places[lane] = np.int64(lanes.tails[lane].ctypes.data)


@compiled
def _take(messages: Messages, lanes: Lanes, lane: int, number: int) -> None:
    """Give a lane the message of this number."""
    begin, end = messages.offsets[number], messages.offsets[number + 1]
    lanes.tasks[lane, _MESSAGE] = number
    lanes.tasks[lane, _LEFT] = (end - begin) // BLOCK
    lanes.tasks[lane, _TAIL] = _write_tail(messages, begin, end, lanes.tails[lane])
    lanes.places[lane] = np.int64(messages.data.ctypes.data) + begin
    for i in range(8):
        lanes.states[lane, i] = messages.midstate[i]
    if end - begin < BLOCK:
        _turn_to_tail(lanes, lane)


@compiled
def _fewest_left(lanes: Lanes) -> int:
    """Return how many blocks all busy lanes have; idle ones go with one that is busy."""
    fewest, place = np.int64(2**62), np.int64(0)
    for lane in range(len(lanes.tasks)):
        if lanes.tasks[lane, _MESSAGE] != _IDLE:
            fewest = min(fewest, lanes.tasks[lane, _LEFT])
            place = lanes.places[lane]
    for lane in range(len(lanes.tasks)):
        if lanes.tasks[lane, _MESSAGE] == _IDLE:
            lanes.places[lane] = place
    return fewest


@kept(sys.modules[__name__], *SOURCES)
def _hash_messages(machine: Machine, messages: Messages, lanes: Lanes, out: Bytes) -> None:
    """Write the digest of each message: (messages, 32)."""
    begun = 0
    for lane in range(min(len(lanes.tasks), len(out))):
        _take(messages, lanes, lane, begun)
        begun += 1
    ended = 0
    while ended < len(out):
        blocks = _fewest_left(lanes)
        compress(machine, lanes.states, lanes.places, blocks)
        for lane in range(len(lanes.tasks)):
            number = lanes.tasks[lane, _MESSAGE]
            lanes.tasks[lane, _LEFT] -= blocks
            lanes.places[lane] += BLOCK * blocks
            if number == _IDLE or lanes.tasks[lane, _LEFT]:
                continue
            if lanes.tasks[lane, _TAIL]:
                _turn_to_tail(lanes, lane)
                continue
            write_digest(lanes.states[lane], out[number])
            ended += 1
            lanes.tasks[lane, _MESSAGE] = _IDLE
            if begun < len(out):
                _take(messages, lanes, lane, begun)
                begun += 1


@cache
def available() -> tuple[Machine, ...]:
    """Return the machines of this processor, the fastest first."""
    return machines.machines(features())


def frozen(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the same array without leave to write, so that numba compiles for one type alone."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def hash_messages(
    data: Bytes, offsets: Integers, midstate: States, before: int, machine: Machine | None = None
) -> Bytes:
    """Return the digests of messages that were checked: (messages, 32)."""
    chosen = machine or available()[0]
    out = np.empty((len(offsets) - 1, 32), np.uint8)
    messages = Messages(frozen(data), frozen(offsets), midstate, before)
    _hash_messages(chosen, messages, Lanes.of(chosen), out)
    return out
