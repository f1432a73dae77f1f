"""The module `blob` of a node: post blobs, fetch them, and fetch their proofs.

Source: celestia-node v0.31.4, nodebuilder/blob/blob.go, blob/blob.go, blob/service.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.receipt import MAX_HEIGHT
from storage.celestia.answers import normalise_proof
from storage.celestia.availability import MAX_SQUARE
from storage.celestia.client.call import MIB, Call
from storage.celestia.client.options import TxOptions
from storage.celestia.client.ranges import Range, read_ranges
from storage.celestia.client.reading import boolean, integer, items, member, octets, text
from storage.celestia.fields import base, bases
from storage.celestia.nmt import NAMESPACE_BYTES
from storage.celestia.share import MAX_BLOB_BYTES, SIGNER_BYTES, Blob, share_commitment

SUBMISSION_SECONDS: Final = 300.0
"""As long as a node works on one call; it waits for the block, some twelve seconds."""
_MAX_BLOBS: Final = MAX_SQUARE**2
_MAX_TEXT: Final = -(-MAX_BLOB_BYTES // 3) * 4
_MAX_INDEX: Final = 4 * MAX_SQUARE**2 - 1


@dataclass(frozen=True, slots=True)
class Found:
    """A blob as a node tells of it: `commitment` and `index` are the node's word.

    `index` counts shares in the extended square, row by row of 2k; -1 says nothing.
    """

    blob: Blob
    commitment: Digest
    index: int


def blob_submit(blobs: Sequence[Blob], options: TxOptions) -> Call[int]:
    """Ask to put all `blobs` into one block; the answer is its height."""
    return Call(
        "blob.Submit",
        ([_blob_json(blob) for blob in blobs], options.to_json()),
        lambda answer: integer(answer, "height", 1, MAX_HEIGHT),
        seconds=SUBMISSION_SECONDS,
        writes=True,
    )


def blob_get(height: int, namespace: bytes, commitment: bytes) -> Call[Found]:
    """Ask for the blob with that commitment; the answer holds that blob and no other."""

    def read(answer: Json) -> Found:
        found = _read_found(answer)
        # The commitment covers the namespace too.
        if found is None or share_commitment(found.blob) != commitment:
            raise MalformedError("the node answers with another blob than the one asked for")
        return found

    return Call("blob.Get", _place(height, namespace, commitment), read, most=16 * MIB)


def blob_get_all(height: int, namespaces: Sequence[bytes]) -> Call[tuple[Found, ...]]:
    """Ask for the blobs of a block under `namespaces`; that they are all is the node's word.

    Strangers may post what no `Blob` can be, larger or of another share version: passed over.
    """

    def read(answer: Json) -> tuple[Found, ...]:
        told = items(answer, "blobs", _MAX_BLOBS)
        found = tuple(each for each in map(_read_found, told) if each is not None)
        if any(each.blob.namespace not in namespaces for each in found):
            raise MalformedError("the node answers with another namespace")
        return found

    return Call("blob.GetAll", (height, bases(namespaces)), read, seconds=60, most=256 * MIB)


def blob_get_proof(height: int, namespace: bytes, commitment: bytes) -> Call[tuple[Range, ...]]:
    """Ask for the range proofs of the namespace's rows that hold the blob; up to row roots only."""
    return Call("blob.GetProof", _place(height, namespace, commitment), read_ranges)


def blob_included(
    height: int, namespace: bytes, proof: Sequence[Range], commitment: bytes
) -> Call[bool]:
    """Ask whether the node finds the blob and the same proof: its word, which proves nothing."""
    ranges: list[Json] = [each.to_json() for each in proof]
    params = (height, base(namespace), ranges, base(commitment))
    return Call("blob.Included", params, boolean)


def blob_get_commitment_proof(height: int, namespace: bytes, commitment: bytes) -> Call[JsonObject]:
    """Ask for the commitment proof, which comes in evidence spelling."""
    place = _place(height, namespace, commitment)
    return Call("blob.GetCommitmentProof", place, normalise_proof, seconds=60)


def _place(height: int, namespace: bytes, commitment: bytes) -> tuple[Json, ...]:
    return (height, base(namespace), base(commitment))


def _blob_json(blob: Blob) -> JsonObject:
    members: JsonObject = {
        "namespace": base(blob.namespace),
        "data": base(blob.data),
        "share_version": blob.version,
        "commitment": base(share_commitment(blob)),
        "index": -1,
    }
    # An empty signer is one too many for version 0.
    return {**members, "signer": base(blob.signer)} if blob.version else members


def _read_found(answer: Json) -> Found | None:
    """Return the blob, or None for one that is well formed but no `Blob`."""
    fields = Fields.of(answer, "blob")
    namespace = octets(fields.take("namespace"), "namespace", NAMESPACE_BYTES, NAMESPACE_BYTES)
    data = text(fields.take("data"), "data", most=2**32)
    commitment = Digest(octets(fields.take("commitment"), "commitment", 32, 32))
    version = member(fields, "share_version", 0, 127)
    index = member(fields, "index", -1, _MAX_INDEX)
    signer = octets(fields.members.get("signer") or "", "signer", 0, SIGNER_BYTES)
    if version > 1 or len(data) > _MAX_TEXT:
        return None
    content = octets(data, "data", 1, MAX_BLOB_BYTES + 2)
    if len(content) > MAX_BLOB_BYTES:
        return None
    return Found(Blob(namespace, content, version, signer), commitment, index)
