"""An EigenDA proxy as a data layer: bytes go in, an opaque certificate comes out.

The certificate is what finds the bytes again, and all the evidence there is. To verify one takes
Ethereum's state and KZG openings, which are not here: the proxy is believed in nothing, and what it
says proves nothing (docs/spec/certificate.md).

Source: Layr-Labs/eigenda at 61019b4e9: api/proxy/servers/rest/routing.go and handlers_cert.go,
api/proxy/common/common.go, api/proxy/clients/standard_client/client.go.
"""

import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from provenance.canonical import JsonObject, digest, is_name
from provenance.certificate import MAX_LOCATOR, UNSTATED
from provenance.errors import MalformedError, UnavailableError
from storage.data_layer import Capabilities, Kept, check_data, check_place
from storage.eigenda.answers import BUSY, OK, Answer, refusal

PUT: Final = "/put?commitment_mode=standard"
GET: Final = "/get/0x{}?commitment_mode=standard"
HEALTH: Final = "/health"
RETENTION: Final = 14 * 86_400
"""Seconds: "available for 2 weeks", api/proxy/README.md."""
PUT_SECONDS: Final = 1_200.0
"""Dispersal takes the network a while, and old proxies wait 15 minutes for Ethereum."""
GET_SECONDS: Final = 120.0
PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before a request that met a rate limit is tried again; one more try than pauses."""


class EigenDA:
    """A proxy at an address."""

    kind: Final = "eigenda"
    capabilities: Final = Capabilities(
        namespaces=False, completeness=False, order=False, inclusion=False, retention=RETENTION
    )

    def __init__(
        self,
        address: str,
        network: str = UNSTATED,
        *,
        seconds: tuple[float, float] = (PUT_SECONDS, GET_SECONDS),
        pauses: Sequence[float] = PAUSES,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name a proxy; nothing is asked yet.

        Args:
            address: Such as http://127.0.0.1:3100; a proxy takes no password.
            network: Which EigenDA network it speaks to; nothing here can check it.
            seconds: Deadlines of a put and of anything else, pauses included.
            pauses: Seconds before each new try where the rate is limited.
            sleep: Waits.
            clock: Seconds since some moment.

        Raises:
            MalformedError: No such address or name.
            UnavailableError: The extra `node` is not installed.
        """
        try:
            from storage.eigenda.exchange import Exchange
        except ModuleNotFoundError as error:
            raise UnavailableError(f"{error.name} is missing: install the extra `node`") from error
        if not is_name(network):
            raise MalformedError(f"{network!r:.80} is no name of a network, as `mainnet` is")
        self.network = network
        origin = _origin(address)
        self._exchange = Exchange(origin, _tls(origin))
        self._put_seconds, self._get_seconds = seconds
        self._pauses, self._sleep, self._clock = tuple(pauses), sleep, clock

    def check_health(self) -> None:
        """Check that a proxy answers at this address, which says nothing of EigenDA itself.

        Raises:
            UnavailableError: None does.
        """
        self._asked("GET", HEALTH, None, 0, self._get_seconds)

    def put(self, data: bytes) -> Kept:
        """Return the certificate that the proxy gives for `data`.

        A put whose answer was lost may have been taken; putting again costs its price and no more.

        Raises:
            MalformedError: No bytes, more than it takes, or an answer that is no certificate.
            UnavailableError: The proxy or EigenDA is down, busy or too slow.
        """
        check_data(data)
        locator = self._asked("POST", PUT, data, MAX_LOCATOR, self._put_seconds)
        if not locator:
            raise MalformedError(f"{self._exchange.origin} gave an empty certificate")
        return Kept(self.kind, self.network, locator, len(data), digest(data))

    def fetch(self, kept: Kept) -> bytes:
        """Return the bytes that a certificate finds, compared with what was put.

        Raises:
            MalformedError: Of another layer, or the proxy reads no certificate in it.
            VerificationError: The proxy says that the certificate is invalid, or gives other bytes.
            UnavailableError: As for `put`; EigenDA forgets after about two weeks.
        """
        check_place(self, kept)
        if not 1 <= len(kept.locator) <= MAX_LOCATOR:
            raise MalformedError(f"a certificate of {len(kept.locator)} bytes")
        target = GET.format(kept.locator.hex())
        return kept.verify(self._asked("GET", target, None, kept.size, self._get_seconds))

    def evidence(self, kept: Kept) -> JsonObject:
        """Return the certificate with what it was given for; nothing of it is verified."""
        check_place(self, kept)
        return {
            "layer": kept.kind,
            "network": kept.network,
            "locator": kept.locator.hex(),
            "bytes": kept.size,
            "sha256": kept.digest.hex(),
        }

    def _asked(
        self, method: str, target: str, body: bytes | None, most: int, seconds: float
    ) -> bytes:
        """Return the body of a good answer; all tries and pauses share one deadline."""
        ends = self._clock() + seconds
        answer = self._exchange.ask(method, target, body, most, seconds)
        for pause in self._pauses:
            left = ends - self._clock() - pause
            if answer.status != BUSY or left <= 0:
                break
            self._sleep(pause)
            answer = self._exchange.ask(method, target, body, most, left)
        return self._good(answer, is_put=body is not None)

    def _good(self, answer: Answer, *, is_put: bool) -> bytes:
        if answer.status != OK:
            raise refusal(self._exchange.origin, answer, is_put=is_put)
        return answer.body


def _origin(address: str) -> str:
    """Return scheme, host and port of an address that has nothing else."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise MalformedError("the proxy's address is none, as http://127.0.0.1:3100 is") from error
    if parts.scheme not in {"http", "https"} or not host or _has_more(parts):
        raise MalformedError(
            "the proxy's address is http:// or https://, a host and a port, with nothing after it "
            "and no password before it, as http://127.0.0.1:3100"
        )
    named = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{named}" + (f":{port}" if port is not None else "")


def _has_more(parts: SplitResult) -> bool:
    extra = (parts.query, parts.fragment, parts.username or "", parts.password or "")
    return any(extra) or parts.path not in {"", "/"} or "@" in parts.netloc


def _tls(origin: str) -> ssl.SSLContext:
    """Return how certificates are checked: the machine's authorities, or nobody's without TLS."""
    if origin.startswith("https:"):
        return ssl.create_default_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
