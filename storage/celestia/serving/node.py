"""What the served ledger knows, method by method: headers and blobs; `shares.py` has the squares.

Nothing here waits: submissions and WaitForHeight go through `posting` and `waiting`.
"""

from typing import Final

from provenance.canonical import Json, JsonObject
from provenance.errors import MalformedError, UnavailableError
from storage.celestia.block import prove
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.fields import upper
from storage.celestia.namespace_data import prove_namespace
from storage.celestia.namespace_proof import NamespaceProof, row_proofs
from storage.celestia.serving import spelling
from storage.celestia.serving.held import Blocks, Held
from storage.celestia.serving.tokens import Role, Tokens
from storage.celestia.share import count_shares
from storage.celestia.wire import format_time

MOST_HEADERS: Final = 64
"""Headers that one call to GetRangeByHeight gives, at most: a node's own limit."""


class ServedLedger:
    """The embedded ledger, as the methods of a node see it."""

    def __init__(self, ledger: EmbeddedLedger, tokens: Tokens) -> None:
        """Serve `ledger` to whoever has one of `tokens`."""
        self.ledger = ledger
        self.tokens = tokens
        self._blocks = Blocks(ledger)

    def head(self) -> JsonObject:
        """Answer header.LocalHead and header.NetworkHead."""
        return self._header(self.ledger.head())

    def tail(self) -> JsonObject:
        """Answer header.Tail: nothing is ever forgotten here."""
        return self._header(1)

    def header_at(self, height: int) -> JsonObject:
        """Answer header.GetByHeight."""
        self.check(height)
        return self._header(height)

    def header_named(self, name: str) -> JsonObject:
        """Answer header.GetByHash."""
        height = self.ledger.height_named(name)
        if height is None:
            raise UnavailableError(f"hash {name[:64]}: header: not found")
        return self._header(height)

    def headers_after(self, lower: int, to: int) -> Json:
        """Answer header.GetRangeByHeight: the headers above height `lower`, below `to`."""
        first = lower + 1
        if to > first + MOST_HEADERS:
            limit = f"requested range exceeds MaxRangeRequestSize ({MOST_HEADERS})"
            raise UnavailableError(f"header/service: {limit}")
        if to <= first:
            raise UnavailableError(f"header/store: invalid range({first},{to})")
        self.check(to - 1)
        return [self._header(height) for height in range(first, to)]

    def sync_state(self) -> JsonObject:
        """Answer header.SyncState: this node is always where its chain is."""
        head = self._blocks.header(self.ledger.head()).header
        name, moment = upper(head.hash), format_time(head.time)
        return {
            "id": 1,
            **dict.fromkeys(("height", "from_height", "to_height"), head.height),
            **dict.fromkeys(("from_hash", "to_hash"), name),
            **dict.fromkeys(("start", "end"), moment),
        }

    def blob(self, height: int, namespace: bytes, commitment: bytes) -> JsonObject:
        """Answer blob.Get."""
        held = self.block(height)
        place = held.place(namespace, commitment)
        return spelling.blob(held.blobs[place], commitment, held.index(place))

    def all_blobs(self, height: int, namespaces: tuple[bytes, ...]) -> Json:
        """Answer blob.GetAll: by namespace as asked for, each once; null for none."""
        held = self.block(height)
        found: list[Json] = [
            spelling.blob(blob, held.commitments[place], held.index(place))
            for namespace in dict.fromkeys(namespaces)
            for place, blob in enumerate(held.blobs)
            if blob.namespace == namespace
        ]
        return found or None

    def commitment_proof(self, height: int, namespace: bytes, commitment: bytes) -> JsonObject:
        """Answer blob.GetCommitmentProof."""
        held = self.block(height)
        place = held.place(namespace, commitment)
        blob, start = held.blobs[place], held.laid.starts[place]
        return spelling.commitment_proof(prove(held.laid, start, blob, held.extended))

    def blob_proof(self, height: int, namespace: bytes, commitment: bytes) -> list[Json]:
        """Answer blob.GetProof: the namespace's proof in each row that holds some of the blob."""
        held = self.block(height)
        proofs = _row_proofs(held, held.place(namespace, commitment))
        return [proof.to_json() for proof in proofs]

    def is_included(self, height: int, namespace: bytes, proof: Json, commitment: bytes) -> bool:
        """Answer blob.Included: the blob is there, and its proof is the one that was given."""
        held = self.block(height)
        place = held.places.get((namespace, commitment))
        if place is None:
            return False
        try:
            given = row_proofs(proof)
        except MalformedError:
            given = ()
        if given != _row_proofs(held, place):
            raise UnavailableError("blob: invalid proof")
        return True

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

    def block(self, height: int) -> Held:
        """Return a block, or raise UnavailableError as a node does."""
        self.check(height)
        return self._blocks.at(height)

    def check(self, height: int) -> None:
        """Raise UnavailableError as a node does if there is no block `height`."""
        if height == 0:
            raise UnavailableError("height is equal to 0")
        head = self.ledger.head()
        if height > head:
            raise UnavailableError(
                "header: given height is from the future: "
                f"networkHeight: {head}, requestedHeight: {height}"
            )

    def _header(self, height: int) -> JsonObject:
        return spelling.header(self._blocks.header(height))


def _row_proofs(held: Held, place: int) -> tuple[NamespaceProof, ...]:
    namespace, size = held.blobs[place].namespace, held.laid.size
    start = held.laid.starts[place]
    end = start + count_shares(held.blobs[place])
    begin = next(i for i, each in enumerate(held.laid.shares) if each.startswith(namespace)) // size
    rows = prove_namespace(held.laid, namespace).rows
    return tuple(r.proof for r in rows[start // size - begin : (end - 1) // size + 1 - begin])
