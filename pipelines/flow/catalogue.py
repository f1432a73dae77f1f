"""What this home has committed to: dataset versions and runs, found by their names.

The signed envelopes in `attestations/` are the truth; the registry is an index over them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation, Commitment, verify
from provenance.canonical import is_name
from provenance.dataset import DatasetCommitment
from provenance.envelope import MAX_PAYLOAD, PublicKey
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from provenance.training import Run, RunStart
from provenance.tree import Chunk
from storage.atomic import read_bounded, sweep, write_atomic
from storage.nodes import NodeFile


@dataclass(frozen=True, slots=True)
class Version:
    """A dataset version that this home has signed."""

    attestation: Attestation
    commitment: DatasetCommitment


def own(space: Workspace, envelope: bytes) -> Attestation:
    """Return the attestation in `envelope`, signed by a key of this home, or raise."""
    return _verified(envelope, trusted_keys(space))


def store(space: Workspace, envelope: bytes) -> Attestation:
    """Return the attestation in `envelope`, once it lies in the home under its digest."""
    item = own(space, envelope)
    path = attested(space, item.digest)
    if not path.exists():
        sweep(path.parent)
        write_atomic(path, envelope)
    return item


def attested(space: Workspace, digest: Digest) -> Path:
    """Return where the envelope with this digest lies."""
    return space.home.attestations / f"{digest.hex()}.json"


def attestations(space: Workspace) -> Iterator[Attestation]:
    """Yield all that this home has signed, in the order of their digests."""
    keys = trusted_keys(space)
    for path in sorted(space.home.attestations.glob("[0-9a-f]*.json")):
        item = _verified(read_bounded(path, 2 * MAX_PAYLOAD), keys)
        if item.digest.hex() != path.stem:
            raise MalformedError(
                f"{path} holds {item.digest.hex()[:16]}…: another file was put here"
            )
        yield item


@lru_cache(maxsize=4096)
def _verified(data: bytes, keys: tuple[PublicKey, ...]) -> Attestation:
    """Return the attestation in an envelope; the same bytes are verified once a process."""
    return verify(data, keys)


def trusted_keys(space: Workspace) -> tuple[PublicKey, ...]:
    """Return the public keys that this home has signed with, old ones too."""
    return tuple(key.public_key for key in space.ring.stored() if key.name == "issuer")


def find_version(space: Workspace, label: str) -> Version:
    """Return the dataset version called name@version; a name alone means its newest version.

    Raises:
        MalformedError: Not a name@version.
        UnavailableError: This home has none of that name.
    """
    name, _, version = label.partition("@")
    if not is_name(name) or (version and not is_name(version)):
        raise MalformedError(f"{label[:80]!r} is no name@version")
    found = [v for v in versions(space, name) if version in ("", v.commitment.version)]
    if not found:
        raise UnavailableError(f"no dataset {label} here: `rootline dataset list` shows all")
    return found[-1]


def versions(space: Workspace, name: str) -> tuple[Version, ...]:
    """Return the versions of a dataset, each after the one that it follows."""
    found: dict[Digest | None, Version] = {}
    for item in attestations(space):
        commitment = item.commitment
        if isinstance(commitment, DatasetCommitment) and commitment.name == name:
            found[commitment.previous] = Version(item, commitment)
    ordered: list[Version] = []
    while (following := found.pop(_last(ordered), None)) is not None:
        ordered.append(following)
    return (*ordered, *found.values())


def _last(ordered: list[Version]) -> Digest | None:
    return ordered[-1].commitment.digest if ordered else None


def nodes_of(space: Workspace, commitment: DatasetCommitment) -> NodeFile:
    """Return a version's node file, or raise UnavailableError."""
    return NodeFile.find(space.home.nodes, commitment.root)


def chunk_table(space: Workspace, version: Version) -> tuple[Chunk, ...]:
    """Return a version's chunk table."""
    return nodes_of(space, version.commitment).chunks


def find_commitment(space: Workspace, digest: Digest) -> Commitment:
    """Return the commitment with this digest, or raise UnavailableError."""
    for item in attestations(space):
        if item.subject == digest:
            return item.commitment
    raise UnavailableError(f"no commitment {digest.hex()[:16]}… here")


def runs(space: Workspace) -> tuple[tuple[RunStart, Run | None], ...]:
    """Return what this home announced, each with its run statement, or None while unfinished."""
    items = [item.commitment for item in attestations(space)]
    finished = {item.start: item for item in items if isinstance(item, Run)}
    starts = [item for item in items if isinstance(item, RunStart)]
    return tuple((start, finished.get(start.digest)) for start in starts)


def find_run(space: Workspace, start: Digest) -> Run | None:
    """Return the run statement for a start, or None while it is unfinished."""
    return next((run for announced, run in runs(space) if announced.digest == start), None)
