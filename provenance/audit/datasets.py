"""Claims about datasets: what was committed, what was declared, which records were opened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from provenance.attestation import Attestation, verify
from provenance.audit.case import Case
from provenance.audit.ledger import Published
from provenance.canonical import Fields, Json, JsonObject
from provenance.canonical import digest as document_digest
from provenance.dataset import MAX_CHUNKS, DatasetCommitment
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest, FieldElement
from provenance.findings import Level
from provenance.log import digest_entry, full_entry
from provenance.opening import Opening, verify_opening
from provenance.receipt import Block
from provenance.rfc9162 import MerklePath, leaf_hash, verify_path
from provenance.training import Run, RunStart
from provenance.tree import Chunk, verify_table

TABLE_KIND = "rootline/table/v1"
OPENING_KIND = "rootline/opened/v1"
PATH_KIND = "rootline/path/v1"
LAST_SECOND = 253_402_300_799
"""The end of year 9999, the last that a date can name."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """An attestation that was shown to be published, and the block that holds it."""

    attestation: Attestation
    block: Block
    sequence: int


def anchored(case: Case, log: Published) -> dict[Digest, Anchored]:
    """Return the attestations in the evidence that are published, by their commitment's digest."""
    found: dict[Digest, Anchored] = {}
    for name, data in case.bundle.under("attestations").items():

        def check(name: str = name, data: bytes = data) -> None:
            if document_digest(data).hex() != name:
                raise MalformedError(f"attestations/{name}.json: its name is not its digest")
            item = verify(data, case.policy.keys())
            owner = log.genesis.key.key_id
            if not case.policy.is_same_issuer(owner, item.key.key_id):
                raise VerificationError(f"{item.name}: signed by another issuer than the log's")
            if item.commitment.log != log.history.headers[0].sealed.header.log_id:
                raise VerificationError(f"{item.name}: its commitment names another log")
            sequence = _sequence(case, log, item)
            block = log.block_of(sequence)
            _check_key(case, item, block)
            known = found.get(item.subject)
            if known is None or sequence < known.sequence:
                found[item.subject] = Anchored(item, block, sequence)

        case.attempt("evidence", f"attestation {name[:16]}", check)
    _check_left_out(case, log)
    return found


def _check_left_out(case: Case, log: Published) -> None:
    """Add a finding for each statement that the log publishes in full and nobody is shown."""
    shown = set(case.bundle.under("attestations"))
    for sequence, item in log.history.attestations:
        if item.digest.hex() not in shown:
            words = f"it stands in batch {sequence}, and the bundle leaves it out"
            case.fails("evidence", item.name, words)


def _check_key(case: Case, item: Attestation, block: Block) -> None:
    if not case.policy.is_good(item.key, block.chain, block.height):
        raise VerificationError(
            f"{item.name}: key {item.key.key_id[:16]}… is not good for block {block.height}"
        )


def _sequence(case: Case, log: Published, item: Attestation) -> int:
    path = case.bundle.under("paths").get(item.digest.hex())
    if isinstance(item.commitment, Run | RunStart):  # in a header, or it could be one of a thousand
        found = [s for s in log.history.headers if s.sealed.header.statement == item.envelope]
    elif path is not None:
        return _by_path(log, item, path)
    else:
        wanted = {full_entry(item.envelope), digest_entry(item.envelope)}
        found = [s for s in log.history.headers if not wanted.isdisjoint(s.entries or ())]
    if not found:
        raise UnavailableError(f"{item.name}: nothing shows in which batch it was published")
    return found[0].sealed.header.sequence


def _by_path(log: Published, item: Attestation, data: bytes) -> int:
    fields = Fields.parse(data, PATH_KIND)
    sequence = fields.integer("sequence", 1, len(log.history.headers) - 1)
    index, full = fields.integer("index", 0, 2**20), fields.boolean("full")
    siblings = fields.items("siblings", 64)
    fields.done()
    header = log.history.headers[sequence].sealed.header
    entry = full_entry(item.envelope) if full else digest_entry(item.envelope)
    path = MerklePath(index, header.entries, tuple(Digest.parse(_text(s)) for s in siblings))
    verify_path(leaf_hash(entry), path, header.root)
    return sequence


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise MalformedError("path: a sibling is a hash in hex")
    return value


def check_datasets(case: Case, log: Published, found: Mapping[Digest, Anchored]) -> None:
    """Add what the evidence shows about each dataset version."""
    for digest, item in found.items():
        commitment = item.attestation.commitment
        if isinstance(commitment, DatasetCommitment):
            _check_dataset(case, log, digest, commitment, item, found)


def _check_dataset(
    case: Case,
    log: Published,
    digest: Digest,
    commitment: DatasetCommitment,
    item: Anchored,
    found: Mapping[Digest, Anchored],
) -> None:
    label = commitment.label
    issuer = case.policy.name_of(item.attestation.key)
    if not case.attempt("dataset", label, lambda: _check_previous(commitment, item, found)):
        return
    case.holds(
        "dataset",
        label,
        Level.L1,
        f"signed by {issuer!r} and published in block {item.block.height} of {item.block.chain}, "
        f"{_when(item.block)}",
        rests_on=_ledger_rests(log, item),
        notes=(f"commitment {digest.hex()}", f"{commitment.records} records declared"),
    )
    _check_count(case, digest, commitment)
    _check_facts(case, commitment)
    _check_unique(case, log, label)


