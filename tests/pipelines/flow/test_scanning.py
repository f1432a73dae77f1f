"""Reading blocks: a file that was changed, a node that hides or mixes up, strangers who flood."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.flow import scanning
from pipelines.flow.monitoring import scan
from pipelines.flow.scanning import block_at, pages, sightings
from provenance import envelope
from provenance.canonical import JsonObject
from provenance.errors import VerificationError
from provenance.log import PAYLOAD_TYPE, SealedHeader, verify_header
from storage.celestia.block import chain_id
from storage.celestia.embedded import EmbeddedLedger
from storage.celestia.header_store import EquivocationError
from storage.celestia.share import Blob
from storage.ledger import MemoryLedger
from tests.pipelines.flow.logs import NAMESPACE, Log
from tests.provenance.world import ISSUER, ROTATED, STRANGER, Key

OPERATOR = Key("operator")
OTHER = bytes(19) + b"\1strangers"
KEYS = (ISSUER.public_key,)


def embedded(path: Path) -> EmbeddedLedger:
    times = iter(range(10**18, 2 * 10**18, 10**9))
    return EmbeddedLedger(path, OPERATOR, chain_id(OPERATOR.public_key), times.__next__)


@pytest.fixture
def ledger(tmp_path: Path) -> EmbeddedLedger:
    """A ledger with a log of three batches, strangers' blobs beside and between them."""
    made = embedded(tmp_path / "ledger.sqlite")
    log = Log(made)
    log.begin()
    made.submit([Blob(OTHER, b"elsewhere")])
    batch = log.make("one")
    made.submit(
        [
            Blob(NAMESPACE, batch.envelope),
            Blob(OTHER, b"beside it" * 300),
            Blob(NAMESPACE, b"a stranger's"),
        ]
    )
    log.batches.append(batch)
    made.advance()
    log.add("two")
    return made


def read(ledger: EmbeddedLedger) -> list[tuple[bytes, ...]]:
    """Return the data of a namespace's blobs, block by block."""
    found = pages(ledger, (NAMESPACE,), 1, ledger.head(), None)
    return [tuple(blob.data for blob in page.blobs[NAMESPACE]) for page in found]


def test_all_blobs_of_the_namespace_are_read_and_no_others(ledger: EmbeddedLedger) -> None:
    assert [len(blobs) for blobs in read(ledger)] == [0, 1, 0, 2, 0, 1]
    assert len(scan(ledger, NAMESPACE, KEYS, ledger.head()).headers) == 3


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM blob WHERE height = 4 AND position = 2",
        "DELETE FROM blob WHERE height = 4",
        "DELETE FROM blob WHERE height = 2",
        "UPDATE blob SET data = X'4142' WHERE height = 4 AND position = 2",
        "UPDATE blob SET height = 5, position = 0 WHERE height = 6",
        (
            "UPDATE blob SET namespace = (SELECT namespace FROM blob WHERE height = 3) "
            "WHERE height = 2"
        ),
        (
            "INSERT INTO blob SELECT height, 9, namespace, commitment, version, signer, data "
            "FROM blob WHERE height = 4 AND position = 2"
        ),
    ],
    ids=["one hidden", "all hidden", "alone hidden", "changed", "moved", "renamed", "added"],
)
def test_a_file_whose_blobs_were_changed_is_not_believed(
    ledger: EmbeddedLedger, tmp_path: Path, change: str
) -> None:
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        assert database.execute(change).rowcount
    with pytest.raises(VerificationError, match="the blobs in the file are not those of the block"):
        read(ledger)


def test_blobs_of_others_are_not_what_a_reading_rests_on(
    ledger: EmbeddedLedger, tmp_path: Path
) -> None:
    """A block without the namespace is proved to lack it by its roots alone."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        database.execute("DELETE FROM blob WHERE height = 3")
    assert len(read(ledger)) == 6


def test_a_block_that_was_signed_anew_is_two_histories(
    ledger: EmbeddedLedger, tmp_path: Path
) -> None:
    """The operator makes blocks 5 and 6 again; his signatures are good, the link is not."""
    other = embedded(tmp_path / "other.sqlite")
    other.submit([Blob(OTHER, b"another history")])
    while other.head() < ledger.head():
        other.advance()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        database.execute("ATTACH ? AS other", (str(tmp_path / "other.sqlite"),))
        database.execute(
            "UPDATE block SET header = (SELECT header FROM other.block WHERE height = 5) "
            "WHERE height = 5"
        )
    with pytest.raises(EquivocationError, match=r"block 5 .*follows another block"):
        read(ledger)


class Mixed(EmbeddedLedger):
    """Answers for another height than was asked for."""

    def header(self, height: int) -> JsonObject:  # type: ignore[explicit-override]
        return super().header(height - 1 if height == 4 else height)


def test_a_ledger_that_answers_for_another_height_is_refused(
    ledger: EmbeddedLedger, tmp_path: Path
) -> None:
    mixed = Mixed(tmp_path / "ledger.sqlite", OPERATOR, ledger.chain, lambda: 1)
    with pytest.raises(VerificationError, match=r"asked for block 4 .*gave block 3"):
        read(mixed)
    with pytest.raises(VerificationError, match=r"asked for block 4"):
        block_at(mixed, 4)


class Shifted(MemoryLedger):
    """A node's ledger, not a file: it answers for another height than was asked for."""

    def headers(self, first: int, last: int) -> tuple[JsonObject, ...]:  # type: ignore[explicit-override]
        return super().headers(first - 1, last - 1)


