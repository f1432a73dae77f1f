"""The claim that a zero-knowledge membership proof backs: what the issuer signs about it.

`blinded_leaf` and `blinded_index` are public values of the proof. The context that ties the proof
to this claim is made of everything else, so a proof cannot be carried over to another dataset, log,
issuer or circuit:

    {"circuit":"membership-22.v2","claim":"membership","dataset":"…","issuer":"…",
     "kind":"rootline/context/v1","log":"…"}
"""

from dataclasses import dataclass
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError
from provenance.field import Digest, FieldElement

KIND: Final = "rootline/membership/v1"
CONTEXT_KIND: Final = "rootline/context/v1"


@dataclass(frozen=True, slots=True)
class MembershipClaim:
    """Some record of `dataset` lies behind `blinded_leaf`; `proof` names the proof document."""

    issuer: str
    log: Digest
    dataset: Digest
    circuit: str
    blinded_leaf: FieldElement
    blinded_index: FieldElement
    proof: Digest

    def __post_init__(self) -> None:
        """Raise MalformedError where the issuer is no key id or the circuit's name no name."""
        Digest.parse(self.issuer)
        if not canonical.is_name(self.circuit):
            raise MalformedError(f"membership: {self.circuit[:80]!r} is no circuit's name")

    @property
    def json(self) -> JsonObject:
        """The claim as the object that is signed."""
        return {
            "kind": KIND,
            "issuer": self.issuer,
            "log": self.log.hex(),
            "dataset": self.dataset.hex(),
            "circuit": self.circuit,
            "blinded_leaf": self.blinded_leaf.hex,
            "blinded_index": self.blinded_index.hex,
            "proof": self.proof.hex(),
        }

    @property
    def encoded(self) -> bytes:
        """The claim as canonical JSON."""
        return canonical.encode(self.json)

    @property
    def digest(self) -> Digest:
        """SHA-256 of the canonical bytes."""
        return canonical.digest(self.encoded)

    @property
    def context(self) -> bytes:
        """The statement whose digest is the proof's public context."""
        return context_statement(self.issuer, self.log, self.dataset, self.circuit)

    @classmethod
    def parse(cls, data: bytes) -> "MembershipClaim":
        """Return the claim that `data` writes, or raise MalformedError."""
        fields = Fields.parse(data, KIND)
        claim = cls(
            issuer=fields.digest("issuer").hex(),
            log=fields.digest("log"),
            dataset=fields.digest("dataset"),
            circuit=fields.name("circuit"),
            blinded_leaf=fields.element("blinded_leaf"),
            blinded_index=fields.element("blinded_index"),
            proof=fields.digest("proof"),
        )
        fields.done()
        return claim


def context_statement(issuer: str, log: Digest, dataset: Digest, circuit: str) -> bytes:
    """Return the canonical bytes whose digest a proof of this claim carries as its context."""
    return canonical.encode(
        {
            "kind": CONTEXT_KIND,
            "claim": "membership",
            "issuer": issuer,
            "log": log.hex(),
            "dataset": dataset.hex(),
            "circuit": circuit,
        }
    )
