"""One call of a node as a value: what to send, how to read the answer, how long and how much."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from provenance.canonical import Json

T = TypeVar("T")
KIB: Final = 2**10
MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A method, its positional parameters, and what its answer means.

    `seconds` is for the whole call, all tries together; `most` bounds the answer's bytes. A call
    that `writes` is never sent twice. `secret` stands among the parameters and in no message.
    """

    method: str
    params: tuple[Json, ...] = field(repr=False)
    read: Callable[[Json], T] = field(repr=False)
    seconds: float = 30
    writes: bool = False
    most: int = MIB
    secret: str = field(default="", repr=False)
