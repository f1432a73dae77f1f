"""Witnesses of the exclusion circuit from proofs of absence, and the circuit in plain Python.

witness = exclusion_witness([key], [prove_absence(index, key)], context, depth=40)
exclusion_values(witness) == exclusion_public("exclusion-40.v1", root, [key.number], context)
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise

from provenance.errors import MalformedError, VerificationError
from provenance.exclusion_key import BITS, LEAF, ExclusionKey
from provenance.exclusion_proof import AbsenceProof
from provenance.expected.exclusion import EXCLUSION
from provenance.field import ORDER, FieldElement
from provenance.poseidon import poseidon

Witness = Mapping[str, Sequence[int]]
"""Private values by input; see `exclusion_witness` for their names and meaning."""


def exclusion_witness(
    keys: Sequence[ExclusionKey], proofs: Sequence[AbsenceProof], context: int, depth: int
) -> dict[str, tuple[int, ...]]:
    """Return the private values of a circuit for so many keys, by input, key after key.

    Beside an empty end the neighbour is a made-up key that differs in the last bit only; nothing
    of it reaches the end.

    Args:
        keys: None of them in the index.
        proofs: Of their absence, in the same order.
        context: The proof's context.
        depth: The longest path of the circuit.

    Raises:
        MalformedError: Another number of proofs, or a path that is longer than the circuit's.
        VerificationError: A neighbour is the key itself, or does not stand where the key would.
    """
    if len(keys) != len(proofs) or not keys:
        raise MalformedError(f"{len(keys)} keys and {len(proofs)} proofs of absence")
    each = [_one(key, proof, depth) for key, proof in zip(keys, proofs, strict=True)]
    joined = {name: tuple(chain(*(single[name] for single in each))) for name in each[0]}
    return {"one": (1,), **joined, "context": (context,)}


def _one(key: ExclusionKey, proof: AbsenceProof, depth: int) -> dict[str, tuple[int, ...]]:
    length = len(proof.siblings)
    if length > depth:
        raise MalformedError(_too_long(length, depth))
    neighbour = proof.neighbour.key.number if proof.neighbour else key.number ^ 1
    salt = int.from_bytes(proof.neighbour.salt, "big") if proof.neighbour else 0
    difference = key.number ^ neighbour
    if not difference:
        raise VerificationError("the neighbour is the key itself: it is in the index")
    if difference >> BITS - length:
        raise VerificationError("the neighbour does not stand where the key would")
    end = poseidon(LEAF, neighbour, salt) if proof.neighbour else 0
    nodes = _climb(end, key, proof.siblings)
    low = neighbour & (1 << BITS - depth) - 1
    last = proof.siblings[-1] if proof.siblings else 1
    return {
        "keys": (key.number,),
        "key_bits": _top_bits(key.number, depth),
        "on_path": (1,) * length + (0,) * (depth - length),
        "nodes": (*nodes, *[end] * depth)[1:depth],
        "siblings": (*proof.siblings, *[0] * (depth - length)),
        "differences": _top_bits(difference, depth),
        "low_digits": tuple(low >> 2 * place & 3 for place in range((BITS - depth) // 2)),
        "salts": (salt,),
        "is_leaf": (int(proof.neighbour is not None),),
        "inverses": (pow(key.number - neighbour, -1, ORDER),),
        "last_inverses": (pow(last, -1, ORDER),),
    }


def exclusion_values(witness: Witness) -> tuple[FieldElement, ...]:
    """Return the public values that a witness leads to: the circuit again, in plain Python."""
    count = len(witness["keys"])
    each = [tuple(_values(_part(witness, number, count))) for number in range(count)]
    groups = (chain(*group) for group in zip(*each, strict=True))
    public = (*chain(*groups), *witness["context"], *witness["one"])
    return tuple(FieldElement(value % ORDER) for value in public)


def _part(witness: Witness, number: int, count: int) -> Witness:
    """Return the private values of one key, with those that all keys share."""
    shares = {name: len(values) // count for name, values in witness.items()}
    return {
        name: values[number * shares[name] : (number + 1) * shares[name]]
        for name, values in witness.items()
        if name not in ("one", "context")
    } | {"one": witness["one"]}


def _values(part: Witness) -> Iterator[Sequence[int]]:
    """Yield the public values of one key, a group at a time."""
    (one,), (key,), (is_leaf,) = part["one"], part["keys"], part["is_leaf"]
    bits, on_path, siblings = part["key_bits"], part["on_path"], part["siblings"]
    differences, digits = part["differences"], part["low_digits"]
    neighbour = _neighbour(bits, differences, digits)
    below = (*part["nodes"], is_leaf * _hash(LEAF * one, neighbour, *part["salts"]))
    reached = [
        node + on * (_hash(node + bit * (side - node), side - bit * (side - node)) - node)
        for node, on, bit, side in zip(below, on_path, bits, siblings, strict=True)
    ]
    ends = [before - on for before, on in pairwise((one, *on_path))]
    lasts = (*ends[1:], on_path[-1])
    last = sum(side * end for side, end in zip(siblings, lasts, strict=True))
    yield reached[:1]
    yield (key,)
    yield bits
    yield [made - node for made, node in zip(reached[1:], part["nodes"], strict=True)]
    yield [on * end for on, end in zip(on_path, ends, strict=True)]
    yield [other * (other + on - 1) for other, on in zip(differences, on_path, strict=True)]
    yield [digit * (digit - 1) * (digit - 2) * (digit - 3) for digit in digits]
    yield (is_leaf * is_leaf - is_leaf,)
    yield ((key - neighbour) * part["inverses"][0] - one,)
    yield (last * part["last_inverses"][0] - on_path[0],)


def _neighbour(bits: Sequence[int], differences: Sequence[int], digits: Sequence[int]) -> int:
    flipped = (bit + other - 2 * bit * other for bit, other in zip(bits, differences, strict=True))
    high = sum(bit << BITS - 1 - level for level, bit in enumerate(flipped))
    return high + sum(digit << 2 * place for place, digit in enumerate(digits))


def _climb(end: int, key: ExclusionKey, siblings: Sequence[int]) -> list[int]:
    """Return the nodes on a path from the root to its end."""
    nodes = [end]
    for level, sibling in reversed(list(enumerate(siblings))):
        pair = (sibling, nodes[0]) if key.bit(level) else (nodes[0], sibling)
        nodes.insert(0, poseidon(*pair))
    return nodes


def _too_long(length: int, depth: int) -> str:
    deepest = max(EXCLUSION, key=lambda name: EXCLUSION[name][0])
    fits = length <= EXCLUSION[deepest][0]
    advice = f"use {deepest}" if fits else "no circuit is so deep; show the plain proof instead"
    return f"a path of {length} siblings is longer than {depth}: {advice}"


def _top_bits(number: int, count: int) -> tuple[int, ...]:
    return tuple(number >> BITS - 1 - level & 1 for level in range(count))


def _hash(*inputs: int) -> int:
    return poseidon(*(value % ORDER for value in inputs))
