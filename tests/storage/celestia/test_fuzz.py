"""Random blobs -> a square -> proofs of all kinds, against a slow reference that proves nothing.

The reference lays nothing out and follows no path: it has the shares of the extended square, hashes
every row and column by the definition, and reads blobs off the original rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import ProvenanceError
from storage.celestia import block, erasure
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.commitment_proof import CommitmentProof, verify_commitment_proof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.namespace_data import (
    NamespaceData,
    is_absent,
    prove_namespace,
    verify_namespace,
)
from storage.celestia.namespace_proof import verify_row_proofs, verify_shares
from storage.celestia.share import Blob, Placed, share_commitment
from storage.celestia.square import Square, availability, lay_out
from storage.ledger import MemoryLedger

PARITY = b"\xff" * 29
SPACES = [bytes(19) + b"rootline0" + bytes([n]) for n in b"13579"]
ABSENT = [bytes(19) + b"rootline0" + bytes([n]) for n in b"0468:"]
BLOCK = ExtendedHeader.from_json(MemoryLedger("fuzz-1").header(1))
Grid = list[list[bytes]]


def extended(laid: Square) -> Grid:
    flat = np.frombuffer(b"".join(laid.shares), dtype=np.uint8)
    whole = erasure.extend(flat.reshape(laid.size, laid.size, 512))
    return [[bytes(share) for share in row] for row in whole]


def slow_node(spaced: Sequence[tuple[bytes, bytes]]) -> bytes:
    if len(spaced) == 1:
        space, share = spaced[0]
        return space + space + sha256(b"\0" + space + share).digest()
    half = len(spaced) // 2
    left, right = slow_node(spaced[:half]), slow_node(spaced[half:])
    known = sorted(space for space, _ in spaced if space != PARITY) or [PARITY]
    return known[0] + known[-1] + sha256(b"\1" + left + right).digest()


def slow_root(entries: Sequence[bytes]) -> bytes:
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    half = 1 << (len(entries) - 1).bit_length() - 1
    return sha256(b"\1" + slow_root(entries[:half]) + slow_root(entries[half:])).digest()


def slow_axes(grid: Grid) -> tuple[list[bytes], list[bytes]]:
    size = len(grid) // 2
    spaced = [
        [(share[:29] if i < size and j < size else PARITY, share) for j, share in enumerate(row)]
        for i, row in enumerate(grid)
    ]
    return [slow_node(row) for row in spaced], [
        slow_node(column) for column in zip(*spaced, strict=True)
    ]


def slow_blobs(grid: Grid, space: bytes) -> list[Placed]:
    """Read the blobs of a namespace off the original rows, share by share."""
    size = len(grid) // 2
    shares = [share for row in grid[:size] for share in row[:size]]
    found, place = [], 0
    while place < len(shares):
        share, start = shares[place], place
        place += 1
        version, length = share[29] // 2, int.from_bytes(share[30:34], "big")
        if share[:29] != space or not length:
            continue
        signer, data = share[34 : 34 + 20 * version], share[34 + 20 * version :]
        while len(data) < length:
            data += shares[place][30:]
            place += 1
        found.append(Placed(Blob(space, data[:length], version, signer), start))
    return found


def slow_commitment(grid: Grid, placed: Placed, count: int) -> bytes:
    """Cut the blob's shares as they stand in the square into the subtrees of the rule, and hash."""
    size = len(grid) // 2
    every = [share for row in grid[:size] for share in row[:size]]
    shares = [(placed.blob.namespace, share) for share in every[placed.start :][:count]]
    widths = [1 << n for n in range(10)]
    most = min(
        next(w for w in widths if w * 64 >= count), next(w for w in widths if w * w >= count)
    )
    roots = []
    while shares:
        width = max(w for w in widths if w <= min(most, len(shares)))
        roots.append(slow_node(shares[:width]))
        shares = shares[width:]
    return slow_root(roots)


def crossed(call: object, *arguments: object) -> bool:
    """Return whether a check refuses arguments that do not belong together."""
    assert callable(call)
    try:
        call(*arguments)
    except ProvenanceError:
        return True
    return False


def check_blobs(
    laid: Square, grid: Grid, roots: DataAvailabilityHeader, blobs: Sequence[Blob]
) -> list[CommitmentProof]:
    """Check commitment proofs of all blobs, true ones and crossed ones."""
    held = replace(BLOCK, availability=roots)
    proofs = [
        block.prove(laid, start, blob, held) for start, blob in zip(laid.starts, blobs, strict=True)
    ]
    for proof, blob in product(proofs, dict.fromkeys(blobs)):
        own = blob == blobs[proofs.index(proof)]
        assert crossed(verify_commitment_proof, proof, blob, roots.data_root) is not own
    for proof, start, blob in zip(proofs, laid.starts, blobs, strict=True):
        assert CommitmentProof.from_json(proof.to_json()) == proof
        assert (proof.first_share, proof.size) == (start, laid.size)
        expected = slow_commitment(grid, Placed(blob, start), proof.share_count)
        assert share_commitment(blob) == expected
    return proofs


