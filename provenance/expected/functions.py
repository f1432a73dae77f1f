"""What a verifier expects of a proof about a function: its circuit's name and public values.

    property-64x31-<SHA-256 of the function>.v1          over 64 committed records of 31 digits
    property-state31-<SHA-256 of the function>.v1        over a committed state of 31 weights

The whole digest is in the name, so that a policy's entry, which ties a name to a verifying key,
ties the function to it too: of two that shared fewer digits one could be shown for the other.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from provenance.errors import MalformedError
from provenance.expected.steps import statement_commitment
from provenance.field import ORDER, Digest, FieldElement
from provenance.poseidon import ezkl_sponge

MAX_ROWS: Final = 2**12
MAX_WIDTH: Final = 2**13
MAX_VALUE: Final = 2**125
"""No entry of a value lies beyond, on either side; so the integer that is hashed is one only."""

_NAME: Final = re.compile(
    r"property-(?:([1-9][0-9]{0,4})x([1-9][0-9]{0,4})|state([1-9][0-9]{0,4}))-([0-9a-f]{64})\.v1"
)


@dataclass(frozen=True, slots=True)
class PropertyShape:
    """Which property circuit it is.

    Attributes:
        function: SHA-256 of the function's ONNX, 64 hex digits.
        rows: How many records it is over; 0 if it is over a state.
        width: Digits of a record, the label's included; or weights of the state.
    """

    function: str
    rows: int
    width: int

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.function):
            raise MalformedError(f"a function is named by 64 hex digits, not {self.function!r:.40}")
        if not (0 <= self.rows <= MAX_ROWS and 1 <= self.width <= MAX_WIDTH):
            raise MalformedError(f"at most {MAX_ROWS} records, and 1 to {MAX_WIDTH} digits in each")

    @property
    def is_state(self) -> bool:
        """Whether the property is one of a state, not of records."""
        return not self.rows

    @property
    def name(self) -> str:
        """The circuit's name."""
        over = f"state{self.width}" if self.is_state else f"{self.rows}x{self.width}"
        return f"property-{over}-{self.function}.v1"

    @classmethod
    def of(cls, digest: Digest, rows: int, width: int) -> Self:
        """Return the shape for the function with this SHA-256."""
        return cls(digest.hex(), rows, width)

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the shape that a circuit's name tells, or raise MalformedError."""
        found = _NAME.fullmatch(name)
        if not found:
            raise MalformedError(f"{name!r:.80} is no property circuit: property-64x31-<64 hex>.v1")
        rows, fields, weights, function = found.groups()
        return cls(function, int(rows or 0), int(fields or weights))


def property_public(
    shape: PropertyShape,
    commitments: Sequence[FieldElement],
    value: Sequence[int],
    context: FieldElement,
) -> tuple[FieldElement, ...]:
    """Return the public values that a proof of this property must have.

    Args:
        shape: The circuit's.
        commitments: The records' feature commitments in order, or the state's one.
        value: What the claim says the function gives: integers.
        context: Of the claim's part, from `provenance.proof.context`.

    Raises:
        MalformedError: Another number of commitments, or a value that no circuit gives.
    """
    wanted = shape.rows or 1
    if len(commitments) != wanted:
        raise MalformedError(f"{shape.name} is over {wanted} commitments, not {len(commitments)}")
    return (*commitments, value_commitment(value), statement_commitment(context))


def value_commitment(value: Sequence[int]) -> FieldElement:
    """Return the hash of a row of integers that a claim states openly; so without a salt.

    Raises:
        MalformedError: No entry, or one beyond 2**125.
    """
    if not value or any(abs(entry) > MAX_VALUE for entry in value):
        raise MalformedError("a value is a row of integers, none of them beyond 2**125")
    return ezkl_sponge([FieldElement(entry % ORDER) for entry in value])
