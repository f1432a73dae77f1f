"""A monitor's checkpoint: what somebody who scanned a ledger saw of a log, signed.

Offline, "no fork, no gap" needs one, by a monitor whom the policy names:

    {"block":"<hash of the block at last>","chain":"embedded-…","first":1,
     "head":{"digest":"…","sequence":5},"kind":"rootline/checkpoint/v1","last":19,"log":"…"}

It speaks for headers that are hash-linked to its head, and for receipts within its heights; beyond
them it says nothing.
"""

from dataclasses import dataclass
from typing import Final

from provenance import canonical, envelope
from provenance.canonical import Fields
from provenance.envelope import Envelope, PublicKey, Signer
from provenance.errors import MalformedError
from provenance.field import Digest

KIND: Final = "rootline/checkpoint/v1"
PAYLOAD_TYPE: Final = "application/vnd.rootline.checkpoint.v1+json"
MAX_HEIGHT: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's head after every blob of its namespace from `first` to `last` was read."""

    chain: str
    log: Digest
    head: Digest
    sequence: int
    first: int
    last: int
    block: Digest

    def __post_init__(self) -> None:
        """Raise MalformedError where the heights run backwards."""
        if not 1 <= self.first <= self.last:
            raise MalformedError(f"checkpoint: heights {self.first} to {self.last}")

    @property
    def payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical.encode(
            {
                "kind": KIND,
                "chain": self.chain,
                "log": self.log.hex(),
                "head": {"digest": self.head.hex(), "sequence": self.sequence},
                "first": self.first,
                "last": self.last,
                "block": self.block.hex(),
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "Checkpoint":
        """Return the checkpoint that a verified `payload` writes, or raise MalformedError."""
        fields = Fields.parse(payload, KIND)
        head = fields.inner("head")
        checkpoint = cls(
            chain=fields.text("chain", most=50),
            log=fields.digest("log"),
            head=head.digest("digest"),
            sequence=head.integer("sequence", 0, MAX_HEIGHT),
            first=fields.integer("first", 1, MAX_HEIGHT),
            last=fields.integer("last", 1, MAX_HEIGHT),
            block=fields.digest("block"),
        )
        head.done()
        fields.done()
        return checkpoint


def sign(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """Return the checkpoint's envelope bytes, signed by a monitor."""
    return envelope.seal(PAYLOAD_TYPE, checkpoint.payload, signer).encoded


def verify(data: bytes, monitors: tuple[PublicKey, ...]) -> Checkpoint:
    """Return the checkpoint in `data` once one of `monitors` has signed it.

    Raises:
        MalformedError: Not a checkpoint.
        SignatureError: Signed by nobody whom the policy names as a monitor.
    """
    sealed: Envelope = envelope.parse(data)
    payload, _ = envelope.verified_payload(sealed, PAYLOAD_TYPE, monitors)
    return Checkpoint.parse(payload)
