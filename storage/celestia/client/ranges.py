"""Range proofs of a row as a node writes them: zeros left out.

    {"start":2,"end":8,"nodes":["AAAA…"],"is_max_namespace_ignored":true}

Source: celestiaorg/nmt v0.24.3, proof.go.
"""

from dataclasses import dataclass

from provenance.canonical import Fields, Json, JsonObject
from storage.celestia.availability import MAX_SQUARE
from storage.celestia.client.reading import boolean, items, member, octets
from storage.celestia.commitment_proof import MAX_RANGE_NODES
from storage.celestia.fields import base, bases
from storage.celestia.nmt import NODE_BYTES, Node


@dataclass(frozen=True, slots=True)
class Range:
    """The shares [start, end) of a row and the nodes around them, from left to right.

    A proof of absence has the leaf that stands where the namespace would be.
    """

    start: int
    end: int
    nodes: tuple[Node, ...]
    leaf: Node | None
    ignores_parity: bool

    def to_json(self) -> JsonObject:
        """The proof as a node writes it."""
        members: JsonObject = {
            "start": self.start,
            "end": self.end,
            "nodes": bases(self.nodes),
            "leaf_hash": base(self.leaf) if self.leaf is not None else "",
            "is_max_namespace_ignored": self.ignores_parity,
        }
        return {name: value for name, value in members.items() if value}


def read_range(answer: Json) -> Range:
    """Return one range proof, or raise MalformedError."""
    fields = Fields.of(answer, "range proof")
    nodes = items(fields.members.get("nodes"), "nodes", MAX_RANGE_NODES)
    leaf = fields.members.get("leaf_hash")
    return Range(
        start=member(fields, "start", 0, 2 * MAX_SQUARE),
        end=member(fields, "end", 0, 2 * MAX_SQUARE),
        nodes=tuple(_node(each) for each in nodes),
        leaf=_node(leaf) if leaf else None,
        ignores_parity=boolean(fields.members.get("is_max_namespace_ignored", False)),
    )


def read_ranges(answer: Json) -> tuple[Range, ...]:
    """Return range proofs, one for each row, or raise MalformedError."""
    return tuple(map(read_range, items(answer, "range proofs", MAX_SQUARE)))


def _node(value: Json) -> Node:
    return Node(octets(value, "node", NODE_BYTES, NODE_BYTES))
