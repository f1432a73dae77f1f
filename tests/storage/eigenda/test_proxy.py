"""An EigenDA proxy that does what its documentation says, and one that does not."""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.certificate import MAX_LOCATOR
from provenance.errors import (
    MalformedError,
    ProvenanceError,
    UnavailableError,
    VerificationError,
)
from storage.data_layer import Kept
from storage.eigenda.proxy import PAUSES, EigenDA
from tests.storage.eigenda.proxy_server import (
    TRICKLED_BODY,
    TRICKLED_HEADER,
    FakeProxy,
    Fault,
    announced,
    endless,
    half,
    hang,
    own_certificate,
    running,
    silence,
    status,
    teapot,
)

DATA = b"a batch header" * 40
SHORT = 0.2
"""Seconds of a deadline that is meant to pass."""


@pytest.fixture(scope="module")
def server() -> Iterator[FakeProxy]:
    with running() as made:
        yield made


@pytest.fixture
def proxy(server: FakeProxy) -> FakeProxy:
    for each in (server.held, server.asked, server.headers, server.faults):
        each.clear()
    return server


def layer(proxy: FakeProxy, *, seconds: float = 60.0, slept: list[float] | None = None) -> EigenDA:
    sleep = (slept if slept is not None else []).append
    return EigenDA(proxy.address, "sepolia_testnet", seconds=(seconds, seconds), sleep=sleep)