def test_so_is_one_that_is_asked_over_a_network() -> None:
    shifted = Shifted("shifted")
    shifted.advance()
    with pytest.raises(VerificationError, match=r"asked for block 2 .*gave block 1"):
        list(pages(shifted, (NAMESPACE,), 2, 2, None))


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is decoded and verified, in order."""
    seen: list[bytes] = []

    def verify(data: bytes, keys: tuple[bytes, ...]) -> SealedHeader:
        seen.append(data)
        return verify_header(data, keys)  # type: ignore[arg-type]

    monkeypatch.setattr(scanning, "verify_header", verify)
    return seen


def test_strangers_cost_a_look_and_no_decoding(verified: list[bytes]) -> None:
    """Floods of other blobs, of foreign headers, and of the issuer's own headers again."""
    ledger = MemoryLedger("flooded")
    log = Log(ledger)
    first = log.begin()
    foreign = Log(MemoryLedger("elsewhere"), STRANGER).begin()
    noise = [Blob(NAMESPACE, b'{"payload":"' + bytes([48 + n]) * 1000) for n in range(9)]
    for height in range(5):
        again = Blob(NAMESPACE, first.envelope)
        ledger.submit(
            [*noise, Blob(NAMESPACE, foreign.envelope), again, Blob(OTHER, bytes([height + 1]))]
        )
    log.add("one")
    history = scan(ledger, NAMESPACE, KEYS, ledger.head())
    assert (len(history.headers), history.problems) == (2, ())
    assert verified == [first.envelope, log.batches[1].envelope]


def test_whoever_writes_the_issuers_key_id_has_no_signature(verified: list[bytes]) -> None:
    """A flood of them costs no JSON: a signature is looked at first."""
    ledger = MemoryLedger("forged")
    log = Log(ledger)
    first = log.begin()
    at = first.envelope.index(b'"sig":"') + 7
    forged = [
        first.envelope[:at] + b"A" * 86 + b'=="}]}',  # another signature
        b'{"a":' + b"[" * 1000 + b',"payload":"' + first.envelope[12:],  # no envelope
        first.envelope.replace(b'"payload":"', b'"payload":"!'),  # no base64
        first.envelope.replace(b'"payload":"', b'"payload":"A'),  # of another length
    ]
    ledger.submit([Blob(NAMESPACE, data) for data in forged])
    assert scan(ledger, NAMESPACE, KEYS, ledger.head()).problems == ()
    assert verified == [first.envelope]


def test_what_the_key_signed_and_is_no_header_is_passed_over(verified: list[bytes]) -> None:
    ledger = MemoryLedger("other-words")
    Log(ledger).begin()
    signed = envelope.seal(PAYLOAD_TYPE, b'{"kind":"no header"}', ISSUER).encoded
    ledger.submit([Blob(NAMESPACE, signed)])
    found = scan(ledger, NAMESPACE, KEYS, ledger.head())
    assert (len(found.headers), found.problems) == (1, ())
    assert verified[-1] == signed


def test_headers_of_one_block_are_told_in_the_order_of_their_numbers() -> None:
    ledger = MemoryLedger("together")
    log = Log(ledger)
    log.begin()
    one = log.make("one")
    two = log.make("two", after=one)
    ledger.submit([Blob(NAMESPACE, two.envelope), Blob(NAMESPACE, one.envelope)])
    (page,) = pages(ledger, (NAMESPACE,), 3, 3, None)
    found = [s.sealed.header.sequence for s, _ in sightings(page, NAMESPACE, KEYS)]
    assert found == [1, 2]
    assert scan(ledger, NAMESPACE, KEYS, 3).problems == ()


def test_a_fork_under_the_issuers_second_key_is_found_by_who_looks_for_it() -> None:
    ledger = MemoryLedger("two-keys")
    log = Log(ledger)
    first = log.begin()
    log.add("one")
    log.post(log.make("other", after=first, signer=ROTATED))
    both = (*KEYS, ROTATED.public_key)
    assert [p.kind for p in scan(ledger, NAMESPACE, both, ledger.head()).problems] == ["fork"]
    assert scan(ledger, NAMESPACE, KEYS, ledger.head()).problems == ()


def test_a_blob_of_share_version_1_counts_as_much() -> None:
    """Whoever forks in a blob that has no receipt has forked."""
    ledger = MemoryLedger("versions")
    log = Log(ledger)
    first = log.begin()
    log.add("one")
    other = log.make("other", after=first)
    ledger.submit([replace(Blob(NAMESPACE, other.envelope), version=1, signer=bytes(20))])
    assert [p.kind for p in scan(ledger, NAMESPACE, KEYS, ledger.head()).problems] == ["fork"]
