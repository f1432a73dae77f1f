"""Has this log gone on without this home? Asked before anything new is posted.

A home that was restored from a backup is older than its log: it would sign another batch under a
number that is on the ledger already, and a fork cannot be taken back. So the namespace is read from
where it was last read to the head, and a header of this log that the outbox does not hold stops the
posting. What a node leaves out is not found: this guards against one's own mistakes, and is no
proof.

    outbox/<log id>/read      {"height":7,"kind":"rootline/read/v1"}
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from pipelines.flow.catalogue import trusted_keys
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.canonical import Fields
from provenance.envelope import PublicKey
from provenance.errors import MalformedError, ProvenanceError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.log import SealedHeader, key_named, verify_header
from provenance.receipt import MAX_HEIGHT
from storage.atomic import make_folder, read_bounded, write_atomic
from storage.celestia.share import Blob
from storage.ledger import Ledger
from storage.outbox import Outbox

KIND: Final = "rootline/read/v1"
PAGE: Final = 1000
T = TypeVar("T")


class Ask(Protocol):
    """Asks the ledger; see `placing.Placing.ask`."""

    def __call__(self, question: Callable[[], T], /) -> T:
        """Return the answer."""
        ...


def check_alone(space: Workspace, box: Outbox, log: Digest, ask: Ask) -> None:
    """Raise VerificationError if the ledger holds a header of `log` that the outbox does not.

    Args:
        space: The home.
        box: Its outbox, which is locked.
        log: Its log.
        ask: Asks the ledger, again where a failure may pass.

    Raises:
        UnavailableError: The ledger cannot be asked.
    """
    ledger, path = space.ledger, box.folder / log.hex() / "read"
    first, head = max(_read(path) + 1, ledger.first), ask(ledger.head)
    keys, place = trusted_keys(space), space.genesis.namespace
    make_folder(path.parent)
    with space.progress.stage("blocks read for what the log holds", head - first + 1) as stage:
        for low in range(first, head + 1, PAGE):
            high = min(low + PAGE - 1, head)
            for height, blob in ask(partial(_page, ledger, low, high, place)):
                _check_held(box, log, height, _own(blob.data, keys))
            write_atomic(path, canonical.encode({"kind": KIND, "height": high}))
            stage.advance(high - low + 1)


def _page(ledger: Ledger, low: int, high: int, namespace: bytes) -> tuple[tuple[int, Blob], ...]:
    return tuple(ledger.told(low, high, namespace))


def _own(data: bytes, keys: tuple[PublicKey, ...]) -> SealedHeader | None:
    if key_named(data) not in {key.key_id for key in keys}:
        return None
    try:
        return verify_header(data, keys)
    except ProvenanceError:
        return None  # a stranger's, under our key's name


def _check_held(box: Outbox, log: Digest, height: int, found: SealedHeader | None) -> None:
    if found is None or found.header.log_id != log:
        return
    sequence = found.header.sequence
    with suppress(UnavailableError):
        held = verify_header(box.read(log, sequence).header, (found.key,))
        if held.header.digest == found.header.digest:
            return
    raise VerificationError(
        f"block {height} holds a batch {sequence} of this log that is not in {box.folder}: this "
        "home is older than its log, or a copy of it posts too. Posting from here would fork the "
        "log for good: put the newer home back"
    )


def _read(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        fields = Fields.parse(read_bounded(path, 4096), KIND)
        height = fields.integer("height", 1, MAX_HEIGHT)
        fields.done()
    except MalformedError as error:
        raise MalformedError(f"{path}: {error}; remove it, and the log is read again") from error
    return height
