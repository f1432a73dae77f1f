"""Proofs in an exclusion index that show a path: what they show, and what they rest on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from provenance.audit.case import Case
from provenance.audit.datasets import Anchored, dataset_of
from provenance.canonical import Fields, Json, JsonObject
from provenance.canonical import digest as document_digest
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError
from provenance.exclusion_key import ExclusionKey, key
from provenance.exclusion_proof import (
    AbsenceProof,
    IndexEntry,
    PresenceProof,
    verify_absence,
    verify_presence,
)
from provenance.field import Digest
from provenance.findings import Level
from provenance.leaf import content_digest
from provenance.opening import decode_hex
from provenance.record import decode_record

EXCLUSION_KIND: Final = "rootline/exclusion/v1"


def check_exclusions(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each proof of absence or presence in an exclusion index."""
    for name, data in case.bundle.under("exclusions").items():
        case.attempt("absence", name[:16], partial(_check_exclusion, case, name, data, found))


def _check_exclusion(case: Case, name: str, data: bytes, found: Mapping[Digest, Anchored]) -> None:
    if document_digest(data).hex() != name:
        raise MalformedError("an index proof's name is not its digest")
    fields = Fields.parse(data, EXCLUSION_KIND)
    dataset = dataset_of(fields.digest("dataset"), found)
    shown = verify_exclusion(fields, dataset)
    entry = shown.entry
    case.holds(
        "absence" if shown.absent else "presence",
        f"{dataset.label}[{entry.field}]={shown.value}",
        Level.L0,
        f"its key is {'not ' if shown.absent else ''}in the index ({entry.normaliser}, "
        f"{entry.keys} keys); that the index holds the dataset's records is only declared, "
        "which caps the claim",
        rests_on=(f"dataset {dataset.label} (L1)", "the index's equality with the records (L0)"),
        notes=(shown.reveals,),
    )


@dataclass(frozen=True, slots=True)
class IndexProof:
    """What a verified proof in an index shows: whether a value is absent, and what it reveals."""

    entry: IndexEntry
    value: str
    absent: bool
    reveals: str


def verify_exclusion(fields: Fields, dataset: DatasetCommitment) -> IndexProof:
    """Return what the rest of an index proof's document shows; kind and dataset are taken.

    Raises:
        MalformedError: Not in its one form, or there is no such index.
        VerificationError: The proof does not lead to the index's root.
    """
    number = fields.integer("index", 0, len(dataset.indexes) - 1)
    value, absent = fields.text("value"), fields.boolean("absent")
    proof = fields.take("proof")
    fields.done()
    entry = dataset.indexes[number]
    reveals = _verify_index(entry, _raw(entry, value, dataset), proof, absent=absent)
    return IndexProof(entry, value, absent, reveals)


def indexed_key(entry: IndexEntry, value: str, dataset: DatasetCommitment) -> ExclusionKey:
    """Return the key that a raw value has in an index of a dataset, normalised here.

    Raises:
        MalformedError: The normaliser does not take it, or for exact/1 it is no record in hex.
        UnavailableError: The normaliser is not known here.
    """
    return key(entry.normaliser, entry.field, _raw(entry, value, dataset))


def _raw(entry: IndexEntry, value: str, dataset: DatasetCommitment) -> object:
    """Return what the normaliser takes: the value, or for exact/1 an encoded record's digest."""
    if entry.normaliser != "exact/1":
        return value
    encoded = decode_hex(value)
    decode_record(dataset.schema, encoded)  # what is no record is absent from everywhere
    return content_digest(dataset.schema.digest, encoded)


def _verify_index(entry: IndexEntry, value: object, proof: Json, *, absent: bool) -> str:
    if absent:
        absence = AbsenceProof.from_json(proof)
        verify_absence(value, absence, entry)
        return absence.reveals
    presence = PresenceProof.from_json(proof)
    verify_presence(value, presence, entry)
    return presence.reveals


def exclusion_document(
    dataset: Digest, index: int, value: str, proof: Json, *, absent: bool
) -> JsonObject:
    """Return the member that proves absence or presence of a value in an index."""
    return {
        "kind": EXCLUSION_KIND,
        "dataset": dataset.hex(),
        "index": index,
        "value": value,
        "absent": absent,
        "proof": proof,
    }
