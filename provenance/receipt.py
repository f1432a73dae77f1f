"""Where a batch header was published, and what a ledger's verifier must do.

A receipt is canonical JSON that proves the posting when the ledger has forgotten the blob:

    {"blob":"<base64 of the header blob>","chain":"embedded-1","commitment":"<hex, 32 bytes>",
     "header":{…},"height":7,"kind":"rootline/receipt/v1","ledger":"embedded",
     "namespace":"<hex, 29 bytes>","proof":{…}}

`header` and `proof` have the ledger's own shape (Celestia's extended header and commitment proof,
every integer in them a decimal string); only the ledger's verifier reads them.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Final, Protocol

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest

KIND: Final = "rootline/receipt/v1"
MAX_HEIGHT: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Block:
    """What one verified block header says; times are nanoseconds since 1970, UTC.

    `power` holds each validator's key and voting power, `signers` the keys whose votes for this
    block were verified; both are empty where only a plain header was read.
    """

    chain: str
    height: int
    hash: Digest
    previous: Digest | None
    time: int
    data_root: Digest
    validators: Digest
    next_validators: Digest
    proposer: bytes
    power: tuple[tuple[bytes, int], ...] = ()
    signers: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Evidence that `blob` stands in the block at `height`, under `namespace`."""

    ledger: str
    chain: str
    height: int
    namespace: bytes
    commitment: Digest
    blob: bytes
    proof: JsonObject
    header: JsonObject

    @property
    def encoded(self) -> bytes:
        """The receipt as canonical JSON."""
        return canonical.encode(
            {
                "kind": KIND,
                "ledger": self.ledger,
                "chain": self.chain,
                "height": self.height,
                "namespace": self.namespace.hex(),
                "commitment": self.commitment.hex(),
                "blob": base64.b64encode(self.blob).decode(),
                "proof": self.proof,
                "header": self.header,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "Receipt":
        """Return the receipt that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, KIND)
        receipt = cls(
            ledger=fields.name("ledger"),
            chain=fields.text("chain", most=50),
            height=fields.integer("height", 1, MAX_HEIGHT),
            namespace=fields.hexed("namespace", 29),
            commitment=fields.digest("commitment"),
            blob=_base64(fields.text("blob", most=2**24)),
            proof=fields.inner("proof").members,
            header=fields.inner("header").members,
        )
        fields.done()
        return receipt


class LedgerVerifier(Protocol):
    """Reads and checks one kind of ledger's evidence; trusts nothing but what it is given."""

    def linked_block(self, header: JsonObject) -> Block:
        """Return what an unsigned block header says, under the hash computed from it.

        Raises:
            MalformedError: Not a header of this ledger.
        """
        ...

    def signed_block(self, header: JsonObject) -> Block:
        """Return what an extended header says, once hash, roots and commit signatures agree.

        Only consistent with itself: whether it is the right block is decided by an anchor.

        Raises:
            MalformedError: Not an extended header of this ledger.
            VerificationError: Roots, hashes or signatures do not agree.
        """
        ...

    def verify_inclusion(self, receipt: Receipt, block: Block) -> None:
        """Check that `receipt.blob` stands in `block` under its namespace and commitment.

        Raises:
            MalformedError: The proof is no inclusion proof of this ledger.
            VerificationError: It leads elsewhere.
        """
        ...


def _base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"receipt: 'blob' is not base64: {error}") from error
    if base64.b64encode(data).decode() != text:
        raise MalformedError("receipt: 'blob' is base64 with bits left over")
    return data
