"""The circuit behind "the leaf in this blinded commitment stands under this root".

One hash a level, all levels side by side: the node of each level is a private value of its own, and
a public zero says that the level below hashes to it. docs/spec/circuits/membership.md lists the
statement, the private values and the public ones in order.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from circuits.graph import Graph, Tensor
from circuits.hashing import Hash
from provenance.errors import MalformedError
from provenance.field import ORDER, FieldElement
from provenance.leaf import BLINDED_INDEX, BLINDED_LEAF
from provenance.poseidon import poseidon
from provenance.tree import DEPTH, TOP_LEAF, InclusionProof, zero_root

Witness = Mapping[str, Sequence[int]]
"""Private values by input; see `membership_witness` for their names and meaning."""


@cache
def membership_onnx(depth: int) -> bytes:
    """Return the circuit for roots lifted to a total depth of `depth`, 14 or more."""
    graph = Graph()
    nodes = graph.private("nodes", 1, depth)
    siblings = graph.private("siblings", 1, depth)
    bits = graph.private("bits", 1, depth)
    last_bits = graph.private("last_bits", 1, DEPTH)
    slack_bits = graph.private("slack_bits", 1, DEPTH)
    inverse = graph.private("inverse", 1, 1)
    blinds = graph.private("blinds", 1, 2)
    context = graph.private("context", 1, 1)

    leaf, last = graph.lanes(nodes, 0, 1), graph.number(last_bits)
    moved = graph.multiply(bits, graph.subtract(siblings, nodes))
    pairs = graph.stack(graph.add(nodes, moved), graph.subtract(siblings, moved))
    parents = Hash(graph, 3)(pairs)

    chunk_root, count = graph.lanes(parents, DEPTH - 1, DEPTH), graph.add(last, graph.one)
    tags = graph.literal([[TOP_LEAF, BLINDED_LEAF, BLINDED_INDEX]])
    tagged = Hash(graph, 4)(
        graph.stack(
            graph.multiply(tags, graph.repeat(graph.one, 3)),
            graph.join(chunk_root, leaf, graph.number(bits)),
            graph.join(count, blinds),
        )
    )
    climbed = graph.join(
        graph.lanes(parents, 0, DEPTH - 1),
        graph.lanes(tagged, 0, 1),
        *([graph.lanes(parents, DEPTH, depth)] if depth > DEPTH else []),
    )
    position = graph.number(graph.lanes(bits, 0, DEPTH))
    slack = graph.number(slack_bits)
    graph.publish(
        graph.lanes(climbed, depth - 1, depth),
        graph.subtract(graph.lanes(nodes, 1, depth), graph.lanes(climbed, 0, depth - 1)),
        graph.non_boolean(graph.join(bits, last_bits, slack_bits)),
        graph.subtract(graph.subtract(last, position), slack),
        graph.subtract(graph.multiply(leaf, inverse), graph.one),
        graph.lanes(tagged, 1, 3),
        context,
    )
    return graph.onnx()


def membership_witness(
    inclusion: InclusionProof,
    leaf: int,
    leaf_blind: int,
    index_blind: int,
    context: int,
    depth: int,
) -> dict[str, tuple[int, ...]]:
    """Return the private values of a circuit of total depth `depth`, by input.

    Args:
        inclusion: Where the leaf stands; its path is lifted to `depth` with empty trees.
        leaf: The tree's leaf, never 0.
        leaf_blind: Random field element that hides the leaf.
        index_blind: Random field element that hides the index.
        context: The proof's context.
        depth: The circuit's total depth.

    Raises:
        MalformedError: A zero leaf, or a tree that is deeper than the circuit.
    """
    if not 0 < leaf < ORDER:
        raise MalformedError("a leaf is a field element other than 0")
    empty = range(len(inclusion.top_path), depth - DEPTH)
    siblings = (*inclusion.path, *inclusion.top_path, *map(zero_root, empty))
    if len(siblings) != depth:
        raise MalformedError(f"a tree of {len(siblings)} levels does not fit a circuit of {depth}")
    last = inclusion.count - 1
    return {
        "one": (1,),
        "nodes": _nodes(leaf, inclusion, siblings),
        "siblings": siblings,
        "bits": _bits(inclusion.index, depth),
        "last_bits": _bits(last, DEPTH),
        "slack_bits": _bits(last - inclusion.position, DEPTH),
        "inverse": (pow(leaf, -1, ORDER),),
        "blinds": (leaf_blind, index_blind),
        "context": (context,),
    }


def membership_values(witness: Witness) -> tuple[FieldElement, ...]:
    """Return the public values that a witness leads to: the circuit again, in plain Python."""
    (one,), (inverse,), (context,) = witness["one"], witness["inverse"], witness["context"]
    nodes, siblings, bits = witness["nodes"], witness["siblings"], witness["bits"]
    last, slack = _number(witness["last_bits"]), _number(witness["slack_bits"])
    parents = [
        _hash(node + bit * (sibling - node), sibling - bit * (sibling - node))
        for node, sibling, bit in zip(nodes, siblings, bits, strict=True)
    ]
    top_leaf = _hash(TOP_LEAF * one, parents[DEPTH - 1], last + one)
    climbed = [*parents[: DEPTH - 1], top_leaf, *parents[DEPTH:]]
    booleans = (*bits, *witness["last_bits"], *witness["slack_bits"])
    public = (
        climbed[-1],
        *(node - below for node, below in zip(nodes[1:], climbed, strict=False)),
        *(bit * bit - bit for bit in booleans),
        last - _number(bits[:DEPTH]) - slack,
        nodes[0] * inverse - one,
        _hash(BLINDED_LEAF * one, nodes[0], witness["blinds"][0]),
        _hash(BLINDED_INDEX * one, _number(bits), witness["blinds"][1]),
        context,
        one,
    )
    return tuple(FieldElement(value % ORDER) for value in public)


def _nodes(leaf: int, inclusion: InclusionProof, siblings: Sequence[int]) -> tuple[int, ...]:
    """Return the node at each level below the root, from the leaf up; the chunk root is left out."""
    nodes, node = [], leaf
    for level, sibling in enumerate(siblings):
        nodes.append(node)
        left, right = (sibling, node) if inclusion.index >> level & 1 else (node, sibling)
        node = poseidon(left, right)
        if level == DEPTH - 1:
            node = poseidon(TOP_LEAF, node, inclusion.count)
    return tuple(nodes)


def _bits(value: int, length: int) -> tuple[int, ...]:
    return tuple(value >> i & 1 for i in range(length))


def _number(bits: Sequence[int]) -> int:
    return sum(bit << i for i, bit in enumerate(bits))


def _hash(*inputs: int) -> int:
    return poseidon(*(value % ORDER for value in inputs))
