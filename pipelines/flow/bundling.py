"""What somebody wants in a bundle, found by names and put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.flow.catalogue import Version, attestations, find_version, nodes_of
from pipelines.flow.exporting import Bundle
from pipelines.flow.workspace import Workspace
from provenance.canonical import decode
from provenance.dataset import DatasetCommitment
from provenance.errors import UnavailableError
from provenance.training import Run, RunStart
from storage.datasets import Dataset, open_dataset


@dataclass(frozen=True)
class Wanted:
    """What goes into a bundle beside the log, the receipts and the chunk tables.

    Attributes:
        files: Where the files of versions lie, by name@version.
        records: Records to open, as name@version and running number.
        runs: Runs whose challenged steps are opened.
        samples: How many steps of each.
        exclusions: Documents of index proofs.
        checkpoints: Monitors' checkpoints.
        above: Height above which signed block headers are added.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    records: Sequence[tuple[str, int]] = ()
    runs: Sequence[str] = ()
    samples: int = 5
    exclusions: Sequence[bytes] = ()
    checkpoints: Sequence[bytes] = ()
    above: int | None = None


def bundle(space: Workspace, wanted: Wanted) -> Bundle:
    """Return the bundle, ready to be sealed.

    Raises:
        UnavailableError: A name is not known here, or its files were not named.
        VerificationError: Files are not those that were registered.
    """
    made = Bundle(space)
    made.add_log(wanted.checkpoints)
    made.add_blocks(signed_above=wanted.above)
    for item in attestations(space):
        if isinstance(item.commitment, DatasetCommitment):
            made.add_table(item.commitment.digest, nodes_of(space, item.commitment))
    for label, number in wanted.records:
        version = find_version(space, label)
        made.add_records(version, _files(wanted, version), [number])
    for document in wanted.exclusions:
        made.add_exclusion(decode(document))
    for name in wanted.runs:
        run, version = _run(space, name)
        made.add_steps(run, version, _files(wanted, version), wanted.samples)
    made.add_proofs()
    return made


def _files(wanted: Wanted, version: Version) -> Dataset:
    label = version.commitment.label
    if label not in wanted.files:
        raise UnavailableError(f"where are the files of {label}? Give --files {label}=PATH")
    return open_dataset(wanted.files[label], schema=version.commitment.schema)


def _run(space: Workspace, name: str) -> tuple[Run, Version]:
    found = [item.commitment for item in attestations(space)]
    starts = {c.digest: c for c in found if isinstance(c, RunStart) and c.name == name}
    versions = {
        item.subject: Version(item, item.commitment)
        for item in attestations(space)
        if isinstance(item.commitment, DatasetCommitment)
    }
    for run in found:
        if isinstance(run, Run) and run.start in starts:
            return run, versions[starts[run.start].datasets["train"]]
    raise UnavailableError(f"no registered run {name!r} here: `rootline run list` shows all")
