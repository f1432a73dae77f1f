"""The one table in which circuits look values up: every integer from 3 to its end.

ezkl fills columns of 2**logrows - 8 rows to their end, whatever range it is told, so a table ends
where a column does. A digit of 14 bits must not exceed 16378 (provenance.features.MOST), or packing
would be ambiguous; a table of one column beyond 2**14 rows reaches further, and digits are then
looked up twice (integers.py).

>>> Table(13, 2).most, Table.of(14), Table.of(15).most
(16370, Table(logrows=14, columns=1), 32762)
"""

from dataclasses import dataclass
from typing import Final, Self

from provenance.features import LEAST, MOST

__all__ = ["LEAST", "Table"]

UNUSABLE: Final = 8
"""Rows at a column's end that ezkl 23.0.5 needs for itself."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of `columns` columns in a circuit of 2**`logrows` rows."""

    logrows: int
    columns: int

    @classmethod
    def of(cls, logrows: int) -> Self:
        """Return the table for digits: as many whole columns as do not pass the last digit."""
        usable = 2**logrows - UNUSABLE
        return cls(logrows, max(1, (MOST - LEAST + 1) // usable))

    @property
    def most(self) -> int:
        """The last value in the table."""
        return LEAST - 1 + self.columns * ((1 << self.logrows) - UNUSABLE)

    @property
    def base(self) -> int:
        """How many values there are: numbers are written in digits to this base."""
        return self.most - LEAST + 1
