"""Everything an auditor needs, gathered into one bundle file."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pipelines.flow.catalogue import (
    Version,
    attestations,
    chunk_table,
    find_commitment,
    nodes_of,
    runs,
)
from pipelines.flow.copying import copies
from pipelines.flow.differing import document as difference_of
from pipelines.flow.opening import Opener, open_records, opener, raw_value, records_at
from pipelines.flow.proofs.claiming import function_path, opened_path, proof_path
from pipelines.flow.publishing import log_id, outbox
from pipelines.flow.recorded import run_folder, stored_run
from pipelines.flow.workspace import Workspace
from provenance import canonical
from provenance.audit.claimed import values_document
from provenance.audit.datasets import opened_document, table_document
from provenance.audit.ledger import blocks_document
from provenance.audit.steps import Sample, steps_document
from provenance.canonical import JsonObject
from provenance.claim import (
    AbsenceStatement,
    Claim,
    ClaimStatement,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
    StepsStatement,
)
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError
from provenance.evidence import seal
from provenance.exclusion_key import ExclusionKey
from provenance.field import Digest
from provenance.membership import MembershipClaim
from provenance.proof import Proof
from provenance.replay import challenge
from provenance.training import STEP_SCHEMA, Run, RunStart
from storage.atomic import read_bounded
from storage.celestia.block import MAX_HEADERS
from storage.nodes import NodeFile
from storage.readers.datasets import Dataset

MAX_PROOF: Final = 2**24
MAX_OPENED: Final = 2**28
NEAR: Final = 1000
"""Blocks between two that the log names over which the headers in between are carried too."""


@dataclass
class Bundle:
    """The members of a bundle in the making."""

    space: Workspace
    members: dict[str, bytes] = field(default_factory=dict)
    shown: set[tuple[str, int]] = field(default_factory=set)
    """Records in the clear, by dataset and running number."""

    def add_log(self, checkpoints: Iterable[bytes] = ()) -> None:
        """Add the whole log: headers, entries, receipts, attestations, what others say of it."""
        for entry in outbox(self.space).batches(log_id(self.space)):
            name = f"{entry.sequence:010d}"
            self.members[f"log/{name}.json"] = entry.header
            if entry.entries:
                self.members[f"entries/{name}.bin"] = entry.entries
            if entry.receipt is not None:
                self.members[f"receipts/{name}.json"] = entry.receipt
        for item in attestations(self.space):
            self.members[f"attestations/{item.digest.hex()}.json"] = item.envelope
        for data in checkpoints:
            self.members[f"checkpoints/{canonical.digest(data).hex()}.json"] = data
        self.add_certificates()

    def add_certificates(self) -> None:
        """Add what other data-availability layers answered for the log's blobs: not verified."""
        for made in copies(self.space).of(log_id(self.space)):
            data = made.encoded
            self.members[f"certificates/{canonical.digest(data).hex()}.json"] = data

    def add_blocks(self, *, signed_above: int | None = None) -> None:
        """Add block headers from the log's first block to the ledger's head: receipts hang on them.

        Args:
            signed_above: Add signed headers from this height on too, for an auditor whose anchor
                it is and lies below the receipts.
        """
        ledger = self.space.ledger
        head = ledger.head()
        above = range(signed_above, head + 1) if signed_above is not None else range(0)
        signed = [ledger.header(height) for height in above]
        linked = [
            header
            for first, last in spans(ledger.first, head, self._needed())
            for header in ledger.headers(first, last)
        ]
        document = blocks_document(ledger.kind, ledger.chain, linked, signed)
        self.members["blocks.json"] = canonical.encode(document)

    def _needed(self) -> set[int]:
        """Return the heights that receipts, seeds and challenges name."""
        entries = outbox(self.space).batches(log_id(self.space))
        needed = {entry.height for entry in entries if entry.height is not None}
        for start, run in runs(self.space):
            needed |= {start.seed_height} | ({run.challenge_height} if run else set())
        return needed

    def add_table(self, of: Digest, nodes: NodeFile) -> None:
        """Add a chunk table."""
        self._document("tables", of.hex(), table_document(of, nodes.chunks))

    def add_records(self, version: Version, dataset: Dataset, numbers: Sequence[int]) -> None:
        """Add records in the clear, by their running numbers."""
        self.shown |= {(version.commitment.label, number) for number in numbers}
        for opening in open_records(self.space, version, dataset, numbers):
            self._named("openings", opened_document(version.commitment.digest, opening))

    def add_exclusion(self, document: JsonObject) -> None:
        """Add a proof of absence or presence in an index."""
        self._named("exclusions", document)

    def add_difference(self, before: Version, after: Version) -> None:
        """Add the difference of two versions: which leaves went and came, without any record."""
        data = difference_of(self.space, before, after).encoded
        self.members[f"differences/{canonical.digest(data).hex()}.json"] = data

    def add_proofs(self) -> None:
        """Add the proofs of all claims, with what verifies them and what they are about."""
        for item in attestations(self.space):
            match item.commitment:
                case MembershipClaim(proof=proof):
                    self._add_proof(proof)
                case Claim() as claim:
                    self.add_claim(claim)
                case _:
                    pass

    def add_claim(self, claim: Claim) -> None:
        """Add a claim's proofs, what verifies them, and what they are about."""
        for proof in claim.proofs:
            self._add_proof(proof)
        opened = opened_path(self.space, claim)
        if opened.exists():
            self.members[f"claims/{claim.digest.hex()}.json"] = read_bounded(opened, MAX_OPENED)
        if isinstance(claim.statement, PropertyStatement):
            digest = claim.statement.function
            data = read_bounded(function_path(self.space, digest), MAX_OPENED)
            self.members[f"functions/{digest.hex()}.onnx"] = data
        for digest in named_by(claim.statement):
            self._add_table_of(digest)

    def _add_table_of(self, digest: Digest) -> None:
        """Add the chunk table of a dataset, or of a run's transcript and of what it trained on."""
        match find_commitment(self.space, digest):
            case DatasetCommitment() as dataset:
                self.add_table(digest, nodes_of(self.space, dataset))
            case Run() as run:
                folder = run_folder(self.space, run.start)
                self.add_table(digest, NodeFile.find(folder, run.transcript.root))
                start = find_commitment(self.space, run.start)
                if isinstance(start, RunStart) and "train" in start.datasets:
                    self._add_table_of(start.datasets["train"])
            case _:
                pass

    def add_values(self, values: Sequence[str]) -> None:
        """Add these values beside each claim that says that they are absent; others stay hidden.

        Raises:
            UnavailableError: No claim is about one of them.
        """
        left = set(values)
        for item in attestations(self.space):
            claim = item.commitment
            if isinstance(claim, Claim) and isinstance(claim.statement, AbsenceStatement):
                known = self._keys(claim.statement, values)
                shown = [known.get(key) for key in claim.statement.keys]
                left.difference_update(value for value in shown if value is not None)
                if any(shown):
                    document = values_document(claim.digest, shown)
                    self._document("values", claim.digest.hex(), document)
        if left:
            raise UnavailableError(f"no claim says that {min(left)!r:.80} is absent")

    def _keys(self, statement: AbsenceStatement, values: Sequence[str]) -> dict[ExclusionKey, str]:
        dataset = find_commitment(self.space, statement.dataset)
        found: dict[ExclusionKey, str] = {}
        if isinstance(dataset, DatasetCommitment):
            entry = dataset.indexes[statement.index]
            for value in values:
                with suppress(MalformedError):  # of another index, which takes no such value
                    found[entry.key(raw_value(entry.normaliser, dataset.schema, value))] = value
        return found

    def _add_proof(self, digest: Digest) -> None:
        from circuits.proving.artifacts import verifier_artifacts

        name = digest.hex()
        data = read_bounded(proof_path(self.space, name), MAX_PROOF)
        self.members[f"proofs/{name}.json"] = data
        artifacts = verifier_artifacts(Proof.parse(data), self.space.home.path)
        for artifact, content in artifacts.items():
            self.members[f"circuits/{artifact.hex()}.bin"] = content

    def add_steps(self, run: Run, version: Version, dataset: Dataset, samples: int) -> None:
        """Add the challenged steps of a run, opened with their neighbours, states and records.

        All of it is in the clear: weights around each step, and the records of its batch.
        """
        block = self.space.verifier.signed_block(self.space.ledger.header(run.challenge_height))
        drawn = challenge(block.hash, run.digest, run.transcript.steps, samples)
        document, rows = _steps(self.space, run, version, dataset, drawn)
        self.shown |= {(version.commitment.label, number) for number in rows}
        self._document("steps", run.digest.hex(), document)
        folder = run_folder(self.space, run.start)
        self.add_table(run.digest, NodeFile.find(folder, run.transcript.root))
        nodes = NodeFile.find(self.space.home.nodes, version.commitment.root)
        self.add_table(version.commitment.digest, nodes)

    def seal(self) -> bytes:
        """Return the bundle file, its list of members signed by the issuer."""
        return seal(self.members, log_id(self.space), self.space.issuer)

    def _named(self, folder: str, document: JsonObject) -> None:
        self._document(folder, canonical.digest(canonical.encode(document)).hex(), document)

    def _document(self, folder: str, name: str, document: JsonObject) -> None:
        self.members[f"{folder}/{name}.json"] = canonical.encode(document)


