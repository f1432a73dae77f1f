"""Looking up what a home holds: in the registry where DuckDB is there, else in the home itself."""

from collections.abc import Iterator
from importlib.util import find_spec

from pipelines.flow.catalogue import attestations, runs, versions
from pipelines.flow.indexing import synchronise
from pipelines.flow.publishing import receipt_of, sequence_of
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.dataset import DatasetCommitment
from provenance.errors import UnavailableError
from provenance.field import Digest
from provenance.training import RunStart
from storage.entries import RunEntry, VersionEntry


def newest(space: Workspace) -> tuple[VersionEntry, ...]:
    """Return the newest version of every dataset, by name.

    Raises:
        UnavailableError: Another process keeps the registry.
    """
    if find_spec("duckdb"):
        return synchronise(space).datasets()
    commitments = (item.commitment for item in attestations(space))
    names = {c.name for c in commitments if isinstance(c, DatasetCommitment)}
    return tuple(_version(space, name) for name in sorted(names))


def all_runs(space: Workspace) -> tuple[RunEntry, ...]:
    """Return all runs that were announced, by name; unfinished ones have no commitment.

    Raises:
        UnavailableError: Another process keeps the registry.
    """
    if find_spec("duckdb"):
        return synchronise(space).runs()
    return tuple(sorted(_runs(space), key=lambda run: (run.name, run.start)))


def runs_on(space: Workspace, dataset: Digest) -> tuple[RunStart, ...]:
    """Return the announced runs that use a dataset version."""
    return tuple(start for start, _ in runs(space) if dataset in start.datasets.values())


def height_of(space: Workspace, item: Attestation) -> int | None:
    """Return the block that holds an attestation, or None while it waits."""
    try:
        return receipt_of(space, sequence_of(space, item)).height
    except UnavailableError:
        return None


def _version(space: Workspace, name: str) -> VersionEntry:
    last = versions(space, name)[-1]
    made = last.commitment
    return VersionEntry(
        commitment=made.digest,
        name=made.name,
        version=made.version,
        issuer=made.issuer,
        root=made.root,
        chunks=made.chunks,
        records=made.records,
        previous=made.previous,
        height=height_of(space, last.attestation),
    )


def _runs(space: Workspace) -> Iterator[RunEntry]:
    posted = {item.subject: item for item in attestations(space)}
    for start, run in runs(space):
        yield RunEntry(
            start=start.digest,
            name=start.name,
            issuer=start.issuer,
            seed_height=start.seed_height,
            commitment=run.digest if run else None,
            steps=run.transcript.steps if run else None,
            model=run.model if run else None,
            ended_at=run.ended_at if run else None,
            height=height_of(space, posted[run.digest]) if run else None,
        )
