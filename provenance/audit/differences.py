"""Differences of two versions: which leaves went and came, as both published commitments say."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from provenance.audit.case import Case
from provenance.audit.datasets import Anchored, dataset_of
from provenance.canonical import digest as document_digest
from provenance.difference import Difference, verify_difference
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest, FieldElement
from provenance.findings import Level

NOTED: Final = 4
"""A verdict names so many leaves of a kind; `verify_difference` gives them all."""


def check_differences(case: Case, found: Mapping[Digest, Anchored]) -> None:
    """Add a finding for each difference of two versions."""
    for name, data in case.bundle.under("differences").items():
        case.attempt("difference", name[:16], partial(_check, case, name, data, found))


def _check(case: Case, name: str, data: bytes, found: Mapping[Digest, Anchored]) -> None:
    if document_digest(data).hex() != name:
        raise MalformedError("a difference's name is not its digest")
    shown = Difference.parse(data)
    ends = (shown.before.commitment, shown.after.commitment)
    before, after = (dataset_of(end, found) for end in ends)
    change = verify_difference(shown, before, after)
    if found[ends[0]].sequence > found[ends[1]].sequence:
        raise VerificationError(f"{before.label} was published later than {after.label}")
    case.holds(
        "difference",
        f"{before.label}..{after.label}",
        Level.L1,
        f"exactly {_leaves(len(change.went))} went and {_leaves(len(change.came))} came; "
        f"{change.kept} stand in both",
        rests_on=(f"dataset {before.label} (L1)", f"dataset {after.label} (L1)"),
        notes=(
            *_some("went", change.went),
            *_some("came", change.came),
            "reveals the leaves of the chunks that changed; no record is shown",
        ),
    )


def _some(what: str, leaves: Sequence[FieldElement]) -> Iterator[str]:
    """Yield the first leaves in words, if there are any."""
    if leaves:
        first = [f"{leaf.hex[:16]}…" for leaf in leaves[:NOTED]]
        rest = ["…"] if len(leaves) > NOTED else []
        yield f"{what}: {', '.join([*first, *rest])}"


def _leaves(count: int) -> str:
    return f"{count} leaf" if count == 1 else f"{count} leaves"