@pytest.mark.parametrize("size", [1, 2, 31, 32, 4096, 2**20])
def test_bytes_come_back(proxy: FakeProxy, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    kept = layer(proxy).put(data)
    assert layer(proxy).fetch(kept) == data
    assert (kept.kind, kept.network, kept.size) == ("eigenda", "sepolia_testnet", size)
    assert proxy.held == {kept.locator: data}
    asked = f"GET /get/0x{kept.locator.hex()}?commitment_mode=standard"
    assert proxy.asked == ["POST /put?commitment_mode=standard", asked]


def test_a_request_says_no_more_than_it_must(
    proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    layer(proxy).put(DATA)
    sent = {name.lower() for name in proxy.headers[0]}
    assert not sent & {"authorization", "cookie", "proxy-authorization"}
    assert proxy.headers[0]["Accept-Encoding"] == "identity"


def test_a_proxy_that_runs_is_healthy(proxy: FakeProxy) -> None:
    layer(proxy).check_health()
    proxy.faults.append(status(500))
    with pytest.raises(UnavailableError, match="status 500"):
        layer(proxy).check_health()


def test_whoever_has_no_certificate_of_a_known_authority_is_not_asked(
    proxy: FakeProxy, tmp_path: Path
) -> None:
    with running(own_certificate(tmp_path)) as stranger:
        address = stranger.address.replace("http:", "https:")
        with pytest.raises(UnavailableError, match=r"asked.*certificate verify failed"):
            EigenDA(address).put(DATA)
        assert stranger.asked == []
    with pytest.raises(UnavailableError, match="could not be asked"):  # no TLS at all
        EigenDA(proxy.address.replace("http:", "https:")).put(DATA)
    assert proxy.asked == []


def test_nothing_listens_there() -> None:
    with running() as gone:
        address = gone.address
    for call in (EigenDA(address).check_health, lambda: EigenDA(address).put(DATA)):
        with pytest.raises(UnavailableError, match="could not be asked"):
            call()


@pytest.mark.parametrize("size", [0, 7 * 2**20 + 1])
def test_what_is_too_little_or_too_much_is_not_sent(proxy: FakeProxy, size: int) -> None:
    with pytest.raises(MalformedError, match="bytes for a data layer"):
        layer(proxy).put(bytes(size))
    assert proxy.asked == []


@pytest.mark.parametrize("host", ["x" * 70 + ".invalid", "-.invalid", "a..invalid", "%zz"])
def test_a_host_that_cannot_be_is_not_there(host: str) -> None:
    with pytest.raises(UnavailableError, match="could not be asked"):
        EigenDA(f"http://{host}").put(DATA)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "storage.eigenda.exchange", raising=False)
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(UnavailableError, match="httpx is missing: install the extra `node`"):
        EigenDA("http://127.0.0.1:3100")


# Statuses, as the documentation has them.

PUT_STATUSES: list[tuple[int, bytes, type[ProvenanceError], str]] = [
    (400, b"encoded blob is larger than max blob size\n", MalformedError, "does not take these"),
    (403, b"", UnavailableError, "--apis.enabled standard"),
    (404, b"404 page not found\n", UnavailableError, "no EigenDA proxy at this address"),
    (405, b"", UnavailableError, "status 405"),
    (418, teapot(3), UnavailableError, "its own new certificate invalid: EigenDA's contract"),
    (500, b"post request failed: gone\n", UnavailableError, r"status 500.*post request failed"),
    (503, b"failover\n", UnavailableError, r"asks to fail over.*stays published.*failover"),
    (201, b"", UnavailableError, "status 201"),
]
GET_STATUSES: list[tuple[int, bytes, type[ProvenanceError], str]] = [
    (400, b"parsing error\n", MalformedError, "does not take this certificate"),
    (403, b"", UnavailableError, "--apis.enabled standard"),
    (404, b"", UnavailableError, "no EigenDA proxy at this address"),
    (418, teapot(1), VerificationError, "invalid: it cannot be parsed"),
    (418, teapot(2), VerificationError, "invalid: it is too old"),
    (418, teapot(3), VerificationError, "invalid: EigenDA's contract refuses it"),
    (418, teapot(4), VerificationError, "invalid: its blob cannot be decoded"),
    (418, teapot(9), VerificationError, "invalid: code 9"),
    (418, b"short and stout", VerificationError, "the certificate is invalid"),
    (418, b'{"StatusCode":"3"}', VerificationError, "the certificate is invalid"),
    (500, b"", UnavailableError, "status 500"),
    (503, b"", UnavailableError, "fail over"),
]


@pytest.mark.parametrize(("code", "body", "error", "words"), PUT_STATUSES)
def test_each_status_of_a_put_says_what_to_do(
    proxy: FakeProxy, code: int, body: bytes, error: type[ProvenanceError], words: str
) -> None:
    proxy.faults.append(status(code, body))
    with pytest.raises(error, match=words):
        layer(proxy).put(DATA)
    assert proxy.puts() == 1


@pytest.mark.parametrize(("code", "body", "error", "words"), GET_STATUSES)
def test_each_status_of_a_get_says_what_to_do(
    proxy: FakeProxy, code: int, body: bytes, error: type[ProvenanceError], words: str
) -> None:
    kept = layer(proxy).put(DATA)
    proxy.faults.append(status(code, body))
    with pytest.raises(error, match=words):
        layer(proxy).fetch(kept)
    assert len(proxy.asked) == 2


def test_a_certificate_that_the_proxy_never_gave_is_invalid(proxy: FakeProxy) -> None:
    kept = layer(proxy).put(DATA)
    other = Kept(kept.kind, kept.network, kept.locator[:-1] + b"!", kept.size, kept.digest)
    with pytest.raises(VerificationError, match="contract refuses it"):
        layer(proxy).fetch(other)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(proxy: FakeProxy, code: int) -> None:
    kept = layer(proxy).put(DATA)
    for call in (lambda: layer(proxy).put(DATA), lambda: layer(proxy).fetch(kept)):
        proxy.faults.append(status(code, Location=f"{proxy.address}/elsewhere"))
        with pytest.raises(UnavailableError, match="not followed"):
            call()
    assert not any("elsewhere" in asked for asked in proxy.asked)


# A limited rate.


@pytest.mark.parametrize("times", [1, 3, len(PAUSES)])
def test_a_limited_rate_is_waited_for(proxy: FakeProxy, times: int) -> None:
    slept: list[float] = []
    proxy.faults.extend([status(429)] * times)
    kept = layer(proxy, slept=slept).put(DATA)
    assert slept == list(PAUSES[:times])
    proxy.faults.extend([status(429)] * times)
    assert layer(proxy, slept=slept).fetch(kept) == DATA
    assert slept == list(PAUSES[:times]) * 2


def test_a_rate_that_stays_limited_ends(proxy: FakeProxy) -> None:
    slept: list[float] = []
    proxy.faults.extend([status(429, b"slow down\n")] * 50)
    with pytest.raises(UnavailableError, match=r"limits the rate.*later.*slow down"):
        layer(proxy, slept=slept).put(DATA)
    assert slept == list(PAUSES)
    assert proxy.puts() == len(PAUSES) + 1


def test_only_a_limited_rate_is_waited_for(proxy: FakeProxy) -> None:
    slept: list[float] = []
    proxy.faults.extend([status(429), status(503)])
    with pytest.raises(UnavailableError, match="fail over"):
        layer(proxy, slept=slept).put(DATA)
    assert slept == [PAUSES[0]]


def test_pauses_count_towards_the_deadline(proxy: FakeProxy) -> None:
    """Of 30 seconds three pauses leave 8, and the fourth pause would take them all."""
    now = 100.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + 5

    proxy.faults.extend([status(429)] * 50)
    patient = EigenDA(proxy.address, seconds=(30, 30), sleep=sleep, clock=lambda: now)
    with pytest.raises(UnavailableError, match="limits the rate"):
        patient.put(DATA)
    assert (proxy.puts(), now) == (4, 122.0)


# Answers that are none.


@pytest.mark.parametrize("fault", [half, silence], ids=["half", "silence"])
def test_half_an_answer_is_none(proxy: FakeProxy, fault: Fault) -> None:
    kept = layer(proxy).put(DATA)
    for call in (lambda: layer(proxy).put(DATA), lambda: layer(proxy).fetch(kept)):
        proxy.faults.append(fault)
        with pytest.raises(UnavailableError, match="could not be asked"):
            call()


@pytest.mark.parametrize(
    "fault", [TRICKLED_HEADER, TRICKLED_BODY, hang], ids=["header", "body", "hang"]
)
def test_bytes_that_trickle_in_are_cut_off_by_the_deadline(proxy: FakeProxy, fault: Fault) -> None:
    proxy.faults.append(fault)
    with pytest.raises(UnavailableError, match=r"no whole answer in 0\.2 s"):
        layer(proxy, seconds=SHORT).put(DATA)


@pytest.mark.parametrize("fault", [endless, status(200, bytes(MAX_LOCATOR + 1))])
def test_a_certificate_without_end_is_refused(proxy: FakeProxy, fault: Fault) -> None:
    proxy.faults.append(fault)
    with pytest.raises(MalformedError, match=f"more than {MAX_LOCATOR} bytes"):
        layer(proxy).put(DATA)


def test_a_length_beyond_the_bound_is_not_waited_for(proxy: FakeProxy) -> None:
    proxy.faults.append(announced(2**40))
    with pytest.raises(MalformedError, match=f"more than {MAX_LOCATOR} bytes"):
        layer(proxy).put(DATA)


def test_an_error_without_end_is_cut(proxy: FakeProxy) -> None:
    proxy.faults.append(status(500, b"\x1b[2J" + b"very long " * 10_000))
    with pytest.raises(UnavailableError, match="status 500") as caught:
        layer(proxy).put(DATA)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_an_empty_certificate_is_none(proxy: FakeProxy) -> None:
    proxy.faults.append(status(200))
    with pytest.raises(MalformedError, match="empty certificate"):
        layer(proxy).put(DATA)


@pytest.mark.parametrize("wrong", [b"", DATA[:-1], DATA[:-1] + b"!", bytes(len(DATA))])
def test_other_bytes_are_not_given_back(proxy: FakeProxy, wrong: bytes) -> None:
    kept = layer(proxy).put(DATA)
    proxy.faults.append(status(200, wrong))
    with pytest.raises(VerificationError, match="other bytes than were put"):
        layer(proxy).fetch(kept)


@pytest.mark.parametrize("fault", [endless, status(200, DATA + b"x"), announced(2**40)])
def test_more_bytes_than_were_put_are_not_read(proxy: FakeProxy, fault: Fault) -> None:
    kept = layer(proxy).put(DATA)
    proxy.faults.append(fault)
    with pytest.raises(MalformedError, match=f"more than {len(DATA)} bytes"):
        layer(proxy).fetch(kept)


def test_an_encoded_answer_is_not_decoded(proxy: FakeProxy) -> None:
    kept = layer(proxy).put(DATA)
    bomb = gzip.compress(bytes(2**24))
    proxy.faults.append(status(200, bomb, Content_Encoding="gzip"))
    with pytest.raises(MalformedError, match="encoded"):
        layer(proxy).fetch(kept)


def test_a_page_that_answers_everything_is_found_out_when_it_is_read_back(proxy: FakeProxy) -> None:
    page = b"<html>Please sign in</html>"
    proxy.faults.extend([status(200, page), status(200, page)])
    kept = layer(proxy).put(DATA)
    with pytest.raises(VerificationError):
        layer(proxy).fetch(kept)


# Places.


def test_a_certificate_of_another_layer_or_network_is_not_asked_for(proxy: FakeProxy) -> None:
    kept = layer(proxy).put(DATA)
    for kind, network in (("celestia", kept.network), ("eigenda", "mainnet")):
        other = Kept(kind, network, kept.locator, kept.size, kept.digest)
        for call in (layer(proxy).fetch, layer(proxy).evidence):
            with pytest.raises(MalformedError, match="ask that one"):
                call(other)
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("locator", [b"", bytes(MAX_LOCATOR + 1)])
def test_what_no_proxy_gave_is_not_asked_for(proxy: FakeProxy, locator: bytes) -> None:
    kept = layer(proxy).put(DATA)
    with pytest.raises(MalformedError, match="a certificate of"):
        layer(proxy).fetch(Kept(kept.kind, kept.network, locator, kept.size, kept.digest))


def test_evidence_says_no_more_than_it_is(proxy: FakeProxy) -> None:
    kept = layer(proxy).put(DATA)
    assert layer(proxy).evidence(kept) == {
        "layer": "eigenda",
        "network": "sepolia_testnet",
        "locator": kept.locator.hex(),
        "bytes": len(DATA),
        "sha256": kept.digest.hex(),
    }


@pytest.mark.parametrize(
    "address",
    [
        "",
        "127.0.0.1:3100",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:3100/put",
        "http://127.0.0.1:3100?x=1",
        "http://127.0.0.1:3100#x",
        "http://127.0.0.1:99999",
        "http://[::1",
        "http://user:hunter2@127.0.0.1:3100",
        "http://hunter2@127.0.0.1:3100",
        "http://@127.0.0.1:3100",
    ],
)
def test_an_address_has_nothing_else_in_it_and_is_not_repeated(address: str) -> None:
    with pytest.raises(MalformedError, match="the proxy's address") as caught:
        EigenDA(address)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:3100", "https://Proxy.example/", "http://[::1]:3100"]
)
def test_an_address_may_be_any_host(address: str) -> None:
    assert EigenDA(address).network == "unstated"


@pytest.mark.parametrize("network", ["", "Main Net", "-x", "x" * 129])
def test_a_network_is_a_name(network: str) -> None:
    with pytest.raises(MalformedError, match="no name of a network"):
        EigenDA("http://127.0.0.1", network)


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(code=st.integers(200, 599), body=st.binary(max_size=300))
def test_whatever_a_server_answers_is_bytes_or_one_of_our_errors(
    proxy: FakeProxy, code: int, body: bytes
) -> None:
    """No status and no body gets anything but the bytes that were put past `fetch`."""
    proxy.faults.clear()
    kept = layer(proxy).put(DATA)
    proxy.faults.extend([status(code, body)] * (1 if code != 429 else len(PAUSES) + 1))
    if code in {204, 304}:  # which have no body, so that what follows is another answer
        return
    with pytest.raises(ProvenanceError):
        layer(proxy).fetch(kept)
