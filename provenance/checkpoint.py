"""A monitor's checkpoint: what somebody who scanned a ledger saw of a log, signed.

Offline, "no fork, no gap" needs one, by a monitor whom the policy names:

    {"block":"<hash of the block at last>","chain":"embedded-…","first":1,
     "head":{"digest":"…","sequence":5},"keys":["<key id>"],"kind":"rootline/checkpoint/v1",
     "last":19,"log":"…","namespace":"…"}

It speaks for headers that are hash-linked to its head, and for receipts within its heights; beyond
them it says nothing.
"""

from dataclasses import dataclass
from typing import Final

from provenance import canonical, envelope
from provenance.canonical import Fields, Json
from provenance.envelope import Envelope, PublicKey, Signer
from provenance.errors import MalformedError
from provenance.field import Digest

KIND: Final = "rootline/checkpoint/v1"
PAYLOAD_TYPE: Final = "application/vnd.rootline.checkpoint.v1+json"
MAX_HEIGHT: Final = 2**53 - 1
MAX_KEYS: Final = 1000


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log's head after every blob of its namespace from `first` to `last` was read.

    `keys` are the ids, sorted, of the keys whose headers the monitor looked for: a header under
    another key was passed over as a stranger's.
    """

    chain: str
    log: Digest
    head: Digest
    sequence: int
    first: int
    last: int
    block: Digest
    namespace: bytes
    keys: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise MalformedError where the heights run backwards."""
        if not 1 <= self.first <= self.last:
            raise MalformedError(f"checkpoint: heights {self.first} to {self.last}")
        if not self.keys or self.keys != tuple(sorted(set(self.keys))):
            raise MalformedError("checkpoint: at least one key, each once, in order")

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
                "namespace": self.namespace.hex(),
                "keys": list(self.keys),
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
            namespace=fields.hexed("namespace", 29),
            keys=tuple(_key_id(item) for item in fields.items("keys", MAX_KEYS)),
        )
        head.done()
        fields.done()
        return checkpoint


def _key_id(value: Json) -> str:
    if not isinstance(value, str):
        raise MalformedError("checkpoint: a key id is 64 hex digits")
    return Digest.parse(value).hex()


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
