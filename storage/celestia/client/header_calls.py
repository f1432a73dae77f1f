"""The module `header` of a node: extended headers, none of them verified here.

Source: celestia-node v0.31.4, nodebuilder/header/header.go, service.go; go-header v0.8.5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provenance.canonical import Fields, Json
from provenance.errors import MalformedError
from storage.celestia.answers import node_header, normalise_header
from storage.celestia.client.call import MIB, Call
from storage.celestia.client.reading import items, member, nothing, text
from storage.celestia.extended import ExtendedHeader
from storage.celestia.fields import upper

MAX_RANGE: Final = 64
"""Headers that a node gives in one answer (go-header, MaxRangeRequestSize)."""
WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class SyncState:
    """How far a node says that it has come; times as it writes them."""

    height: int
    from_height: int
    to_height: int
    start: str
    end: str
    error: str


def header_local_head() -> Call[ExtendedHeader]:
    """Ask for the newest header that the node holds."""
    return Call("header.LocalHead", (), _read_header, most=2 * MIB)


def header_network_head() -> Call[ExtendedHeader]:
    """Ask for the newest header that the node knows of."""
    return Call("header.NetworkHead", (), _read_header, most=2 * MIB)


def header_tail() -> Call[ExtendedHeader]:
    """Ask for the oldest header that the node still holds."""
    return Call("header.Tail", (), _read_header, most=2 * MIB)


def header_get_by_height(height: int) -> Call[ExtendedHeader]:
    """Ask for the header of a block; the answer is of that height."""
    return Call("header.GetByHeight", (height,), _reader_at(height), most=2 * MIB)


def header_get_by_hash(digest: bytes) -> Call[ExtendedHeader]:
    """Ask for the header with that hash; the answer has it."""

    def read(answer: Json) -> ExtendedHeader:
        header = _read_header(answer)
        if header.header.hash != digest:
            raise MalformedError("the node answers with another header")
        return header

    return Call("header.GetByHash", (upper(digest),), read, most=2 * MIB)


def header_wait_for_height(height: int, seconds: float = WAIT_SECONDS) -> Call[ExtendedHeader]:
    """Ask for the header of a block, which the node waits for; the answer is of that height."""
    read = _reader_at(height)
    return Call("header.WaitForHeight", (height,), read, seconds=seconds, most=2 * MIB)


def header_get_range_by_height(
    from_header: ExtendedHeader, to: int
) -> Call[tuple[ExtendedHeader, ...]]:
    """Ask for the headers above `from_header` and below `to`, at most 64; all come, in order.

    Raises:
        MalformedError: No header or more than 64 lie between.
    """
    first = from_header.header.height + 1
    if not 1 <= to - first <= MAX_RANGE:
        raise MalformedError(f"headers {first} to {to - 1}: a node gives 1 to {MAX_RANGE} at once")

    def read(answer: Json) -> tuple[ExtendedHeader, ...]:
        headers = tuple(map(_read_header, items(answer, "headers", MAX_RANGE)))
        if [each.header.height for each in headers] != [*range(first, to)]:
            raise MalformedError("not the headers that were asked for")
        return headers

    params = (node_header(from_header), to)
    return Call("header.GetRangeByHeight", params, read, seconds=120, most=64 * MIB)


def header_sync_state() -> Call[SyncState]:
    """Ask how far the node's headers have come."""
    return Call("header.SyncState", (), _read_state)


def header_sync_wait() -> Call[None]:
    """Ask to answer once the node's headers have caught up."""
    return Call("header.SyncWait", (), nothing, seconds=300)


def _read_header(answer: Json) -> ExtendedHeader:
    return ExtendedHeader.from_json(normalise_header(answer))


def _reader_at(height: int) -> Callable[[Json], ExtendedHeader]:
    def read(answer: Json) -> ExtendedHeader:
        header = _read_header(answer)
        if header.header.height != height:
            raise MalformedError(
                f"the node answers with header {header.header.height}, not {height}"
            )
        return header

    return read


def _read_state(answer: Json) -> SyncState:
    fields = Fields.of(answer, "sync state")
    said = fields.members
    return SyncState(
        height=member(fields, "height"),
        from_height=member(fields, "from_height"),
        to_height=member(fields, "to_height"),
        start=text(said.get("start", ""), "start", 64),
        end=text(said.get("end", ""), "end", 64),
        error=text(said.get("error", ""), "error"),
    )
