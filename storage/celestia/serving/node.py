"""What the served ledger knows, method by method; each call reads the file and returns JSON.

Nothing here waits: submissions and WaitForHeight go through `posting` and `waiting`.
"""

from dataclasses import dataclass
from typing import Final

from provenance.canonical import Json, JsonObject
from provenance.errors import UnavailableError
from storage.celestia.block import prove
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.extended import ExtendedHeader
from storage.celestia.serving import spelling
from storage.celestia.serving.tokens import Role, Tokens
from storage.celestia.share import Blob, share_commitment
from storage.celestia.square import Square, lay_out

MOST_HEADERS: Final = 64
"""Headers that one call to GetRangeByHeight gives, at most: a node's own limit."""


@dataclass(frozen=True, slots=True)
class Held:
    """One block: its header, its blobs as they were submitted, and its square."""

    extended: ExtendedHeader
    blobs: tuple[Blob, ...]
    laid: Square

    def index(self, position: int) -> int:
        """Return where a blob begins in the extended square, as a node counts."""
        row, column = divmod(self.laid.starts[position], self.laid.size)
        return row * 2 * self.laid.size + column


class ServedLedger:
    """The embedded ledger, as the methods of a node see it."""

    def __init__(self, ledger: EmbeddedLedger, tokens: Tokens) -> None:
        """Serve `ledger` to whoever has one of `tokens`."""
        self.ledger = ledger
        self.tokens = tokens

    def head(self) -> JsonObject:
        """Answer header.LocalHead and header.NetworkHead."""
        return self._header(self.ledger.head())

    def tail(self) -> JsonObject:
        """Answer header.Tail: nothing is ever forgotten here."""
        return self._header(1)

    def header_at(self, height: int) -> JsonObject:
        """Answer header.GetByHeight."""
        self._reached(height)
        return self._header(height)

    def header_named(self, name: str) -> JsonObject:
        """Answer header.GetByHash."""
        height = self.ledger.height_named(name)
        if height is None:
            raise UnavailableError("header: not found")
        return self._header(height)

    def headers_after(self, lower: JsonObject, to: int) -> Json:
        """Answer header.GetRangeByHeight: the headers above `lower`, below `to`."""
        first = _height(lower) + 1
        if to > first + MOST_HEADERS:
            limit = f"requested range exceeds MaxRangeRequestSize ({MOST_HEADERS})"
            raise UnavailableError(f"header/service: {limit}")
        if to <= first:
            raise UnavailableError(f"header: invalid range: from {first} to {to}")
        self._reached(to - 1)
        return [self._header(height) for height in range(first, to)]

    def sync_state(self) -> JsonObject:
        """Answer header.SyncState: this node is always where its chain is."""
        head = ExtendedHeader.from_json(self.ledger.header(self.ledger.head()))
        time, name = head.to_json()["header"], head.header.hash.hex().upper()
        moment = time["time"] if isinstance(time, dict) else ""
        height = head.header.height
        return {
            "id": 1,
            "height": height,
            "from_height": height,
            "to_height": height,
            "from_hash": name,
            "to_hash": name,
            "start": moment,
            "end": moment,
        }

    def blob(self, height: int, namespace: bytes, commitment: bytes) -> JsonObject:
        """Answer blob.Get."""
        held = self._held(height)
        position = _position(held, namespace, commitment)
        return spelling.blob(held.blobs[position], commitment, held.index(position))

    def all_blobs(self, height: int, namespaces: tuple[bytes, ...]) -> Json:
        """Answer blob.GetAll: null for none."""
        held = self._held(height)
        found: list[Json] = [
            spelling.blob(blob, share_commitment(blob), held.index(position))
            for namespace in namespaces
            for position, blob in enumerate(held.blobs)
            if blob.namespace == namespace
        ]
        return found or None

    def commitment_proof(self, height: int, namespace: bytes, commitment: bytes) -> JsonObject:
        """Answer blob.GetCommitmentProof."""
        held = self._held(height)
        position = _position(held, namespace, commitment)
        start = held.laid.starts[position]
        return spelling.commitment_proof(
            prove(held.laid, start, held.blobs[position], held.extended)
        )

    def namespace_data(self, height: int, namespace: bytes) -> Json:
        """Answer share.GetNamespaceData."""
        from storage.celestia.namespace_data import prove_namespace

        found: Json = prove_namespace(self._held(height).laid, namespace).to_json()
        return found

    def available(self, height: int) -> None:
        """Answer share.SharesAvailable: what stands in the file is available."""
        self._reached(height)

    def balance(self) -> JsonObject:
        """Answer state.Balance: there are no fees and no coins."""
        return {"denom": "utia", "amount": "0"}

    def info(self) -> JsonObject:
        """Answer node.Info."""
        return {"type": "Embedded", "api_version": "embedded"}

    def permissions(self, token: str) -> Json:
        """Answer node.AuthVerify."""
        role = self.tokens.role(token)
        if role is None:
            raise UnavailableError("token format is not valid")
        return [each.name.lower() for each in Role if each <= role]

    def _header(self, height: int) -> JsonObject:
        return spelling.header(ExtendedHeader.from_json(self.ledger.header(height)))

    def _held(self, height: int) -> Held:
        self._reached(height)
        extended = ExtendedHeader.from_json(self.ledger.header(height))
        blobs = self.ledger.all_blobs(height)
        return Held(extended, blobs, lay_out(blobs))

    def _reached(self, height: int) -> None:
        if height == 0:
            raise UnavailableError("height is equal to 0")
        head = self.ledger.head()
        if height > head:
            raise UnavailableError(
                "header: given height is from the future: "
                f"networkHeight: {head}, requestedHeight: {height}"
            )


def _position(held: Held, namespace: bytes, commitment: bytes) -> int:
    for position, blob in enumerate(held.blobs):
        if blob.namespace == namespace and share_commitment(blob) == commitment:
            return position
    raise UnavailableError("blob: not found")


def _height(header: JsonObject) -> int:
    inner = header.get("header")
    height = inner.get("height") if isinstance(inner, dict) else None
    if not isinstance(height, str) or not height.isdecimal() or len(height) > 19:
        raise UnavailableError("header: no height in the header to start from")
    return int(height)
