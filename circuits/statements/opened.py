"""Records and states that a circuit opens: private digits, each row's commitment made public.

Every record is a private value of its own, since ezkl counts a slice as a copy of the whole, and
takes long over many slices of one product.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from circuits.integers import Arithmetic, Integers
from circuits.packing import packed
from provenance.features import OFFSET
from provenance.field import FieldElement

STATE: Final = "state"
CONTEXT: Final = "context"


def opened_records(arithmetic: Arithmetic, rows: int, width: int) -> Integers:
    """Return the digits of records, (rows, width), each committed to in its turn."""
    records = [_opened(arithmetic, f"record_{row}", width) for row in range(rows)]
    return arithmetic.reshape(arithmetic.join(*records), rows, width)


def opened_state(arithmetic: Arithmetic, width: int) -> Integers:
    """Return the digits of a state, (1, width), committed to."""
    return _opened(arithmetic, STATE, width, state=True)


def signed_values(arithmetic: Arithmetic, digits: Integers) -> Integers:
    """Return the integers that digits stand for."""
    return arithmetic.move(digits, -OFFSET)


def end(arithmetic: Arithmetic, value: Integers) -> None:
    """Make public the value's hash, then the statement: context, nothing wrong, one."""
    graph = arithmetic.graph
    context = graph.private(CONTEXT, 1, 1)
    graph.commit(value.tensor)
    graph.commit(context, arithmetic.nothing(), graph.one)


def chosen_row(name: str, values: Iterable[int], salt: FieldElement) -> dict[str, Sequence[int]]:
    """Return the private values of one row, by input: its digits and its salt."""
    return {name: [value + OFFSET for value in values], f"{name}_salt": [salt]}


def chosen_records(
    rows: Sequence[Sequence[int]], salts: Sequence[FieldElement]
) -> dict[str, Sequence[int]]:
    """Return the private values of records: their signed values and salts."""
    chosen: dict[str, Sequence[int]] = {}
    for number, (row, salt) in enumerate(zip(rows, salts, strict=True)):
        chosen |= chosen_row(f"record_{number}", row, salt)
    return chosen


def _opened(arithmetic: Arithmetic, name: str, width: int, *, state: bool = False) -> Integers:
    graph = arithmetic.graph
    digits = arithmetic.digits(graph.private(name, 1, width))
    salt = graph.private(f"{name}_salt", 1, 1)
    graph.commit(packed(graph, digits, state=state), salt)
    return digits
