"""A small exclusion index, keys that are not in it, and what a dishonest prover writes instead.

Where an honest issuer's tree gives a lie no path to stand on, the liar is the issuer, and builds a
tree of his own: such a forgery's root is whatever its witness leads to, and only the rules for keys
and paths stand in its way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from circuits.statements.exclusion_witness import exclusion_values, exclusion_witness
from provenance.exclusion import (
    ExclusionIndex,
    ExclusionKey,
    PresenceProof,
    prove_absence,
    prove_presence,
)
from provenance.exclusion_key import BITS
from provenance.field import ORDER, ZERO, FieldElement
from provenance.leaf import DatasetKey
from provenance.poseidon import poseidon
from tests.circuits.forgeries import Forgery
from tests.circuits.sample import CONTEXT, Witness

DATASET_KEY = DatasetKey(b"absent".ljust(32, b"."))
ASKED = ExclusionKey(bytes.fromhex("b4c5d6e7").ljust(31, b"\xa7"))
LENGTH = 5
"""Siblings on the way to the asked key, beside a neighbour and beside nothing."""
SALT = 3**90


def sharing(bits: int, fill: int = 0x5E) -> ExclusionKey:
    """Return a key that shares just so many first bits with the asked one."""
    low = int.from_bytes(bytes([fill]) * 31, "big") & (1 << BITS - 1 - bits) - 1
    high = ASKED.number >> BITS - bits << BITS - bits
    other = (1 - ASKED.bit(bits)) << BITS - 1 - bits
    return ExclusionKey((high | other | low).to_bytes(31, "big"))


@dataclass(frozen=True)
class Absence:
    """An index, and an honest witness that the asked key is absent from it."""

    depth: int
    index: ExclusionIndex
    witness: Witness

    @property
    def public(self) -> tuple[FieldElement, ...]:
        """What a verifier expects."""
        return expected(self.index.root, ASKED, self.depth)

    @property
    def end(self) -> int:
        """What stands in the asked key's place."""
        return self.witness["nodes"][LENGTH - 1]


@cache
def absence(depth: int = 8, *, beside_nothing: bool = False) -> Absence:
    """Return the sample: five siblings, none of them 0."""
    end = sharing(LENGTH - 1, 0x11) if beside_nothing else sharing(60)
    index = ExclusionIndex([*map(sharing, range(LENGTH)), end], DATASET_KEY)
    proof = prove_absence(index, ASKED)
    assert len(proof.siblings) == LENGTH
    assert (proof.neighbour is None) == beside_nothing
    return Absence(depth, index, exclusion_witness([ASKED], [proof], CONTEXT, depth))


def expected(root: int, key: ExclusionKey, depth: int) -> tuple[FieldElement, ...]:
    """Return the public values of one key's circuit of any depth."""
    bits = (FieldElement(key.bit(level)) for level in range(depth))
    zeros = (ZERO,) * Places(depth).count
    return (FieldElement(root), FieldElement(key.number), *bits, *zeros, CONTEXT, FieldElement(1))


@dataclass(frozen=True)
class Places:
    """Where the public values of one key's circuit stand, by its depth."""

    depth: int

    @property
    def digits(self) -> int:
        return (BITS - self.depth) // 2

    def bit(self, level: int) -> int:
        return 2 + level

    def node(self, level: int) -> int:
        """The zero of the node that many levels below the root; the root is itself public."""
        return 2 + self.depth + level - 1 if level else 0

    def on_path(self, level: int) -> int:
        return self.node(self.depth) + level

    def difference(self, level: int) -> int:
        return self.on_path(self.depth) + level

    def digit(self, place: int) -> int:
        return self.difference(self.depth) + place

    @property
    def is_leaf(self) -> int:
        return self.digit(self.digits)

    @property
    def other(self) -> int:
        return self.is_leaf + 1

    @property
    def last(self) -> int:
        return self.is_leaf + 2

    @property
    def count(self) -> int:
        return self.last + 1 - self.node(1)


def absence_forgeries(depth: int = 8) -> Iterator[Forgery]:
    """Yield every forgery at a depth; the first word of a name is its kind."""
    found = absence(depth)
    yield from _present(depth)
    yield from _invented(found)
    yield from _paths(found)
    yield from _keys(found)
    yield _other_one(found)


