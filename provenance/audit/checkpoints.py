"""Monitors' checkpoints in the evidence: whether one says that the log has no fork and no gap."""

from provenance import checkpoint, envelope
from provenance.anchor import Blocks
from provenance.audit.case import Case
from provenance.audit.ground import Ground
from provenance.canonical import digest as document_digest
from provenance.checkpoint import Checkpoint
from provenance.errors import MalformedError, ProvenanceError, UnavailableError, VerificationError
from provenance.findings import Level
from provenance.history import History
from provenance.log import Genesis


def monitored(case: Case, history: History, ground: Ground) -> Checkpoint | None:
    """Return the highest of the monitors' checkpoints that speaks for these headers, or None.

    Those that are false become findings, and so does that there is none.
    """
    blocks, genesis = ground.blocks, ground.genesis
    subject = history.headers[0].sealed.header.log_id.hex()[:16]
    best: Checkpoint | None = None
    reasons = []
    for name, data in case.bundle.under("checkpoints").items():
        try:
            found = _signed_by_monitor(case, data)
            _check_checkpoint(found, name, data, history, blocks)
            check_begin(case, genesis, found.first)
            _check_scanned(case, found, genesis)
            best = found if best is None or found.last > best.last else best
        except UnavailableError as error:
            reasons.append(str(error))
        except ProvenanceError as error:
            case.fails("log", subject, f"checkpoint {name[:16]}…: {error}")
    if best is None and case.scanned is None:
        words = "; ".join(reasons) or "no checkpoint by a monitor whom the policy names"
        case.unknown("log", subject, f"whether the log has a fork or a gap is unknown: {words}")
    elif best is not None and not history.problems:
        case.holds(
            "log",
            subject,
            Level.L1,
            f"headers 0 to {best.sequence} are one chain; a monitor scanned to block {best.last} "
            f"of {ground.name}",
            rests_on=("the monitor's key", *ground.rests(blocks.at(best.last))),
        )
    return best


def _signed_by_monitor(case: Case, data: bytes) -> Checkpoint:
    known = {key.key_id for key in case.policy.monitors}
    if envelope.parse(data).key_id not in known:
        raise UnavailableError("a checkpoint is by a monitor whom the policy does not name")
    return checkpoint.verify(data, case.policy.monitors)


def _check_checkpoint(
    found: Checkpoint, name: str, data: bytes, history: History, blocks: Blocks
) -> None:
    headers = [sighting.sealed.header for sighting in history.headers]
    if document_digest(data).hex() != name:
        raise MalformedError("its name is not its digest")
    if (found.chain, found.log) != (blocks.chain, headers[0].log_id):
        raise VerificationError("it speaks of another chain or log")
    if found.sequence >= len(headers):
        raise UnavailableError("its head is beyond the headers in the bundle")
    if headers[found.sequence].digest != found.head:
        raise VerificationError(
            f"the monitor saw another header {found.sequence} than the bundle has: a fork"
        )
    if found.sequence != len(headers) - 1:
        raise UnavailableError(
            f"it speaks for headers up to {found.sequence}, the bundle has {len(headers) - 1}"
        )
    first = history.headers[0].height
    if first is None:
        raise UnavailableError("no receipt shows in which block the log begins")
    if found.first > first:
        raise UnavailableError(f"it begins at block {found.first}, the log begins before it")
    _check_heights(found, history, blocks)


def _check_heights(found: Checkpoint, history: History, blocks: Blocks) -> None:
    if any(sighting.height is None for sighting in history.headers):
        raise UnavailableError("not every header has a receipt that could be verified")
    if blocks.at(found.last).hash != found.block:
        raise VerificationError(f"it saw another block {found.last} than the anchor leads to")
    highest = max((s.height or 0 for s in history.headers), default=0)
    if highest > found.last:
        raise UnavailableError("a receipt lies above the heights that it scanned")


def _check_scanned(case: Case, found: Checkpoint, genesis: Genesis) -> None:
    """Check that the monitor read the log's own namespace, for all keys that may sign in it."""
    if found.namespace != genesis.namespace:
        raise VerificationError("it is of another namespace than the log's")
    owner = genesis.key.key_id
    trusted = case.policy.keys()
    keys = {key.key_id for key in trusted if case.policy.is_same_issuer(owner, key.key_id)}
    if not keys <= set(found.keys):
        raise UnavailableError("the monitor did not look for all of the issuer's keys")


def check_begin(case: Case, genesis: Genesis, first: int) -> None:
    """Check that whoever read from block `first` on read where any of the issuer's keys counts.

    Below it another first header or a fork could stand: anybody can post the log's bytes again, so
    no receipt shows that the log does not begin before it.
    """
    issuers = case.policy.issuers
    owned = [i for i in issuers if case.policy.is_same_issuer(genesis.key.key_id, i.key.key_id)]
    spans = [span.first for i in owned for span in i.good if span.chain == genesis.chain]
    least = min(spans, default=first)
    if least < first:
        raise UnavailableError(
            f"it begins at block {first}, a key of the issuer is good from block {least}"
        )
