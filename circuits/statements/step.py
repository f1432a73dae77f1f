"""The circuits behind "these weights became those by these steps on these committed records".

docs/spec/circuits/step.md has the statement, the public values in order, and who refuses what.
"""

from collections.abc import Sequence
from functools import cache, partial
from typing import Final

from circuits import sizing
from circuits.spec import Circuit
from circuits.statements.step_graph import CENTRE, CONTEXT, step_graph
from circuits.table import Table
from provenance.errors import MalformedError
from provenance.features import DIGITS, OFFSET
from provenance.sgd import StepShape
from provenance.sgd.models import LINEAR, LOGISTIC, MLP
from provenance.sgd.shape import UNIT

COLUMNS: Final = 1
"""A dot product fills whole rows, so that more columns hold less."""
MARGIN: Final = 50
"""One cell in so many is added to the count, which was up to 1.5 percent too low."""
MOST_BLOCKS: Final = 32

Witness = dict[str, tuple[int, ...]]
Salted = tuple[Sequence[int], int]
"""Signed integers and the salt of their commitment."""

_MODELS: Final = {
    LINEAR: "a linear model by least squares",
    LOGISTIC: "a logistic model with the hard sigmoid",
    MLP: "a network of one hidden layer with relu, by least squares to the label's class",
}


def circuit(name: str, _: bytes | None = None) -> Circuit:
    """Return the circuit of training steps with this name.

    Raises:
        MalformedError: The name is no step's, or its circuit would be too large.
    """
    shape = StepShape.parse(name)
    table = Table.of(logrows(shape))
    return Circuit(
        name=name,
        statement=_statement(shape),
        public=(
            f"{shape.unroll + 1} states: the commitment of each, in order",
            f"{shape.unroll * shape.rows} records: their feature commitments, step by step",
            "centre: ezkl_sponge of its packed digits",
            "statement: ezkl_sponge(context, 0, 1)",
        ),
        graph=partial(step_graph, shape, table),
        logrows=table.logrows,
        columns=COLUMNS,
        table=table,
        hashed=True,
    )


@cache
def logrows(shape: StepShape) -> int:
    """Return k, with which proofs of a shape are cheapest: the circuit has 2**k rows.

    Where cells do not fit one block of 2**k, ezkl takes more. What a proof costs was measured as
    2**k (4 + blocks (2 + columns of the table)), about.

    Raises:
        MalformedError: Not even 2**17 rows hold the hashes of states and records, or 32 blocks of
            them the products.
    """
    costs: dict[int, int] = {}
    for k in sizing.LOGROWS:
        if _hash_rows(shape) + sizing.RESERVED_ROWS > 2**k:
            continue
        table = Table.of(k)
        if costs and min(costs.values()) <= 2**k * (6 + table.columns):
            break
        cells = sizing.cells(step_graph(shape, table), COLUMNS)
        blocks = 1 + (cells + cells // MARGIN) // (2**k - sizing.RESERVED_ROWS)
        if blocks <= MOST_BLOCKS:
            costs[k] = 2**k * (4 + blocks * (2 + table.columns))
    if not costs:
        raise MalformedError(
            f"{shape.name}: its hashes or its products need more than 2**{sizing.LOGROWS[-1]} "
            "rows; take fewer rows or steps a proof"
        )
    return min(costs, key=costs.__getitem__)


def step_witness(
    shape: StepShape,
    states: Sequence[Salted],
    batches: Sequence[Sequence[Salted]],
    centre: Sequence[int],
    context: int,
) -> Witness:
    """Return what a prover chooses, by input; the hints follow (circuits/solve.py).

    Args:
        shape: The circuit's.
        states: Before each step, and after the last.
        batches: For each step its records, their labels last.
        centre: What is taken off each feature.
        context: Of the claim's part.

    Raises:
        MalformedError: Not as many of each as the shape has.
    """
    widths = (len(states), len(batches), *map(len, batches))
    if widths != (shape.unroll + 1, shape.unroll, *[shape.rows] * shape.unroll):
        raise MalformedError(f"{shape.name}: not as many states or records as it has")
    chosen: Witness = {}
    for number, (state, salt) in enumerate(states):
        chosen[f"state_{number}"] = tuple(value + OFFSET for value in state)
        chosen[f"state_{number}_salt"] = (salt,)
    for number, batch in enumerate(batches):
        for row, (record, salt) in enumerate(batch):
            name = f"record_{number}_{row}"
            *features, label = (value + OFFSET for value in record)
            chosen |= {name: tuple(features), f"{name}_label": (label,), f"{name}_salt": (salt,)}
    chosen[CENTRE] = tuple(value + OFFSET for value in centre)
    chosen[CONTEXT] = (context,)
    return chosen


def _hash_rows(shape: StepShape) -> int:
    """Return the rows of all hashes, before anything is built: a stranger may choose the shape."""
    states = (shape.unroll + 1) * (-(-(1 + shape.state_width) // DIGITS) + 1)
    records = shape.unroll * shape.rows * (-(-(1 + shape.features) // DIGITS) + 1)
    outputs = shape.unroll + 3 + shape.unroll * shape.rows
    entries = states + records - (-shape.features // DIGITS) + 3
    return sizing.HASH_ROWS * entries + 2 * outputs


def _statement(shape: StepShape) -> str:
    options = [f"learning rate 2**-{shape.rate_bits}"]
    options += [f"momentum {shape.momentum}/{UNIT}"] * bool(shape.momentum)
    options += [f"weight decay {shape.decay}/{UNIT}"] * bool(shape.decay)
    exact = "exactly, with one rounding a weight"
    if shape.tolerance:
        exact = (
            f"to within {shape.tolerance} units of the last place in each of its numbers, computed "
            "from the committed state before it"
        )
    return (
        f"The prover knows the {shape.unroll + 1} states behind these commitments, of "
        f"{shape.weights} weights each, and the records behind these feature commitments, such "
        "that each state follows from the one before by one step of gradient descent on "
        f"{_MODELS[shape.model]}, over {shape.rows} records of {shape.features} features, "
        f"{', '.join(options)}; {exact}. States and records stay hidden. That the records are a "
        "dataset's and the states a run's is for their commitments to show."
    )
