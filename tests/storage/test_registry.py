"""The registry: an index that many processes share, and that can always be made anew."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance import attestation, rfc9162
from provenance.attestation import Attestation, Commitment
from provenance.claim import Claim, StepsStatement
from provenance.dataset import DatasetCommitment
from provenance.errors import UnavailableError, VerificationError
from provenance.field import Digest, FieldElement
from provenance.log import Header
from provenance.membership import MembershipClaim
from provenance.receipt import Receipt
from provenance.schema import Field, Int, Schema
from provenance.training import Run, RunStart, Transcript
from storage.entries import Document, Posting
from storage.keys import SigningKey
from storage.registry import Registry

ROOT: Final = Path(__file__).parents[2]
SIGNER: Final = SigningKey.from_seed(bytes(32))
ISSUER: Final = SIGNER.public_key.key_id
LOG: Final = Digest(b"l" * 32)


def version(name: str, number: str, previous: Digest | None = None) -> DatasetCommitment:
    return DatasetCommitment(
        issuer=ISSUER,
        log=LOG,
        name=name,
        version=number,
        schema=Schema.of(Field("x", Int())),
        features=None,
        order="natural/1",
        root=FieldElement(7),
        chunks=2,
        records=20_000,
        indexes=(),
        sources=Digest(b"s" * 32),
        previous=previous,
        facts={},
    )


def start(name: str, dataset: Digest) -> RunStart:
    return RunStart(
        issuer=ISSUER,
        log=LOG,
        name=name,
        datasets={"train": dataset},
        base=None,
        code={},
        environment=Digest(b"e" * 32),
        hyperparameters={},
        optimiser="sgd/1",
        sampler="uniform/1",
        initial="zeros/1",
        state="fixed14/1",
        seed_height=9,
    )


def run(announced: RunStart) -> Run:
    return Run(
        issuer=ISSUER,
        log=LOG,
        start=announced.digest,
        seed=Digest(b"h" * 32),
        transcript=Transcript(FieldElement(8), 1, 40),
        initial=Digest(b"i" * 32),
        final=Digest(b"f" * 32),
        metrics={},
        model=Digest(b"m" * 32),
        started_at="2026-11-24T06:00:00Z",
        ended_at="2026-11-24T06:01:00Z",
        challenge_height=12,
    )


def claim(dataset: Digest) -> MembershipClaim:
    return MembershipClaim(
        issuer=ISSUER,
        log=LOG,
        dataset=dataset,
        circuit="membership-22.v2",
        blinded_leaf=FieldElement(1),
        blinded_index=FieldElement(2),
        proof=Digest(b"p" * 32),
    )


def attested(commitment: Commitment) -> Attestation:
    return attestation.verify(attestation.attest(commitment, SIGNER).encoded, [SIGNER.public_key])


def posting(height: int, *attestations: Attestation) -> Posting:
    header = Header(3, LOG, LOG, 0, rfc9162.root([]), None, None, None)
    receipt = Receipt("embedded", "one", height, bytes(29), LOG, b"header", {}, {})
    return Posting.of(receipt, header, [each.digest for each in attestations])


FIRST: Final = attested(version("flights", "v1"))
SECOND: Final = attested(version("flights", "v2", FIRST.subject))
CELLS: Final = attested(version("cells", "v1"))
START: Final = attested(start("train-1", SECOND.subject))
RUN: Final = attested(run(start("train-1", SECOND.subject)))
IDLE: Final = attested(start("train-2", CELLS.subject))
CLAIM: Final = attested(claim(SECOND.subject))
ALL: Final[tuple[Document, ...]] = (
    *(FIRST, SECOND, CELLS, START, RUN, IDLE, CLAIM),
    posting(5, FIRST, CELLS),
    posting(8, SECOND),
    posting(6, FIRST),
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder in memory where there is one: dozens of flushes to a disk take long."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  # no fixed name in it
    with tempfile.TemporaryDirectory(dir=memory) as name:
        yield Path(name)


def new_registry(folder: Path) -> Registry:
    return Registry(Path(tempfile.mkdtemp(dir=folder)) / "registry.duckdb", wait=0)


@pytest.fixture
def registry(folder: Path) -> Registry:
    return new_registry(folder)


def everything(registry: Registry) -> list[object]:
    return [
        registry.datasets(),
        registry.versions("flights"),
        registry.runs(),
        registry.runs_on(SECOND.subject),
        registry.proofs_about(SECOND.subject),
        registry.attestations_of(RUN.subject),
        registry.unposted(),
        registry.postings_of(FIRST.digest),
    ]


def test_a_new_registry_knows_nothing(registry: Registry) -> None:
    assert everything(registry) == [()] * 8


def test_what_was_recorded_is_found(registry: Registry) -> None:
    registry.record(ALL)
    old, new = registry.versions("flights")
    assert (old.commitment, old.version, old.previous, old.height) == (
        *(FIRST.subject, "v1", None, 5),
    )
    assert (new.commitment, new.previous, new.height) == (SECOND.subject, FIRST.subject, 8)
    assert (new.root, new.chunks, new.records, new.issuer) == (7, 2, 20_000, ISSUER)
    assert [(entry.name, entry.version) for entry in registry.datasets()] == [
        ("cells", "v1"),
        ("flights", "v2"),
    ]
    assert registry.version("flights", "v2") == new


def test_runs_are_announced_and_then_registered(registry: Registry) -> None:
    registry.record(ALL)
    done, idle = registry.runs()
    assert (done.name, done.commitment, done.steps) == ("train-1", RUN.subject, 40)
    assert (done.model, done.seed_height, done.height) == (Digest(b"m" * 32), 9, None)
    assert (idle.name, idle.commitment, idle.steps, idle.model) == ("train-2", None, None, None)
    assert registry.runs_on(SECOND.subject) == (done,)
    assert registry.runs_on(FIRST.subject) == ()


def test_proofs_and_attestations_are_found_by_what_they_are_about(registry: Registry) -> None:
    registry.record(ALL)
    (proof,) = registry.proofs_about(SECOND.subject)
    assert (proof.commitment, proof.circuit, proof.proof) == (
        *(CLAIM.subject, "membership-22.v2", Digest(b"p" * 32)),
    )
    (found,) = registry.attestations_of(RUN.subject)
    assert (found.digest, found.kind, found.issuer) == (RUN.digest, "run", ISSUER)


def test_a_claim_with_several_proofs_is_listed_by_its_attestation(registry: Registry) -> None:
    statement = StepsStatement(RUN.subject, 0, 2)
    proofs = (Digest(b"1" * 32), Digest(b"2" * 32))
    made = attested(Claim(ISSUER, LOG, "step-linear-4x3-r1.v1", statement, proofs))
    registry.record([made])
    assert [(found.kind, found.name) for found in registry.unposted()] == [
        ("claim", f"claim-{made.subject.hex()[:32]}")
    ]


def test_what_has_no_receipt_is_listed(registry: Registry) -> None:
    registry.record(ALL)
    assert [entry.kind for entry in registry.unposted()] == ["membership", "run", "start", "start"]
    places = registry.postings_of(FIRST.digest)
    assert [(place.height, place.sequence, place.log) for place in places] == [
        (5, 3, LOG),
        (6, 3, LOG),
    ]
    assert places[0].attestations == (FIRST.digest,)


@given(st.lists(st.lists(st.sampled_from(ALL), max_size=6), max_size=3))
@settings(deadline=None, max_examples=3)
def test_order_and_repetition_change_nothing(folder: Path, parts: list[list[Document]]) -> None:
    registry = new_registry(folder)
    for part in parts:
        registry.record(part)
    registry.record(reversed(ALL))
    whole = new_registry(folder)
    whole.rebuild(ALL)
    assert everything(registry) == everything(whole)


def test_a_fork_of_a_line_shows_both_ends(registry: Registry) -> None:
    rival = attested(version("flights", "v2b", FIRST.subject))
    registry.record([*ALL, rival])
    ends = [entry.version for entry in registry.datasets() if entry.name == "flights"]
    assert ends == ["v2", "v2b"]


def test_two_commitments_for_one_version_are_told(registry: Registry) -> None:
    rival = attested(replace(version("flights", "v2"), records=19_999))
    registry.record([*ALL, rival])
    with pytest.raises(VerificationError, match="2 commitments are called flights@v2"):
        registry.version("flights", "v2")
    with pytest.raises(UnavailableError, match="no flights@v9 here"):
        registry.version("flights", "v9")


def test_a_version_whose_past_is_unknown_is_still_listed(registry: Registry) -> None:
    registry.record([SECOND])
    assert [entry.version for entry in registry.versions("flights")] == ["v2"]


HOLD = """
import sys
from pathlib import Path
from storage.lock import locked
with locked(Path(sys.argv[1] + ".lock")):
    print("held", flush=True)
    sys.stdin.read()
