"""What a ledger must do, and the one in memory.

Whatever the ledger, blobs go in together and come out with a receipt, and the receipt's evidence
passes through the same verifier.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import count
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from provenance.canonical import JsonObject
from provenance.envelope import PublicKey, Signer
from provenance.errors import UnavailableError
from provenance.receipt import Receipt
from storage.celestia.availability import DataAvailabilityHeader
from storage.celestia.block import distinct, heights, make_block, make_receipt
from storage.celestia.extended import ExtendedHeader
from storage.celestia.share import Blob
from storage.celestia.square import availability, lay_out

FIRST_TIME: Final = 1_700_000_000 * 10**9


class OutcomeUnknownError(UnavailableError):
    """A submission may have been taken, or may still be: look for it before posting again."""


class Ledger(Protocol):
    """Takes blobs, keeps them in blocks, and proves it.

    Every method may raise UnavailableError: there is no such block yet, or the ledger cannot be
    reached or is locked.
    """

    @property
    def kind(self) -> str:
        """What receipts call the ledger: `memory`, `embedded`, `celestia`."""
        ...

    @property
    def chain(self) -> str:
        """The chain id."""
        ...

    @property
    def first(self) -> int:
        """The lowest height that can be asked for: 1, or the block that a home's log starts at."""
        ...

    @property
    def margin(self) -> int:
        """Blocks from the head within which a submission that begins now surely lands."""
        ...

    @property
    def patience(self) -> int:
        """Blocks for which a submission whose answer was lost may still land; 0: it never does."""
        ...

    def head(self) -> int:
        """Return the height of the newest block."""
        ...

    def reach(self, height: int) -> None:
        """Return once there is a block `height`; a self-hosted ledger makes it."""
        ...

    def submit(self, blobs: Sequence[Blob]) -> int:
        """Return the height of the one block that holds all `blobs`.

        On a self-hosted ledger the same blobs again give the same height, and nothing stands there
        twice; elsewhere each submission lands, so `find` comes first.

        Raises:
            MalformedError: No blobs, or more than a block can hold.
            OutcomeUnknownError: The answer was lost; the blobs may stand on the ledger, or land
                within `patience` blocks.
        """
        ...

    def find(self, blobs: Sequence[Blob], since: int) -> int | None:
        """Return the least height above `since` whose one block holds all `blobs`, or None."""
        ...

    def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:
        """Return all blobs of one block under `namespace`, in order.

        A ledger that is asked over a network shows that they are all: nothing is taken on trust.

        Raises:
            VerificationError: What the ledger answered is not proved by the block.
        """
        ...

    def told(self, first: int, last: int, namespace: bytes) -> Iterator[tuple[int, Blob]]:
        """Give the blobs of a namespace in the blocks `first` to `last` with their heights.

        Fast, and the ledger's word alone: a warning, never evidence. Blocks that it has no longer
        are passed over.
        """
        ...

    def receipt(self, height: int, blob: Blob) -> Receipt:
        """Return the receipt that proves that `blob` stands in the block at `height`.

        Raises:
            MalformedError: The block does not hold it, or its share version is not 0.
        """
        ...

    def header(self, height: int) -> JsonObject:
        """Return the extended header of one block."""
        ...

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:
        """Return the plain headers of the blocks `first` to `last`, which link by hash."""
        ...


class MemoryLedger:
    """A ledger in memory, for tests: same blocks, same evidence, gone with the process."""

    kind: Final = "memory"
    first: Final = 1
    margin: Final = 3
    patience: Final = 0

    def __init__(
        self,
        chain: str,
        signer: Signer | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """Make the chain with an empty block 1.

        Args:
            chain: Chain id.
            signer: The key that signs blocks; by default one that follows from the chain id, so
                that runs repeat exactly and nobody mistakes the ledger for a real one.
            clock: Nanoseconds since 1970, UTC; by default a second later at each call.
        """
        self.chain = chain
        self._signer = signer or _ChainKey(chain)
        self._clock = clock or count(FIRST_TIME, 10**9).__next__
        self._blocks: list[tuple[ExtendedHeader, tuple[Blob, ...]]] = []
        self.advance()

    def head(self) -> int:
        """Return the height of the newest block."""
        return len(self._blocks)

    def submit(self, blobs: Sequence[Blob]) -> int:
        """Return the height of a block that holds all `blobs`, a new one if there is none."""
        blobs = distinct(blobs)
        for height, (_, held) in enumerate(self._blocks, 1):
            if set(blobs) <= set(held):
                return height
        return self._append(blobs, availability(lay_out(blobs)))

    def advance(self) -> int:
        """Append an empty block and return its height; a later block can serve as a seed."""
        return self._append((), availability(lay_out(())))

    def reach(self, height: int) -> None:
        """Append empty blocks until there is a block `height`."""
        while self.head() < height:
            self.advance()

    def find(self, blobs: Sequence[Blob], since: int) -> int | None:
        """Return the least height above `since` whose block holds all `blobs`, or None."""
        held = enumerate((set(held) for _, held in self._blocks[since:]), since + 1)
        return next((height for height, these in held if set(blobs) <= these), None)

    def blobs(self, height: int, namespace: bytes) -> tuple[Blob, ...]:
        """Return the blobs of one block under `namespace`, in order."""
        return tuple(blob for blob in self._at(height)[1] if blob.namespace == namespace)

    def told(self, first: int, last: int, namespace: bytes) -> Iterator[tuple[int, Blob]]:
        """Give the blobs of a namespace in the blocks `first` to `last` with their heights."""
        for height in range(first, last + 1):
            yield from ((height, blob) for blob in self.blobs(height, namespace))

    def receipt(self, height: int, blob: Blob) -> Receipt:
        """Return the receipt that proves that `blob` stands in the block at `height`."""
        return make_receipt(self.kind, self.header(height), self._at(height)[1], blob)

    def header(self, height: int) -> JsonObject:
        """Return the extended header of one block."""
        return self._at(height)[0].to_json()

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:
        """Return the plain headers of the blocks `first` to `last`."""
        return tuple(self._at(height)[0].header.to_json() for height in heights(first, last))

    def _append(self, blobs: tuple[Blob, ...], roots: DataAvailabilityHeader) -> int:
        previous = self._blocks[-1][0] if self._blocks else None
        block = make_block(previous, roots, self.chain, self._clock(), self._signer)
        self._blocks.append((block, blobs))
        return block.header.height

    def _at(self, height: int) -> tuple[ExtendedHeader, tuple[Blob, ...]]:
        if not 1 <= height <= len(self._blocks):
            raise UnavailableError(f"there is no block {height}; the newest is {self.head()}")
        return self._blocks[height - 1]


class _ChainKey:
    """A key that anybody can make from the chain id."""

    def __init__(self, chain: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(sha256(chain.encode()).digest())

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)