def _present(depth: int) -> Iterator[Forgery]:
    """The key is in the index, and its absence is claimed."""
    at = Places(depth)
    index = ExclusionIndex([ASKED, *map(sharing, range(LENGTH))], DATASET_KEY)
    proof = prove_presence(index, ASKED)
    true = _standing_at(proof, depth)
    claimed = expected(index.root, ASKED, depth)
    yield Forgery("present: its own neighbour", true, claimed, frozenset({at.other}))
    stand_in = absence(depth).witness
    honest = {name: stand_in[name] for name in ("differences", "low_digits", "inverses")}
    for level in range(LENGTH):
        empty = _below(true | honest | {"is_leaf": (0,)}, level, 0)
        yield Forgery(f"empty: claimed below {level}", empty, claimed, frozenset({at.node(level)}))
    wrapped = ASKED.number + ORDER
    digits = [wrapped >> 2 * place & 3 for place in range(at.digits)]
    high = (wrapped >> 2 * at.digits) - (ASKED.number >> 2 * at.digits)
    digits[-1] += 4 * high
    around = true | {"low_digits": tuple(digits)}
    betrayed = {at.other, at.digit(at.digits - 1)}
    yield Forgery("wrapped: the key itself plus r", around, claimed, frozenset(betrayed))


def _standing_at(proof: PresenceProof, depth: int) -> Witness:
    """Return the witness that takes a present key for its own neighbour, as far as it goes."""
    stand_in = absence(depth).witness
    low = ASKED.number
    made = stand_in | {
        "siblings": _padded(proof.siblings, depth),
        "differences": (0,) * depth,
        "low_digits": tuple(low >> 2 * p & 3 for p in range(Places(depth).digits)),
        "salts": (int.from_bytes(proof.salt, "big"),),
        "last_inverses": (pow(proof.siblings[-1], -1, ORDER),),
    }
    return _climbed(made)


def _invented(found: Absence) -> Iterator[Forgery]:
    """A neighbour that is nowhere in the index: below some level the nodes are his."""
    at, witness = Places(found.depth), found.witness | {"salts": (SALT,)}
    stolen = _end(witness)
    for level in range(found.depth):
        forged = _below(witness, level, stolen)
        yield Forgery(
            f"neighbour: invented below {level}", forged, found.public, frozenset({at.node(level)})
        )
        fitted = _fitted(found, witness, level)
        yield Forgery(
            f"fitted: fraction of a level {level}",
            fitted,
            found.public,
            frozenset({at.on_path(level)}),
        )
    for level in range(1, LENGTH):
        node = found.witness["nodes"][level - 1]
        share = node * pow(stolen, -1, ORDER) % ORDER
        short = _ending(_below(witness, level, node) | {"is_leaf": (share,)}, level)
        yield Forgery(f"node: as the end at {level}", short, found.public, frozenset({at.is_leaf}))
    sibling = _put(found.witness["siblings"], 0, SALT)
    forged = found.witness | {"siblings": sibling}
    yield Forgery("sibling: another one", forged, found.public, frozenset({0}))
    for number, name in ((0, "root"), (1, "key"), (len(found.public) - 2, "context")):
        public = (*found.public[:number], FieldElement(SALT), *found.public[number + 1 :])
        yield Forgery(f"other: {name}", found.witness, public, frozenset({number}))


def _fitted(found: Absence, witness: Witness, level: int) -> Witness:
    """Return a witness whose nodes above a level are the true ones: that level is partly on it."""
    depth, true = found.depth, (found.index.root, *found.witness["nodes"])[level]
    if level >= LENGTH:
        witness = witness | {"siblings": _put(witness["siblings"], level, SALT)}
    witness = witness | {"on_path": _padded(_ones(min(level, LENGTH)), depth)}
    below = _end(witness)
    share = (true - below) * pow(_parent(witness, level, below) - below, -1, ORDER) % ORDER
    forged = _below(witness | {"nodes": found.witness["nodes"]}, level, below)
    return _with_last(forged | {"on_path": _put(forged["on_path"], level, share)})


def _paths(found: Absence) -> Iterator[Forgery]:
    """An issuer's own tree, in which a path has another form than paths have."""
    at, true = Places(found.depth), found.witness
    for level in range(LENGTH - 1):
        skipped = _climbed(_with_last(true | {"on_path": _put(true["on_path"], level, 0)}))
        yield _own_root(skipped, f"skipped: level {level}", at.on_path(level + 1))
    for level in range(LENGTH + 1, found.depth):
        on_path, siblings = _put(true["on_path"], level, 1), _put(true["siblings"], level, SALT)
        again = _climbed(_with_last(true | {"on_path": on_path, "siblings": siblings}))
        yield _own_root(again, f"opened: again at {level}", at.on_path(level))
    for beside_nothing in (False, True):
        bare = absence(found.depth, beside_nothing=beside_nothing).witness
        bare = _climbed(bare | {"siblings": _put(bare["siblings"], LENGTH - 1, 0)})
        what = "nothing" if beside_nothing else "a leaf"
        yield _own_root(bare, f"last: sibling 0 beside {what}", at.last)
    for level in range(found.depth):
        bits = _put(true["key_bits"], level, 1 - true["key_bits"][level])
        flipped = _climbed(_with_other(true | {"key_bits": bits}))
        yield _own_root(flipped, f"flipped: bit {level}", at.bit(level))


