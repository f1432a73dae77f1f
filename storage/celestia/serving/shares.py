"""The methods of module `share`: a block's square, its rows, shares and ranges, with proofs."""

from collections.abc import Sequence

from provenance import rfc9162
from provenance.canonical import Json, JsonObject
from provenance.errors import UnavailableError
from storage.celestia import nmt, square
from storage.celestia.erasure import Shares
from storage.celestia.fields import base, bases, upper
from storage.celestia.namespace_data import prove_namespace
from storage.celestia.nmt import NAMESPACE_BYTES, PARITY
from storage.celestia.serving import spelling
from storage.celestia.serving.held import Held
from storage.celestia.serving.node import ServedLedger


def namespace_data(node: ServedLedger, height: int, namespace: bytes) -> Json:
    """Answer share.GetNamespaceData."""
    return prove_namespace(node.block(height).laid, namespace).to_json()


def available(node: ServedLedger, height: int) -> None:
    """Answer share.SharesAvailable: what stands in the file is available."""
    node.check(height)


def extended_square(node: ServedLedger, height: int) -> JsonObject:
    """Answer share.GetEDS: all shares, row by row."""
    shares = node.block(height).square
    return {
        "data_square": [base(share.tobytes()) for row in shares for share in row],
        "codec": "Leopard",
    }


def row(node: ServedLedger, height: int, index: int) -> JsonObject:
    """Answer share.GetRow: the left half of a row of the extended square."""
    held = node.block(height)
    _check(held, index)
    half = held.square[index, : held.laid.size]
    return {"shares": [base(share.tobytes()) for share in half], "side": "LEFT"}


def share(node: ServedLedger, height: int, index: int, column: int) -> str:
    """Answer share.GetShare."""
    held = node.block(height)
    _check(held, index, column)
    return base(held.square[index, column].tobytes())


def samples(node: ServedLedger, height: int, places: Sequence[tuple[int, int]]) -> list[Json]:
    """Answer share.GetSamples: shares, each proved to the root of its row."""
    held = node.block(height)
    for place in places:
        _check(held, *place)
    shares = held.square
    return [_sample(held, shares, *place) for place in places]


def _sample(held: Held, shares: Shares, index: int, column: int) -> JsonObject:
    parts, size = [each.tobytes() for each in shares[index]], held.laid.size
    leaves = [
        nmt.leaf(part[:NAMESPACE_BYTES] if index < size and i < size else PARITY, part)
        for i, part in enumerate(parts)
    ]
    nodes = nmt.prove_range(leaves, column, column + 1)
    proof = spelling.nmt_proof(column, column + 1, nodes)
    return {"share": base(parts[column]), "proof": proof, "proof_type": 0}


def share_range(node: ServedLedger, height: int, start: int, end: int) -> JsonObject:
    """Answer share.GetRange: shares of one namespace, proved to the data root."""
    held = node.block(height)
    if start >= end:
        raise UnavailableError(f"start must not be bigger or equal to end: {start}-{end}")
    if end > len(held.laid.shares):
        raise UnavailableError(f"range {start}-{end} in a square of {len(held.laid.shares)} shares")
    shares = held.laid.shares[start:end]
    if len({each[:NAMESPACE_BYTES] for each in shares}) != 1:
        raise UnavailableError("mismatching namespaces for the first and last share")
    return {"Shares": bases(shares), "Proof": _proof(held, start, end)}


def _proof(held: Held, start: int, end: int) -> JsonObject:
    size, shares = held.laid.size, held.laid.shares[start:end]
    first, last = start // size, (end - 1) // size
    roots, axes = held.extended.availability.rows[first : last + 1], held.extended.availability.axes
    paths = [rfc9162.path(axes, index) for index in range(first, last + 1)]
    ranges: list[Json] = []
    for index, leaves in enumerate(square.row_leaves(held.laid, first, last), first):
        begin = start % size if index == first else 0
        stop = (end - 1) % size + 1 if index == last else size
        ranges.append(spelling.bare_proof(begin, stop, nmt.prove_range(leaves, begin, stop)))
    return {
        "data": bases(shares),
        "share_proofs": ranges,
        "namespace_id": base(shares[0][1:NAMESPACE_BYTES]),
        "row_proof": {
            "row_roots": [upper(root) for root in roots],
            "proofs": [
                spelling.path(found, rfc9162.leaf_hash(root))
                for found, root in zip(paths, roots, strict=True)
            ],
            "start_row": first,
            "end_row": last,
        },
        "namespace_version": shares[0][0],
    }


def _check(held: Held, *indices: int) -> None:
    width = 2 * held.laid.size
    for index in indices:
        if index >= width:
            raise UnavailableError(f"index out of bounds: {index} >= {width}")
