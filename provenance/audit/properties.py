"""Claims about what a function gives over committed records, or over a committed state."""

from collections.abc import Mapping, Sequence
from typing import Final

from provenance.audit.case import Case
from provenance.audit.claimed import FEATURES_REST, check_width, record_commitments
from provenance.audit.datasets import Anchored, dataset_of
from provenance.audit.transcripts import run_name, run_of
from provenance.audit.trust import Worth, prove, read_proofs
from provenance.canonical import digest as document_digest
from provenance.claim import Claim, PropertyStatement, Records, RunState
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.expected.functions import PropertyShape, property_public
from provenance.field import Digest, FieldElement

MAX_FUNCTION: Final = 2**22
SHOWN: Final = 8
"""Values that a finding repeats; the claim holds them all."""


def check_property(
    case: Case,
    item: Anchored,
    claim: Claim,
    statement: PropertyStatement,
    found: Mapping[Digest, Anchored],
) -> None:
    """Add a finding for a claim about a function's values."""
    function = statement.function.hex()
    name = _name(statement.about, found)
    over = f"[{statement.about.state}]" if isinstance(statement.about, RunState) else ""
    subject = f"{name}{over}[function {function[:16]}]" if name else item.attestation.name
    shown: list[Worth] = []

    def check() -> None:
        shape = PropertyShape.parse(claim.circuit)
        proofs = read_proofs(case, claim)
        _check_function(case, statement.function, shape)
        rows = _rows(case, claim, statement, shape, found)
        expected = [
            property_public(shape, row, values, context)
            for row, values, context in zip(rows, statement.values, claim.contexts(), strict=True)
        ]
        shown.append(prove(case, proofs, expected))

    if not case.attempt("property", subject, check):
        return
    case.holds(
        "property",
        subject,
        shown[0].level,
        shown[0].told(f"over {_told(statement.about)} the function gives {_values(statement)}"),
        rests_on=(
            f"{name} (L1)",
            *((FEATURES_REST,) if isinstance(statement.about, Records) else ()),
            "what the function measures, which its ONNX says",
            *shown[0].rests_on,
        ),
        notes=(
            f"read the function: functions/{function}.onnx",
            f"circuit {claim.circuit}",
            f"claim {claim.digest.hex()}",
        ),
    )


def _name(about: Records | RunState, found: Mapping[Digest, Anchored]) -> str | None:
    if isinstance(about, RunState):
        return run_name(about.run, found)
    item = found.get(about.dataset)
    return item.attestation.name if item else None


def _check_function(case: Case, function: Digest, shape: PropertyShape) -> None:
    if function.hex() != shape.function:
        raise VerificationError(f"{shape.name} is not the circuit of function {function.hex()}")
    data = case.bundle.members.get(f"functions/{function.hex()}.onnx")
    if data is None:
        raise UnavailableError(f"function {function.hex()[:16]}… is not in the evidence to be read")
    if len(data) > MAX_FUNCTION:
        raise MalformedError(f"a function of {len(data)} bytes; at most {MAX_FUNCTION} are read")
    if document_digest(data) != function:
        raise MalformedError("a function's name is not its digest")


def _rows(
    case: Case,
    claim: Claim,
    statement: PropertyStatement,
    shape: PropertyShape,
    found: Mapping[Digest, Anchored],
) -> list[tuple[FieldElement, ...]]:
    """Return the commitments that each part is over."""
    about, parts = statement.about, len(claim.proofs)
    if shape.is_state != isinstance(about, RunState):
        raise VerificationError(f"{shape.name} is about another kind of thing than the claim")
    if isinstance(about, RunState):
        run = run_of(about.run, found).run
        state = FieldElement.decode(run.initial if about.state == "initial" else run.final)
        return [(state,)] * parts
    dataset = dataset_of(about.dataset, found)
    check_width(dataset, shape.width)
    return _split(record_commitments(case, claim, about, found), shape.rows, parts)


def _split(
    commitments: Sequence[FieldElement], rows: int, parts: int
) -> list[tuple[FieldElement, ...]]:
    """Return the rows of each part: all parts are full, none is padded."""
    if len(commitments) != rows * parts:
        raise VerificationError(
            f"{len(commitments)} records for {parts} parts of {rows} rows, all of them full"
        )
    return [tuple(commitments[n * rows : (n + 1) * rows]) for n in range(parts)]


def _told(about: Records | RunState) -> str:
    if isinstance(about, RunState):
        return f"the {about.state} state"
    return f"{len(about.indexes)} records"


def _values(statement: PropertyStatement) -> str:
    shown = "; ".join(", ".join(map(str, row[:SHOWN])) for row in statement.values[:SHOWN])
    whole = len(statement.values) <= SHOWN and all(len(row) <= SHOWN for row in statement.values)
    return shown if whole else f"{shown}, … (all are in the claim)"
