"""The module `share` of a node: the shares of a block's square, with and without proofs.

Source: celestia-node v0.31.4, nodebuilder/share/share.go; share/shwap/row.go, sample.go.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError
from storage.celestia.availability import MAX_SQUARE, check_square
from storage.celestia.client.call import MIB, Call
from storage.celestia.client.ranges import Range, read_range
from storage.celestia.client.reading import items, member, nothing, octets, text
from storage.celestia.fields import base
from storage.celestia.namespace_data import NamespaceData
from storage.celestia.share import SHARE_BYTES

MAX_SAMPLES: Final = 256
_MAX_SHARES: Final = 4 * MAX_SQUARE**2
_SIDES: Final[dict[str, Literal["left", "right", "both"]]] = {
    "LEFT": "left",
    "RIGHT": "right",
    "BOTH": "both",
}


@dataclass(frozen=True, slots=True)
class Row:
    """Shares of one row of the extended square: its left half, its right half, or both."""

    shares: tuple[bytes, ...]
    side: Literal["left", "right", "both"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One share and the range proof to the root of its row or column."""

    share: bytes
    proof: Range
    axis: Literal["row", "column"]


@dataclass(frozen=True, slots=True)
class Extended:
    """An extended square of 2k rows, row by row."""

    size: int
    shares: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ShareRange:
    """Adjacent shares of the original square, and their proof as the node writes it."""

    shares: tuple[bytes, ...]
    proof: JsonObject


def share_get_namespace_data(height: int, namespace: bytes) -> Call[NamespaceData]:
    """Ask for all shares of a namespace, with what `verify_namespace` takes to prove it."""
    params, read = (height, base(namespace)), NamespaceData.from_json
    return Call("share.GetNamespaceData", params, read, seconds=60, most=256 * MIB)


def share_get_range(height: int, start: int, end: int) -> Call[ShareRange]:
    """Ask for the shares [start, end) of the original square, counted row by row."""

    def read(answer: Json) -> ShareRange:
        fields = Fields.of(answer, "share range")
        proof = Fields.of(fields.take("Proof"), "share range.Proof")
        shares = _shares(fields.take("Shares"))
        if len(shares) != end - start:
            raise MalformedError(f"{len(shares)} shares for {end - start}")
        return ShareRange(shares, proof.members)

    return Call("share.GetRange", (height, start, end), read, seconds=60, most=256 * MIB)


def share_get_row(height: int, row: int) -> Call[Row]:
    """Ask for the shares of one row of the extended square."""
    return Call("share.GetRow", (height, row), _read_row, most=2 * MIB)


def share_get_eds(height: int) -> Call[Extended]:
    """Ask for the whole extended square: 45 MB of JSON for k = 128, 180 MB for k = 256."""
    return Call("share.GetEDS", (height,), _read_extended, seconds=120, most=256 * MIB)


def share_get_share(height: int, row: int, column: int) -> Call[bytes]:
    """Ask for one share of the extended square."""
    return Call("share.GetShare", (height, row, column), _share)


def share_get_samples(height: int, places: Sequence[tuple[int, int]]) -> Call[tuple[Sample, ...]]:
    """Ask for the shares at (row, column) of the extended square, each with its proof.

    Raises:
        MalformedError: More than 256 at once.
    """
    if len(places) > MAX_SAMPLES:
        raise MalformedError(f"{len(places)} samples; ask for at most {MAX_SAMPLES} at once")

    def read(answer: Json) -> tuple[Sample, ...]:
        samples = tuple(map(_read_sample, items(answer, "samples", MAX_SAMPLES)))
        if len(samples) != len(places):
            raise MalformedError(f"{len(samples)} samples for {len(places)}")
        return samples

    coordinates: list[Json] = [{"row": row, "col": column} for row, column in places]
    return Call("share.GetSamples", (height, coordinates), read, seconds=60, most=4 * MIB)


def share_available(height: int) -> Call[None]:
    """Ask the node to sample the block: returns if the node finds it available."""
    return Call("share.SharesAvailable", (height,), nothing, seconds=120)


def _read_row(answer: Json) -> Row:
    fields = Fields.of(answer, "row")
    side = text(fields.take("side"), "side", 8)
    if side not in _SIDES:
        raise MalformedError("row: 'side' must be LEFT, RIGHT or BOTH")
    return Row(_shares(fields.take("shares")), _SIDES[side])


def _read_sample(answer: Json) -> Sample:
    fields = Fields.of(answer, "sample")
    axis: Literal["row", "column"] = "column" if member(fields, "proof_type", 0, 1) else "row"
    return Sample(_share(fields.take("share")), read_range(fields.take("proof")), axis)


def _read_extended(answer: Json) -> Extended:
    fields = Fields.of(answer, "extended square")
    shares = _shares(fields.take("data_square"))
    if fields.take("codec") != "Leopard":
        raise MalformedError("extended square: 'codec' must be 'Leopard'")
    size = math.isqrt(len(shares))
    check_square(size // 2)
    if size % 2 or size * size != len(shares):
        raise MalformedError(f"extended square: {len(shares)} shares are no square of 2k rows")
    return Extended(size, shares)


def _shares(value: Json) -> tuple[bytes, ...]:
    return tuple(map(_share, items(value, "shares", _MAX_SHARES)))


def _share(value: Json) -> bytes:
    return octets(value, "share", SHARE_BYTES, SHARE_BYTES)
