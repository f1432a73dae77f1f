"""What zero-knowledge proofs back: a statement about commitments, which the issuer signs.

    {"circuit":"exclusion-40.v1","issuer":"…","kind":"rootline/claim/v1","log":"…",
     "proofs":["<digest>",…],
     "statement":{"dataset":"…","index":1,"keys":["<62 hex>"],"type":"absence"}}

A statement too large for one circuit is proved in parts, one proof each. The context of a part
names the whole statement, its own number and how many parts there are, so that no proof can be
carried over to another claim, nor to another place in this one:

    {"circuit":"…","issuer":"…","kind":"rootline/context/v1","log":"…","part":0,"parts":2,
     "statement":{…}}
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.claim.members import MAX_PARTS, Rows, check_many, check_range, texts
from provenance.claim.statements import (
    AbsenceStatement,
    ClaimStatement,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
    RunState,
    StepsStatement,
    about,
    parse_statement,
)
from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement

__all__ = [
    "MAX_PARTS",
    "AbsenceStatement",
    "Claim",
    "ClaimStatement",
    "EvaluationStatement",
    "InferenceStatement",
    "PropertyStatement",
    "Records",
    "Rows",
    "RunState",
    "StepsStatement",
    "about",
    "part_context",
]

KIND: Final = "rootline/claim/v1"
CONTEXT_KIND: Final = "rootline/context/v1"


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement and the proofs of its parts, in order, all under one circuit."""

    issuer: str
    log: Digest
    circuit: str
    statement: ClaimStatement
    proofs: tuple[Digest, ...]

    def __post_init__(self) -> None:
        """Raise MalformedError where a part cannot be, or parts contradict each other."""
        Digest.parse(self.issuer)
        if not canonical.is_name(self.circuit):
            raise MalformedError(f"claim: {self.circuit[:80]!r} is no circuit's name")
        check_many("proofs", self.proofs, MAX_PARTS)
        told = _told(self.statement)
        if told is not None and told != len(self.proofs):
            raise MalformedError(f"claim: {told} values for {len(self.proofs)} proofs; one each")

    @property
    def json(self) -> JsonObject:
        """The claim as the object that is signed."""
        return {
            "kind": KIND,
            "issuer": self.issuer,
            "log": self.log.hex(),
            "circuit": self.circuit,
            "statement": self.statement.json,
            "proofs": [proof.hex() for proof in self.proofs],
        }

    @property
    def encoded(self) -> bytes:
        """The claim as canonical JSON."""
        return canonical.encode(self.json)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return canonical.digest(self.encoded)

    def context(self, part: int) -> FieldElement:
        """Return the public value that ties the proof number `part` to its place in this claim."""
        return part_context(
            self.issuer, self.log, self.circuit, self.statement, part, len(self.proofs)
        )

    def contexts(self) -> tuple[FieldElement, ...]:
        """Return the contexts of all parts; the statement, however long, is written once."""
        parts = len(self.proofs)
        told = canonical.encode(_context_json(self, 0, parts))
        head, tail = told.split(b'"part":0,', 1)
        digests = (sha256(b'%b"part":%d,%b' % (head, part, tail)).digest() for part in range(parts))
        return tuple(FieldElement(int.from_bytes(found[:31], "big")) for found in digests)

    @classmethod
    def parse(cls, data: bytes) -> "Claim":
        """Return the claim that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, KIND)
        claim = cls(
            issuer=fields.digest("issuer").hex(),
            log=fields.digest("log"),
            circuit=fields.name("circuit"),
            statement=parse_statement(fields.inner("statement")),
            proofs=tuple(map(Digest.parse, texts(fields, "proofs", MAX_PARTS))),
        )
        fields.done()
        return claim


def _context_json(claim: "Claim", part: int, parts: int) -> JsonObject:
    return {
        "kind": CONTEXT_KIND,
        "issuer": claim.issuer,
        "log": claim.log.hex(),
        "circuit": claim.circuit,
        "statement": claim.statement.json,
        "part": part,
        "parts": parts,
    }


def part_context(
    issuer: str, log: Digest, circuit: str, statement: ClaimStatement, part: int, parts: int
) -> FieldElement:
    """Return the context of part `part` (from 0) of `parts`, which exists before its proof does.

    The first 31 bytes of the digest, as `provenance.proof.context` takes them.

    Raises:
        MalformedError: There is no such part.
    """
    check_range("parts", parts, 1, MAX_PARTS)
    check_range("part", part, 0, parts - 1)
    told = canonical.encode(
        {
            "kind": CONTEXT_KIND,
            "issuer": issuer,
            "log": log.hex(),
            "circuit": circuit,
            "statement": statement.json,
            "part": part,
            "parts": parts,
        }
    )
    return FieldElement(int.from_bytes(canonical.digest(told)[:31], "big"))


def _told(statement: ClaimStatement) -> int | None:
    """Return for how many parts a statement gives values; None where it gives none a part."""
    match statement:
        case PropertyStatement():
            return len(statement.values)
        case EvaluationStatement():
            return len(statement.right)
        case _:
            return None
