"""Dataset commitment: what an issuer says about one version of a dataset.

The commitment is canonical JSON of kind rootline/dataset/v1 (docs/spec/dataset.md); its digest is
the name by which runs, proofs and later versions refer to it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from provenance import canonical
from provenance.canonical import Fields, Json, JsonObject
from provenance.chunk import CHUNK
from provenance.errors import MalformedError
from provenance.exclusion import NORMALISERS, IndexEntry
from provenance.exclusion_key import check_field
from provenance.features import FeatureSpec
from provenance.field import Digest, FieldElement
from provenance.schema import Bool, Decimal, Float32, Float64, Int, Schema, UInt
from provenance.tree import top_depth

KIND: Final = "rootline/dataset/v1"
SOURCES_KIND: Final = "rootline/sources/v1"
ORDERS: Final = ("natural/1", "given")
MAX_CHUNKS: Final = 2**18
MAX_FACTS: Final = 256
MAX_FACT: Final = 4096
MAX_INDEXES: Final = 32
MAX_FILES: Final = 2**20
MAX_SIZE: Final = 2**63 - 1
NUMERIC: Final = (Bool, Int, UInt, Float32, Float64, Decimal)
"""Logical types that become features."""


@dataclass(frozen=True, slots=True)
class DatasetCommitment:
    """One version of a dataset; a wrong one cannot be made."""

    issuer: str
    log: Digest
    name: str
    version: str
    schema: Schema
    features: FeatureSpec | None
    order: str
    root: FieldElement
    chunks: int
    records: int
    indexes: tuple[IndexEntry, ...]
    sources: Digest
    previous: Digest | None
    facts: Mapping[str, str]
    size_bytes: int | None = None

    def __post_init__(self) -> None:
        """Raise MalformedError where the parts contradict each other."""
        Digest.parse(self.issuer)
        if not (canonical.is_name(self.name) and canonical.is_name(self.version)):
            raise MalformedError(f"dataset: {self.name!r} and {self.version!r} must be names")
        if self.order not in ORDERS:
            raise MalformedError(f"dataset: unknown order {self.order!r}")
        if not 1 <= self.chunks <= MAX_CHUNKS:
            raise MalformedError(f"dataset: {self.chunks} chunks; 1 to {MAX_CHUNKS} are possible")
        if not self.chunks <= self.records <= self.chunks * CHUNK:
            raise MalformedError(f"dataset: {self.records} records do not fit {self.chunks} chunks")
        if self.root == 0:
            raise MalformedError("dataset: the record root is zero")
        if self.size_bytes is not None and not 0 <= self.size_bytes <= MAX_SIZE:
            raise MalformedError(f"dataset: {self.size_bytes} bytes; 0 to {MAX_SIZE} are possible")
        _check_features(self.features, self.schema)
        _check_indexes(self.indexes, self.schema, self.records)
        _check_facts(self.facts)

    @property
    def label(self) -> str:
        """The name under which people know it: name@version."""
        return f"{self.name}@{self.version}"

    @property
    def depth(self) -> int:
        """Depth of the top tree over the chunks."""
        return top_depth(self.chunks)

    @property
    def json(self) -> JsonObject:
        """The commitment as the object that is signed."""
        return {
            "kind": KIND,
            "issuer": self.issuer,
            "log": self.log.hex(),
            "name": self.name,
            "version": self.version,
            "schema": self.schema.to_json(),
            "leaf": "features" if self.features else "plain",
            "features": self.features.to_json() if self.features else None,
            "order": self.order,
            "root": self.root.hex,
            "chunks": self.chunks,
            "records": canonical.integer(self.records),
            "indexes": [index.to_json() for index in self.indexes],
            "sources": self.sources.hex(),
            "previous": self.previous.hex() if self.previous else None,
            "facts": dict(self.facts),
            "bytes": None if self.size_bytes is None else canonical.integer(self.size_bytes),
        }

    @property
    def encoded(self) -> bytes:
        """The commitment as canonical JSON."""
        return canonical.encode(self.json)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return canonical.digest(self.encoded)

    @classmethod
    def parse(cls, data: bytes) -> "DatasetCommitment":
        """Return the commitment that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, KIND)
        leaf = fields.text("leaf", most=16)
        features = fields.optional(
            "features", lambda name: FeatureSpec.from_json(fields.take(name))
        )
        if leaf != ("features" if features else "plain"):
            raise MalformedError(f"dataset: leaf kind {leaf!r} does not fit the feature spec")
        commitment = cls(
            issuer=fields.digest("issuer").hex(),
            log=fields.digest("log"),
            name=fields.name("name"),
            version=fields.name("version"),
            schema=Schema.from_json(fields.take("schema")),
            features=features,
            order=fields.text("order", most=32),
            root=fields.element("root"),
            chunks=fields.integer("chunks", 1, MAX_CHUNKS),
            records=fields.integer("records", 1, MAX_CHUNKS * CHUNK),
            indexes=tuple(
                IndexEntry.from_json(item) for item in fields.items("indexes", MAX_INDEXES)
            ),
            sources=fields.digest("sources"),
            previous=fields.optional("previous", fields.digest),
            facts=_facts(fields.inner("facts")),
            size_bytes=fields.optional("bytes", lambda name: fields.integer(name, 0, MAX_SIZE)),
        )
        fields.done()
        return commitment


