"""What somebody wants in a bundle, found by names and put together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pipelines.flow.catalogue import Version, attestations, find_version, nodes_of, runs
from pipelines.flow.exporting import Bundle
from pipelines.flow.workspace import Workspace
from provenance.canonical import decode
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from provenance.training import Run, RunStart
from storage.readers.datasets import Dataset


@dataclass(frozen=True)
class Wanted:
    """What goes into a bundle beside the log and its receipts.

    Attributes:
        names: Versions whose chunk tables go in; empty means every version that has its leaves.
        files: The records of versions, by name@version.
        records: Records to open, as name@version and running number.
        runs: Runs whose challenged steps are opened.
        samples: How many steps of each.
        exclusions: Documents of index proofs.
        values: Values that claims say are absent, shown beside them.
        checkpoints: Monitors' checkpoints.
        above: Height above which signed block headers are added.
    """

    names: Sequence[str] = ()
    files: Mapping[str, Dataset] = field(default_factory=dict)
    records: Sequence[tuple[str, int]] = ()
    runs: Sequence[str] = ()
    samples: int = 5
    exclusions: Sequence[bytes] = ()
    values: Sequence[str] = ()
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
    _add_tables(made, wanted.names)
    for label, number in wanted.records:
        version = find_version(space, label)
        made.add_records(version, _files(wanted, version), [number])
    for document in wanted.exclusions:
        made.add_exclusion(decode(document))
    for name in wanted.runs:
        for run, version in _runs(space, name):
            made.add_steps(run, version, _files(wanted, version), wanted.samples)
    made.add_proofs()
    made.add_values(wanted.values)
    return made


def _add_tables(made: Bundle, names: Sequence[str]) -> None:
    space = made.space
    for name in names:
        commitment = find_version(space, name).commitment
        made.add_table(commitment.digest, nodes_of(space, commitment))
    for item in () if names else attestations(space):
        if isinstance(item.commitment, DatasetCommitment):
            with suppress(UnavailableError):  # an old version's leaves may have been deleted
                made.add_table(item.subject, nodes_of(space, item.commitment))


def _files(wanted: Wanted, version: Version) -> Dataset:
    label = version.commitment.label
    if label not in wanted.files:
        raise MalformedError(f"where are the files of {label}? Give --files {label}=PATH")
    return wanted.files[label]


def _runs(space: Workspace, name: str) -> Iterator[tuple[Run, Version]]:
    """Yield the registered runs called `name`, each with the version that it was trained on."""
    found = [(s, run) for s, run in runs(space) if s.name == name and run is not None]
    if not found:
        raise UnavailableError(f"no registered run {name!r:.80} here: see `rootline run list`")
    for start, run in found:
        if run is not None:
            yield run, _trained_on(space, start)


def _trained_on(space: Workspace, start: RunStart) -> Version:
    digest: Digest | None = start.datasets.get("train")
    for item in attestations(space):
        if item.subject == digest and isinstance(item.commitment, DatasetCommitment):
            return Version(item, item.commitment)
    raise UnavailableError(f"run {start.name}: the dataset that it was trained on is not here")
