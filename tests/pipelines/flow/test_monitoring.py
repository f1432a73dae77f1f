"""Monitoring: what is wrong with a log is found, strangers' blobs are not, and only then signed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipelines.flow.monitoring import scan, sign_checkpoint
from pipelines.flow.workspace import namespace_of
from provenance import canonical, envelope, rfc9162
from provenance.attestation import attest
from provenance.checkpoint import verify as verify_checkpoint
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest
from provenance.history import History
from provenance.log import PAYLOAD_TYPE, Batch, Genesis, Header, append, full_entry, open_log
from provenance.training import RunStart
from storage.celestia.share import Blob
from storage.celestia.verifier import CelestiaVerifier
from storage.ledger import MemoryLedger
from tests.provenance.world import ISSUER, MONITOR, ROTATED, STRANGER

NAMESPACE = namespace_of(ISSUER.public_key)


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger("monitored")


def first() -> Batch:
    return open_log(Genesis("memory", "monitored", NAMESPACE, ISSUER.public_key), ISSUER)


def entries(*names: str) -> list[bytes]:
    def start(name: str) -> RunStart:
        return RunStart(
            issuer=ISSUER.key_id,
            log=first().header.digest,
            name=name,
            datasets={"train": Digest(bytes(32))},
            base=None,
            code={},
            environment=Digest(bytes(32)),
            hyperparameters={},
            optimiser="external/1",
            sampler="external/1",
            initial="external/1",
            state="bytes/1",
            seed_height=9,
        )

    return [full_entry(attest(start(name), ISSUER).encoded) for name in names]


def statement(name: str) -> bytes:
    return entries(name)[0][5:]


def post(ledger: MemoryLedger, batch: Batch, *, alone: bool = False) -> None:
    blobs = [Blob(NAMESPACE, batch.envelope)]
    if batch.entries and not alone:
        blobs.append(Blob(NAMESPACE, batch.entries))
    ledger.submit(blobs)


def read(ledger: MemoryLedger) -> History:
    return scan(ledger, NAMESPACE, [ISSUER.public_key], ledger.head())


def sign(ledger: MemoryLedger) -> Any:
    keys = [ISSUER.public_key]
    return sign_checkpoint(ledger, CelestiaVerifier(), NAMESPACE, keys, MONITOR)


def assert_found(ledger: MemoryLedger, *kinds: str) -> None:
    """The scan finds just these problems, and nothing is signed."""
    assert [problem.kind for problem in read(ledger).problems] == list(kinds)
    with pytest.raises(VerificationError, match=f"{kinds[0]}: .*; nothing is signed"):
        sign(ledger)


def chain(ledger: MemoryLedger, statements: Sequence[str]) -> list[Batch]:
    """Post a log with one run start a batch."""
    batches = [first()]
    for name in statements:
        batches.append(append(batches[-1].header, [], statement(name), ISSUER))
    for batch in batches:
        post(ledger, batch)
    return batches


def test_an_honest_log_is_signed_up_to_the_head(ledger: MemoryLedger) -> None:
    batches = chain(ledger, ["one", "two"])
    ledger.advance()
    seen, data = sign(ledger)
    assert verify_checkpoint(data, (MONITOR.public_key,)) == seen
    assert (seen.head, seen.sequence) == (batches[-1].header.digest, 2)
    assert (seen.first, seen.last) == (1, 5)
    assert [start.name for _, start in read(ledger).starts()] == ["one", "two"]


def test_an_empty_namespace_is_no_log(ledger: MemoryLedger) -> None:
    with pytest.raises(UnavailableError, match="no log in this namespace yet"):
        sign(ledger)


def test_strangers_blobs_are_passed_over(ledger: MemoryLedger) -> None:
    foreign = open_log(Genesis("memory", "monitored", NAMESPACE, STRANGER.public_key), STRANGER)
    ledger.submit([Blob(NAMESPACE, b"garbage"), Blob(NAMESPACE, foreign.envelope)])
    batches = chain(ledger, ["one"])
    ledger.submit([Blob(NAMESPACE, batches[1].envelope[:-1])])
    ledger.submit([Blob(NAMESPACE, batches[1].envelope), Blob(NAMESPACE, b"beside it")])
    assert read(ledger).problems == ()
    assert len(read(ledger).headers) == 2
    sign(ledger)


def test_a_header_copied_before_or_after_its_posting_hides_no_entries(
    ledger: MemoryLedger,
) -> None:
    """Whoever sees a submission can post the header's bytes first, without the entries."""
    one = first()
    two = append(one.header, entries("misplaced"), None, ISSUER)
    post(ledger, one)
    ledger.submit([Blob(NAMESPACE, two.envelope), Blob(NAMESPACE, b"by a stranger")])
    post(ledger, two)
    ledger.submit([Blob(NAMESPACE, two.envelope), Blob(NAMESPACE, b"by another stranger")])
    found = read(ledger)
    assert [problem.kind for problem in found.problems] == ["misplaced"]
    assert (found.headers[1].height, found.unseen) == (4, ())


