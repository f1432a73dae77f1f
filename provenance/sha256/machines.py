"""The ways to compress several blocks at once, and which of them this processor has.

A machine is told by its type alone, so that what numba compiles for it can be kept on disk.
"""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

EXTENSIONS_NEED: Final = frozenset({"sha", "sse4.1", "ssse3"})


class Extensions(NamedTuple):
    """x86's instructions for SHA-256; two messages at a time hide each other's waiting."""

    lanes: int = 2


class Vectors(NamedTuple):
    """Vectors of 32-bit words, a message in each place; LLVM knows them on every processor."""

    lanes: int = 8


Machine = Extensions | Vectors


def machines(features: AbstractSet[str]) -> tuple[Machine, ...]:
    """Return the machines of a processor with these features, the fastest first.

    Of another machine's instructions not one may be emitted: LLVM would end the process.
    """
    if features >= EXTENSIONS_NEED:
        return Extensions(), Vectors()
    return (Vectors(),)
