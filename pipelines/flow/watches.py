"""A monitor in its home: which log is watched there, and where what it has read is kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from pipelines.flow.catalogue import trusted_keys
from pipelines.flow.following import Event, Monitor, signed_before, watched
from pipelines.flow.monitoring import Watch
from pipelines.flow.publishing import log_id
from pipelines.flow.workspace import Workspace, namespace_of
from provenance.canonical import digest
from provenance.envelope import PublicKey
from provenance.field import Digest, parse_hex
from storage.atomic import make_folder
from storage.celestia.share import check_namespace
from storage.lock import locked
from storage.scans import Scan

FOLDER: Final = "monitor"


def watch_of(
    space: Workspace, issuers: Sequence[str], namespace: str | None, first: int | None
) -> Watch:
    """Return what is watched: this home's own log, unless keys of an issuer are named.

    Args:
        space: The monitor's home.
        issuers: Public keys in hex, the first one first; none for the home's own.
        namespace: Where the log is posted, in hex; None for the first key's own place.
        first: The height to begin at; None for the lowest that can be asked for.

    Raises:
        MalformedError: A key or the namespace is not in its form.
    """
    keys = tuple(PublicKey(Digest.parse(text)) for text in issuers) or trusted_keys(space)
    founder = keys[0] if issuers else space.founder.public_key
    place = namespace_of(founder) if namespace is None else parse_hex(namespace, 29)
    check_namespace(place)
    return Watch(place, keys, space.ledger.first if first is None else first)


def own_log(space: Workspace, issuers: Sequence[str]) -> Digest | None:
    """Return the home's own log where no issuer is named."""
    return None if issuers else log_id(space)


def closing(space: Workspace) -> AbstractContextManager[object]:
    """Return what closes the connections of a ledger that has some."""
    ledger: object = space.ledger
    return ledger if isinstance(ledger, AbstractContextManager) else nullcontext()


@contextmanager
def monitoring(
    space: Workspace,
    watch: Watch,
    log: Digest | None,
    folder: Path | None,
    every: int,
    tell: Callable[[Event], None],
) -> Iterator[Monitor]:
    """Give the monitor of a log, alone at its work.

    Args:
        space: The monitor's home.
        watch: What is watched.
        log: The log's id; None takes the first one that is met.
        folder: Where checkpoints are put; None is a folder of the home.
        every: See `Monitor`.
        tell: Takes what is to be told.

    Raises:
        UnavailableError: Another process watches the same, or the home cannot be written.
        MalformedError: What was read before is damaged.
    """
    own = space.home.path / FOLDER
    make_folder(own)
    signed = own / "checkpoints" if folder is None else folder
    make_folder(signed)
    what = watched(space.ledger, watch, log)
    path = own / f"{watch.namespace.hex()[-20:]}-{digest(what).hex()[:16]}.sqlite"
    with (
        closing(space),
        locked(path.with_suffix(".lock"), wait=0),
        Scan.opened(path, what, watch.first) as scan,
    ):
        past = signed_before(signed, space.ledger, watch, space.monitor)
        yield Monitor(space.ledger, watch, log, scan, space.monitor, signed, every, tell, past)