def _keys(found: Absence) -> Iterator[Forgery]:
    """An issuer's own tree, in which a neighbour stands whose key does not belong there."""
    at, true = Places(found.depth), found.witness
    for level in range(found.depth):
        value = 1 if level < LENGTH else 2
        differences = _put(true["differences"], level, value)
        unrelated = _climbed(_with_other(true | {"differences": differences}))
        name = f"unrelated: differs at {level}"
        yield _own_root(unrelated, name, at.difference(level))
    for place in range(at.digits):
        digits = _put(true["low_digits"], place, 4 + place % 2)
        longer = _climbed(_with_other(true | {"low_digits": digits}))
        yield _own_root(longer, f"digit: {place} is none", at.digit(place))
    unrelated_key = sharing(1).number
    shown = ASKED.number >> BITS - found.depth << BITS - found.depth
    digits = ((unrelated_key - shown) % ORDER, *(0,) * (at.digits - 1))
    hidden = true | {"differences": (0,) * found.depth, "low_digits": digits}
    yield _own_root(_climbed(_with_other(hidden)), "hidden: unrelated, wrapped", at.digit(0))
    digits = tuple(ASKED.number >> 2 * place & 3 for place in range(at.digits))
    above = 1 << BITS - 2 * (at.digits - 1)
    digits = _put(digits, at.digits - 1, digits[-1] + above)
    large = true | {"differences": (0,) * found.depth, "low_digits": digits}
    name = "above: the key plus 2**248"
    yield _own_root(_climbed(_with_other(large)), name, at.digit(at.digits - 1))


def _other_one(found: Absence) -> Forgery:
    """A unit of 0, under which every constant of the circuit vanishes."""
    betrayed = frozenset({len(found.public) - 1})
    return Forgery("one: is 0", found.witness | {"one": (0,)}, found.public, betrayed)


def _own_root(witness: Witness, name: str, betrayed: int) -> Forgery:
    """Return a forgery against the root that its own witness leads to."""
    root = exclusion_values(witness)[0]
    claimed = expected(root, ASKED, len(witness["on_path"]))
    return Forgery(name, witness, claimed, frozenset({betrayed}))


def _below(witness: Witness, level: int, end: int) -> Witness:
    """Return a witness whose nodes below a level climb from `end`; those above stay."""
    depth = len(witness["on_path"])
    nodes = [end]
    for number in range(depth - 1, level, -1):
        on_path = witness["on_path"][number]
        nodes.insert(0, _parent(witness, number, nodes[0]) if on_path else nodes[0])
    return witness | {"nodes": (*witness["nodes"][:level], *nodes)[: depth - 1]}


def _ending(witness: Witness, length: int) -> Witness:
    """Return a witness whose path ends after so many levels, at the node that stands there."""
    depth = len(witness["on_path"])
    node = witness["nodes"][length - 1]
    nodes = (*witness["nodes"][:length], *[node] * depth)[: depth - 1]
    return _with_last(witness | {"nodes": nodes, "on_path": _padded(_ones(length), depth)})


def _climbed(witness: Witness) -> Witness:
    """Return a witness whose nodes follow from its end, whatever it says of the path."""
    return _below(witness, 0, _end(witness))


def _end(witness: Witness) -> int:
    key, (salt,), (is_leaf,) = _neighbour(witness), witness["salts"], witness["is_leaf"]
    return is_leaf * poseidon(1, key % ORDER, salt) % ORDER


def _neighbour(witness: Witness) -> int:
    pairs = zip(witness["key_bits"], witness["differences"], strict=True)
    high = sum(
        (bit + other - 2 * bit * other) << BITS - 1 - i for i, (bit, other) in enumerate(pairs)
    )
    return high + sum(digit << 2 * i for i, digit in enumerate(witness["low_digits"]))


def _parent(witness: Witness, level: int, node: int) -> int:
    sibling = witness["siblings"][level]
    pair = (sibling, node) if witness["key_bits"][level] else (node, sibling)
    return poseidon(*pair)


def _with_other(witness: Witness) -> Witness:
    """Return a witness that shows its neighbour to be another key than the asked one."""
    return witness | {"inverses": (pow(ASKED.number - _neighbour(witness), -1, ORDER),)}


def _with_last(witness: Witness) -> Witness:
    """Return a witness that shows its last sibling to be another than 0, if it has one."""
    on_path = (1, *witness["on_path"], 0)
    ends = [before - on for before, on in pairwise(on_path[1:])]
    last = sum(side * end for side, end in zip(witness["siblings"], ends, strict=True)) % ORDER
    inverse = on_path[1] * pow(last, -1, ORDER) if last else 0
    return witness | {"last_inverses": (inverse % ORDER,)}


def _ones(count: int) -> tuple[int, ...]:
    return (1,) * count


def _padded(values: Sequence[int], length: int) -> tuple[int, ...]:
    return (*values, *(0,) * (length - len(values)))


def _put(values: Sequence[int], number: int, value: int) -> tuple[int, ...]:
    return (*values[:number], value, *values[number + 1 :])
