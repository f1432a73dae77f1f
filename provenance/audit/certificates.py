"""Certificates of other data-availability layers: tied to the log's blobs, and never believed.

Nothing of a certificate can be verified here, so nothing rests on one: neither publication nor
order nor inclusion. What can be checked is that it speaks of a blob of this very log.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from provenance.audit.case import Case
from provenance.audit.datasets import rfc3339
from provenance.audit.ledger import Published
from provenance.canonical import digest
from provenance.certificate import UNSTATED, Certificate
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.findings import Level
from provenance.log import SealedHeader

CLAIM: Final = "copy"
SECOND: Final = 10**9
SPEAKS: Final[Mapping[str, str]] = {
    "eigenda": "the proxy says that EigenDA took them; a proxy may be one of no network at all"
}


def check_certificates(case: Case, log: Published) -> None:
    """Add what the evidence carries from other layers, at L0 whatever it is."""
    sealed = [sighting.sealed for sighting in log.history.headers]
    carried: dict[tuple[str, str], list[Certificate]] = {}
    for name, data in case.bundle.under("certificates").items():

        def check(name: str = name, data: bytes = data) -> None:
            if digest(data).hex() != name:
                raise MalformedError(f"certificates/{name}.json: its name is not its digest")
            found = Certificate.parse(data)
            found.verify_blob(_blob(case, sealed, found))
            carried.setdefault((found.layer, found.network), []).append(found)

        case.attempt(CLAIM, f"certificate {name[:16]}", check)
    blobs = len(sealed) + sum(each.header.blob is not None for each in sealed)
    for (layer, network), found in sorted(carried.items()):
        case.holds(
            CLAIM,
            f"{layer} {network}",
            Level.L0,
            f"carried, not verified: certificates for {_covered(found)} of the log's {blobs} "
            f"blobs, put {_when(found)}; {SPEAKS[layer]}",
            rests_on=("the issuer's word",),
            notes=(_named(network),),
        )


def _blob(case: Case, sealed: Sequence[SealedHeader], found: Certificate) -> bytes:
    """Return the blob of this log that a certificate names."""
    if found.log != sealed[0].header.log_id:
        raise VerificationError("the certificate names another log than the bundle holds")
    if found.sequence >= len(sealed):
        raise VerificationError(f"the certificate names batch {found.sequence}: the log ends first")
    header = sealed[found.sequence]
    if found.part == "header":
        return header.envelope
    if header.header.blob is None:
        raise VerificationError(f"batch {found.sequence} has no entries to have a certificate for")
    blob = case.bundle.members.get(f"entries/{found.sequence:010d}.bin")
    if blob is None:
        raise UnavailableError(f"batch {found.sequence}'s entries are not in the evidence")
    return blob


def _covered(found: Iterable[Certificate]) -> int:
    return len({(each.sequence, each.part) for each in found})


def _when(found: Iterable[Certificate]) -> str:
    """Return from when to when blobs were put, as the issuer says."""
    times = [each.put_at * SECOND for each in found]
    return f"from {rfc3339(min(times))} to {rfc3339(max(times))} by the issuer's clock"


def _named(network: str) -> str:
    return "which network is not stated" if network == UNSTATED else "the issuer names the network"
