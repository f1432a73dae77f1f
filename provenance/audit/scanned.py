"""A log that the auditor read off the ledger himself, without a bundle -> verdict.

The ledger shows who published which statements when, in which order, and that nothing of the log
is missing. It holds no records, no tables, no steps and no proofs, so whatever needs those is
`unknown` here and takes a bundle.
"""

from collections.abc import Sequence
from functools import partial

from provenance.attestation import Attestation
from provenance.audit.case import Case, Scanned, Verifiers
from provenance.audit.claims import check_claims
from provenance.audit.datasets import Anchored, check_datasets
from provenance.audit.ground import Ground
from provenance.audit.ledger import Published
from provenance.audit.memberships import check_memberships
from provenance.audit.own_reading import own_reading
from provenance.audit.required import conclude
from provenance.audit.runs import check_runs
from provenance.errors import VerificationError
from provenance.evidence import Bundle
from provenance.field import Digest
from provenance.findings import Verdict
from provenance.history import Place, Problem
from provenance.lineage import edges
from provenance.log import Genesis
from provenance.policy import Policy
from provenance.receipt import Block

NOTHING = Bundle(b"", {})
MOST_TOLD = 10


def audit_scanned(scans: Sequence[Scanned], policy: Policy, now: int) -> Verdict:
    """Return the verdict on the logs that were read.

    Args:
        scans: One for each namespace that was read.
        policy: Whom the auditor trusts, and what must hold.
        now: Time of the check, nanoseconds since 1970, UTC.
    """
    whole = Case(NOTHING, policy, Verifiers({}, {}), now)
    for log in policy.logs:
        found = [(scan, genesis) for scan in scans if (genesis := _genesis(scan, log)) is not None]
        for scan, genesis in found:
            case = Case(NOTHING, policy, whole.verifiers, now, scan, whole.findings, whole.edges)
            case.attempt("log", log.hex()[:16], partial(_examine, case, scan, genesis))
        if not found:
            whole.unknown("log", log.hex()[:16], _not_found(scans))
    return conclude(whole)


def audit_disputed(words: str, policy: Policy, now: int) -> Verdict:
    """Return the verdict where the ledger itself shows two signed blocks for one height."""
    case = Case(NOTHING, policy, Verifiers({}, {}), now)
    for log in policy.logs:
        case.fails("log", log.hex()[:16], f"two-blocks: {words}")
    return conclude(case)


def _genesis(scan: Scanned, log: Digest) -> Genesis | None:
    """Return what a log's first header says if the log stands in what was read, or None.

    A stranger can copy a log anywhere.
    """
    place = Place(scan.ledger, scan.blocks.chain, scan.namespace)
    for sighting in scan.history.headers[:1]:
        genesis = sighting.sealed.header.genesis
        if sighting.sealed.digest == log and genesis is not None and place.holds(genesis):
            return genesis
    return None


def _not_found(scans: Sequence[Scanned]) -> str:
    read = "; ".join(
        f"blocks {scan.first} to {scan.last} of {scan.blocks.chain}, namespace "
        f"{scan.namespace.hex()[-20:]}{_wrong(scan.history.problems)}"
        for scan in scans
    )
    return f"no header of it was found in {read or 'nothing that was read'}"


def _wrong(problems: Sequence[Problem]) -> str:
    told = "; ".join(f"{each.subject}: {each.kind}: {each.words}" for each in problems[:MOST_TOLD])
    return f" (wrong there: {told})" if problems else ""


def _examine(case: Case, scan: Scanned, genesis: Genesis) -> None:
    """Add what one log shows."""
    published = _published(case, scan, genesis)
    found = _anchored(case, published)
    check_datasets(case, published, found)
    check_memberships(case, found)
    check_runs(case, published, found)
    check_claims(case, found)
    case.edges.extend(edges([item.attestation for item in found.values()], case.findings))


def _published(case: Case, scan: Scanned, genesis: Genesis) -> Published:
    history, blocks = scan.history, scan.blocks
    posted = {s.sealed.header.sequence: blocks.at(s.height or 0) for s in history.headers}
    own = own_reading(case, scan, history, genesis, posted)
    ground = Ground.under(genesis, blocks, blocks.believed.values())
    return Published(genesis, history, blocks, posted, own, ground)


def _anchored(case: Case, log: Published) -> dict[Digest, Anchored]:
    """Return what the log publishes in full, by the digests of the commitments."""
    found: dict[Digest, Anchored] = {}
    for sequence, item in log.history.attestations:

        def check(sequence: int = sequence, item: Attestation = item) -> None:
            if item.commitment.log != log.history.headers[0].sealed.digest:
                raise VerificationError(f"{item.name}: its commitment names another log")
            block = log.block_of(sequence)
            _check_key(case, item, block)
            found.setdefault(item.subject, Anchored(item, block, sequence))

        case.attempt("evidence", f"attestation {item.digest.hex()[:16]}", check)
    return found


def _check_key(case: Case, item: Attestation, block: Block) -> None:
    if not case.policy.is_good(item.key, block.chain, block.height):
        raise VerificationError(
            f"{item.name}: key {item.key.key_id[:16]}… is not good for block {block.height}"
        )
