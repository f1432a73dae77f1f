"""An issuer's log: signed batch headers, chained; entries under an RFC 9162 root.

A header's payload (docs/spec/log.md), signed as a DSSE envelope and posted as a blob:

    {"blob":"<SHA-256 of the entries' blob>","entries":2,"genesis":null,
     "kind":"rootline/header/v1","log":"<id>","previous":"<digest of the header before>",
     "root":"<RFC 9162 root>","sequence":4,"statement":null}

The log's id is the digest of its first header (sequence 0, `genesis` instead of entries), which
names ledger, chain, namespace and issuer key. A header carries at most one run start or run
statement in full: elsewhere an issuer could post a thousand and reveal one.

An entry is one kind byte, 1 (a full envelope) or 2 (only its digest), a 4-byte big-endian length,
and that many bytes.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provenance import canonical, envelope, rfc9162
from provenance.canonical import Fields, JsonObject
from provenance.envelope import Envelope, PublicKey, Signer
from provenance.errors import MalformedError, SignatureError, VerificationError
from provenance.field import Digest

KIND: Final = "rootline/header/v1"
PAYLOAD_TYPE: Final = "application/vnd.rootline.header.v1+json"
FULL: Final = 1
DIGEST: Final = 2
MAX_ENTRIES: Final = 2**20
MAX_ENTRY: Final = 2**22
MAX_BLOB: Final = 7 * 2**20
MAX_SEQUENCE: Final = 2**53 - 1
_END: Final = re.compile(
    rb'","payloadType":"%b","signatures":\[\{"keyid":"([0-9a-f]{64})","sig":"[^"]{88}"\}\]\}\Z'
    % re.escape(PAYLOAD_TYPE.encode())
)
_END_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the first header fixes for good: where the log is posted, and whose it is."""

    ledger: str
    chain: str
    namespace: bytes
    key: PublicKey

    @property
    def json(self) -> JsonObject:
        """The genesis as the first header holds it."""
        return {
            "ledger": self.ledger,
            "chain": self.chain,
            "namespace": self.namespace.hex(),
            "key": self.key.hex(),
        }


@dataclass(frozen=True, slots=True)
class Header:
    """One batch header. `statement` is the envelope of a run start or run statement."""

    sequence: int
    log: Digest | None
    previous: Digest | None
    entries: int
    root: Digest
    blob: Digest | None
    statement: bytes | None
    genesis: Genesis | None

    def __post_init__(self) -> None:
        """Raise MalformedError where a first header has a past, or a later one has none."""
        first = (self.log, self.previous, self.blob, self.statement) == (None,) * 4
        if self.genesis is not None and not (first and self.sequence == 0 == self.entries):
            raise MalformedError("header: the first header has sequence 0, no past and no entries")
        if self.genesis is None and (self.sequence < 1 or not self.log or not self.previous):
            raise MalformedError("header: a later header names its log and the header before")
        if (self.blob is None) != (self.entries == 0):
            raise MalformedError("header: a blob of entries is named exactly when there are some")
        if self.statement == b"":
            raise MalformedError("header: a statement that is there has bytes")
        if not self.entries and self.root != rfc9162.root([]):
            raise MalformedError("header: without entries the root is the empty tree's")

    @property
    def payload(self) -> bytes:
        """The canonical bytes that are signed."""
        statement = base64.b64encode(self.statement).decode() if self.statement else None
        return canonical.encode(
            {
                "kind": KIND,
                "sequence": self.sequence,
                "log": self.log.hex() if self.log else None,
                "previous": self.previous.hex() if self.previous else None,
                "entries": self.entries,
                "root": self.root.hex(),
                "blob": self.blob.hex() if self.blob else None,
                "statement": statement,
                "genesis": self.genesis.json if self.genesis else None,
            }
        )

    @property
    def digest(self) -> Digest:
        """SHA-256 of the payload; the signature is not part of it."""
        return canonical.digest(self.payload)

    @property
    def log_id(self) -> Digest:
        """The id of the log it belongs to: the first header's own digest."""
        return self.log or self.digest

    @classmethod
    def parse(cls, payload: bytes) -> "Header":
        """Return the header that a verified `payload` writes, or raise MalformedError."""
        fields = Fields.parse(payload, KIND, limit=MAX_BLOB)
        header = cls(
            sequence=fields.integer("sequence", 0, MAX_SEQUENCE),
            log=fields.optional("log", fields.digest),
            previous=fields.optional("previous", fields.digest),
            entries=fields.integer("entries", 0, MAX_ENTRIES),
            root=fields.digest("root"),
            blob=fields.optional("blob", fields.digest),
            statement=fields.optional("statement", lambda name: _base64(fields, name)),
            genesis=fields.optional("genesis", lambda name: _genesis(fields.inner(name))),
        )
        fields.done()
        return header


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """A header whose signature was verified, with the envelope bytes that were posted.

    `digest` is the header's own, of the payload that was signed.
    """

    header: Header
    envelope: bytes
    key: PublicKey
    digest: Digest


