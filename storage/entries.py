"""What the registry knows: rows made of attestations and receipts, and entries made of rows.

Columns are those of schema.sql and its views, in order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from provenance.attestation import Attestation, Commitment
from provenance.canonical import digest
from provenance.claim import Claim
from provenance.dataset import DatasetCommitment
from provenance.field import Digest, FieldElement
from provenance.log import Header
from provenance.membership import MembershipClaim
from provenance.receipt import Receipt
from provenance.training import Run, RunStart
from storage.database import Statement

Columns = tuple[Any, ...]

ATTESTATION: Final = "INSERT OR IGNORE INTO attestations VALUES (?, ?, ?, ?, ?)"
VERSION: Final = "INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
START: Final = "INSERT OR IGNORE INTO starts VALUES (?, ?, ?, ?)"
USE: Final = "INSERT OR IGNORE INTO uses VALUES (?, ?, ?)"
RUN: Final = "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)"
PROOF: Final = "INSERT OR IGNORE INTO proofs VALUES (?, ?, ?, ?, ?)"
RECEIPT: Final = "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?, ?, ?)"
POSTING: Final = "INSERT OR IGNORE INTO postings VALUES (?, ?)"


@dataclass(frozen=True, slots=True)
class Posting:
    """A receipt, and the attestations (by envelope digest) that its batch published."""

    receipt: Digest
    ledger: str
    chain: str
    height: int
    log: Digest
    sequence: int
    attestations: tuple[Digest, ...]

    @classmethod
    def of(cls, receipt: Receipt, header: Header, attestations: Iterable[Digest]) -> Self:
        """Return the posting that `receipt` shows, whose blob is the envelope of `header`."""
        return cls(
            receipt=digest(receipt.encoded),
            ledger=receipt.ledger,
            chain=receipt.chain,
            height=receipt.height,
            log=header.log_id,
            sequence=header.sequence,
            attestations=tuple(attestations),
        )

    @classmethod
    def of_row(cls, row: Columns) -> Self:
        """Return the posting in a row of posting_list."""
        receipt, ledger, chain, height, log, sequence, attestation = row
        entries = (Digest(attestation),)
        return cls(Digest(receipt), ledger, chain, height, Digest(log), sequence, entries)


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version of a dataset; `height` is None until a receipt is recorded."""

    commitment: Digest
    name: str
    version: str
    issuer: str
    root: FieldElement
    chunks: int
    records: int
    previous: Digest | None
    height: int | None

    @classmethod
    def of_row(cls, row: Columns) -> Self:
        """Return the version in a row of version_list."""
        commitment, name, version, issuer, root, chunks, records, previous, height, _ = row
        return cls(
            commitment=Digest(commitment),
            name=name,
            version=version,
            issuer=issuer,
            root=FieldElement.decode(root),
            chunks=chunks,
            records=records,
            previous=_optional(previous),
            height=height,
        )


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run that `start` announced; what follows `seed_height` is None until it is registered."""

    start: Digest
    name: str
    issuer: str
    seed_height: int
    commitment: Digest | None
    steps: int | None
    model: Digest | None
    ended_at: str | None
    height: int | None

    @classmethod
    def of_row(cls, row: Columns) -> Self:
        """Return the run in a row of run_list."""
        start, name, issuer, seed_height, commitment, steps, model, ended_at, height = row
        return cls(
            start=Digest(start),
            name=name,
            issuer=issuer,
            seed_height=seed_height,
            commitment=_optional(commitment),
            steps=steps,
            model=_optional(model),
            ended_at=ended_at,
            height=height,
        )


@dataclass(frozen=True, slots=True)
class ProofEntry:
    """A claim about a version of a dataset that the zero-knowledge proof `proof` backs."""

    commitment: Digest
    dataset: Digest
    circuit: str
    proof: Digest
    issuer: str
    height: int | None

    @classmethod
    def of_row(cls, row: Columns) -> Self:
        """Return the claim in a row of proof_list."""
        commitment, dataset, circuit, proof, issuer, height = row
        return cls(Digest(commitment), Digest(dataset), circuit, Digest(proof), issuer, height)


@dataclass(frozen=True, slots=True)
class AttestationEntry:
    """One stored attestation, whatever it is about."""

    digest: Digest
    kind: str
    name: str
    commitment: Digest
    issuer: str

    @classmethod
    def of_row(cls, row: Columns) -> Self:
        """Return the attestation in a row of attestations."""
        digest, kind, name, commitment, issuer = row
        return cls(Digest(digest), kind, name, Digest(commitment), issuer)


Document = Attestation | Posting


def statements(documents: Iterable[Document]) -> list[Statement]:
    """Return what inserts these documents; inserted twice, they are there once."""
    found: list[Statement] = []
    for document in documents:
        match document:
            case Attestation():
                found += _attestation(document)
            case Posting():
                found += _posting(document)
    return found


def _attestation(attestation: Attestation) -> list[Statement]:
    subject = bytes(attestation.subject)
    about = (attestation.kind, attestation.name, subject, attestation.commitment.issuer)
    row = (bytes(attestation.digest), *about)
    return [(ATTESTATION, row), *_commitment(subject, attestation.commitment)]


def _posting(posting: Posting) -> list[Statement]:
    receipt = bytes(posting.receipt)
    place = (posting.ledger, posting.chain, posting.height, bytes(posting.log), posting.sequence)
    entries = [(POSTING, (receipt, bytes(attestation))) for attestation in posting.attestations]
    return [(RECEIPT, (receipt, *place)), *entries]


def _commitment(subject: bytes, made: Commitment) -> list[Statement]:
    match made:
        case DatasetCommitment():
            return [_dataset(subject, made)]
        case RunStart():
            start = (subject, made.name, made.issuer, made.seed_height)
            uses = [(USE, (subject, role, bytes(d))) for role, d in made.datasets.items()]
            return [(START, start), *uses]
        case Run():
            outcome = (made.transcript.steps, _bytes(made.model), made.ended_at)
            return [(RUN, (subject, bytes(made.start), made.issuer, *outcome))]
        case MembershipClaim():
            claim = (bytes(made.dataset), made.circuit, bytes(made.proof), made.issuer)
            return [(PROOF, (subject, *claim))]
        case Claim():  # about several commitments, with several proofs: its attestation finds it
            return []


def _dataset(subject: bytes, made: DatasetCommitment) -> Statement:
    about = (made.name, made.version, made.issuer)
    tree = (made.root.encoded, made.chunks, made.records)
    return VERSION, (subject, *about, *tree, _bytes(made.previous))


def _bytes(value: Digest | None) -> bytes | None:
    return None if value is None else bytes(value)


def _optional(value: bytes | None) -> Digest | None:
    return None if value is None else Digest(value)
