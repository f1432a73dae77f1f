"""What a proxy's statuses mean, and what to do.

Source: Layr-Labs/eigenda at 61019b4e9: api/proxy/servers/rest/middleware/error.go,
api/proxy/common/proxyerrors/4xx.go and 5xx.go, api/clients/v2/coretypes/derivation_errors.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from provenance.canonical import decode_loose
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from provenance.findings import harmless

OK: Final = 200
BAD_REQUEST: Final = 400
TEAPOT: Final = 418
BUSY: Final = 429
REDIRECTS: Final = range(300, 400)
INVALID: Final[Mapping[int, str]] = {
    1: "it cannot be parsed",
    2: "it is too old for the block that it is checked at",
    3: "EigenDA's contract refuses it",
    4: "its blob cannot be decoded",
}
"""Status codes in the body of a 418."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back whole; of an error no more than its first bytes."""

    status: int
    body: bytes


def refusal(origin: str, answer: Answer, *, is_put: bool) -> ProvenanceError:
    """Return the error that an answer other than 200 is."""
    status, said = answer.status, _words(answer.body)
    if status == TEAPOT:
        return _invalid(origin, answer, is_put=is_put)
    if status == BAD_REQUEST:
        what = "these bytes: more than its network takes?" if is_put else "this certificate"
        return MalformedError(f"{origin} does not take {what}{said}")
    return UnavailableError(f"{origin}: {_meaning(status)}{said}")


def _meaning(status: int) -> str:
    if status in REDIRECTS:
        return f"status {status}: it points elsewhere, which is not followed; name that address"
    match status:
        case 403:
            return "status 403: start the proxy with its `standard` API, `--apis.enabled standard`"
        case 404:
            return "status 404: there is no EigenDA proxy at this address"
        case 429:
            return "status 429: EigenDA limits the rate; run this again later"
        case 503:
            return (
                "status 503: EigenDA is down and asks to fail over; what is on the ledger stays "
                "published, use another layer for copies or run this again later"
            )
        case _:
            return f"status {status}; run this again, the proxy's own log may say more"


def _invalid(origin: str, answer: Answer, *, is_put: bool) -> ProvenanceError:
    why = ""
    try:
        code = decode_loose(answer.body).get("StatusCode")
    except MalformedError:
        code = None
    if isinstance(code, int):
        why = f": {INVALID.get(code, f'code {code}')}"
    if is_put:
        return UnavailableError(f"{origin} found its own new certificate invalid{why}; try again")
    return VerificationError(f"{origin} says that the certificate is invalid{why}")


def _words(body: bytes) -> str:
    text = " ".join(body.decode(errors="replace").split())
    return f" ({harmless(text)[:200]})" if text else ""
