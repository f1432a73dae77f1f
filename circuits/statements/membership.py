"""The circuit behind "the leaf in this blinded commitment stands under this root".

One hash a level, all levels side by side: the node of each level is a private value of its own, and
a public zero says that the level below hashes to it. docs/spec/circuits/membership.md lists the
statement, the private values and the public ones in order.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from circuits.graph import Graph
from circuits.hashing import Hash
from circuits.spec import Circuit
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.expected.membership import membership_depth
from provenance.field import ORDER, FieldElement
from provenance.leaf import BLINDED_INDEX, BLINDED_LEAF
from provenance.poseidon import poseidon
from provenance.tree import DEPTH, TOP_LEAF, InclusionProof, top_depth, zero_root

Witness = Mapping[str, Sequence[int]]
"""Private values by input; see `membership_witness` for their names and meaning."""


STATEMENT: Final = (
    "The prover knows a record leaf, not 0, that stands under this record root in one of so many "
    "chunks, at a position below its chunk's record count; the blinded leaf commits to the leaf "
    "and the blinded index to its index. Which record it is stays hidden. Nothing is said of a "
    "particular record until the blinded leaf is opened."
)
PUBLIC: Final = (
    "root: the record root, lifted to the circuit's depth",
    "chunk count: the record lies in one of the first so many chunks",
    "zeros: one for each constraint",
    "blinded leaf: poseidon(4, leaf, blind)",
    "blinded index: poseidon(5, index, blind)",
    "context: of the statement that the proof belongs to",
    "one: 1",
)
SIZES: Final = {14: (13, 3), 22: (13, 3), 32: (14, 2)}
"""Depth to logrows and columns."""


def circuit(name: str, _: bytes | None = None) -> Circuit:
    """Return the membership circuit with this name, or raise MalformedError."""
    depth = membership_depth(name)
    logrows, columns = SIZES[depth]
    return Circuit(
        name=name,
        statement=STATEMENT,
        public=PUBLIC,
        graph=partial(membership_graph, depth),
        logrows=logrows,
        columns=columns,
    )


def membership_graph(depth: int) -> Graph:
    """Return the circuit for roots lifted to a total depth of `depth`, 14 or more."""
    graph = Graph()
    leaf = graph.private("leaf", 1, 1)
    above = graph.private("nodes", 1, depth - 1)
    siblings = graph.private("siblings", 1, depth)
    position_bits = graph.private("position_bits", 1, DEPTH)
    top = depth - DEPTH
    chunk_bits = [graph.private("chunk_bits", 1, top)] if top else []
    later_bits = [graph.private("later_bits", 1, top)] if top else []
    last_bits = graph.private("last_bits", 1, DEPTH)
    slack_bits = graph.private("slack_bits", 1, DEPTH)
    inverse = graph.private("inverse", 1, 1)
    leaf_blind = graph.private("leaf_blind", 1, 1)
    index_blind = graph.private("index_blind", 1, 1)
    context = graph.private("context", 1, 1)

    numbers = graph.numbers(graph.stack(position_bits, last_bits, slack_bits))
    position, last, slack = (graph.rows(numbers, row, row + 1) for row in range(3))
    index, chunk_count = position, graph.one
    if top:
        numbers = graph.numbers(graph.stack(*chunk_bits, *later_bits))
        chunk, later = graph.rows(numbers, 0, 1), graph.rows(numbers, 1, 2)
        index = graph.add(index, graph.multiply(chunk, graph.constants([[CHUNK]])))
        chunk_count = graph.add(graph.add(chunk, later), graph.one)

    bits, nodes = graph.join(position_bits, *chunk_bits), graph.join(leaf, above)
    moved = graph.multiply(bits, graph.subtract(siblings, nodes))
    pairs = graph.stack(graph.add(nodes, moved), graph.subtract(siblings, moved))
    parents = Hash(graph, 3)(pairs)

    tags = graph.constants([[TOP_LEAF, BLINDED_LEAF, BLINDED_INDEX]])
    tagged = Hash(graph, 4)(
        graph.stack(
            tags,
            graph.join(graph.lanes(parents, DEPTH - 1, DEPTH), leaf, index),
            graph.join(graph.add(last, graph.one), leaf_blind, index_blind),
        )
    )
    climbed = graph.join(
        graph.lanes(parents, 0, DEPTH - 1),
        graph.lanes(tagged, 0, 1),
        *([graph.lanes(parents, DEPTH, depth)] if top else []),
    )
    graph.publish(
        graph.lanes(climbed, depth - 1, depth),
        chunk_count,
        graph.subtract(above, graph.lanes(climbed, 0, depth - 1)),
        graph.non_boolean(graph.join(bits, *later_bits, last_bits, slack_bits)),
        graph.subtract(graph.subtract(last, position), slack),
        graph.subtract(graph.multiply(leaf, inverse), graph.one),
        graph.lanes(tagged, 1, 3),
        context,
    )
    return graph


def membership_witness(
    inclusion: InclusionProof,
    chunk_count: int,
    leaf: int,
    leaf_blind: int,
    index_blind: int,
    context: int,
    depth: int,
) -> dict[str, tuple[int, ...]]:
    """Return the private values of a circuit of total depth `depth`, by input.

    Args:
        inclusion: Where the leaf stands; its path is lifted to `depth` with empty trees.
        chunk_count: How many chunks the dataset has.
        leaf: The tree's leaf, never 0.
        leaf_blind: Random field element that hides the leaf.
        index_blind: Random field element that hides the index.
        context: The proof's context.
        depth: The circuit's total depth.

    Raises:
        MalformedError: A zero leaf, a tree that is deeper than the circuit, or a path that does not
            fit so many chunks.
    """
    if not 0 < leaf < ORDER:
        raise MalformedError("a leaf is a field element other than 0")
    empty = range(len(inclusion.top_path), depth - DEPTH)
    siblings = (*inclusion.path, *inclusion.top_path, *map(zero_root, empty))
    if len(siblings) != depth:
        raise MalformedError(f"a tree of {len(siblings)} levels does not fit a circuit of {depth}")
    later, top = chunk_count - 1 - inclusion.chunk, depth - DEPTH
    if later < 0 or len(inclusion.top_path) != top_depth(chunk_count):
        raise MalformedError(f"the path does not fit a dataset of {chunk_count} chunks")
    chunk_bits = {"chunk_bits": _bits(inclusion.chunk, top), "later_bits": _bits(later, top)}
    last = inclusion.count - 1
    return {
        "one": (1,),
        "leaf": (leaf,),
        "nodes": _nodes(leaf, inclusion, siblings),
        "siblings": siblings,
        "position_bits": _bits(inclusion.position, DEPTH),
        **(chunk_bits if top else {}),
        "last_bits": _bits(last, DEPTH),
        "slack_bits": _bits(last - inclusion.position, DEPTH),
        "inverse": (pow(leaf, -1, ORDER),),
        "leaf_blind": (leaf_blind,),
        "index_blind": (index_blind,),
        "context": (context,),
    }


def membership_values(witness: Witness) -> tuple[FieldElement, ...]:
    """Return the public values that a witness leads to: the circuit again, in plain Python."""
    (one,), (leaf,), (inverse,) = witness["one"], witness["leaf"], witness["inverse"]
    above, siblings = witness["nodes"], witness["siblings"]
    position_bits, chunk_bits = witness["position_bits"], witness.get("chunk_bits", ())
    bits = (*position_bits, *chunk_bits)
    later_bits = witness.get("later_bits", ())
    last, slack = _number(witness["last_bits"]), _number(witness["slack_bits"])
    checked = (*bits, *later_bits, *witness["last_bits"], *witness["slack_bits"])
    parents = [
        _hash(node + bit * (sibling - node), sibling - bit * (sibling - node))
        for node, sibling, bit in zip((leaf, *above), siblings, bits, strict=True)
    ]
    top_leaf = _hash(TOP_LEAF * one, parents[DEPTH - 1], last + one)
    climbed = [*parents[: DEPTH - 1], top_leaf, *parents[DEPTH:]]
    public = (
        climbed[-1],
        _number(chunk_bits) + _number(later_bits) + one,
        *(node - below for node, below in zip(above, climbed[:-1], strict=True)),
        *(bit * bit - bit for bit in checked),
        last - _number(position_bits) - slack,
        leaf * inverse - one,
        _hash(BLINDED_LEAF * one, leaf, *witness["leaf_blind"]),
        _hash(BLINDED_INDEX * one, _number(bits), *witness["index_blind"]),
        *witness["context"],
        one,
    )
    return tuple(FieldElement(value % ORDER) for value in public)


def _nodes(leaf: int, inclusion: InclusionProof, siblings: Sequence[int]) -> tuple[int, ...]:
    """Return the nodes from above the leaf to below the root, with the top leaf for its chunk."""
    nodes, node = [], leaf
    for level, sibling in enumerate(siblings):
        left, right = (sibling, node) if inclusion.index >> level & 1 else (node, sibling)
        node = poseidon(left, right)
        if level == DEPTH - 1:
            node = poseidon(TOP_LEAF, node, inclusion.count)
        nodes.append(node)
    return tuple(nodes[:-1])


def _bits(value: int, length: int) -> tuple[int, ...]:
    return tuple(value >> i & 1 for i in range(length))


def _number(bits: Sequence[int]) -> int:
    return sum(bit << i for i, bit in enumerate(bits))


def _hash(*inputs: int) -> int:
    return poseidon(*(value % ORDER for value in inputs))
