"""Files -> dataset commitment -> attestation, waiting to be posted.

Registering the same records under the same name and version again gives the same commitment and
posts nothing twice; other records under a version that is taken are refused.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pipelines.flow.catalogue import Version, store, versions
from pipelines.flow.publishing import log_id, queue
from pipelines.flow.workspace import Workspace
from provenance.attestation import attest
from provenance.dataset import DatasetCommitment, chunks_of, sources_document
from provenance.canonical import digest as document_digest
from provenance.errors import MalformedError
from provenance.exclusion import ExclusionIndex, ExclusionKey, record_keys
from provenance.features import FeatureSpec
from provenance.field import Digest, FieldElement
from provenance.leaf import DatasetKey
from provenance.record import Record
from provenance.schema import Schema
from provenance.tree import Chunk
from storage.atomic import write_atomic
from storage.datasets import Dataset
from storage.nodes import write_nodes

EXACT = "exact/1"


@dataclass(slots=True)
class IndexRequest:
    """An exclusion index to build: a normaliser, and the path of the field that gives the keys."""

    normaliser: str
    field: str = ""
    keys: set[ExclusionKey] = dataclasses.field(default_factory=set, repr=False)
    without: int = 0

    def watch(self, records: Sequence[Record], contents: Sequence[Digest]) -> None:
        """Take the keys of a batch of records."""
        values: Sequence[object] = contents if self.normaliser == EXACT else records
        for value in values:
            found = record_keys(self.normaliser, self.field, value)
            self.keys.update(found)
            self.without += not found


def register(
    space: Workspace,
    dataset: Dataset,
    name: str,
    version: str,
    *,
    indexes: Sequence[IndexRequest] = (),
    features: FeatureSpec | None = None,
    facts: Mapping[str, str] | None = None,
) -> Version:
    """Return the committed and signed version; it waits in the queue until `publish`.

    Args:
        space: The home to work in.
        dataset: Records in a fixed order.
        name: The dataset's name.
        version: This version's name.
        indexes: Exclusion indexes to build.
        features: Numeric fields that every leaf commits to, so that circuits can open them.
        facts: Declared facts, such as `licence`; each is worth L0.

    Raises:
        MalformedError: A record cannot be committed exactly, or the version is taken by others.
        UnavailableError: A file could not be read, or the disk is full.
    """
    earlier = versions(space, name)
    key = space.secrets.create(name, space.passphrase)
    requests = [IndexRequest(request.normaliser, request.field) for request in indexes]
    with space.progress.stage(f"commit {name}@{version}") as stage:

        def watch(records: Sequence[Record], contents: Sequence[Digest]) -> None:
            for request in requests:
                request.watch(records, contents)
            stage.advance(len(records))

        batches = dataset.batches()
        chunks = chunks_of(batches, dataset.schema, key, features, watch)
        nodes = write_nodes(space.home.nodes, chunks)
    taken = next((v for v in earlier if v.commitment.version == version), None)
    if taken is not None:
        return _same(taken, nodes.root, dataset)
    built = [(r, ExclusionIndex.build(r.keys, key)) for r in requests]
    salt = secrets.token_bytes(32)
    sources = sources_document(dataset.files, salt)
    write_atomic(space.home.nodes / f"{nodes.root.hex}.sources.json", sources, 0o600)
    commitment = DatasetCommitment(
        issuer=space.issuer.public_key.key_id,
        log=log_id(space),
        name=name,
        version=version,
        schema=dataset.schema,
        features=features,
        order=dataset.order,
        root=nodes.root,
        chunks=len(nodes.chunks),
        records=nodes.records,
        indexes=tuple(index.entry(r.normaliser, r.field, r.without) for r, index in built),
        sources=document_digest(sources),
        previous=earlier[-1].commitment.digest if earlier else None,
        facts=dict(facts or {}),
    )
    envelope = attest(commitment, space.issuer).encoded
    item = store(space, envelope)
    queue(space, envelope)
    return Version(item, commitment)


def commit_records(
    folder: Path,
    batches: Iterable[Sequence[Record]],
    schema: Schema,
    key: DatasetKey,
    features: FeatureSpec | None,
) -> tuple[FieldElement, tuple[Chunk, ...]]:
    """Return root and chunk table of records, once their node file lies in `folder`."""
    nodes = write_nodes(folder, chunks_of(batches, schema, key, features))
    return nodes.root, nodes.chunks


def _same(taken: Version, root: FieldElement, dataset: Dataset) -> Version:
    commitment = taken.commitment
    if (commitment.root, commitment.schema.digest) != (root, dataset.schema.digest):
        raise MalformedError(
            f"{commitment.label} is registered already, with other records: "
            "give these another version"
        )
    return taken
