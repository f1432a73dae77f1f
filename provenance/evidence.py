"""All an auditor needs, in one file: a ZIP archive in which nothing is left to chance.

Members are stored without compression, in order of their paths, with fixed dates; a file that
differs from what this module would write is refused, so there is one spelling, no path outside, no
hidden byte and nothing that grows when it is unpacked. `manifest.json` is a signed list of the
members. docs/spec/evidence.md lists the paths:

    manifest.json                     DSSE envelope by the issuer: path, size, SHA-256 of each member
    attestations/<digest>.json        DSSE envelopes
    log/<sequence>.json               batch headers' envelopes, from the first to the head
    entries/<sequence>.bin            a batch's blob of entries
    paths/<attestation>.json          an entry's RFC 9162 path, where its blob is not carried
    receipts/<sequence>.json          where a header was published
    blocks.json                       block headers that link the receipts to an anchor
    checkpoints/<digest>.json         monitors' checkpoints
    tables/<commitment>.json          chunk table of a dataset or a transcript
    openings/<digest>.json            records shown in the clear
    exclusions/<digest>.json          proofs of absence or presence in an index
    steps/<run>.json                  challenged steps of a run
    proofs/<digest>.json              zero-knowledge proofs
    circuits/<digest>.bin             settings, verifying keys and SRS cuts
"""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from provenance import canonical, envelope
from provenance.canonical import Fields
from provenance.envelope import PublicKey, Signer
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest

KIND: Final = "rootline/manifest/v1"
PAYLOAD_TYPE: Final = "application/vnd.rootline.manifest.v1+json"
MANIFEST: Final = "manifest.json"
MAX_BUNDLE: Final = 2**29
MAX_MEMBERS: Final = 2**16
_HEX: Final = r"[0-9a-f]{64}"
_PATH: Final = re.compile(
    rf"blocks\.json|(log|receipts)/[0-9]{{10}}\.json|entries/[0-9]{{10}}\.bin|circuits/{_HEX}\.bin|"
    rf"(attestations|paths|checkpoints|tables|openings|exclusions|steps|proofs)/{_HEX}\.json"
)
_DATE: Final = (1980, 1, 1, 0, 0, 0)


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
        for item in fields.objects("members", MAX_MEMBERS):
            path = item.text("path", most=128)
            members[path] = (item.integer("bytes", 0, MAX_BUNDLE), item.digest("sha256"))
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
    listed = {path: (len(data), canonical.digest(data)) for path, data in members.items()}
    manifest = Manifest(signer.public_key.key_id, log, listed)
    sealed = envelope.seal(PAYLOAD_TYPE, manifest.payload, signer).encoded
    data = _write({MANIFEST: sealed, **members})
    read(data)
    return data


def read(data: bytes) -> Bundle:
    """Return the members of a bundle file.

    Raises:
        MalformedError: Not a ZIP archive, too large, compressed, a path that no bundle has, a
            member twice, or any byte that this module would not have written.
    """
    if len(data) > MAX_BUNDLE:
        raise MalformedError(f"a bundle of {len(data)} bytes; at most {MAX_BUNDLE} are read")
    members = _unzip(data)
    manifest = members.pop(MANIFEST, None)
    if manifest is None:
        raise MalformedError("the bundle has no manifest.json")
    for path in members:
        if not _PATH.fullmatch(path):
            raise MalformedError(f"the bundle has a member {path[:128]!r}, which no bundle has")
    if _write({MANIFEST: manifest, **members}) != data:
        raise MalformedError("the bundle is not in its one form: members out of order, or slack")
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


def _write(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in sorted(members.items()):
            info = zipfile.ZipInfo(path, date_time=_DATE)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _unzip(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_sizes(infos, len(data))
            return {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise MalformedError(f"not a bundle, or a truncated one: {error}") from error


def _check_sizes(infos: list[zipfile.ZipInfo], size: int) -> None:
    if len(infos) > MAX_MEMBERS or len({info.filename for info in infos}) != len(infos):
        raise MalformedError(f"a bundle has at most {MAX_MEMBERS} members, each once")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise MalformedError("a bundle's members are stored, never compressed")
    if sum(info.file_size for info in infos) > size:
        raise MalformedError("the bundle's members claim more bytes than the file has")
