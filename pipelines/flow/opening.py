"""Showing single records, and that a value is in an index or not: what an auditor may be given."""

from collections.abc import Iterable, Mapping, Sequence

from pipelines.flow.catalogue import Version, nodes_of
from pipelines.flow.working import IndexRequest, Orders, work_batch
from pipelines.flow.workspace import Workspace
from provenance.audit.proofs import exclusion_document
from provenance.audit.steps import record_index
from provenance.canonical import JsonObject
from provenance.chunk import CHUNK
from provenance.errors import (
    MalformedError,
    UnavailableError,
    VerificationError,
)
from provenance.exclusion_proof import (
    AbsenceProof,
    IndexEntry,
    verify_absence,
    verify_presence,
)
from provenance.features import FeatureSpec, feature_salt
from provenance.field import FieldElement
from provenance.leaf import DatasetKey, content_digest, salt
from provenance.leaves import LeafMaker
from provenance.opening import Opening, decode_hex, opened_leaf
from provenance.poseidon import from_words
from provenance.record import Record, decode_record, encode_record
from provenance.schema import Schema
from provenance.tree import InclusionProof, verify_inclusion
from storage.index_builder import IndexBuilder
from storage.index_file import IndexFile
from storage.nodes import NodeFile
from storage.readers.datasets import Dataset


class Opener:
    """Opens records of one committed tree, from its node file and its key."""

    def __init__(
        self, nodes: NodeFile, schema: Schema, spec: FeatureSpec | None, key: DatasetKey
    ) -> None:
        self._nodes, self._schema, self._spec, self._key = nodes, schema, spec, key

    def open(self, records: Mapping[int, Record]) -> dict[int, Opening]:
        """Return the openings of records by their running numbers, each checked here.

        Raises:
            MalformedError: No such number.
            RootMismatchError: A record is not the one that was committed there.
        """
        found: dict[int, Opening] = {}
        for number, record in records.items():
            chunk, position = divmod(record_index(self._nodes.chunks, number), CHUNK)
            opening = self._opening(record, self._nodes.prove(chunk, position))
            try:
                self._check(opening)
            except VerificationError:  # the record is another one, or the inner nodes are damaged
                opening = self._opening(record, self._nodes.prove_by_hashing(chunk, position))
                self._check(opening)
            found[number] = opening
        return found

    def _check(self, opening: Opening) -> None:
        leaf, _ = opened_leaf(opening, self._schema, self._spec)
        verify_inclusion(leaf, opening.path, self._nodes.root, len(self._nodes.chunks))

    def _opening(self, record: Record, path: InclusionProof) -> Opening:
        encoded = encode_record(self._schema, record)
        content = content_digest(self._schema.digest, encoded)
        blind = feature_salt(self._key, content) if self._spec else None
        return Opening(encoded, salt(self._key, content), blind, path)


def opener(space: Workspace, version: Version) -> Opener:
    """Return what opens a dataset version's records."""
    commitment = version.commitment
    key = space.secrets.load(commitment.name, space.passphrase)
    return Opener(nodes_of(space, commitment), commitment.schema, commitment.features, key)


def records_at(dataset: Dataset, numbers: Iterable[int]) -> dict[int, Record]:
    """Return the records with these running numbers, read in one pass.

    Raises:
        MalformedError: The dataset has fewer records.
    """
    wanted = set(numbers)
    found: dict[int, Record] = {}
    for number, record in enumerate(dataset.records()):
        if number in wanted:
            found[number] = record
            if len(found) == len(wanted):
                return found
    raise MalformedError(f"{dataset.name} has no record {min(wanted - set(found))}")


def open_records(
    space: Workspace, version: Version, dataset: Dataset, numbers: Sequence[int]
) -> tuple[Opening, ...]:
    """Return the openings of some records of a registered version.

    Raises:
        VerificationError: The files are not those that were registered.
    """
    opens, records = opener(space, version), records_at(dataset, numbers)
    try:
        found = opens.open(records)
    except VerificationError as error:
        raise VerificationError(
            f"{dataset.name} does not hold the records of {version.commitment.label}: {error}"
        ) from error
    return tuple(found[number] for number in numbers)


def prove_in_index(
    space: Workspace, version: Version, dataset: Dataset | None, number: int, value: str
) -> JsonObject:
    """Return the proof that a value is absent from an index of a version, or present in it.

    Args:
        space: The home, where the index file lies.
        version: The registered version.
        dataset: Its files, from which a lost index file is made again.
        number: Which of its indexes, from 0.
        value: What the normaliser takes; for exact/1 an encoded record in hex.

    Raises:
        MalformedError: There is no such index, or its normaliser takes no such value.
        UnavailableError: The index file is lost, and no files are given.
        VerificationError: The files give another index than the registered one, or the index file
            is damaged.
    """
    commitment = version.commitment
    if not 0 <= number < len(commitment.indexes):
        raise MalformedError(f"{commitment.label} has no index {number}")
    entry = commitment.indexes[number]
    raw = raw_value(entry.normaliser, commitment.schema, value)
    wanted = entry.key(raw)
    key = space.secrets.load(commitment.name, space.passphrase)
    proof = index_file(space, version, dataset, entry).prover(key).prove(wanted)
    if isinstance(proof, AbsenceProof):
        verify_absence(raw, proof, entry)
    else:
        verify_presence(raw, proof, entry)
    absent = isinstance(proof, AbsenceProof)
    return exclusion_document(commitment.digest, number, value, proof.to_json(), absent=absent)


def index_file(
    space: Workspace, version: Version, dataset: Dataset | None, entry: IndexEntry
) -> IndexFile:
    """Return the stored index, made again from the files if it is lost and they are at hand."""
    try:
        return IndexFile.find(space.home.nodes, entry.root)
    except UnavailableError:
        if dataset is None:
            raise
    key = space.secrets.load(version.commitment.name, space.passphrase)
    orders = Orders(LeafMaker(dataset.schema, key), (IndexRequest(entry.normaliser, entry.field),))
    with IndexBuilder(space.home.nodes, key) as builder:
        for batch in dataset.batches():
            [(keys, _)] = work_batch(orders, batch).keys
            builder.add(keys)
        found = builder.finish()
    if found.root != entry.root:
        label = version.commitment.label
        raise VerificationError(f"{dataset.name} gives another index than {label}'s")
    return found


def raw_value(normaliser: str, schema: Schema, value: str) -> object:
    """Return what the normaliser takes; for exact/1 the value is an encoded record in hex."""
    if normaliser != "exact/1":
        return value
    encoded = decode_hex(value)
    decode_record(schema, encoded)  # what is no record of this schema is absent from any index
    return content_digest(schema.digest, encoded)


def leaf_of(nodes: NodeFile, number: int) -> tuple[int, int, FieldElement]:
    """Return chunk, position and leaf of the record with a running number."""
    chunk, position = divmod(record_index(nodes.chunks, number), CHUNK)
    return chunk, position, from_words(nodes.leaves_of(chunk)[position : position + 1])[0]
