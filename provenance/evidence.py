"""All an auditor needs, in one file: an archive whose list of members is signed.

The file is a ZIP archive in its one spelling (provenance/archive.py); `manifest.json` is the signed
list of its members, and no other paths than these exist (docs/spec/evidence.md):

    manifest.json                     DSSE envelope by the issuer: path, size, SHA-256 of each
    attestations/<digest>.json        DSSE envelopes
    log/<sequence>.json               batch headers' envelopes, from the first to the head
    entries/<sequence>.bin            a batch's blob of entries
    paths/<attestation>.json          an entry's RFC 9162 path, where its blob is not carried
    receipts/<sequence>.json          where a header was published
    blocks.json                       block headers that link the receipts to an anchor
    checkpoints/<digest>.json         monitors' checkpoints
    certificates/<digest>.json        what other data-availability layers answered, not verified
    tables/<commitment>.json          chunk table of a dataset or a transcript
    openings/<digest>.json            records shown in the clear
    exclusions/<digest>.json          proofs of absence or presence in an index
    differences/<digest>.json         which leaves went and came between two versions
    steps/<run>.json                  challenged steps of a run
    proofs/<digest>.json              zero-knowledge proofs
    claims/<claim>.json               steps and feature commitments that proofs are about
    values/<claim>.json               the values in the clear whose keys are claimed to be absent
    functions/<digest>.onnx           functions that properties are about
    circuits/<digest>.bin             settings, verifying keys and SRS cuts
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from provenance import archive, canonical, envelope
from provenance.canonical import Fields
from provenance.envelope import PublicKey, Signer
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest

KIND: Final = "rootline/manifest/v1"
PAYLOAD_TYPE: Final = "application/vnd.rootline.manifest.v1+json"
MANIFEST: Final = "manifest.json"
_HEX: Final = r"[0-9a-f]{64}"
_PATH: Final = re.compile(
    rf"blocks\.json|(log|receipts)/[0-9]{{10}}\.json|entries/[0-9]{{10}}\.bin|circuits/{_HEX}\.bin|"
    rf"functions/{_HEX}\.onnx|(attestations|paths|checkpoints|certificates|tables|openings|"
    rf"exclusions|differences|steps|proofs|claims|values)/{_HEX}\.json"
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The list of a bundle's members, as its issuer signed it."""

    issuer: str
    log: Digest
    members: Mapping[str, tuple[int, Digest]]

    @property
    def payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical.encode(
            {
                "kind": KIND,
                "issuer": self.issuer,
                "log": self.log.hex(),
                "members": [
                    {"path": path, "bytes": size, "sha256": digest.hex()}
                    for path, (size, digest) in sorted(self.members.items())
                ],
            }
        )

    @classmethod
    def parse(cls, payload: bytes) -> "Manifest":
        """Return the manifest that a verified `payload` writes, or raise MalformedError."""
        fields = Fields.parse(payload, KIND)
        issuer, log = fields.digest("issuer").hex(), fields.digest("log")
        members: dict[str, tuple[int, Digest]] = {}
        for item in fields.objects("members", archive.MAX_MEMBERS):
            path = item.text("path", most=128)
            members[path] = (item.integer("bytes", 0, archive.MAX_ARCHIVE), item.digest("sha256"))
            item.done()
        fields.done()
        manifest = cls(issuer, log, members)
        if manifest.payload != payload:
            raise MalformedError("manifest: members out of order or listed twice")
        return manifest


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's members by path, the manifest left out; nothing in them is verified yet."""

    manifest: bytes
    members: Mapping[str, bytes]

    def under(self, folder: str) -> dict[str, bytes]:
        """Return the members of one folder by their names without folder and ending."""
        prefix = folder + "/"
        return {
            path[len(prefix) :].partition(".")[0]: data
            for path, data in sorted(self.members.items())
            if path.startswith(prefix)
        }


def seal(members: Mapping[str, bytes], log: Digest, signer: Signer) -> bytes:
    """Return the bundle file that holds `members`, its list signed by `signer`.

    Raises:
        MalformedError: A path that no bundle has, or too much of something.
    """
    _check_paths(members)
    listed = {path: (len(data), canonical.digest(data)) for path, data in members.items()}
    manifest = Manifest(signer.public_key.key_id, log, listed)
    sealed = envelope.seal(PAYLOAD_TYPE, manifest.payload, signer).encoded
    return archive.write({MANIFEST: sealed, **members})


def read(data: bytes) -> Bundle:
    """Return the members of a bundle file.

    Raises:
        MalformedError: No archive in its one form, no manifest, or a path that no bundle has.
    """
    members = archive.read(data)
    manifest = members.pop(MANIFEST, None)
    if manifest is None:
        raise MalformedError("the bundle has no manifest.json")
    _check_paths(members)
    return Bundle(manifest, members)


def verify_manifest(bundle: Bundle, trusted: tuple[PublicKey, ...]) -> Manifest:
    """Return the manifest once a trusted key signed it and every member is as it lists.

    Raises:
        MalformedError: The manifest is not in its one form.
        SignatureError: Signed by none of `trusted`.
        VerificationError: A member is missing, surplus or changed, or the issuer is another.
    """
    sealed = envelope.parse(bundle.manifest)
    payload, key = envelope.verified_payload(sealed, PAYLOAD_TYPE, trusted)
    manifest = Manifest.parse(payload)
    if manifest.issuer != key.key_id:
        raise VerificationError("manifest: it names another issuer than the key that signed it")
    listed, present = set(manifest.members), set(bundle.members)
    for path in sorted(listed ^ present):
        state = "missing" if path in listed else "not in the signed list"
        raise VerificationError(f"manifest: member {path} is {state}")
    for path, (size, digest) in manifest.members.items():
        member = bundle.members[path]
        if len(member) != size or canonical.digest(member) != digest:
            raise VerificationError(f"manifest: member {path} is not the one that was signed")
    return manifest


def _check_paths(members: Iterable[str]) -> None:
    for path in members:
        if not _PATH.fullmatch(path):
            raise MalformedError(f"the bundle has a member {path!r}, which no bundle has")
