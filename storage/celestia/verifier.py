"""What an auditor calls: Celestia-shaped evidence, checked without a node and without a clock.

Blocks of Celestia and of the embedded ledger have one shape, so one verifier reads both. Which
blocks to believe is decided in the core, from the policy's anchor.
"""

from provenance.canonical import JsonObject
from provenance.errors import RootMismatchError, VerificationError
from provenance.receipt import Block, Receipt
from storage.celestia.commitment_proof import CommitmentProof, verify_commitment_proof
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import Header
from storage.celestia.share import Blob, commitment_of


class CelestiaVerifier:
    """A `provenance.receipt.LedgerVerifier` for Celestia, embedded and memory ledgers."""

    def linked_block(self, header: JsonObject) -> Block:
        """Return what an unsigned block header says, under the hash computed from it."""
        return Header.from_json(header).block

    def signed_block(self, header: JsonObject) -> Block:
        """Return what an extended header says, once hash, roots and signatures agree."""
        extended = ExtendedHeader.from_json(header)
        extended.verify()
        return extended.block

    def verify_inclusion(self, receipt: Receipt, block: Block) -> None:
        """Check that `receipt.blob` stands in `block` under its namespace and commitment."""
        if (receipt.chain, receipt.height) != (block.chain, block.height):
            raise VerificationError(
                f"a receipt for block {receipt.height} of {receipt.chain}, checked against block "
                f"{block.height} of {block.chain}"
            )
        blob = Blob(receipt.namespace, receipt.blob)
        proof = CommitmentProof.from_json(receipt.proof)
        verify_commitment_proof(proof, blob, block.data_root)
        computed = commitment_of(proof.subtree_roots)
        if computed != receipt.commitment:
            raise RootMismatchError(computed.hex(), receipt.commitment.hex())
