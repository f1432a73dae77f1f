"""What a node of a chain with four validators says, verified with the project's own code."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from provenance.errors import MalformedError, VerificationError
from provenance.receipt import Receipt
from storage.celestia.client import calls
from storage.celestia.client.client import AsyncNode, Node
from storage.celestia.client.options import TxOptions
from storage.celestia.extended import ExtendedHeader
from storage.celestia.namespace_data import NamespaceData, is_absent, verify_namespace
from storage.celestia.share import Blob, Placed, share_commitment
from storage.celestia.verifier import CelestiaVerifier
from tests.devnet.building import Binaries
from tests.devnet.nodes import Chain, Shape
from tests.devnet.test_blobs import bytes_of

pytestmark = pytest.mark.devnet


@pytest.fixture(scope="module")
def node(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    shape = Shape(powers=(4, 3, 2, 1), absent=3, late=4)
    with (
        Chain(tmp_path_factory.mktemp("validators"), binaries, shape) as chain,
        chain.bridge() as bridge,
        Node(AsyncNode(bridge.url, bridge.token("write"))) as client,
    ):
        yield client


def header_at(node: Node, height: int) -> ExtendedHeader:
    header = node.ask(calls.header_get_by_height(height))
    header.verify()
    return header


def post(node: Node, *blobs: Blob) -> ExtendedHeader:
    return header_at(node, node.ask(calls.blob_submit(blobs, TxOptions())))


def data_of(node: Node, header: ExtendedHeader, namespace: bytes) -> NamespaceData:
    return node.ask(calls.share_get_namespace_data(header.header.height, namespace))


def test_commits_of_four_validators_verify_whoever_is_absent(node: Node) -> None:
    node.ask(calls.header_wait_for_height(13))
    headers = [header_at(node, height) for height in range(2, 13)]
    votes = [len(header.block.signers) for header in headers]
    assert {len(header.block.power) for header in headers} == {4}
    assert min(votes) < 4
    rounds = [header.to_json()["commit"]["round"] for header in headers]  # type: ignore[call-overload,index]
    assert any(number != "0" for number in rounds)


def test_neighbours_link_by_hash_and_a_range_is_what_single_calls_give(node: Node) -> None:
    node.ask(calls.header_wait_for_height(13))
    first = header_at(node, 2)
    headers = node.ask(calls.header_get_range_by_height(first, 13))
    assert [h.to_json() for h in headers] == [header_at(node, n).to_json() for n in range(3, 13)]
    for below, above in zip((first, *headers), headers, strict=False):
        assert above.block.previous == below.block.hash
        assert node.ask(calls.header_get_by_hash(below.header.hash)) == below


def test_several_blobs_in_several_rows_are_shown_complete(node: Node, namespace: bytes) -> None:
    blobs = [Blob(namespace, bytes_of(size, 7)) for size in (1, 5000, 30_000, 479, 12_000)]
    header = post(node, *blobs)
    data = data_of(node, header, namespace)
    placed = verify_namespace(data, namespace, header.availability)
    assert [each.blob for each in placed] == blobs
    assert len(data.rows) > 1
    _check_places(node, header, placed)
    for dropped in range(len(data.rows)):
        rows = data.rows[:dropped] + data.rows[dropped + 1 :]
        with pytest.raises(VerificationError):
            verify_namespace(NamespaceData(rows), namespace, header.availability)


def _check_places(node: Node, header: ExtendedHeader, placed: tuple[Placed, ...]) -> None:
    size, height = header.availability.size, header.header.height
    told = node.ask(calls.blob_get_all(height, (placed[0].blob.namespace,)))
    places = [each.index // (2 * size) * size + each.index % (2 * size) for each in told]
    assert places == [each.start for each in placed]


def test_a_namespace_between_two_others_is_proved_absent(node: Node, namespace: bytes) -> None:
    # Three shares of `above` make four rows, and the first holds the transaction and both.
    below, absent, above = (namespace[:-1] + bytes([last]) for last in (200, 201, 202))
    header = post(node, Blob(below, b"below"), Blob(above, bytes_of(1200)))
    assert not is_absent(absent, header.availability)
    data = data_of(node, header, absent)
    assert verify_namespace(data, absent, header.availability) == ()
    with pytest.raises(VerificationError):
        verify_namespace(data, below, header.availability)
    with pytest.raises(VerificationError):
        verify_namespace(NamespaceData(()), absent, header.availability)


def test_a_namespace_outside_all_rows_is_absent_by_the_roots(node: Node, namespace: bytes) -> None:
    header = post(node, Blob(namespace, b"alone"))
    absent = namespace[:-1] + b"\xff"  # above the row that holds blobs, below the one of padding
    assert is_absent(absent, header.availability)
    assert verify_namespace(data_of(node, header, absent), absent, header.availability) == ()


def test_an_empty_block_holds_nobodys_blobs(node: Node, namespace: bytes) -> None:
    header = header_at(node, 2)
    assert is_absent(namespace, header.availability)
    assert data_of(node, header, namespace) == NamespaceData(())


@pytest.mark.parametrize("size", [1, 478, 479, 5000, 100_000, 1_000_000, 7 * 2**20])
def test_an_inclusion_proof_makes_a_receipt(node: Node, namespace: bytes, size: int) -> None:
    blob = Blob(namespace, bytes_of(size))
    header = post(node, Blob(namespace, b"before"), blob) if size < 7 * 2**20 else post(node, blob)
    commitment, height = share_commitment(blob), header.header.height
    proof = node.ask(calls.blob_get_commitment_proof(height, namespace, commitment))
    receipt = Receipt(
        ledger="celestia",
        chain=header.header.chain,
        height=height,
        namespace=namespace,
        commitment=commitment,
        blob=blob.data,
        proof=proof,
        header=header.to_json(),
    )
    verifier = CelestiaVerifier()
    block = verifier.signed_block(receipt.header)
    verifier.verify_inclusion(receipt, block)
    other = replace(receipt, blob=blob.data[:-1] + bytes([blob.data[-1] ^ 1]))
    with pytest.raises((VerificationError, MalformedError)):
        verifier.verify_inclusion(other, block)


def test_a_nodes_own_proof_and_its_word_agree(node: Node, namespace: bytes) -> None:
    blob = Blob(namespace, bytes_of(9000))
    height, commitment = post(node, blob).header.height, share_commitment(blob)
    ranges = node.ask(calls.blob_get_proof(height, namespace, commitment))
    assert sum(each.end - each.start for each in ranges) == 19
    assert node.ask(calls.blob_included(height, namespace, ranges, commitment))


def test_shares_rows_and_squares_agree(node: Node, namespace: bytes) -> None:
    header = post(node, Blob(namespace, bytes_of(3000)))
    height, size = header.header.height, header.availability.size
    square = node.ask(calls.share_get_eds(height))
    original = [
        square.shares[row * 2 * size + column] for row in range(size) for column in range(size)
    ]
    # A node never answers for a range that crosses from one namespace into another.
    blob_shares = node.ask(calls.share_get_range(height, 1, 8)).shares
    assert list(blob_shares) == original[1:8]
    assert node.ask(calls.share_get_share(height, 0, 1)) == original[1]
    sample = node.ask(calls.share_get_samples(height, ((0, 1),)))[0]
    assert sample.share == original[1]
    node.ask(calls.share_available(height))
