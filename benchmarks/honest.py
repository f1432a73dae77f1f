"""Statements to prove, drawn from a seed: what an honest prover of each circuit would hold.

solved(circuit("step-linear-64x32-r2.v1"))
"""

import random
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from circuits.solve import Solved, solve
from circuits.spec import Circuit
from provenance.errors import MalformedError
from provenance.exclusion import ExclusionIndex, ExclusionKey, prove_absence
from provenance.field import Digest
from provenance.leaf import DatasetKey
from provenance.sgd import Model, Rule, StepShape
from provenance.sgd.models import LINEAR
from provenance.tree import chunk_root, prove_inclusion

Witness = Mapping[str, Sequence[int]]
SECRET: Final = DatasetKey(bytes(range(32)))
RECORDS: Final = (5, 5, 5)
"""Records of each chunk: a circuit costs the same whatever the dataset's size."""
KEYS: Final = 1000
SPAN: Final = 300


def solved(circuit: Circuit) -> Solved:
    """Return an honest witness of a circuit, and what it leads to.

    Raises:
        MalformedError: No statement of this family is made here.
    """
    family = circuit.name.partition("-")[0]
    if family not in WITNESSES:
        raise MalformedError(f"no statement of the family {family} is made here")
    chosen = WITNESSES[family](circuit.name, random.Random(circuit.name))  # noqa: S311  # measured
    return solve(circuit.graph(), chosen, circuit.most)


def membership(name: str, source: random.Random) -> Witness:
    """Return the witness for a record in the last of three chunks."""
    from circuits.statements.membership import membership_witness
    from provenance.expected.membership import membership_depth

    leaves = [[source.getrandbits(250) for _ in range(count)] for count in RECORDS]
    roots, last = [chunk_root(chunk) for chunk in leaves], len(leaves) - 1
    inclusion = prove_inclusion(leaves[last], 2, roots, last)
    leaf_blind, index_blind, context = (source.getrandbits(250) for _ in range(3))
    return membership_witness(
        inclusion,
        len(leaves),
        leaves[last][2],
        leaf_blind,
        index_blind,
        context,
        membership_depth(name),
    )


def exclusion(name: str, source: random.Random) -> Witness:
    """Return the witness for keys that are absent from an index of a thousand."""
    from circuits.statements.exclusion_witness import exclusion_witness
    from provenance.expected.exclusion import exclusion_size

    depth, count = exclusion_size(name)
    keys = [ExclusionKey(source.randbytes(31)) for _ in range(KEYS + count)]
    index = ExclusionIndex.build(keys[count:], SECRET)
    absent = keys[:count]
    proofs = [prove_absence(index, key) for key in absent]
    return exclusion_witness(absent, proofs, source.getrandbits(248), depth)


def step(name: str, source: random.Random) -> Witness:
    """Return the witness for steps from small random weights, on random records."""
    from circuits.statements.step import step_witness

    shape = StepShape.parse(name)
    centre = tuple(source.randint(-SPAN, SPAN) for _ in range(shape.features))
    rule = _rule(shape, centre)
    states = [rule.initial(Digest(sha256(name.encode()).digest()))]
    batches = [[_record(shape, centre, source) for _ in range(shape.rows)] for _ in _steps(shape)]
    for batch in batches:
        states.append(rule.step(states[-1], batch))
    return step_witness(
        shape,
        [(state, source.getrandbits(248)) for state in states],
        [[(record, source.getrandbits(248)) for record in batch] for batch in batches],
        centre,
        source.getrandbits(248),
    )


def _steps(shape: StepShape) -> range:
    return range(shape.unroll)


def _rule(shape: StepShape, centre: tuple[int, ...]) -> Rule:
    model = Model(shape.model, shape.features, shape.hidden, shape.outputs)
    return Rule(model, centre, shape.rate_bits, shape.momentum, shape.decay, span=SPAN)


def _record(shape: StepShape, centre: Sequence[int], source: random.Random) -> tuple[int, ...]:
    """Return features around the centre, up to about two and a half, and a label."""
    if shape.model == LINEAR:
        label = source.randint(-2 * SPAN, 2 * SPAN)
    else:
        label = source.randrange(max(2, shape.outputs))
    return (*(middle + source.randint(-SPAN, SPAN) for middle in centre), label)


WITNESSES: Final[Mapping[str, Callable[[str, random.Random], Witness]]] = {
    "membership": membership,
    "exclusion": exclusion,
    "step": step,
}
"""Family to what makes the values that a prover chooses; hints follow."""
