"""Signed statements on their way to the log: a file each, in order, until a batch holds them.

    outbox/queue/000000000007-<digest of the envelope>.json     the envelope itself

A statement is queued first and then takes its place among `attestations/`. A kill in between loses
nothing: whoever signs or publishes next puts it there. What is in `attestations/` is therefore
queued, or in a batch, and is not queued again.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import own, store
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation
from provenance.canonical import digest
from provenance.errors import MalformedError
from storage.atomic import create_atomic, make_folder, read_bounded, sweep
from storage.lock import locked

MAX_ENVELOPE: Final = 2 * 2**20
"""A statement in a header is written in base64 twice, and must still fit into a blob."""

Add = Callable[[bytes], Attestation]


@contextmanager
def signing(space: Workspace) -> Iterator[Add]:
    """Give the right to sign to one process: what it looks up meanwhile stays so.

    What the block calls takes an envelope, and returns the attestation once it waits to be posted.

    Raises:
        UnavailableError: Another process signs and does not end.
    """
    folder = _queue(space)
    with locked(folder / "lock"):
        sweep(folder)
        sweep(space.home.attestations)
        settle(space)
        yield lambda envelope: _add(space, envelope)


def queue(space: Workspace, envelope: bytes) -> Attestation:
    """Return the attestation in `envelope`, stored and waiting to be posted."""
    with signing(space) as add:
        return add(envelope)


def waiting(space: Workspace) -> tuple[Path, ...]:
    """Return the queue's files in order."""
    return tuple(sorted(_queue(space).glob("[0-9]*.json")))


def settle(space: Workspace) -> tuple[Attestation, ...]:
    """Return what waits, in order and each once, when all of it lies among the attestations."""
    found: dict[bytes, Attestation] = {}
    for path in waiting(space):
        try:
            item = store(space, read_bounded(path, MAX_ENVELOPE))
        except MalformedError:
            if path.exists():
                raise
            continue  # another process has published it since
        found[item.digest] = item
    return tuple(found.values())


def forget(space: Workspace, posted: Collection[bytes]) -> None:
    """Cross off the envelopes that a batch holds."""
    done = {digest(data).hex() for data in posted}
    for path in waiting(space):
        if path.stem.partition("-")[2] in done:
            path.unlink(missing_ok=True)


def _add(space: Workspace, envelope: bytes) -> Attestation:
    if len(envelope) > MAX_ENVELOPE:
        raise MalformedError(
            f"a statement of {len(envelope)} bytes; at most {MAX_ENVELOPE} can be posted: say less"
        )
    name = own(space, envelope).digest.hex()
    if (space.home.attestations / f"{name}.json").exists():
        return store(space, envelope)
    folder = _queue(space)
    last = max((int(path.name.partition("-")[0]) for path in waiting(space)), default=0)
    create_atomic(folder / f"{last + 1:012d}-{name}.json", envelope)
    return store(space, envelope)


def _queue(space: Workspace) -> Path:
    folder = space.home.outbox / "queue"
    make_folder(folder)
    return folder