def check_spaces(
    laid: Square, grid: Grid, roots: DataAvailabilityHeader, spaces: Sequence[bytes]
) -> dict[bytes, NamespaceData]:
    """Check the data of all namespaces, true ones and crossed ones."""
    data = {space: prove_namespace(laid, space) for space in spaces}
    for space, theirs in product(spaces, spaces):
        if space == theirs:
            found = verify_namespace(data[space], space, roots)
            assert list(found) == slow_blobs(grid, space)
            assert NamespaceData.from_json(data[space].to_json()) == data[space]
            assert is_absent(space, roots) is (not data[space].rows)
        elif data[theirs].rows or data[space].rows:
            assert crossed(verify_namespace, data[theirs], space, roots) or (
                data[theirs] == data[space]
            )
    return data


def check_rows(
    laid: Square, roots: DataAvailabilityHeader, space: bytes, data: NamespaceData
) -> None:
    """Check the row proofs of a namespace's rows, one by one."""
    size, rows = laid.size, [row for row in data.rows if row.shares]
    spaces = [share[:29] for share in laid.shares]
    holding = [row for row in range(size) if space in spaces[row * size : (row + 1) * size]]
    for index, row in zip(holding, rows, strict=True):
        verify_row_proofs([row.proof], space, row.shares, index, roots)
        verify_shares([row.proof], row.shares, index * size + row.proof.start, roots)
        for away in {(index + 1) % size, (index - 1) % size}:
            refused = crossed(verify_row_proofs, [row.proof], space, row.shares, away, roots)
            assert refused is (roots.rows[away] != roots.rows[index])


def check(blobs: Sequence[Blob]) -> int:
    """Check everything about the square of `blobs`, and return its size."""
    laid = lay_out(blobs)
    roots, grid = availability(laid), extended(laid)
    rows, columns = slow_axes(grid)
    assert (list(roots.rows), list(roots.columns)) == (rows, columns)
    assert roots.data_root == slow_root([*rows, *columns])
    proofs = check_blobs(laid, grid, roots, blobs)
    data = check_spaces(laid, grid, roots, [*SPACES, *ABSENT])
    for space, each in data.items():
        check_rows(laid, roots, space, each)
    for proof, blob in zip(proofs, blobs, strict=True):
        # What is proved to stand in the block cannot be missing from the namespace's data.
        found = verify_namespace(data[blob.namespace], blob.namespace, roots)
        assert Placed(blob, proof.first_share) in found
    check_other_block(blobs, proofs, data)
    return laid.size


def check_other_block(
    blobs: Sequence[Blob], proofs: Sequence[CommitmentProof], data: dict[bytes, NamespaceData]
) -> None:
    """Check that nothing of a block passes for another, laid out alike with other content."""
    others = [replace(each, data=bytes(len(each.data))) for each in blobs]
    roots = availability(lay_out(others))
    for proof, mine, theirs in zip(proofs, blobs, others, strict=True):
        for blob in (mine, theirs):
            assert crossed(verify_commitment_proof, proof, blob, roots.data_root)
    for space, each in data.items():
        if any(row.shares for row in each.rows):
            assert crossed(verify_namespace, each, space, roots)


def blob(space: bytes, size: int, version: int, fill: int) -> Blob:
    return Blob(space, bytes([fill % 251 + 1]) * size, version, b"s" * 20 * version)


random_blobs = st.lists(
    st.builds(
        blob,
        st.sampled_from(SPACES),
        st.one_of(st.integers(1, 1500), st.integers(1, 12_000)),
        st.integers(0, 1),
        st.integers(0, 5),
    ),
    max_size=5,
)


@settings(deadline=None, max_examples=40)
@given(random_blobs)
def test_all_true_proofs_are_accepted_and_all_crossed_ones_refused(blobs: list[Blob]) -> None:
    assert check(blobs) <= 16


def several(count: int, size: int) -> Iterator[Blob]:
    for index in range(count):
        yield blob(SPACES[index * 7 % 5], size + 97 * index, index % 2, index)


@pytest.mark.parametrize(
    ("size", "blobs"),
    [
        (1, []),
        (1, [*several(1, 9)]),
        (2, [*several(3, 200)]),
        (4, [*several(4, 700)]),
        (8, [*several(6, 2000)]),
        (16, [*several(7, 7000)]),
    ],
)
def test_squares_of_every_small_size_agree(size: int, blobs: list[Blob]) -> None:
    assert check(blobs) == size


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(random_blobs)
def test_many_more_squares_agree(blobs: list[Blob]) -> None:
    check(blobs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "blobs"),
    [
        (32, [*several(9, 25_000)]),
        (64, [*several(9, 110_000)]),
        (128, [blob(SPACES[0], 7 * 2**20 - 500_000, 0, 1), *several(3, 100_000)]),
    ],
)
def test_large_squares_agree(size: int, blobs: list[Blob]) -> None:
    assert check(blobs) == size
