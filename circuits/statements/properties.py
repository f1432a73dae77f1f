"""The circuit behind "this function of these committed records, or of this state, has this value".

The function is any small ONNX graph (function.py says which); it sees each digit as the signed
integer digit - 2**13, exactly. docs/spec/circuits/property.md has the statement, the operators and
what a value can tell of the records behind it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from circuits.functions import elementwise, rearranging
from circuits.functions.function import RECORDS, Function, read
from circuits.functions.translation import translate
from circuits.graph import Graph
from circuits.integers import Arithmetic
from circuits.sizing import smallest
from circuits.solve import Chosen
from circuits.spec import Circuit
from circuits.statements.opened import (
    CONTEXT,
    STATE,
    chosen_records,
    chosen_row,
    end,
    opened_records,
    opened_state,
    signed_values,
)
from circuits.table import Table
from provenance.errors import MalformedError
from provenance.expected.functions import PropertyShape
from provenance.field import FieldElement

STATEMENT: Final = (
    "The prover knows digits and salts that open these commitments, and this function of the "
    "digits' signed values, computed in exact integers, gives this value. What the function means "
    "is for its reader to judge: it is named by the SHA-256 of its ONNX."
)
MEANINGS: Final = {**elementwise.MEANINGS, **rearranging.MEANINGS}


def circuit(name: str, function: bytes | None = None) -> Circuit:
    """Return the property circuit with this name.

    Raises:
        MalformedError: No such name, no function or another one, or one that is not understood.
    """
    shape = PropertyShape.parse(name)
    if function is None:
        raise MalformedError(f"{name} needs its function's ONNX")
    found = read(function)
    if property_shape(found) != shape:
        raise MalformedError(f"{name}: the function given is that of {property_shape(found).name}")
    size = smallest(partial(property_graph, found))
    return Circuit(
        name=name,
        statement=STATEMENT,
        public=public(shape),
        graph=partial(property_graph, found, size.table),
        logrows=size.logrows,
        columns=size.columns,
        table=size.table,
        hashed=True,
    )


def property_shape(function: Function) -> PropertyShape:
    """Return which circuit a function has."""
    rows, width = function.shape
    return PropertyShape.of(function.digest, rows if function.input == RECORDS else 0, width)


def public(shape: PropertyShape) -> tuple[str, ...]:
    """Return what the public values are, in order."""
    opened = "state: its commitment" if shape.is_state else f"{shape.rows} feature commitments"
    return (opened, "value: hash of the row of integers", "statement: hash of context, 0, 1")


def property_graph(function: Function, table: Table) -> Graph:
    """Return the circuit of a function, looking digits up in this table."""
    graph = Graph()
    arithmetic = Arithmetic(graph, table)
    rows, width = function.shape
    if function.input == RECORDS:
        digits = opened_records(arithmetic, rows, width)
    else:
        digits = opened_state(arithmetic, width)
    end(arithmetic, translate(arithmetic, function, signed_values(arithmetic, digits), MEANINGS))
    return graph


def property_chosen(
    function: Function,
    rows: Sequence[Sequence[int]],
    salts: Sequence[FieldElement],
    context: FieldElement,
) -> Chosen:
    """Return the private values that a prover chooses.

    Args:
        function: What the circuit is about.
        rows: Signed fixed-point values of each record, the label last; or one state.
        salts: Of each commitment.
        context: Of the claim's part.

    Raises:
        MalformedError: Rows of another size than the function takes.
    """
    if {len(row) for row in rows} != {function.shape[1]} or len(rows) != function.shape[0]:
        raise MalformedError(f"the function takes {function.shape}")
    if function.input == RECORDS:
        opened = chosen_records(rows, salts)
    else:
        opened = chosen_row(STATE, rows[0], salts[0])
    return {**opened, CONTEXT: [context]}
