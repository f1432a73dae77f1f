"""What a data-availability layer must do: keep bytes for a while, give them back, show what it can.

A ledger is one of them and can do more: its evidence is a receipt that an auditor verifies. Others,
such as EigenDA behind its proxy, only answer; `Capabilities` says which is which, so that nobody
takes the one for the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from provenance.canonical import JsonObject, decode, digest
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest
from provenance.log import MAX_BLOB
from provenance.receipt import MAX_HEIGHT, LedgerVerifier, Receipt
from storage.celestia.share import Blob, share_commitment
from storage.ledger import Ledger, OutcomeUnknownError

MAX_DATA: Final = MAX_BLOB
RETENTION: Final[Mapping[str, int]] = {"celestia": 7 * 86_400 + 3_600}
"""Seconds: celestia-node v0.31.4, share/availability/window.go:13."""
_HEIGHT: Final = 8


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a layer's evidence can show, as far as this project verifies it.

    Attributes:
        namespaces: Blobs lie under a name, and those under one name can be listed.
        completeness: The list is shown to be whole.
        order: Evidence shows what came before what, and no single operator can rewrite it.
        inclusion: Evidence shows that the layer took the bytes, and is verified here.
        retention: Seconds for which the layer says that it keeps bytes; None: as long as whoever
            has its file, or its process.
    """

    namespaces: bool
    completeness: bool
    order: bool
    inclusion: bool
    retention: int | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where bytes lie.

    Attributes:
        kind: Kind of the layer.
        network: Which one of its kind: a chain id, or a name by the operator's word.
        locator: What the layer finds them by; opaque to all others.
        size: Bytes.
        digest: SHA-256.
    """

    kind: str
    network: str
    locator: bytes
    size: int
    digest: Digest

    def verify(self, data: bytes) -> bytes:
        """Return `data` if it is what was put, or raise VerificationError."""
        if (len(data), digest(data)) != (self.size, self.digest):
            raise VerificationError(
                f"{self.kind} {self.network} gave back other bytes than were put: do not use them"
            )
        return data


class DataLayer(Protocol):
    """Keeps bytes. Every method may raise UnavailableError: the layer could not be asked."""

    @property
    def kind(self) -> str:
        """What evidence calls the layer: `eigenda`, or a ledger's kind."""
        ...

    @property
    def network(self) -> str:
        """Which one of its kind."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What its evidence can show."""
        ...

    def put(self, data: bytes) -> Kept:
        """Return where `data` lies once the layer says that it took it.

        The same bytes again may lie in a second place; both are good.

        Raises:
            MalformedError: No bytes, or more than the layer takes.
        """
        ...

    def fetch(self, kept: Kept) -> bytes:
        """Return the bytes that were put, compared with their digest.

        Raises:
            MalformedError: `kept` is of another layer, or its locator is none.
            VerificationError: The layer gives other bytes, or says that it never took them.
        """
        ...

    def evidence(self, kept: Kept) -> JsonObject:
        """Return what an auditor may be shown; `capabilities` says what it is worth.

        Raises:
            MalformedError, VerificationError: As for `fetch`.
        """
        ...


def check_data(data: bytes) -> None:
    """Raise MalformedError unless `data` is of a size that every layer takes."""
    if not 1 <= len(data) <= MAX_DATA:
        raise MalformedError(f"{len(data)} bytes for a data layer: 1 to {MAX_DATA} go in at once")


def check_place(layer: DataLayer, kept: Kept) -> None:
    """Raise MalformedError unless `kept` was put to this layer."""
    if (kept.kind, kept.network) != (layer.kind, layer.network):
        raise MalformedError(f"kept by {kept.kind} {kept.network}: ask that one, not {layer.kind}")


@dataclass(frozen=True, slots=True)
class LedgerLayer:
    """A ledger as a data layer: bytes lie as blobs under one namespace, and receipts prove it.

    A locator is the height, 8 bytes big-endian, and the share commitment.
    """

    ledger: Ledger
    namespace: bytes
    verifier: LedgerVerifier

    @property
    def kind(self) -> str:
        """The ledger's kind."""
        return self.ledger.kind

    @property
    def network(self) -> str:
        """The ledger's chain."""
        return self.ledger.chain

    @property
    def capabilities(self) -> Capabilities:
        """All of them, but that a self-hosted ledger's operator can rewrite its order."""
        kind = self.ledger.kind
        return Capabilities(
            namespaces=True,
            completeness=True,
            order=kind == "celestia",
            inclusion=True,
            retention=RETENTION.get(kind),
        )

    def put(self, data: bytes) -> Kept:
        """Return the block and blob in which `data` stands."""
        check_data(data)
        blob = Blob(self.namespace, data)
        locator = self._submit(blob).to_bytes(_HEIGHT, "big") + share_commitment(blob)
        return Kept(self.kind, self.network, locator, len(data), digest(data))

    def fetch(self, kept: Kept) -> bytes:
        """Return the blob's bytes, read from its block."""
        return kept.verify(self._find(kept)[1].data)

    def evidence(self, kept: Kept) -> JsonObject:
        """Return the receipt, verified against its own block; an anchor decides on the block."""
        height, blob = self._find(kept)
        kept.verify(blob.data)
        receipt = Receipt.parse(self.ledger.receipt(height, blob).encoded)
        self.verifier.verify_inclusion(receipt, self.verifier.signed_block(receipt.header))
        return decode(receipt.encoded)

    def _submit(self, blob: Blob) -> int:
        since = self.ledger.head()
        try:
            return self.ledger.submit([blob])
        except OutcomeUnknownError:
            height = self.ledger.find([blob], since)
            if height is None:
                raise
            return height

    def _find(self, kept: Kept) -> tuple[int, Blob]:
        check_place(self, kept)
        if len(kept.locator) != _HEIGHT + 32:
            raise MalformedError(f"a locator of {len(kept.locator)} bytes: a ledger's has 40")
        height = int.from_bytes(kept.locator[:_HEIGHT], "big")
        if not 1 <= height <= MAX_HEIGHT:
            raise MalformedError(f"a locator that names block {height}")
        wanted = kept.locator[_HEIGHT:]
        for blob in self.ledger.blobs(height, self.namespace):
            if share_commitment(blob) == wanted:
                return height, blob
        raise VerificationError(f"block {height} of {self.network} holds no such blob")
