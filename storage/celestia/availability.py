"""The data availability header: the roots of all rows and columns of a block's extended square.

    {"column_roots":["AAAA…",…],"row_roots":["AAAA…",…]}

A square of k rows of shares is extended to 2k; the data root is the RFC 9162 root over the 2k row
roots, then the 2k column roots.

Source: celestiaorg/celestia-app v9.0.6, pkg/da/data_availability_header.go.
"""

from dataclasses import dataclass
from typing import Final

from provenance import rfc9162
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest
from storage.celestia.fields import all_based, bases
from storage.celestia.nmt import NODE_BYTES, Node

MAX_SQUARE: Final = 512
"""Rows of the largest square that the protocol allows (celestia-app v9, hard limit)."""


@dataclass(frozen=True, slots=True)
class DataAvailabilityHeader:
    """2k row roots and 2k column roots, k a power of two."""

    rows: tuple[Node, ...]
    columns: tuple[Node, ...]

    def __post_init__(self) -> None:
        """Refuse what is not the outline of an extended square."""
        check_square(len(self.rows) // 2)
        if len(self.rows) % 2 or len(self.columns) != len(self.rows):
            raise MalformedError("a data availability header has as many rows as columns, both 2k")

    @property
    def size(self) -> int:
        """Rows of the original square, k."""
        return len(self.rows) // 2

    @property
    def axes(self) -> tuple[Digest, ...]:
        """The leaf hashes under the data root."""
        return tuple(rfc9162.leaf_hash(node) for node in (*self.rows, *self.columns))

    @property
    def data_root(self) -> Digest:
        """The root that block headers name."""
        return rfc9162.root(self.axes)

    @classmethod
    def from_fields(cls, fields: Fields) -> "DataAvailabilityHeader":
        """Return the header, or raise MalformedError."""
        rows = all_based(fields, "row_roots", 2 * MAX_SQUARE, NODE_BYTES)
        columns = all_based(fields, "column_roots", 2 * MAX_SQUARE, NODE_BYTES)
        fields.done()
        return cls(tuple(map(Node, rows)), tuple(map(Node, columns)))

    def to_json(self) -> JsonObject:
        """The header as evidence writes it."""
        return {"row_roots": bases(self.rows), "column_roots": bases(self.columns)}


def check_square(size: int) -> None:
    """Raise MalformedError unless a square may have `size` rows."""
    if not 1 <= size <= MAX_SQUARE or size & (size - 1):
        raise MalformedError(f"a square of {size} rows; a power of two up to {MAX_SQUARE} is meant")