"""
OPEN = """
import duckdb, sys
db = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
db.execute("SELECT 1").fetchall()
if sys.argv[2] == "write":
    db.execute("INSERT INTO receipts VALUES ('a', 'b', 'c', 1, 'd', 2)")
    db.begin()
    db.execute("INSERT INTO receipts VALUES ('e', 'b', 'c', 1, 'd', 2)")
print("held", flush=True)
sys.stdin.read()
"""


def held(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def filled(registry: Registry) -> Iterator[Registry]:
    registry.record(ALL)
    yield registry
    assert registry.versions("flights")


def test_a_writer_that_waits_in_vain_is_told_who_writes(filled: Registry) -> None:
    with held(HOLD, filled.path) as other:
        for write in (filled.record, filled.rebuild):
            with pytest.raises(UnavailableError, match=rf"locked by process {other.pid} since"):
                write(ALL)
        assert filled.versions("flights")
        other.kill()


def test_whoever_has_the_file_open_is_named(filled: Registry) -> None:
    with held(OPEN, filled.path, "read") as other:
        assert filled.versions("flights")
        with pytest.raises(
            UnavailableError, match=rf"in use by process {other.pid} \(.*\); waited 0 s"
        ):
            filled.record(ALL)
        other.kill()


def test_a_killed_writer_leaves_what_it_committed_and_no_more(filled: Registry) -> None:
    with held(OPEN, filled.path, "write") as other:
        with pytest.raises(UnavailableError, match=rf"in use by process {other.pid}"):
            filled.versions("flights")
        other.send_signal(signal.SIGKILL)
        other.wait()
    with duckdb.connect(filled.path, read_only=True) as db:
        found = db.execute("SELECT digest FROM receipts WHERE log = 'd'").fetchall()
    assert found == [(b"a",)]


def test_the_log_of_a_killed_writer_is_not_replayed_into_a_rebuilt_registry(
    filled: Registry,
) -> None:
    with held(OPEN, filled.path, "write") as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    log = filled.path.with_name("registry.duckdb.wal")
    assert log.exists()
    filled.rebuild(ALL)
    assert not log.exists()
    with duckdb.connect(filled.path, read_only=True) as db:
        assert db.execute("SELECT count(*) FROM receipts").fetchall() == [(3,)]


def test_who_waits_reads_when_the_writer_is_done(filled: Registry) -> None:
    with held(OPEN, filled.path, "write") as other:
        assert other.stdin is not None
        waiting = threading.Timer(0, other.stdin.close)
        waiting.start()
        assert replace(filled, wait=60).versions("flights")
        waiting.join()


RECORD = """
import sys
from pathlib import Path
from provenance.field import Digest
from storage.entries import Posting
from storage.registry import Registry
registry = Registry(Path(sys.argv[1]))
for n in range(4):
    receipt = Digest(sys.argv[2].encode() * 31 + bytes([n]))
    registry.record([Posting(receipt, "embedded", "one", 1, receipt, 0, ())])
