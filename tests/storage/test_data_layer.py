"""What every data layer promises, asked of each; and that none promises more than it can show."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import override

from provenance import canonical
from provenance.canonical import JsonObject
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.receipt import Receipt
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.remote import CelestiaLedger
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.data_layer import MAX_DATA, DataLayer, Kept, LedgerLayer, check_data, check_place
from storage.eigenda.proxy import EigenDA
from storage.ledger import FIRST_TIME, Ledger, MemoryLedger, OutcomeUnknownError, _ChainKey
from tests.storage.celestia.test_remote import Setting
from tests.storage.eigenda.proxy_server import FakeProxy, running

SPACE: Final = bytes(19) + b"rootline01"
VERIFIER: Final = CelestiaVerifier()
DATA: Final = b"a batch header" * 40
Make = Callable[[Path, FakeProxy, ExitStack], DataLayer]


def embedded(folder: Path) -> EmbeddedLedger:
    clock = count(FIRST_TIME, 10**9).__next__
    return EmbeddedLedger(folder / "ledger.sqlite", _ChainKey("chain-1"), "chain-1", clock)


def over(ledger: Ledger) -> LedgerLayer:
    return LedgerLayer(ledger, SPACE, VERIFIER)


class PublicLedger(MemoryLedger):
    """A ledger in memory that calls itself Celestia."""

    kind = "celestia"  # type: ignore[misc]  # final there


def asked(folder: Path, stack: ExitStack) -> CelestiaLedger:
    """Return a ledger that is asked over a node's JSON-RPC, as Celestia is."""
    setting = Setting(folder)
    stack.callback(setting.close)
    return setting.ledger


class FileLayer:
    """A layer in one file, a line for each put, so that another process can go on with it."""

    kind = "eigenda"
    network = "sepolia_testnet"
    capabilities = EigenDA.capabilities

    def __init__(self, file: Path) -> None:
        self.file = file

    def put(self, data: bytes) -> Kept:
        check_data(data)
        with self.file.open("ab") as file:
            file.write(data.hex().encode() + b"\n")
        number = len(self.file.read_bytes().splitlines()) - 1
        return Kept(self.kind, self.network, b"%d" % number, len(data), canonical.digest(data))

    def fetch(self, kept: Kept) -> bytes:
        check_place(self, kept)
        lines = self.file.read_bytes().splitlines()
        for number, line in enumerate(lines):
            if kept.locator == b"%d" % number:
                return kept.verify(bytes.fromhex(line.decode()))
        raise MalformedError("no such line")

    def evidence(self, kept: Kept) -> JsonObject:
        check_place(self, kept)
        return {"line": int(kept.locator)}


LAYERS: Final[dict[str, Make]] = {
    "memory": lambda *_: over(MemoryLedger("chain-1")),
    "file": lambda folder, *_: FileLayer(folder / "layer"),
    "embedded": lambda folder, *_: over(embedded(folder)),
    "node": lambda folder, _, stack: over(asked(folder, stack)),
    "eigenda": lambda _, proxy, __: EigenDA(proxy.address, "sepolia_testnet", sleep=lambda _: None),
}


@pytest.fixture(scope="module")
def proxy() -> Iterator[FakeProxy]:
    with running() as server:
        yield server


@pytest.fixture(params=LAYERS)
def layer(request: pytest.FixtureRequest, tmp_path: Path, proxy: FakeProxy) -> Iterator[DataLayer]:
    with ExitStack() as stack:
        yield LAYERS[request.param](tmp_path, proxy, stack)


