"""A block header and its hash: the RFC 9162 root over fourteen fields.

    {"app_hash":"","chain_id":"embedded-0f…","consensus_hash":"E3B0…","data_hash":"3D96…",
     "evidence_hash":"E3B0…","height":"7",
     "last_block_id":{"hash":"52A1…","parts":{"hash":"9C07…","total":"1"}},
     "last_commit_hash":"63BF…","last_results_hash":"E3B0…","next_validators_hash":"64AE…",
     "proposer_address":"F1F8…","time":"2026-11-24T06:28:50.000000001Z","validators_hash":"64AE…",
     "version":{"app":"0","block":"11"}}

Source: celestiaorg/celestia-core v0.40.8, types/block.go (Header.Hash).
"""

from dataclasses import dataclass
from typing import Final

from provenance import rfc9162
from provenance.canonical import Fields, Json, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest
from provenance.receipt import MAX_HEIGHT, Block
from storage.celestia import wire
from storage.celestia.fields import decimal, hexed, upper

BLOCK_PROTOCOL: Final = 11
ADDRESS_BYTES: Final = 20
MAX_PARTS: Final = 2**20
MAX_APP: Final = 2**32
MAX_CHAIN_ID: Final = 50


@dataclass(frozen=True, slots=True)
class BlockId:
    """A block's hash, and of the parts it was gossiped in how many there were and their root."""

    hash: Digest
    total: int
    parts: Digest

    @classmethod
    def from_fields(cls, fields: Fields) -> "BlockId | None":
        """Return the block id, or None for the empty one before the first block."""
        inner = fields.inner("parts")
        name, total = hexed(fields, "hash", 0, 32), decimal(inner, "total", 0, MAX_PARTS)
        parts = hexed(inner, "hash", 0, 32)
        inner.done()
        fields.done()
        if not name and not total and not parts:
            return None
        if not name or not total or not parts:
            raise MalformedError(f"{fields.where}: neither a whole block id nor the empty one")
        return cls(Digest(name), total, Digest(parts))

    def to_json(self) -> JsonObject:
        """The block id as evidence writes it."""
        parts: JsonObject = {"total": str(self.total), "hash": upper(self.parts)}
        return {"hash": upper(self.hash), "parts": parts}

    @property
    def encoded(self) -> bytes:
        """The block id as a protobuf message."""
        parts = wire.integer(1, self.total) + wire.octets(2, self.parts)
        return wire.octets(1, self.hash) + wire.message(2, parts)


_NO_BLOCK: Final = wire.message(2, b"")
_EMPTY_ID: Final[JsonObject] = {"hash": "", "parts": {"total": "0", "hash": ""}}


@dataclass(frozen=True, slots=True)
class Header:
    """The fourteen fields of a block header; `time` is in nanoseconds since 1970, UTC."""

    app_version: int
    chain: str
    height: int
    time: int
    previous: BlockId | None
    last_commit: bytes
    data_root: Digest
    validators: Digest
    next_validators: Digest
    consensus: bytes
    app: bytes
    last_results: bytes
    evidence: bytes
    proposer: bytes

    def __post_init__(self) -> None:
        """Refuse a first block with a predecessor, and any other without."""
        if (self.previous is None) != (self.height == 1):
            raise MalformedError(f"header {self.height}: only block 1 has no previous block")

    @classmethod
    def from_json(cls, value: Json) -> "Header":
        """Return the header that `value` writes, or raise MalformedError."""
        fields = Fields.of(value, "header")
        header = cls(
            app_version=_version(fields.inner("version")),
            chain=_chain(fields),
            height=decimal(fields, "height", 1, MAX_HEIGHT),
            time=wire.parse_time(fields.text("time", most=40)),
            previous=BlockId.from_fields(fields.inner("last_block_id")),
            last_commit=hexed(fields, "last_commit_hash", 0, 32),
            data_root=Digest(hexed(fields, "data_hash", 32)),
            validators=Digest(hexed(fields, "validators_hash", 32)),
            next_validators=Digest(hexed(fields, "next_validators_hash", 32)),
            consensus=hexed(fields, "consensus_hash", 0, 32),
            app=hexed(fields, "app_hash", 0, 32),
            last_results=hexed(fields, "last_results_hash", 0, 32),
            evidence=hexed(fields, "evidence_hash", 0, 32),
            proposer=hexed(fields, "proposer_address", ADDRESS_BYTES),
        )
        fields.done()
        return header

    def to_json(self) -> JsonObject:
        """The header as evidence writes it."""
        return {
            "version": {"block": str(BLOCK_PROTOCOL), "app": str(self.app_version)},
            "chain_id": self.chain,
            "height": str(self.height),
            "time": wire.format_time(self.time),
            "last_block_id": self.previous.to_json() if self.previous else _EMPTY_ID,
            "last_commit_hash": upper(self.last_commit),
            "data_hash": upper(self.data_root),
            "validators_hash": upper(self.validators),
            "next_validators_hash": upper(self.next_validators),
            "consensus_hash": upper(self.consensus),
            "app_hash": upper(self.app),
            "last_results_hash": upper(self.last_results),
            "evidence_hash": upper(self.evidence),
            "proposer_address": upper(self.proposer),
        }

    @property
    def hash(self) -> Digest:
        """The hash that names the block."""
        roots = (self.last_commit, self.data_root, self.validators, self.next_validators)
        rest = (self.consensus, self.app, self.last_results, self.evidence, self.proposer)
        entries = [
            wire.integer(1, BLOCK_PROTOCOL) + wire.integer(2, self.app_version),
            wire.octets(1, self.chain.encode()),
            wire.integer(1, self.height),
            wire.timestamp(self.time),
            self.previous.encoded if self.previous else _NO_BLOCK,
            *(wire.octets(1, value) for value in (*roots, *rest)),
        ]
        return rfc9162.root([rfc9162.leaf_hash(entry) for entry in entries])

    @property
    def block(self) -> Block:
        """What the header says, under its hash."""
        return Block(
            chain=self.chain,
            height=self.height,
            hash=self.hash,
            previous=self.previous.hash if self.previous else None,
            time=self.time,
            data_root=self.data_root,
            validators=self.validators,
            next_validators=self.next_validators,
            proposer=self.proposer,
        )


def _chain(fields: Fields) -> str:
    chain = fields.text("chain_id", most=MAX_CHAIN_ID)
    if not chain or not chain.isascii() or not chain.isprintable():
        raise fields.error("chain_id", f"1 to {MAX_CHAIN_ID} printable ASCII characters")
    return chain


def _version(fields: Fields) -> int:
    decimal(fields, "block", BLOCK_PROTOCOL, BLOCK_PROTOCOL)
    app = decimal(fields, "app", 0, MAX_APP)
    fields.done()
    return app
