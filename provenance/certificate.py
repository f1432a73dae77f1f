"""What another data-availability layer answered when a blob of the log was put to it.

    {"bytes":812,"kind":"rootline/certificate/v1","layer":"eigenda","locator":"02f901c4…",
     "log":"50cc601b…","network":"sepolia_testnet","part":"entries","put_at":1795449600,
     "sequence":4,"sha256":"7d1c…"}

Carried, never verified: its locator is opaque here, and everything else is the word of whoever
wrote it. It is no receipt and shows neither publication nor order (docs/spec/certificate.md).
"""

from dataclasses import dataclass
from typing import Final, Literal, cast

from provenance import canonical
from provenance.canonical import SAFE, Fields
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest, parse_hex
from provenance.log import MAX_BLOB, MAX_SEQUENCE

KIND: Final = "rootline/certificate/v1"
LAYERS: Final = ("eigenda",)
"""Layers that have such certificates; a ledger's name would lend one the look of a receipt."""
UNSTATED: Final = "unstated"
MAX_LOCATOR: Final = 2**16
MAX_DOCUMENT: Final = 2**18

Part = Literal["header", "entries"]
PARTS: Final[tuple[Part, ...]] = ("header", "entries")


@dataclass(frozen=True, slots=True)
class Certificate:
    """Which blob was put where, and what the layer answered.

    Attributes:
        layer: Kind of the layer.
        network: Which of its networks, by the word of whoever put the blob.
        log: The log that the blob belongs to.
        sequence: The batch.
        part: Which of its two blobs.
        size: Bytes of the blob.
        digest: SHA-256 of the blob.
        locator: The layer's answer, by which it gives the blob back; opaque.
        put_at: Seconds since 1970, UTC, by the clock of whoever put the blob.
    """

    layer: str
    network: str
    log: Digest
    sequence: int
    part: Part
    size: int
    digest: Digest
    locator: bytes
    put_at: int

    @property
    def encoded(self) -> bytes:
        """The certificate as canonical JSON."""
        return canonical.encode(
            {
                "kind": KIND,
                "layer": self.layer,
                "network": self.network,
                "log": self.log.hex(),
                "sequence": self.sequence,
                "part": self.part,
                "bytes": self.size,
                "sha256": self.digest.hex(),
                "locator": self.locator.hex(),
                "put_at": self.put_at,
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "Certificate":
        """Return the certificate that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, KIND, limit=MAX_DOCUMENT)
        found = cls(
            layer=_one_of(fields, "layer", LAYERS),
            network=fields.name("network"),
            log=fields.digest("log"),
            sequence=fields.integer("sequence", 0, MAX_SEQUENCE),
            part=cast("Part", _one_of(fields, "part", PARTS)),
            size=fields.integer("bytes", 1, MAX_BLOB),
            digest=fields.digest("sha256"),
            locator=_locator(fields.text("locator", most=2 * MAX_LOCATOR)),
            put_at=fields.integer("put_at", 1, SAFE),
        )
        fields.done()
        return found

    def verify_blob(self, blob: bytes) -> None:
        """Check that it speaks of `blob`; that the layer's answer does is shown by nothing.

        Raises:
            VerificationError: It speaks of other bytes.
        """
        if (len(blob), canonical.digest(blob)) != (self.size, self.digest):
            raise VerificationError(
                f"the certificate for batch {self.sequence}'s {self.part} is of other bytes"
            )


def _one_of(fields: Fields, name: str, known: tuple[str, ...]) -> str:
    value = fields.text(name, most=64)
    if value not in known:
        raise fields.error(name, f"one of {', '.join(known)}")
    return value


def _locator(text: str) -> bytes:
    if not text:
        raise MalformedError("certificate: 'locator' is empty")
    return parse_hex(text, len(text) // 2)
