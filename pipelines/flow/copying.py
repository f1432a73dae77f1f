"""Published batches -> another data-availability layer -> certificates in the home.

A copy is a second place to fetch a log's blobs from, and evidence of nothing. It is taken of what
has a receipt, never of what still waits: publishing is the ledger's business alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.flow.publishing import log_id, outbox
from pipelines.flow.workspace import Workspace
from provenance.certificate import Certificate, Part
from provenance.errors import MalformedError, VerificationError
from storage.data_layer import DataLayer, Kept
from storage.eigenda.copies import Copies, Place
from storage.outbox import Entry

SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Copied:
    """What one run found and did.

    Attributes:
        made: Certificates of blobs that this run read back, in the log's order.
        had: Blobs that had been copied before.
        refused: Why the layer does not take certain blobs, however often they are put.
    """

    made: tuple[Certificate, ...]
    had: int
    refused: tuple[str, ...]


def copies(space: Workspace) -> Copies:
    """Return the home's certificates."""
    return Copies.within(space.home.path)


def copy_log(space: Workspace, layer: DataLayer) -> Copied:
    """Put every published blob that has no copy yet to `layer`, and read each back.

    Whatever is killed when, the next run goes on: what was put is read back first. A blob that the
    layer refuses does not keep the others from it.

    Raises:
        UnavailableError: The layer is down, busy or out of reach, or another process copies; what
            has a certificate keeps it.
        VerificationError: The layer gives other bytes than were put.
    """
    store, made, had, refused = copies(space), list[Certificate](), 0, list[str]()
    with store.locked(), space.progress.stage(f"copying to {layer.kind}") as stage:
        for entry, part in _published(space):
            place = Place(entry.log, entry.sequence, part, layer.kind, layer.network)
            if store.has(place):
                had += 1
            else:
                blob = _blob(entry, part)
                try:
                    found = store.pending(place) or _put(space, store, layer, place, blob)
                except MalformedError as error:
                    refused.append(f"batch {place.sequence}, {part}: {error}")
                else:
                    made.append(_read_back(store, layer, found, blob))
            stage.advance()
    return Copied(tuple(made), had, tuple(refused))


def _published(space: Workspace) -> Iterator[tuple[Entry, Part]]:
    """Yield the blobs of all batches that have a receipt, in the log's order."""
    for entry in outbox(space).batches(log_id(space)):
        if entry.receipt is not None:
            yield entry, "header"
            if entry.entries:
                yield entry, "entries"


def _blob(entry: Entry, part: Part) -> bytes:
    return entry.header if part == "header" else entry.entries


def _put(
    space: Workspace, store: Copies, layer: DataLayer, place: Place, blob: bytes
) -> Certificate:
    """Return what the layer answers, stored before anything else is done with it."""
    kept = layer.put(blob)
    found = Certificate(
        layer=kept.kind,
        network=kept.network,
        log=place.log,
        sequence=place.sequence,
        part=place.part,
        size=kept.size,
        digest=kept.digest,
        locator=kept.locator,
        put_at=space.clock() // SECOND,
    )
    store.store(found)
    return found


def _read_back(store: Copies, layer: DataLayer, found: Certificate, blob: bytes) -> Certificate:
    """Return a certificate under which the layer gives the blob back, and write that down."""
    try:
        found.verify_blob(blob)
        layer.fetch(Kept(found.layer, found.network, found.locator, found.size, found.digest))
    except (MalformedError, VerificationError):
        store.forget(Place.of(found))  # so that the next run puts the blob anew
        raise
    store.confirm(found)
    return found
