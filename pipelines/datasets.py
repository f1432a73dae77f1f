"""Assets of one dataset version: snapshot -> commitment -> attestation -> receipt; and checks.

The partition is name@version. Every step can be run again: what is there already is found again.
"""

import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dagster as dg

from pipelines.flow.catalogue import find_version, nodes_of
from pipelines.flow.publishing import publish, receipt_of, sequence_of, verify_receipt
from pipelines.flow.registering import commit, recompute, sign
from pipelines.flow.workspace import Workspace
from pipelines.resources import HomeResource
from pipelines.watching import find_watched
from provenance.dataset import DatasetCommitment
from provenance.errors import ProvenanceError, RootMismatchError, UnavailableError
from storage.readers.datasets import Dataset, open_dataset

VERSIONS = dg.DynamicPartitionsDefinition(name="dataset_version")
GROUP = "datasets"
RETRY = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL)


@contextmanager
def told() -> Iterator[None]:
    """Turn the project's errors into Dagster's; only what may pass by itself is tried again."""
    try:
        yield
    except ProvenanceError as error:
        again = isinstance(error, UnavailableError)
        raise dg.Failure(str(error), allow_retries=again) from error


def parts(key: str) -> tuple[str, str]:
    """Return name and version of a partition key name@version."""
    name, _, version = key.partition("@")
    return name, version


def snapshot_folder(space: Workspace, key: str) -> Path:
    """Return where the snapshot of a partition lies."""
    return space.home.cache / "snapshots" / key


def snapshot_path(space: Workspace, key: str) -> Path:
    """Return the snapshot's file or folder of files."""
    name, _ = parts(key)
    return snapshot_folder(space, key) / Path(find_watched(space.home, name).path).name


def snapshot_of(space: Workspace, key: str) -> Dataset:
    """Return the records of a partition's snapshot."""
    return open_dataset(snapshot_path(space, key))


@dg.asset(partitions_def=VERSIONS, group_name=GROUP, kinds={"dvc"}, retry_policy=RETRY)
def snapshot(context: dg.AssetExecutionContext, home: HomeResource) -> dg.MaterializeResult[None]:
    """The files of one DVC revision, copied into the home's cache."""
    space = home.space()
    key = context.partition_key
    name, version = parts(key)
    folder = snapshot_folder(space, key)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    with told():
        source = find_watched(space.home, name).source(version)
        source.snapshot(folder / Path(source.path).name, space.home.cache / "dvc")
        dataset = snapshot_of(space, key)
    rows = [dg.TableRecord({"file": f.path, "bytes": f.size}) for f in dataset.files]
    return dg.MaterializeResult(
        metadata={"commit": source.commit, "files": dg.MetadataValue.table(rows or [_NO_FILES])}
    )


_NO_FILES = dg.TableRecord({"file": "", "bytes": 0})


@dg.asset(partitions_def=VERSIONS, group_name=GROUP, kinds={"pyarrow"}, deps=[snapshot])
def commitment(context: dg.AssetExecutionContext, home: HomeResource) -> dg.Output[bytes]:
    """The dataset commitment: record root, counts, schema, indexes."""
    space = home.space()
    name, version = parts(context.partition_key)
    began = time.monotonic()
    with told():
        reopen = partial(open_dataset, snapshot_path(space, context.partition_key))
        made = commit(space, reopen(), find_watched(space.home, name).request(version), reopen)
    seconds = time.monotonic() - began
    return dg.Output(
        made.encoded,
        data_version=dg.DataVersion(made.root.hex),
        metadata={
            "root": made.root.hex,
            "records": made.records,
            "chunks": made.chunks,
            "seconds": seconds,
            "summary": dg.MetadataValue.md(_summary(made, seconds)),
        },
    )


def _summary(made: DatasetCommitment, seconds: float) -> str:
    rows = [
        ("record root", f"`{made.root.hex}`"),
        ("records", made.records),
        ("chunks", made.chunks),
        ("fields", len(made.schema.fields)),
        ("leaf", "features" if made.features else "plain"),
        ("indexes", ", ".join(f"{i.normaliser} {i.field} ({i.keys} keys)" for i in made.indexes)),
        ("previous", f"`{made.previous.hex()}`" if made.previous else "none: the first version"),
        ("seconds", f"{seconds:.2f}"),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"| {made.label} | |", "| --- | --- |", *lines])


@dg.asset(partitions_def=VERSIONS, group_name=GROUP, kinds={"ed25519"})
def attestation(commitment: bytes, home: HomeResource) -> dg.Output[str]:
    """The signed statement about the commitment, waiting to be posted."""
    space = home.space()
    with told():
        version = sign(space, DatasetCommitment.parse(commitment))
    return dg.Output(
        version.commitment.label,
        metadata={
            "envelope": version.attestation.digest.hex(),
            "commitment": version.commitment.digest.hex(),
            "issuer": version.commitment.issuer,
        },
    )


@dg.asset(partitions_def=VERSIONS, group_name=GROUP, kinds={"ledger"}, retry_policy=RETRY)
def receipt(attestation: str, home: HomeResource) -> dg.MaterializeResult[None]:
    """The evidence that the ledger took the statement; posts whatever waits."""
    space = home.space()
    with told():
        publish(space)
        posted = receipt_of(space, sequence_of(space, find_version(space, attestation).attestation))
    return dg.MaterializeResult(
        metadata={
            "ledger": posted.ledger,
            "chain": posted.chain,
            "height": posted.height,
            "bytes": len(posted.encoded),
        }
    )


# `partitions_def` on a check is a preview in this Dagster; without it a check loads a wrong path.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.PreviewWarning)

    @dg.asset_check(asset=commitment, partitions_def=VERSIONS, blocking=True)
    def root_recomputes(
        context: dg.AssetCheckExecutionContext, commitment: bytes, home: HomeResource
    ) -> dg.AssetCheckResult:
        """The node file's leaves, and the snapshot's records read anew, give the committed root."""
        space = home.space()
        made = DatasetCommitment.parse(commitment)
        try:
            nodes_of(space, made).verify()
            root = recompute(space, snapshot_of(space, context.partition_key), made)
            if root != made.root:
                raise RootMismatchError(root.hex, made.root.hex)
        except ProvenanceError as error:
            return dg.AssetCheckResult(passed=False, metadata={"reason": str(error)})
        return dg.AssetCheckResult(passed=True, metadata={"root": root.hex})

    @dg.asset_check(asset=receipt, partitions_def=VERSIONS)
    def receipt_verifies(
        context: dg.AssetCheckExecutionContext, home: HomeResource
    ) -> dg.AssetCheckResult:
        """The receipt proves the posting, against the block that the ledger has now."""
        space = home.space()
        try:
            item = find_version(space, context.partition_key).attestation
            verify_receipt(space, receipt_of(space, sequence_of(space, item)))
        except ProvenanceError as error:
            return dg.AssetCheckResult(passed=False, metadata={"reason": str(error)})
        return dg.AssetCheckResult(passed=True)
