"""Files -> dataset commitment -> attestation, waiting to be posted.

Registering the same records under the same name and version again gives the same commitment and
posts nothing twice; other records under a version that is taken are refused.
"""

import dataclasses
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from pipelines.flow.building import Reopen, build, recompute_root
from pipelines.flow.catalogue import Version, versions
from pipelines.flow.publishing import log_id
from pipelines.flow.queueing import signing
from pipelines.flow.working import IndexRequest
from pipelines.flow.workspace import Workspace
from provenance.attestation import attest
from provenance.canonical import digest as document_digest
from provenance.dataset import DatasetCommitment, sources_document
from provenance.errors import MalformedError, UnavailableError
from provenance.exclusion_key import check_field
from provenance.features import FeatureSpec, check_spec
from provenance.field import FieldElement
from provenance.leaves import LeafMaker
from provenance.schema import Schema
from storage.atomic import create_atomic, read_bounded
from storage.lock import locked
from storage.readers.datasets import Dataset

MAX_SOURCES: Final = 2**28
WAIT: Final = 24 * 3600.0
"""Seconds that a commit waits for another one of the same dataset."""


class Described(Protocol):
    """Anything that has a schema: a dataset, or a commitment."""

    @property
    def schema(self) -> Schema:
        """The logical schema of its records."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """What to register, and how.

    Attributes:
        name: The dataset's name.
        version: This version's name.
        indexes: Exclusion indexes to build.
        features: Numeric fields that every leaf commits to, so that circuits can open them.
        facts: Declared facts, such as `licence`; each is worth L0.
    """

    name: str
    version: str
    indexes: tuple[IndexRequest, ...] = ()
    features: FeatureSpec | None = None
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


def register(
    space: Workspace, dataset: Dataset, request: Request, reopen: Reopen | None = None
) -> Version:
    """Return the committed and signed version; it waits in the queue until `publish`.

    Raises:
        MalformedError: A record cannot be committed exactly, or the version is taken by others.
        UnavailableError: A file could not be read, or the disk is full.
    """
    _check(request, dataset.schema)
    with one_at_a_time(space, request.name):
        return sign(space, _committed(space, dataset, request, reopen))


def one_at_a_time(space: Workspace, name: str) -> AbstractContextManager[None]:
    """Hold the lock of a dataset's commits; another one is waited for."""
    return locked(space.home.nodes / f"{name}.lock", wait=WAIT)


def commit(
    space: Workspace, dataset: Dataset, request: Request, reopen: Reopen | None = None
) -> DatasetCommitment:
    """Return the commitment to a dataset's records, once its node file lies in the home.

    Another commit of the same dataset is waited for. A version that is registered already gives its
    commitment again, if the records are the same.
    Workers outside this process read for themselves if `reopen` opens the same dataset there.

    Raises:
        MalformedError: A record cannot be committed exactly, or the version is taken by others.
        UnavailableError: A file could not be read, or the disk is full.
    """
    _check(request, dataset.schema)
    with one_at_a_time(space, request.name):
        return _committed(space, dataset, request, reopen)


def _committed(
    space: Workspace, dataset: Dataset, request: Request, reopen: Reopen | None
) -> DatasetCommitment:
    issuer = space.issuer.public_key.key_id  # a wrong passphrase is told before the work
    earlier = versions(space, request.name)
    key = space.secrets.create(request.name, space.passphrase)
    maker = LeafMaker(dataset.schema, key, request.features)
    nodes, indexes = build(space, dataset, maker, request.name, earlier, request.indexes, reopen)
    taken = next((v.commitment for v in earlier if v.commitment.version == request.version), None)
    if taken is not None:
        _same(taken, nodes.root, dataset)
        return _as_requested(taken, request)
    sources = _sources(space, nodes.root, dataset)
    return DatasetCommitment(
        issuer=issuer,
        log=log_id(space),
        name=request.name,
        version=request.version,
        schema=dataset.schema,
        features=request.features,
        order=dataset.order,
        root=nodes.root,
        chunks=len(nodes.chunks),
        records=nodes.records,
        indexes=indexes,
        sources=document_digest(sources),
        previous=earlier[-1].commitment.digest if earlier else None,
        facts=dict(request.facts),
    )


def sign(space: Workspace, commitment: DatasetCommitment) -> Version:
    """Return the signed version, waiting to be posted; what is signed already stays as it is."""
    with signing(space) as add:
        earlier = versions(space, commitment.name)
        for version in earlier:
            if version.commitment.version == commitment.version:
                _same(version.commitment, commitment.root, commitment)
                return version
        if commitment.previous != (earlier[-1].commitment.digest if earlier else None):
            raise UnavailableError(
                f"another version was registered while {commitment.label} was read: register again"
            )
        return Version(add(attest(commitment, space.issuer).encoded), commitment)


def recompute(space: Workspace, dataset: Dataset, commitment: DatasetCommitment) -> FieldElement:
    """Return the record root that a dataset's records have now, under a commitment's rules.

    Raises:
        MalformedError: A record cannot be committed exactly.
        UnavailableError: A file could not be read, or the dataset's key is not here.
    """
    key = space.secrets.load(commitment.name, space.passphrase)
    maker = LeafMaker(dataset.schema, key, commitment.features)
    with space.progress.stage(f"check {commitment.label}", commitment.records) as stage:
        return recompute_root(dataset, maker, stage.advance)


def _check(request: Request, schema: Schema) -> None:
    """Refuse what cannot be committed before a record is read."""
    if request.features is not None:
        check_spec(request.features, schema)
    for index in request.indexes:
        check_field(schema, index.normaliser, index.field)


def _sources(space: Workspace, root: FieldElement, dataset: Dataset) -> bytes:
    """Return the list of sources, stored in the home; the same list made before keeps its salt.

    Its name tells the root and the list apart: other files may hold the same records.
    """
    tag = document_digest(sources_document(dataset.files, bytes(32))).hex()[:16]
    path = space.home.nodes / f"{root.hex}.{tag}.sources.json"
    if not path.exists():
        document = sources_document(dataset.files, secrets.token_bytes(32))
        create_atomic(path, document, 0o600)
    return read_bounded(path, MAX_SOURCES)


def _same(taken: DatasetCommitment, root: FieldElement, other: Described) -> None:
    if (taken.root, taken.schema.digest) != (root, other.schema.digest):
        raise MalformedError(
            f"{taken.label} is registered already, with other records: give these another version"
        )


def _as_requested(taken: DatasetCommitment, request: Request) -> DatasetCommitment:
    indexes = {(index.normaliser, index.field) for index in taken.indexes}
    wanted = {(index.normaliser, index.field) for index in request.indexes}
    if (indexes, dict(taken.facts)) != (wanted, dict(request.facts)):
        raise MalformedError(
            f"{taken.label} is registered already, with other indexes or facts: "
            "what is published stays; register another version"
        )
    return taken