"""


def test_processes_that_write_at_once_lose_nothing(registry: Registry) -> None:
    path = registry.path
    command = [sys.executable, "-c", RECORD, str(path)]
    writers = [subprocess.Popen([*command, name], cwd=ROOT) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    with duckdb.connect(path, read_only=True) as db:
        assert db.execute("SELECT count(*) FROM receipts").fetchall() == [(8,)]


@pytest.mark.parametrize("data", [b"", b"nonsense" * 1000])
def test_a_damaged_registry_is_made_anew(registry: Registry, data: bytes) -> None:
    registry.path.write_bytes(data)
    for use in (lambda: registry.record(ALL), registry.datasets):
        with pytest.raises(UnavailableError, match="`rootline registry rebuild` makes it anew"):
            use()
    registry.rebuild(ALL)
    assert registry.versions("flights")


def test_another_versions_registry_is_not_used(filled: Registry) -> None:
    with duckdb.connect(filled.path) as db:
        db.execute("UPDATE layout SET version = 2")
    with pytest.raises(UnavailableError, match="another version made it"):
        filled.datasets()
    filled.rebuild(ALL)


def test_what_a_killed_rebuild_left_is_in_nobodys_way(filled: Registry) -> None:
    filled.path.with_name("registry.duckdb.new").write_bytes(b"half")
    filled.rebuild(ALL)
    left = sorted(path.name for path in filled.path.parent.iterdir())
    assert left == ["registry.duckdb", "registry.duckdb.lock"]


def test_without_duckdb_the_remedy_is_named(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(UnavailableError, match="extra `registry`"):
        registry.record(ALL)