def _check_previous(
    commitment: DatasetCommitment, item: Anchored, found: Mapping[Digest, Anchored]
) -> None:
    before = found.get(commitment.previous) if commitment.previous else None
    if before is None:
        return
    previous = before.attestation.commitment
    if not isinstance(previous, DatasetCommitment) or previous.name != commitment.name:
        raise VerificationError(f"{commitment.label}: its previous version is another dataset")
    if before.sequence > item.sequence:
        raise VerificationError(f"{commitment.label}: published before its previous version")


def _check_count(case: Case, digest: Digest, commitment: DatasetCommitment) -> None:
    def check() -> None:
        chunk_table(case, digest, commitment.root, commitment.chunks, commitment.records)

    if case.attempt("count", commitment.label, check):
        words = f"{commitment.records} records, summed over {commitment.chunks} chunks"
        rests = (f"dataset {commitment.label} (L1)",)
        case.holds("count", commitment.label, Level.L1, words, rests_on=rests)


def _when(block: Block) -> str:
    return f"whose header gives {rfc3339(block.time)}"


def rfc3339(time: int) -> str:
    """Return nanoseconds since 1970 as a UTC time to the second."""
    seconds = max(0, min(time // 10**9, LAST_SECOND))  # a header may say anything
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _ledger_rests(log: Published, item: Anchored) -> tuple[str, ...]:
    return (*log.rests(item.block), "the issuer's key")


def _check_facts(case: Case, commitment: DatasetCommitment) -> None:
    declared = ", ".join(f"{name}: {value}" for name, value in sorted(commitment.facts.items()))
    if commitment.facts:
        case.holds("facts", commitment.label, Level.L0, f"declared only: {declared}")
    allowed = case.policy.licences
    licence = commitment.facts.get("licence")
    if allowed is not None and licence not in allowed:
        case.fails("facts", commitment.label, f"declared licence {licence!r} is not allowed")


def _check_unique(case: Case, log: Published, label: str) -> None:
    name = label.split("@", maxsplit=1)[0]
    if not log.history.is_open:
        case.unknown("unique", label, "the log has entries that are not opened to this auditor")
    elif log.checkpoint is None:
        case.unknown("unique", label, "no checkpoint says that the log shown here is all of it")
    elif found := [p.words for p in log.history.problems if p.subject in (label, name)]:
        case.fails("unique", label, "; ".join(found))
    else:
        words = "no other commitment for it in the log up to its checkpoint"
        case.holds("unique", label, Level.L1, words, rests_on=(case.witness,))


def chunk_table(
    case: Case, of: Digest, root: FieldElement, chunks: int, records: int
) -> tuple[Chunk, ...]:
    """Return the chunk table of a commitment, once it gives the committed root and counts.

    Raises:
        MalformedError: The member is not in its one form.
        VerificationError: It gives another root or count.
        UnavailableError: It is not in the evidence.
    """
    if (of, root) in case.tables:
        return case.tables[of, root]
    data = case.bundle.under("tables").get(of.hex())
    if data is None:
        raise UnavailableError(f"the chunk table of {of.hex()[:16]}… is not in the evidence")
    fields = Fields.parse(data, TABLE_KIND)
    if fields.digest("of") != of:
        raise MalformedError(f"tables/{of.hex()}.json speaks of another commitment")
    table = tuple(Chunk.from_json(item) for item in fields.items("chunks", MAX_CHUNKS))
    fields.done()
    verify_table(table, root, chunks, records)
    case.tables[of, root] = table
    return table


def table_document(of: Digest, chunks: Sequence[Chunk]) -> JsonObject:
    """Return the member that holds a chunk table."""
    return {"kind": TABLE_KIND, "of": of.hex(), "chunks": [chunk.to_json() for chunk in chunks]}


def check_openings(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each record that the evidence opens."""
    for name, data in case.bundle.under("openings").items():
        case.attempt("record", name[:16], partial(_opened, case, name, data, found))


def _opened(case: Case, name: str, data: bytes, found: Mapping[Digest, Anchored]) -> None:
    if document_digest(data).hex() != name:
        raise MalformedError("an opening's name is not its digest")
    fields = Fields.parse(data, OPENING_KIND)
    commitment = dataset_of(fields.digest("dataset"), found)
    opening = Opening.from_fields(fields.inner("opening"))
    fields.done()
    values = verify_opening(opening, commitment)
    shown = ", ".join(f"{key}={value!r:.60}" for key, value in list(values.items())[:4])
    case.holds(
        "record",
        f"{commitment.label}[{opening.path.chunk}:{opening.path.position}]",
        Level.L1,
        f"opened and hashed up to the committed root: {shown}{', …' if len(values) > 4 else ''}",
        rests_on=(f"dataset {commitment.label} (L1)",),
        notes=("this record is shown in the clear to whoever holds this bundle",),
    )


def opened_document(dataset: Digest, opening: Opening) -> JsonObject:
    """Return the member that opens one record of a dataset."""
    return {"kind": OPENING_KIND, "dataset": dataset.hex(), "opening": opening.json}


def dataset_of(digest: Digest, found: Mapping[Digest, Anchored]) -> DatasetCommitment:
    """Return the published dataset commitment with this digest.

    Raises:
        UnavailableError: It is not in the evidence, or not shown to be published.
        VerificationError: The digest is another kind of commitment's.
    """
    item = found.get(digest)
    if item is None:
        raise UnavailableError(f"dataset {digest.hex()[:16]}… is not shown to be published")
    if not isinstance(item.attestation.commitment, DatasetCommitment):
        raise VerificationError(f"{digest.hex()[:16]}… is no dataset")
    return item.attestation.commitment