def spans(first: int, head: int, needed: Iterable[int]) -> list[tuple[int, int]]:
    """Return the runs of heights whose headers a bundle holds, both ends included.

    All of them, if a bundle can; else the newest, and below them what the log names with the blocks
    near it: an auditor whose anchor lies far above needs one of his own for those.

    >>> spans(1, 30, [3])
    [(1, 30)]
    """
    if head - first < MAX_HEADERS:
        return [(first, head)]
    found = [(head - MAX_HEADERS // 2, head)]
    for height in sorted((h for h in needed if first <= h < found[0][0]), reverse=True):
        low, high = found[-1]
        near = height + NEAR >= low
        found = [*found[:-1], (height, high)] if near else [*found, (height, height)]
    return found[::-1]


def named_by(statement: ClaimStatement) -> tuple[Digest, ...]:
    """Return the runs and datasets that a statement names."""
    match statement:
        case AbsenceStatement(dataset=dataset):
            return (dataset,)
        case StepsStatement(run=run):
            return (run,)
        case PropertyStatement(about=about):
            return (about.dataset if isinstance(about, Records) else about.run,)
        case InferenceStatement(run=run, inputs=inputs):
            return (run, inputs.dataset) if isinstance(inputs, Records) else (run,)
        case EvaluationStatement(run=run, records=records):
            return (run, records.dataset)


def _steps(
    space: Workspace, run: Run, version: Version, dataset: Dataset, drawn: Sequence[int]
) -> tuple[JsonObject, set[int]]:
    """Return the member that opens steps, and which records it shows in the clear."""
    stored = stored_run(space, run.start)
    nodes = NodeFile.find(run_folder(space, run.start), run.transcript.root)
    steps = stored.steps(chunk_table(space, version))
    opens = Opener(nodes, STEP_SCHEMA, None, stored.key)
    opened = opens.open({n: steps[n].record for n in _around(drawn, len(steps))})
    wanted = {number for n in drawn for number in stored.batches[n]}
    rows = opener(space, version).open(records_at(dataset, wanted))
    samples = [
        Sample(
            step=opened[n],
            preceding=opened.get(n - 1) if n else None,
            following=opened.get(n + 1) if n + 1 < len(steps) else None,
            before=stored.states[n],
            after=stored.states[n + 1],
            rows=tuple(rows[number] for number in stored.batches[n]),
        )
        for n in drawn
    ]
    first, last = opened[0], opened[len(steps) - 1]
    return steps_document(run.digest, stored.states[0], first, last, samples), wanted


def _around(drawn: Sequence[int], steps: int) -> set[int]:
    near = {m for n in drawn for m in (n - 1, n, n + 1) if 0 <= m < steps}
    return near | {0, steps - 1}
