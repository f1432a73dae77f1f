"""Celestia: share commitments, receipts, namespace data; processor time on one thread.

Beside each stands what the machine cannot go below, measured in turns with it in one run: hashlib's
SHA-256 over the very messages that are hashed, and ed25519 verification as `cryptography` does it,
over as many signatures. A blob has at most 7 MiB; the line of 8 MiB is over shares that were put
together before, so the 4 ms of cutting them are not in it, as they are in the others.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.measuring import show
from provenance.envelope import PublicKey
from provenance.field import Digest
from provenance.receipt import Receipt
from storage.celestia.block import make_block, make_receipt
from storage.celestia.commit import FOR_BLOCK, Commit, Vote, sign_bytes
from storage.celestia.extended import ExtendedHeader
from storage.celestia.header import BlockId
from storage.celestia.namespace_data import NamespaceData, prove_namespace, verify_namespace
from storage.celestia.share import (
    MAX_BLOB_BYTES,
    Blob,
    commitment_of,
    roots_over,
    share_commitment,
    split,
)
from storage.celestia.square import Square, availability, lay_out
from storage.celestia.validators import Validator, ValidatorSet
from storage.celestia.verifier import CelestiaVerifier

TURNS: Final = 9
SPACE: Final = bytes(19) + b"rootline01"
VERIFIER: Final = CelestiaVerifier()
Work = Callable[[], object]


class Key:
    """The key of a self-hosted ledger."""

    private: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public_key: Final = PublicKey(private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Sign with it."""
        return self.private.sign(message)