@dataclass(frozen=True, slots=True)
class Batch:
    """What is posted in one submission: a header, and the entries' blob if there are entries."""

    header: Header
    envelope: bytes
    entries: bytes


def open_log(genesis: Genesis, signer: Signer) -> Batch:
    """Return the first batch of a log, which fixes where it is posted and whose it is."""
    header = Header(0, None, None, 0, rfc9162.root([]), None, None, genesis)
    return Batch(header, _seal(header, signer), b"")


def append(
    head: Header, entries: Sequence[bytes], statement: bytes | None, signer: Signer
) -> Batch:
    """Return the batch that follows `head`.

    Args:
        head: The log's newest header.
        entries: Encoded entries, from `full_entry` or `digest_entry`.
        statement: Envelope bytes of at most one run start or run statement.
        signer: The log's key.
    """
    blob = b"".join(entries)
    header = Header(
        sequence=head.sequence + 1,
        log=head.log_id,
        previous=head.digest,
        entries=len(entries),
        root=rfc9162.root([rfc9162.leaf_hash(entry) for entry in entries]),
        blob=canonical.digest(blob) if entries else None,
        statement=statement,
        genesis=None,
    )
    return Batch(header, _seal(header, signer), blob)


def full_entry(data: bytes) -> bytes:
    """Return an entry that publishes the envelope `data` itself."""
    return bytes([FULL]) + len(data).to_bytes(4, "big") + data


def digest_entry(data: bytes) -> bytes:
    """Return an entry that publishes only the digest of the envelope `data`."""
    return bytes([DIGEST]) + (32).to_bytes(4, "big") + canonical.digest(data)


def split_entries(blob: bytes) -> tuple[bytes, ...]:
    """Return the encoded entries of a blob.

    Raises:
        MalformedError: An unknown kind, a length that does not fit, or bytes left over.
    """
    entries: list[bytes] = []
    position = 0
    while position < len(blob):
        size = int.from_bytes(blob[position + 1 : position + 5], "big")
        entry = blob[position : position + 5 + size]
        if len(entry) < 5 or len(entry) != 5 + size or size > MAX_ENTRY:
            raise MalformedError(f"entries: the entry at byte {position} is cut short or too long")
        if entry[0] != FULL and (entry[0] != DIGEST or size != 32):
            raise MalformedError(f"entries: the entry at byte {position} has an unknown kind")
        if len(entries) == MAX_ENTRIES:
            raise MalformedError(f"entries: more than {MAX_ENTRIES}")
        entries.append(entry)
        position += len(entry)
    return tuple(entries)


def verify_entries(header: Header, blob: bytes) -> tuple[bytes, ...]:
    """Return the entries of `blob` once digest, count and root are those of `header`.

    Raises:
        VerificationError: The blob is not the one that the header names.
    """
    if canonical.digest(blob) != header.blob:
        raise VerificationError(
            f"batch {header.sequence}: another blob of entries than its header's"
        )
    entries = split_entries(blob)
    if len(entries) != header.entries:
        raise VerificationError(
            f"batch {header.sequence}: {len(entries)} entries, not {header.entries}"
        )
    root = rfc9162.root([rfc9162.leaf_hash(entry) for entry in entries])
    if root != header.root:
        raise VerificationError(
            f"batch {header.sequence}: the entries do not give the header's root"
        )
    return entries


def verify_header(data: bytes, trusted: Sequence[PublicKey]) -> SealedHeader:
    """Return the header in the envelope bytes `data`, signed by one of `trusted`.

    Raises:
        MalformedError: Envelope or header is not in its one form.
        SignatureError: Signed by none of `trusted`, or a first header not by the key it names.
    """
    sealed: Envelope = envelope.parse(data)
    payload, key = envelope.verified_payload(sealed, PAYLOAD_TYPE, trusted)
    header = Header.parse(payload)
    if header.genesis is not None and header.genesis.key != key:
        raise SignatureError("the first header is not signed by the key that it names")
    return SealedHeader(header, data, key, canonical.digest(payload))


def key_named(data: bytes) -> str | None:
    """Return the key id that a header's envelope names at its end, or None if it is none.

    A hint that costs nothing, so that what strangers post need not be decoded; nothing is verified.
    """
    found = _END.search(data[-_END_BYTES:])
    return found[1].decode() if found else None


def _seal(header: Header, signer: Signer) -> bytes:
    return envelope.seal(PAYLOAD_TYPE, header.payload, signer).encoded


def _genesis(fields: Fields) -> Genesis:
    genesis = Genesis(
        ledger=fields.name("ledger"),
        chain=fields.text("chain", most=50),
        namespace=fields.hexed("namespace", 29),
        key=PublicKey(fields.hexed("key", 32)),
    )
    fields.done()
    return genesis


def _base64(fields: Fields, name: str) -> bytes:
    text = fields.text(name, most=MAX_BLOB)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise fields.error(name, "base64") from error
    if base64.b64encode(data).decode() != text:
        raise fields.error(name, "base64 without slack")
    return data
