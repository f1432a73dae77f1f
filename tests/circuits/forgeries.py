"""What a dishonest prover writes into a witness, each time as consistently as he can.

A forgery is a witness, the public values that would be accepted for what it claims, and the numbers
of those that it cannot reach. Exactly one constraint stands in the way of most, which shows that it
is needed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from circuits.statements.membership import membership_witness
from provenance.expected.membership import membership_depth
from provenance.field import ORDER, FieldElement
from provenance.leaf import blinded_index, blinded_leaf
from provenance.poseidon import poseidon
from provenance.tree import DEPTH, TOP_LEAF
from tests.circuits.sample import CONTEXT, INDEX_BLIND, LEAF_BLIND, Sample, Witness

STOLEN = 7**50


@dataclass(frozen=True)
class Places:
    """Where a membership circuit's public values stand, by its total depth."""

    depth: int

    @property
    def bit(self) -> int:
        return self.depth + 1

    @property
    def later(self) -> int:
        return self.bit + self.depth

    @property
    def last(self) -> int:
        return self.later + self.depth - DEPTH

    @property
    def slack(self) -> int:
        return self.last + DEPTH

    @property
    def order(self) -> int:
        return self.slack + DEPTH

    @property
    def leaf(self) -> int:
        return self.order + 1

    @staticmethod
    def node(level: int) -> int:
        return level + 1


COUNT = 1


@dataclass(frozen=True)
class Forgery:
    """A false witness, the claim it is made for, and the public values that betray it."""

    name: str
    witness: Witness
    claimed: tuple[FieldElement, ...]
    betrayed_by: frozenset[int]


def forgeries(sample: Sample) -> Iterator[Forgery]:
    """Yield every forgery of a sample's record."""
    depth = membership_depth(sample.name)
    for level in range(1, depth):
        yield _foreign_branch(sample, level, depth)
    for level in range(depth):
        yield _fitted_bit(sample, level, depth)
    at = Places(depth)
    for group, first in (
        ("later_bits", at.later),
        ("last_bits", at.last),
        ("slack_bits", at.slack),
    ):
        for bit in range(len(sample.witness.get(group, ()))):
            yield _carried_bit(sample, group, first, bit)
    if depth > DEPTH:
        yield from _chunks(sample, depth)
    yield from _counts(sample, depth)
    yield _zero_leaf(sample, depth)
    yield _untagged_chunk(sample, depth)
    yield _node_as_leaf(sample, depth)
    yield from _astray(sample, depth)
    yield from _claimed(sample, depth)
    yield _other_values(sample, depth)
    yield _other_one(sample)


def _foreign_branch(sample: Sample, level: int, depth: int) -> Forgery:
    """Nodes from `level` up are the true ones; what is below belongs to another leaf."""
    nodes = _climb(STOLEN, sample.witness, depth)[: level - 1]
    true = sample.witness["nodes"][level - 1 :]
    witness = _with_leaf(sample.witness, STOLEN) | {"nodes": (*nodes, *true)}
    return Forgery(
        f"foreign branch below {level}",
        witness,
        _claim(sample, witness),
        frozenset({Places.node(level)}),
    )


def _fitted_bit(sample: Sample, level: int, depth: int) -> Forgery:
    """A direction bit that is none fits another branch below a true node."""
    witness, true = _with_leaf(sample.witness, STOLEN), sample.witness
    nodes = _climb(STOLEN, true, depth)
    here, node = (STOLEN, *nodes)[level], (true["leaf"][0], *true["nodes"])[level]
    bits = (*true["position_bits"], *true.get("chunk_bits", ()))
    left, right = (node, true["siblings"][level])[:: -1 if bits[level] else 1]
    sibling = (left + right - here) % ORDER
    bit = (left - here) * pow(sibling - here, -1, ORDER) % ORDER
    bits = _put(bits, level, bit)
    witness |= {
        "nodes": (*nodes[:level], *true["nodes"][level:]),
        "siblings": _put(true["siblings"], level, sibling),
        "position_bits": bits[:DEPTH],
        "slack_bits": true["slack_bits"],
    }
    if "chunk_bits" in true:
        witness["chunk_bits"] = bits[DEPTH:]
    betrayed = {Places(depth).bit + level}
    if level < DEPTH:
        moved = (bit - true["position_bits"][level]) << level
        witness["slack_bits"] = _put(true["slack_bits"], 0, true["slack_bits"][0] - moved)
        betrayed.add(Places(depth).slack)
    else:
        moved = (bit - true["chunk_bits"][level - DEPTH]) << level - DEPTH
        witness["later_bits"] = _put(true["later_bits"], 0, true["later_bits"][0] - moved)
        betrayed.add(Places(depth).later)
    return Forgery(f"fitted bit {level}", witness, _claim(sample, witness), frozenset(betrayed))