def seconds(*works: Work) -> list[float]:
    """Return the least processor seconds of pieces of work that are done in turns."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(TURNS + 1):
        for each, work in zip(taken, works, strict=True):
            start = time.process_time()
            work()
            if turn:  # the first warms up
                each.append(time.process_time() - start)
    return [min(each) for each in taken]


def noise(size: int) -> bytes:
    """Return so many bytes, the same every time."""
    block = b"".join(sha256(bytes([n])).digest() for n in range(256))
    return (block * (size // len(block) + 1))[:size]


def hashes(namespace: bytes, shares: Sequence[bytes]) -> Work:
    """Return SHA-256 over messages as long as those under a share commitment, and as many."""
    leaves = [b"\0" + namespace + share for share in shares]
    inner = [bytes(1 + 2 * 90)] * (len(shares) - 1)
    return lambda: [sha256(message).digest() for message in (*leaves, *inner)]


def commitments() -> Iterator[tuple[object, ...]]:
    """Yield what share commitments take."""
    for size in (2**12, 2**16, 2**20, MAX_BLOB_BYTES):
        blob = Blob(SPACE, noise(size))
        yield _compared(f"{size / 2**20:.3g} MiB", partial(share_commitment, blob), split(blob))
    large = split(Blob(SPACE, noise(MAX_BLOB_BYTES)))
    rest = split(Blob(SPACE, noise(2**20 + 400)))[1:]
    shares = (*large, *rest)
    yield _compared(
        f"{len(shares) * 482 / 2**20:.3g} MiB of shares",
        lambda: commitment_of(roots_over(SPACE, shares)),
        shares,
    )


def _compared(name: str, work: Work, shares: Sequence[bytes]) -> tuple[object, ...]:
    ours, limit = seconds(work, hashes(SPACE, shares))
    return name, len(shares), 1000 * ours, 1000 * limit, f"{ours / limit:.2f}"


def signed_by(one: ExtendedHeader, count: int) -> ExtendedHeader:
    """Return a block as `count` validators of unlike power sign it."""
    keys = [
        Ed25519PrivateKey.from_private_bytes(n.to_bytes(32, "big")) for n in range(1, count + 1)
    ]
    members = [PublicKey(key.public_key().public_bytes_raw()) for key in keys]
    validators = ValidatorSet(tuple(Validator(key, 100 + n) for n, key in enumerate(members)))
    header = replace(
        one.header,
        validators=validators.hash,
        next_validators=validators.hash,
        proposer=validators.validators[0].address,
    )
    unsigned = Commit(header.height, 0, BlockId(header.hash, 1, Digest(bytes(32))), ())
    votes = []
    for key, validator in zip(keys, validators.validators, strict=True):
        vote = Vote(FOR_BLOCK, validator.address, header.time + 1, bytes(64))
        signature = key.sign(sign_bytes(header.chain, unsigned, vote))
        votes.append(replace(vote, signature=signature))
    return ExtendedHeader(
        header, validators, replace(unsigned, votes=tuple(votes)), one.availability
    )


def receipt_for(blob: Blob, validators: int) -> Receipt:
    """Return a receipt for a blob in a block with others, under so many signatures."""
    blobs = (Blob(SPACE, noise(700)), blob, Blob(SPACE, noise(5000)))
    below = make_block(None, availability(lay_out(())), "bench-1", 0, Key())
    block = make_block(below, availability(lay_out(blobs)), "bench-1", 1, Key())
    receipt = make_receipt("celestia", block.to_json(), blobs, blob)
    return replace(receipt, header=signed_by(block, validators).to_json())


def verify(receipt: Receipt) -> None:
    """Do all that an auditor does with a receipt but to find the anchor."""
    VERIFIER.verify_inclusion(receipt, VERIFIER.signed_block(receipt.header))


def read_and_verify(encoded: bytes) -> None:
    """Do so with the bytes of a receipt."""
    verify(Receipt.parse(encoded))


def receipts() -> Iterator[tuple[object, ...]]:
    """Yield what the verification of a receipt takes."""
    key = Key.private.public_key()
    message = bytes(120)
    signature = Key.private.sign(message)
    for size in (700, 2**16, 2**20):
        for validators in (1, 100):
            blob = Blob(SPACE, noise(size))
            receipt = receipt_for(blob, validators)
            hashing = hashes(SPACE, split(blob))

            def signatures(count: int = validators) -> None:
                for _ in range(count):
                    key.verify(signature, message)

            read, whole, signing, hashed = seconds(
                partial(verify, receipt),
                partial(read_and_verify, receipt.encoded),
                signatures,
                hashing,
            )
            limit = signing + hashed
            milli = [1000 * value for value in (read, whole, signing, hashed)]
            yield size, validators, *milli, f"{read / limit:.2f}"


def namespaces() -> Iterator[tuple[object, ...]]:
    """Yield what it takes to extend a square, and to prove and verify a namespace in it."""
    for size in (2**16, 2**20, 2**22, MAX_BLOB_BYTES - 2**18):
        blobs = (Blob(bytes(19) + b"another001", noise(700)), Blob(SPACE, noise(size)))
        laid = lay_out(blobs)
        yield _namespace(laid, split(blobs[1]))


def _namespace(laid: Square, shares: Sequence[bytes]) -> tuple[object, ...]:
    roots, data = availability(laid), prove_namespace(laid, SPACE)
    answer = data.to_json()
    extending, proving, reading, verifying, hashed = seconds(
        lambda: availability(laid),
        lambda: prove_namespace(laid, SPACE),
        lambda: NamespaceData.from_json(answer),
        lambda: verify_namespace(data, SPACE, roots),
        hashes(SPACE, shares),
    )
    milli = [1000 * value for value in (extending, proving, reading, verifying, hashed)]
    return laid.size, len(shares), *milli, f"{verifying / hashed:.2f}"


def main() -> None:
    """Print the tables."""
    columns = ("blob", "shares", "ms", "SHA-256 ms", "ms ÷ SHA-256")
    show("Share commitment", columns, commitments())
    names = ("blob bytes", "validators", "ms", "from bytes", "ed25519", "SHA-256", "ms ÷ limits")
    show("A receipt verified", names, receipts())
    heads = ("k", "shares", "roots ms", "prove", "read", "verify", "SHA-256", "verify ÷ SHA-256")
    show("A namespace in a square of k rows", heads, namespaces())


if __name__ == "__main__":
    main()