def test_a_header_without_its_entries_is_reported(ledger: MemoryLedger) -> None:
    one = first()
    post(ledger, one)
    post(ledger, append(one.header, entries("hidden"), None, ISSUER), alone=True)
    assert_found(ledger, "entries-missing")
    [problem] = read(ledger).problems
    assert "not beside their header" in problem.words


def test_entries_posted_in_another_block_are_not_beside_their_header(
    ledger: MemoryLedger,
) -> None:
    one = first()
    two = append(one.header, entries("late"), None, ISSUER)
    post(ledger, one)
    post(ledger, two, alone=True)
    ledger.submit([Blob(NAMESPACE, two.entries)])
    assert_found(ledger, "entries-missing")


@pytest.mark.parametrize(
    ("count", "root", "blob"),
    [
        (2, None, b"".join(entries("one"))),
        (1, Digest(bytes(32)), b"".join(entries("one"))),
        (1, None, b"no entry at all"),
    ],
    ids=["another count", "another root", "no entries"],
)
def test_entries_that_do_not_verify_are_reported_and_crash_nothing(
    ledger: MemoryLedger, count: int, root: Digest | None, blob: bytes
) -> None:
    one = first()
    header = Header(
        sequence=1,
        log=one.header.digest,
        previous=one.header.digest,
        entries=count,
        root=root or rfc9162.root([rfc9162.leaf_hash(blob)]),
        blob=canonical.digest(blob),
        statement=None,
        genesis=None,
    )
    sealed = envelope.seal(PAYLOAD_TYPE, header.payload, ISSUER).encoded
    post(ledger, one)
    post(ledger, Batch(header, sealed, blob))
    assert_found(ledger, "bad-entries")


def test_a_fork_is_found(ledger: MemoryLedger) -> None:
    batches = chain(ledger, ["one"])
    post(ledger, append(batches[0].header, [], statement("other"), ISSUER))
    assert_found(ledger, "fork")


def test_a_gap_is_found(ledger: MemoryLedger) -> None:
    one = first()
    two = append(one.header, [], statement("skipped"), ISSUER)
    post(ledger, one)
    post(ledger, append(two.header, [], statement("after"), ISSUER))
    assert_found(ledger, "gap")


def test_a_rewritten_link_is_found(ledger: MemoryLedger) -> None:
    batches = chain(ledger, ["one"])
    other = append(batches[0].header, [], statement("never-posted"), ISSUER)
    post(ledger, append(other.header, [], statement("after"), ISSUER))
    assert_found(ledger, "rewritten")


def test_a_second_first_header_for_this_place_is_found(ledger: MemoryLedger) -> None:
    chain(ledger, ["one"])
    second = Genesis("memory", "monitored", NAMESPACE, ROTATED.public_key)
    post(ledger, open_log(second, ROTATED))
    keys = [ISSUER.public_key, ROTATED.public_key]
    found = scan(ledger, NAMESPACE, keys, ledger.head())
    assert [problem.kind for problem in found.problems] == ["second-log"]


def test_the_first_header_of_another_place_is_a_copy_and_no_log(ledger: MemoryLedger) -> None:
    """Each part of the place counts; posted first, it does not take the log's place either."""
    place = Genesis("memory", "monitored", NAMESPACE, ISSUER.public_key)
    for change in ({"ledger": "celestia"}, {"chain": "elsewhere"}, {"namespace": bytes(29)}):
        post(ledger, open_log(replace(place, **change), ISSUER))
    with pytest.raises(UnavailableError, match="no log in this namespace yet"):
        sign(ledger)
    chain(ledger, ["one"])
    assert read(ledger).problems == ()
    assert len(read(ledger).headers) == 2
    sign(ledger)


def test_the_same_bytes_posted_again_are_no_problem(ledger: MemoryLedger) -> None:
    batches = chain(ledger, ["one"])
    ledger.submit([Blob(NAMESPACE, batches[1].envelope), Blob(NAMESPACE, b"x")])
    assert read(ledger).problems == ()


def test_a_log_is_read_as_it_was_at_a_height(ledger: MemoryLedger) -> None:
    chain(ledger, ["one", "two"])
    assert len(scan(ledger, NAMESPACE, [ISSUER.public_key], 3).headers) == 2
