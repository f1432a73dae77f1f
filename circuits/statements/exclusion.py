"""The circuit behind "these keys are not in this exclusion index", with the neighbours hidden.

One hash a level and key, all side by side, on the way that the public bits of the key take. A level
is on the path or below its end; below the end a node is what the one above it is, and at the
bottom stands the neighbour's leaf or 0. docs/spec/circuits/exclusion.md lists the statement, the
private values and the public ones in order.
"""

from functools import partial
from typing import Final

from circuits.graph import Graph, Tensor
from circuits.hashing import Hash
from circuits.spec import Circuit
from provenance.exclusion_key import BITS
from provenance.expected.exclusion import exclusion_size

STATEMENT: Final = (
    "Each of these keys is absent from the exclusion index with this root: on the way that its "
    "bits take from the root stands nothing, or the leaf of another key that has the same first "
    "bits. Which of the two, whose leaf, and how far down stays hidden. That the index holds the "
    "keys of just a dataset's records is a claim of its own."
)
PUBLIC: Final = (
    "root: of the index, once for each key",
    "keys: 248 bits each",
    "bits: the first bits of each key, the top one first",
    "zeros: one for each constraint",
    "context: of the statement that the proof belongs to",
    "one: 1",
)
SIZES: Final = {(40, 1): (14, 3), (64, 1): (15, 2), (40, 4): (16, 2)}
"""Depth and number of keys to logrows and columns."""
GROUPS: Final = 4
"""Groups in which the neighbour's lower digits are summed, so that their weights stay exact."""


def circuit(name: str, _: bytes | None = None) -> Circuit:
    """Return the exclusion circuit with this name, or raise MalformedError."""
    depth, keys = exclusion_size(name)
    logrows, columns = SIZES[depth, keys]
    return Circuit(
        name=name,
        statement=STATEMENT,
        public=PUBLIC,
        graph=partial(exclusion_graph, depth, keys),
        logrows=logrows,
        columns=columns,
    )


def exclusion_graph(depth: int, keys: int) -> Graph:
    """Return the circuit for `keys` keys with paths of up to `depth` siblings."""
    graph = Graph()
    key = graph.private("keys", keys, 1)
    bits = graph.private("key_bits", keys, depth)
    on_path = graph.private("on_path", keys, depth)
    nodes = graph.private("nodes", keys, depth - 1)
    siblings = graph.private("siblings", keys, depth)
    differences = graph.private("differences", keys, depth)
    digits = graph.private("low_digits", GROUPS * keys, (BITS - depth) // 2 // GROUPS)
    salt = graph.private("salts", keys, 1)
    is_leaf = graph.private("is_leaf", keys, 1)
    inverse = graph.private("inverses", keys, 1)
    last_inverse = graph.private("last_inverses", keys, 1)
    context = graph.private("context", 1, 1)

    ones = graph.transpose(graph.repeat(graph.one, keys))
    neighbour = _neighbour(graph, bits, differences, digits)
    end = graph.multiply(is_leaf, _leaf(graph, neighbour, salt))
    below = graph.join(nodes, end)
    hashed = graph.subtract(_parents(graph, bits, below, siblings), below)
    reached = graph.add(below, graph.multiply(on_path, hashed))

    before = graph.join(ones, graph.lanes(on_path, 0, depth - 1))
    ends = graph.subtract(before, on_path)
    first, final = graph.lanes(on_path, 0, 1), graph.lanes(on_path, depth - 1, depth)
    lasts = graph.multiply(siblings, graph.join(graph.lanes(ends, 1, depth), final))
    sums = [graph.total(graph.rows(lasts, number, number + 1)) for number in range(keys)]
    last = graph.transpose(graph.join(*sums))
    distinct = graph.multiply(graph.subtract(key, neighbour), inverse)
    graph.publish(
        graph.lanes(reached, 0, 1),
        key,
        bits,
        graph.subtract(graph.lanes(reached, 1, depth), nodes),
        graph.multiply(on_path, ends),
        _not_allowed(graph, differences, on_path),
        _not_quaternary(graph, digits),
        graph.non_boolean(is_leaf),
        graph.subtract(distinct, ones),
        graph.subtract(graph.multiply(last, last_inverse), first),
        context,
    )
    return graph


def _neighbour(graph: Graph, bits: Tensor, differences: Tensor, digits: Tensor) -> Tensor:
    """Return the neighbours' keys: the public bits, some of them flipped, then hidden digits."""
    keys, depth = bits.shape
    both = graph.multiply(bits, differences)
    flipped = graph.subtract(graph.add(bits, differences), graph.add(both, both))
    weights = graph.constants([[2 ** (depth - 1 - level)] for level in range(depth)])
    unit = graph.transpose(graph.repeat(graph.constants([[2 ** (BITS - depth)]]), keys))
    high = graph.multiply(graph.apply(flipped, weights), unit)
    width = digits.shape[1]
    groups = graph.apply(digits, graph.constants([[4**place] for place in range(width)]))
    steps = graph.constants([[4 ** (width * group)] for group in range(GROUPS)])
    return graph.add(high, graph.apply(graph.reshape(groups, keys, GROUPS), steps))


def _leaf(graph: Graph, key: Tensor, salt: Tensor) -> Tensor:
    """Return the leaves of neighbours, as a column; the tag is 1.

    A single lane is hashed twice: the front end would split every product with just one.
    """
    keys = key.shape[0]
    parts = (graph.repeat(graph.one, keys), graph.transpose(key), graph.transpose(salt))
    twice = [graph.repeat(part, 2) if keys == 1 else part for part in parts]
    hashed = Hash(graph, 4)(graph.stack(*twice))
    return graph.transpose(graph.lanes(hashed, 0, keys))


def _parents(graph: Graph, bits: Tensor, below: Tensor, siblings: Tensor) -> Tensor:
    """Return the hash of each node with its sibling; the key's bit says which is left."""
    keys, depth = bits.shape
    moved = graph.multiply(bits, graph.subtract(siblings, below))
    sides = (graph.add(below, moved), graph.subtract(siblings, moved))
    pairs = graph.stack(*(graph.reshape(side, 1, keys * depth) for side in sides))
    return graph.reshape(Hash(graph, 3)(pairs), keys, depth)


def _not_allowed(graph: Graph, differences: Tensor, on_path: Tensor) -> Tensor:
    """Return t (t - 1 + e): 0 exactly if t is 0, or 1 below the path's end."""
    either = graph.add(differences, on_path)
    return graph.subtract(graph.multiply(differences, either), differences)


def _not_quaternary(graph: Graph, digits: Tensor) -> Tensor:
    """Return d (d - 1) (d - 2) (d - 3), with u = d (d - 3) as u (u + 2).

    Sums instead of constants: long concatenations of one constant slow ezkl's front end down.
    """
    triple = graph.add(graph.add(digits, digits), digits)
    part = graph.subtract(graph.multiply(digits, digits), triple)
    return graph.add(graph.multiply(part, part), graph.add(part, part))
