"""Signed statements on their way to the log: a file each, in order, until a batch holds them.

    outbox/queue/000000000007-<digest of the envelope>.json     the envelope itself

A statement is queued first and then takes its place among `attestations/`. A kill in between loses
nothing: whoever signs or publishes next puts it there. What is in `attestations/` is therefore
queued, or in a batch, and is not queued again.
"""

import base64
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import attested, trusted_keys
from pipelines.flow.workspace import Workspace
from provenance.attestation import Attestation, verify
from provenance.canonical import digest
from provenance.envelope import PublicKey
from provenance.errors import MalformedError
from provenance.field import Digest
from storage.atomic import create_atomic, make_folder, read_bounded, sweep, write_atomic
from storage.lock import locked

MAX_ENVELOPE: Final = 2 * 2**20
"""A statement in a header is written in base64 twice, and must still fit into a blob."""

ALONE: Final = ("urn:rootline:start:v1", "urn:rootline:run:v1")

Add = Callable[[bytes], Attestation]


@dataclass(frozen=True, slots=True)
class Queued:
    """A statement that waits, and its file; a run's statements go into a header, alone."""

    path: Path
    envelope: bytes
    is_alone: bool


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
        last = 0
        for queued in settle(space):
            last = _number(queued.path)
        keys, numbers = trusted_keys(space), count(last + 1)
        yield lambda envelope: _add(space, envelope, keys, numbers)


def queue(space: Workspace, envelope: bytes) -> Attestation:
    """Return the attestation in `envelope`, stored and waiting to be posted."""
    with signing(space) as add:
        return add(envelope)


def waiting(space: Workspace) -> tuple[Path, ...]:
    """Return the queue's files in order."""
    return tuple(sorted(_queue(space).glob("[0-9]*.json")))


def settle(space: Workspace) -> Iterator[Queued]:
    """Yield what waits, in order, each once it lies among the attestations.

    One file is read at a time, and each once; what is queued meanwhile is not among them.

    Raises:
        MalformedError, VerificationError: A file there is no statement of this home's.
    """
    keys, files, seen = trusted_keys(space), waiting(space), set[Digest]()
    if files:
        sweep(space.home.attestations)
    for path in files:
        try:
            data = read_bounded(path, MAX_ENVELOPE)
            is_alone = _is_alone(space, data, keys)
        except MalformedError:
            if path.exists():
                raise
            continue  # another process has published it since
        if (name := digest(data)) in seen:
            path.unlink(missing_ok=True)  # it waits twice; once is enough
            continue
        seen.add(name)
        yield Queued(path, data, is_alone)


def forget(space: Workspace, posted: Collection[bytes]) -> None:
    """Cross off the envelopes that a batch holds, whichever files they wait in."""
    done = {digest(data).hex() for data in posted}
    for path in waiting(space):
        if path.stem.partition("-")[2] in done:
            path.unlink(missing_ok=True)


def _add(
    space: Workspace, envelope: bytes, keys: Sequence[PublicKey], numbers: Iterator[int]
) -> Attestation:
    if len(envelope) > MAX_ENVELOPE:
        raise MalformedError(
            f"a statement of {len(envelope)} bytes; at most {MAX_ENVELOPE} can be posted: say less"
        )
    item = verify(envelope, keys)
    if not attested(space, item.digest).exists():
        create_atomic(_queue(space) / f"{next(numbers):012d}-{item.digest.hex()}.json", envelope)
        _store(space, item)
    return item


def _is_alone(space: Workspace, envelope: bytes, keys: Sequence[PublicKey]) -> bool:
    """Return whether it is a run start or run statement, once it lies among the attestations.

    What lies there under the digest of these very bytes was verified when it was put there, and
    to read it all anew takes five times as long as to post it.
    """
    if not attested(space, digest(envelope)).exists():
        _store(space, verify(envelope, keys))
    try:
        payload = base64.b64decode(json.loads(envelope)["payload"])
        return json.loads(payload)["predicateType"] in ALONE
    except (ValueError, LookupError, TypeError) as error:
        raise MalformedError(f"attestation {digest(envelope).hex()[:16]}… is damaged") from error


def _store(space: Workspace, item: Attestation) -> None:
    path = attested(space, item.digest)
    if not path.exists():
        write_atomic(path, item.envelope)


def _number(path: Path) -> int:
    return int(path.name.partition("-")[0])


def _queue(space: Workspace) -> Path:
    folder = space.home.outbox / "queue"
    make_folder(folder)
    return folder