def _facts(fields: Fields) -> dict[str, str]:
    return {name: fields.text(name, most=MAX_FACT) for name in sorted(fields.members)}


def _check_facts(facts: Mapping[str, str]) -> None:
    if len(facts) > MAX_FACTS:
        raise MalformedError(f"dataset: at most {MAX_FACTS} declared facts, not {len(facts)}")
    for name, text in facts.items():
        if not canonical.is_name(name) or len(text) > MAX_FACT:
            raise MalformedError(
                f"dataset: fact {name[:80]!r} needs a name and at most {MAX_FACT} characters"
            )


def _check_features(spec: FeatureSpec | None, schema: Schema) -> None:
    """Refuse features that are no numeric fields: where nulls are zero they would read as 0."""
    types = {field.name: field.type for field in schema.fields}
    for field in spec.all if spec else ():
        if not isinstance(types.get(field.name), NUMERIC):
            raise MalformedError(f"dataset: feature {field.name!r} is no numeric field of it")


def _check_indexes(indexes: Sequence[IndexEntry], schema: Schema, records: int) -> None:
    """Refuse indexes that the schema, the record count or each other contradict."""
    if len(indexes) > MAX_INDEXES:
        raise MalformedError(f"dataset: at most {MAX_INDEXES} indexes, not {len(indexes)}")
    if len({(i.normaliser, i.field, i.parameters) for i in indexes}) != len(indexes):
        raise MalformedError("dataset: two indexes of one normaliser over one field")
    for index in indexes:
        if index.normaliser in NORMALISERS:
            check_field(schema, index.normaliser, index.field)
        whole = index.normaliser == "exact/1"
        if whole and (index.without or not 1 <= index.keys <= records):
            raise MalformedError("dataset: in an exact/1 index every record has one key")
        if index.without > records or (index.keys == 0) != (index.without == records):
            raise MalformedError(f"dataset: {index.without} of {records} records without a key")


class SourceFile(Protocol):
    """One source file as it was read; `path` is relative, with `/` between names."""

    @property
    def path(self) -> str:
        """Where it lies in the dataset."""
        ...

    @property
    def size(self) -> int:
        """Its length in bytes."""
        ...

    @property
    def sha256(self) -> Digest:
        """The plain digest of its bytes; secret, since known files could be found by it."""
        ...


def sources_document(files: Sequence[SourceFile], salt_bytes: bytes) -> bytes:
    """Return the list of sources that a commitment holds only the digest of.

    Args:
        files: In the dataset's order.
        salt_bytes: 32 secret bytes; without them the digests of known files could be guessed.

    Raises:
        MalformedError: Another length of salt, too many files, or two of one path.
    """
    if len(salt_bytes) != 32:
        raise MalformedError(f"sources: a salt has 32 bytes, got {len(salt_bytes)}")
    if len(files) > MAX_FILES:
        raise MalformedError(f"sources: at most {MAX_FILES} files, not {len(files)}")
    if len({file.path for file in files}) != len(files):
        raise MalformedError("sources: two files have one path")
    rows: list[Json] = [
        {"path": file.path, "bytes": canonical.integer(file.size), "sha256": file.sha256.hex()}
        for file in files
    ]
    return canonical.encode({"kind": SOURCES_KIND, "salt": salt_bytes.hex(), "files": rows})
