"""What a bundle opens so that a claim's public values can be computed.

    {"claim":"<digest>","kind":"rootline/claimed/v1",
     "records":[<feature opening>,…],"steps":[<opening>,…]}

No weight and no record is shown: steps of a transcript hold commitments, and a feature opening says
which feature commitment stands at an index. Values whose keys are claimed to be absent may be shown
beside it, `null` for those that are not:

    {"claim":"<digest>","kind":"rootline/values/v1","values":["WDBC 003",null]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from provenance.audit.case import Case
from provenance.audit.datasets import Anchored, dataset_of
from provenance.canonical import Fields, Json, JsonObject
from provenance.claim import Claim, Records
from provenance.dataset import DatasetCommitment
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest, FieldElement
from provenance.opening import FeatureOpening, Opening, verify_features

KIND: Final = "rootline/claimed/v1"
VALUES_KIND: Final = "rootline/values/v1"
MAX_STEPS: Final = 2**14
MAX_OPENED: Final = 2**26
"""Bytes: 2**14 records take some 20 MiB, steps with their batches as much again."""
MAX_RECORDS: Final = 2**14
MAX_VALUE: Final = 4096
FEATURES_REST: Final = "the feature commitments' equality with the records (L0)"
"""What every claim over committed features rests on, and says that it is not about."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Steps in order, and feature openings by index."""

    steps: tuple[Opening, ...]
    records: Mapping[int, FeatureOpening]


def claimed_document(
    claim: Digest, steps: Sequence[Opening], records: Sequence[FeatureOpening]
) -> JsonObject:
    """Return the member that opens what a claim is about.

    Args:
        claim: Digest of the claim.
        steps: For a claim about steps, all of them with both their neighbours; else none.
        records: Each record that the claim is about or that its steps use, once.
    """
    found = {opening.path.index: opening for opening in records}
    return {
        "kind": KIND,
        "claim": claim.hex(),
        "steps": [step.json for step in steps],
        "records": [found[index].json for index in sorted(found)],
    }


def values_document(claim: Digest, values: Sequence[str | None]) -> JsonObject:
    """Return the member that shows values whose keys a claim says are absent."""
    return {"kind": VALUES_KIND, "claim": claim.hex(), "values": list(values)}


def claimed(case: Case, claim: Claim) -> Claimed:
    """Return what the evidence opens for a claim; nothing in it is verified yet.

    Raises:
        MalformedError: The member is not in its one form.
        UnavailableError: It is not in the evidence.
    """
    fields = _member(case, claim, "claims", KIND)
    if fields is None:
        raise UnavailableError("what the claim is about is not opened in the evidence")
    steps = tuple(map(Opening.from_fields, fields.objects("steps", MAX_STEPS)))
    records = tuple(map(FeatureOpening.from_fields, fields.objects("records", MAX_RECORDS)))
    fields.done()
    if any(one.path.index >= other.path.index for one, other in pairwise(records)):
        raise MalformedError("claimed: records are opened in ascending order, each once")
    return Claimed(steps, {opening.path.index: opening for opening in records})


def shown_values(case: Case, claim: Claim, count: int) -> tuple[str | None, ...]:
    """Return the value behind each of a claim's keys, None where the evidence does not show it."""
    fields = _member(case, claim, "values", VALUES_KIND)
    if fields is None:
        return (None,) * count
    values = tuple(map(_value, fields.items("values", count)))
    fields.done()
    if len(values) != count:
        raise MalformedError(f"values: {len(values)} for {count} keys; one each, or null")
    return values


def commitments(
    opened: Mapping[int, FeatureOpening], indexes: Sequence[int], dataset: DatasetCommitment
) -> dict[int, FieldElement]:
    """Return the feature commitments at these indexes of the dataset, each shown to stand there.

    Raises:
        MalformedError: A path is not in its one form.
        VerificationError: Other records are opened than these, or one does not stand there.
    """
    if set(opened) != set(indexes):
        raise VerificationError("other records are opened than those that the claim is about")
    for opening in opened.values():
        verify_features(opening, dataset)
    return {index: opening.commitment for index, opening in opened.items()}


def record_commitments(
    case: Case, claim: Claim, records: Records, found: Mapping[Digest, Anchored]
) -> tuple[FieldElement, ...]:
    """Return the feature commitments of a claim's records, in its order, each shown to stand.

    Raises:
        MalformedError: What the evidence opens is not in its one form.
        VerificationError: It opens other records, or one does not stand in the dataset.
        UnavailableError: They are not opened, or the dataset is not shown to be published.
    """
    dataset, opened = dataset_of(records.dataset, found), claimed(case, claim)
    if opened.steps:
        raise MalformedError("claimed: steps are opened for a claim that is about none")
    standing = commitments(opened.records, records.indexes, dataset)
    return tuple(standing[index] for index in records.indexes)


def check_width(dataset: DatasetCommitment, digits: int, *, labelled: bool | None = None) -> None:
    """Check that a dataset's records commit to so many digits, the label's included.

    Raises:
        VerificationError: To others, or to none.
    """
    spec = dataset.features
    found = len(spec.all) if spec else 0
    if found != digits:
        raise VerificationError(
            f"{dataset.label} commits to {found} digits a record, the circuit takes {digits}"
        )
    if spec is not None and labelled not in (None, spec.label is not None):
        raise VerificationError(
            f"{dataset.label} commits to {'no' if labelled else 'a'} label, the circuit's rows "
            f"end with {'one' if labelled else 'none'}"
        )


def _member(case: Case, claim: Claim, folder: str, kind: str) -> Fields | None:
    data = case.bundle.members.get(f"{folder}/{claim.digest.hex()}.json")
    if data is None:
        return None
    fields = Fields.parse(data, kind, limit=MAX_OPENED)
    if fields.digest("claim") != claim.digest:
        raise MalformedError(f"{folder}: the member speaks of another claim")
    return fields


def _value(value: Json) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > MAX_VALUE):
        raise MalformedError(f"values: strings of at most {MAX_VALUE} characters, or null")
    return value