def _carried_bit(sample: Sample, group: str, first: int, bit: int) -> Forgery:
    """The same number written with digits that are no bits."""
    other = 1 if bit == 0 else 0
    moved = 2 if bit == 0 else 2 ** (bit + 1)
    bits = _put(sample.witness[group], bit, sample.witness[group][bit] + 2)
    bits = _put(bits, other, bits[other] - moved // 2**other)
    betrayed = {first + i for i in (bit, other) if bits[i] not in (0, 1)}
    witness = sample.witness | {group: bits}
    return Forgery(f"{group} {bit}", witness, _claim(sample, witness), frozenset(betrayed))


def _chunks(sample: Sample, depth: int) -> Iterator[Forgery]:
    """A record in a chunk beyond the declared ones, under a root that the issuer built so."""
    beyond, none = _digits(sample.chunks)[: depth - DEPTH], _digits(0)[: depth - DEPTH]
    for later, betrayed in ((none, COUNT), (_put(none, 0, -1), Places(depth).later)):
        witness = sample.witness | {"chunk_bits": beyond, "later_bits": later}
        witness, root = _rebuilt(witness, depth, _top_of(sample))
        claimed = _claim(sample, witness, root)
        yield Forgery(
            f"beyond the chunks betrayed by {betrayed}", witness, claimed, frozenset({betrayed})
        )


def _counts(sample: Sample, depth: int) -> Iterator[Forgery]:
    """A record beyond its chunk's count, and a chunk that counts more than it can hold."""
    position, at = sample.inclusion.position, Places(depth)
    for count, last_bits, slack_bits, betrayed in (
        (position, _digits(position - 1), _digits(0), at.order),
        (position, _digits(position - 1), _put(_digits(0), 0, -1), at.slack),
        (2**14 + 1, _put(_digits(0), 0, 2**14), _digits(2**14 - position), at.last),
        (0, _put(_digits(0), 0, -1), _put(_digits(0), 0, -1 - position), None),
    ):
        witness = sample.witness | {"last_bits": last_bits, "slack_bits": slack_bits}
        witness, root = _rebuilt(witness, depth, partial(_top, count))
        numbers = {betrayed} if betrayed else {at.slack, at.last}
        name = f"count {count} betrayed by {sorted(numbers)}"
        yield Forgery(name, witness, _claim(sample, witness, root), frozenset(numbers))


def _zero_leaf(sample: Sample, depth: int) -> Forgery:
    witness, root = _rebuilt(_with_leaf(sample.witness, 0), depth, _top_of(sample))
    claimed = _claim(sample, witness, root)
    return Forgery("zero leaf", witness, claimed, frozenset({Places(depth).leaf}))


def _untagged_chunk(sample: Sample, depth: int) -> Forgery:
    """An issuer's root in which the chunk root stands for the top leaf, without its count."""
    witness, root = _rebuilt(sample.witness, depth, lambda node: node)
    betrayed = {Places.node(DEPTH)} if depth > DEPTH else {0}
    return Forgery("untagged chunk", witness, _claim(sample, witness, root), frozenset(betrayed))


def _node_as_leaf(sample: Sample, depth: int) -> Forgery:
    """The leaf's parent passed off as a leaf, every sibling one level lower."""
    true = sample.witness
    siblings = (*true["siblings"][1:DEPTH], true["siblings"][0], *true["siblings"][DEPTH:])
    position = sample.inclusion.position >> 1
    moved = true | {
        "siblings": siblings,
        "position_bits": _digits(position),
        "slack_bits": _digits(sample.inclusion.count - 1 - position),
    }
    witness = _with_leaf(moved, true["nodes"][0])
    nodes = _climb(true["nodes"][0], witness, depth)
    witness["nodes"] = (*nodes[: DEPTH - 1], *true["nodes"][DEPTH - 1 :])
    betrayed = {Places.node(DEPTH)} if depth > DEPTH else {0}
    return Forgery("node as leaf", witness, _claim(sample, witness), frozenset(betrayed))


def _astray(sample: Sample, depth: int) -> Iterator[Forgery]:
    """Another sibling at each level, and a bit of the index flipped: the root is another."""
    true, roots = sample.witness, frozenset({0})
    for level in range(depth):
        siblings = _put(true["siblings"], level, STOLEN)
        witness, _ = _rebuilt(true | {"siblings": siblings}, depth, _top_of(sample))
        yield Forgery(f"sibling {level}", witness, _claim(sample, witness), roots)
    slack = sample.inclusion.count - 1 - (sample.inclusion.position ^ 1)
    flipped = {
        "position_bits": _digits(sample.inclusion.position ^ 1),
        "slack_bits": _digits(slack),
    }
    witness, _ = _rebuilt(true | flipped, depth, _top_of(sample))
    yield Forgery("flipped position", witness, _claim(sample, witness), roots)


def _claimed(sample: Sample, depth: int) -> Iterator[Forgery]:
    """An honest witness, told of another root, leaf or position than it is about."""
    index = sample.inclusion.index ^ 1
    for number, value in (
        (0, FieldElement(STOLEN)),
        (Places(depth).leaf + 1, blinded_leaf(STOLEN, LEAF_BLIND)),
        (Places(depth).leaf + 2, blinded_index(index, INDEX_BLIND)),
    ):
        claimed = (*sample.public[:number], value, *sample.public[number + 1 :])
        yield Forgery(f"other claim {number}", sample.witness, claimed, frozenset({number}))


def _other_values(sample: Sample, depth: int) -> Forgery:
    """An honest witness for other blinds and another context than claimed."""
    chosen = (LEAF_BLIND + 1, INDEX_BLIND + 1, CONTEXT + 1)
    witness = membership_witness(sample.inclusion, sample.chunks, sample.leaf, *chosen, depth)
    betrayed = range(Places(depth).leaf + 1, Places(depth).leaf + 4)
    return Forgery("other blinds and context", witness, sample.public, frozenset(betrayed))


def _other_one(sample: Sample) -> Forgery:
    """A unit of 0, under which every constant of the circuit vanishes."""
    witness = sample.witness | {"one": (0,), "inverse": (0,)}
    return Forgery("one is 0", witness, sample.public, frozenset({len(sample.public) - 1, COUNT}))


def _claim(sample: Sample, witness: Witness, root: int | None = None) -> tuple[FieldElement, ...]:
    """Return the public values that would be accepted for the record a witness speaks of."""
    bits = (*witness["position_bits"], *witness.get("chunk_bits", ()))
    index = sum(bit << i for i, bit in enumerate(bits)) % ORDER
    public = list(sample.public)
    public[0] = public[0] if root is None else FieldElement(root)
    public[-4] = blinded_leaf(witness["leaf"][0], LEAF_BLIND)
    public[-3] = blinded_index(index, INDEX_BLIND)
    return tuple(public)


def _with_leaf(witness: Witness, leaf: int) -> Witness:
    return witness | {"leaf": (leaf,), "inverse": (pow(leaf, -1, ORDER) if leaf else 5,)}


def _climb(leaf: int, witness: Witness, depth: int) -> tuple[int, ...]:
    count = 1 + sum(bit << i for i, bit in enumerate(witness["last_bits"]))
    *nodes, _ = _levels(leaf, witness, depth, partial(_top, count))
    return tuple(nodes)


def _rebuilt(witness: Witness, depth: int, top: Callable[[int], int]) -> tuple[Witness, int]:
    """Return a witness whose nodes lead from its leaf to a root of their own, and that root."""
    *nodes, root = _levels(witness["leaf"][0], witness, depth, top)
    return witness | {"nodes": tuple(nodes)}, root


def _levels(leaf: int, witness: Witness, depth: int, top: Callable[[int], int]) -> list[int]:
    nodes, node = [], leaf
    bits = (*witness["position_bits"], *witness.get("chunk_bits", ()))
    for level, (bit, sibling) in enumerate(zip(bits, witness["siblings"], strict=True)):
        node = poseidon(sibling, node) if bit else poseidon(node, sibling)
        node = top(node) if level == DEPTH - 1 else node
        nodes.append(node)
    assert len(nodes) == depth
    return nodes


def _top(count: int, node: int) -> int:
    return poseidon(TOP_LEAF, node, count % ORDER)


def _top_of(sample: Sample) -> Callable[[int], int]:
    return partial(_top, sample.inclusion.count)


def _digits(value: int) -> tuple[int, ...]:
    return tuple(value >> i & 1 for i in range(DEPTH))


def _put(values: Sequence[int], number: int, value: int) -> tuple[int, ...]:
    return (*values[:number], value, *values[number + 1 :])