@pytest.mark.parametrize("size", [1, 477, 478, 479, 30_000])
def test_bytes_come_back(layer: DataLayer, size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    kept = layer.put(data)
    assert layer.fetch(kept) == data
    assert (kept.kind, kept.network) == (layer.kind, layer.network)
    assert (kept.size, kept.digest) == (size, canonical.digest(data))


def test_the_same_bytes_can_be_put_again(layer: DataLayer) -> None:
    first, second = layer.put(DATA), layer.put(DATA)
    assert layer.fetch(first) == layer.fetch(second) == DATA


def test_what_is_put_later_does_not_hide_what_was_put_before(layer: DataLayer) -> None:
    kept = [layer.put(bytes([n]) * (n + 1)) for n in range(5)]
    assert [layer.fetch(each) for each in kept] == [bytes([n]) * (n + 1) for n in range(5)]


@pytest.mark.parametrize("size", [0, MAX_DATA + 1])
def test_too_little_or_too_much_is_refused(layer: DataLayer, size: int) -> None:
    with pytest.raises(MalformedError, match="bytes for a data layer"):
        layer.put(bytes(size))


def test_a_place_elsewhere_is_not_asked_for(layer: DataLayer) -> None:
    kept = layer.put(DATA)
    for other in (replace(kept, kind="other"), replace(kept, network="other")):
        for call in (layer.fetch, layer.evidence):
            with pytest.raises(MalformedError, match="ask that one"):
                call(other)


def test_bytes_that_were_not_put_are_refused(layer: DataLayer) -> None:
    kept = layer.put(DATA)
    other = canonical.digest(b"other")
    for lie in (replace(kept, digest=other), replace(kept, size=kept.size + 1)):
        with pytest.raises(VerificationError, match="other bytes than were put"):
            layer.fetch(lie)


def test_a_place_that_was_never_given_is_refused(layer: DataLayer) -> None:
    kept = layer.put(DATA)
    last = kept.locator[:-1] + bytes([kept.locator[-1] ^ 1])
    for locator in (last, b"", b"x", kept.locator * 2, bytes(40), b"\xff" * 40):
        with pytest.raises((MalformedError, VerificationError, UnavailableError)):
            layer.fetch(replace(kept, locator=locator))


def test_evidence_is_a_document_and_verified_only_where_the_layer_says_so(layer: DataLayer) -> None:
    evidence = layer.evidence(layer.put(DATA))
    data = canonical.encode(evidence)
    if layer.capabilities.inclusion:
        receipt = Receipt.parse(data)
        VERIFIER.verify_inclusion(receipt, VERIFIER.signed_block(receipt.header))
        assert receipt.blob == DATA
    else:
        with pytest.raises(MalformedError):
            Receipt.parse(data)


def test_capabilities_cannot_be_raised(layer: DataLayer) -> None:
    for name in ("order", "inclusion"):
        with pytest.raises(AttributeError):
            setattr(layer.capabilities, name, True)


def test_each_layer_says_what_it_can_show(tmp_path: Path, proxy: FakeProxy) -> None:
    with ExitStack() as stack:
        made = {}
        for name, make in LAYERS.items():
            (tmp_path / name).mkdir()
            made[name] = make(tmp_path / name, proxy, stack).capabilities
    made["celestia"] = over(PublicLedger("mocha-4")).capabilities
    assert {name for name, found in made.items() if found.inclusion} == set(made) - {
        "eigenda",
        "file",
    }
    assert {name for name, found in made.items() if found.completeness} == set(made) - {
        "eigenda",
        "file",
    }
    assert {name for name, found in made.items() if found.namespaces} == set(made) - {
        "eigenda",
        "file",
    }
    assert {name for name, found in made.items() if found.order} == {"celestia"}
    assert {name: found.retention for name, found in made.items()} == {
        "memory": None,
        "embedded": None,
        "node": None,
        "eigenda": 1_209_600,
        "file": 1_209_600,
        "celestia": 608_400,
    }


# Ledgers that lose answers.


class LosingLedger(MemoryLedger):
    """Loses each answer; the submission is taken, or it is not."""

    takes = True

    @override
    def submit(self, blobs: Sequence[Blob]) -> int:
        if self.takes:
            super().submit(blobs)
        raise OutcomeUnknownError("the answer was lost")


def test_an_answer_that_was_lost_is_looked_for() -> None:
    layer = over(LosingLedger("chain-1"))
    kept = layer.put(DATA)
    assert kept.locator[:8] == (2).to_bytes(8, "big")
    assert layer.fetch(kept) == DATA


def test_what_was_not_taken_stays_unknown() -> None:
    ledger = LosingLedger("chain-1")
    ledger.takes = False
    with pytest.raises(OutcomeUnknownError):
        over(ledger).put(DATA)


def test_a_locator_leads_to_one_block(tmp_path: Path) -> None:
    layer = over(embedded(tmp_path))
    kept = layer.put(DATA)
    layer.put(b"another")
    elsewhere = (3).to_bytes(8, "big") + kept.locator[8:]
    with pytest.raises(VerificationError, match="block 3 of chain-1 holds no such blob"):
        layer.fetch(replace(kept, locator=elsewhere))
    beyond = (9).to_bytes(8, "big") + kept.locator[8:]
    with pytest.raises(UnavailableError, match="the newest is 3"):
        layer.fetch(replace(kept, locator=beyond))


def test_a_receipt_of_other_bytes_is_no_evidence(tmp_path: Path) -> None:
    layer = over(embedded(tmp_path))
    kept = layer.put(DATA)
    with pytest.raises(VerificationError, match="other bytes"):
        layer.evidence(Kept(kept.kind, kept.network, kept.locator, 1, kept.digest))
