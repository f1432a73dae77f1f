"""Whom the auditor trusts, and for what must hold: his own file, written by nobody else.

    {"kind":"rootline/policy/v1","name":"regulator",
     "issuers":[{"key":"<hex>","name":"Example Lab",
                 "good":[{"chain":"embedded-…","first":1,"last":null}]}],
     "logs":["<id>"],
     "anchors":[{"ledger":"embedded","chain":"embedded-…","height":30,"hash":"<hex>"}],
     "trusting_seconds":604800, "operators":["embedded-…"], "monitors":["<hex>"],
     "require":[{"claim":"dataset","subject":"cells@v2","level":"L1"}],
     "licences":null, "models":null, "samples":5, "srs":["<hex>"],
     "circuits":[{"circuit":"membership-22.v2","settings":"<hex>","verifying_key":"<hex>",
                  "srs":"<hex>","proof_bytes":2560}]}

People edit it, so spaces and the order of members are free; everything else is strict.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from provenance import canonical
from provenance.anchor import Anchor
from provenance.canonical import Fields, Json, JsonObject
from provenance.envelope import PublicKey
from provenance.errors import MalformedError, UnavailableError, VerificationError
from provenance.field import Digest
from provenance.findings import CLAIMS, Level
from provenance.proof import MAX_PROOF_BYTES, Proof

KIND: Final = "rootline/policy/v1"
MAX_HEIGHT: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Span:
    """Heights of one chain, both ends included; without an end it goes on."""

    chain: str
    first: int
    last: int | None

    def __post_init__(self) -> None:
        """Raise MalformedError where the heights run backwards."""
        if self.last is not None and self.last < self.first:
            raise MalformedError(f"policy: a key is good from {self.first} to {self.last}")

    def holds(self, chain: str, height: int) -> bool:
        """Return whether the block at `height` of `chain` lies within."""
        return (
            chain == self.chain
            and self.first <= height
            and (self.last is None or height <= self.last)
        )


@dataclass(frozen=True, slots=True)
class Issuer:
    """A trusted key, the name the auditor knows it by, and the heights it is good for."""

    key: PublicKey
    name: str
    good: tuple[Span, ...]

    def is_good(self, chain: str, height: int) -> bool:
        """Return whether what the key signed counts when it was published at `height`."""
        return any(span.holds(chain, height) for span in self.good)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A claim that must hold, about a subject, at least at a level."""

    claim: str
    subject: str
    level: Level


@dataclass(frozen=True, slots=True)
class TrustedCircuit:
    """A circuit as the auditor derived it or had it derived: all of it together, or none of it.

    Attributes:
        circuit: Name and version.
        settings: SHA-256 of the settings; so too of the verifying key and of the cut SRS under
            which the key was made. That this SRS is named here says nothing for it.
        proof_bytes: The size of every proof; None leaves it to the prover's own verifier.
    """

    circuit: str
    settings: Digest
    verifying_key: Digest
    srs: Digest
    proof_bytes: int | None

    def is_of(self, proof: Proof) -> bool:
        """Return whether a proof is one of this circuit, its size left out."""
        named = (proof.circuit, proof.settings, proof.verifying_key, proof.srs)
        return named == (self.circuit, self.settings, self.verifying_key, self.srs)

    @property
    def json(self) -> JsonObject:
        """The circuit as it stands in a policy."""
        return {
            "circuit": self.circuit,
            "settings": self.settings.hex(),
            "verifying_key": self.verifying_key.hex(),
            "srs": self.srs.hex(),
            "proof_bytes": self.proof_bytes,
        }

    @classmethod
    def of(cls, fields: Fields) -> "TrustedCircuit":
        """Return the circuit that an object holds, or raise MalformedError."""
        size = fields.optional("proof_bytes", lambda n: fields.integer(n, 1, MAX_PROOF_BYTES))
        circuit = cls(
            fields.name("circuit"),
            fields.digest("settings"),
            fields.digest("verifying_key"),
            fields.digest("srs"),
            size,
        )
        fields.done()
        return circuit


def check_circuit(proof: Proof, trusted: Sequence[TrustedCircuit]) -> None:
    """Check that circuit, settings, key, SRS and size of a proof are those of one entry.

    Raises:
        UnavailableError: There is no such entry, so nobody vouches for the circuit.
        VerificationError: The key is named as another circuit's, or the proof has another size.
    """
    sizes = {entry.proof_bytes for entry in trusted if entry.is_of(proof)}
    if not sizes.isdisjoint((None, len(proof.proof))):
        return
    if sizes:
        known = " or ".join(sorted(map(str, sizes)))
        raise VerificationError(
            f"a proof of {len(proof.proof)} bytes; by the policy {proof.circuit} has {known}"
        )
    owners = {entry.circuit for entry in trusted if entry.verifying_key == proof.verifying_key}
    if owners and proof.circuit not in owners:
        raise VerificationError(
            f"a proof of {proof.circuit} under the key of {', '.join(sorted(owners))}"
        )
    entries = [entry for entry in trusted if entry.circuit == proof.circuit]
    if not entries:
        raise UnavailableError(f"the policy names no circuit {proof.circuit}")
    other = [
        name
        for name in ("settings", "verifying_key", "srs")
        if all(getattr(entry, name) != getattr(proof, name) for entry in entries)
    ]
    told = " and ".join(other) or "combination of settings, verifying_key and srs"
    raise UnavailableError(
        f"the policy's {proof.circuit} has another {told} than the proof: derive it under the "
        "proof's SRS"
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that an audit believes without proof."""

    name: str
    issuers: tuple[Issuer, ...]
    logs: tuple[Digest, ...]
    anchors: tuple[Anchor, ...]
    trusting_seconds: int
    operators: tuple[str, ...]
    monitors: tuple[PublicKey, ...]
    require: tuple[Requirement, ...]
    licences: tuple[str, ...] | None
    models: tuple[Digest, ...] | None
    samples: int
    srs: tuple[Digest, ...]
    circuits: tuple[TrustedCircuit, ...]

    def is_good(self, key: PublicKey, chain: str, height: int) -> bool:
        """Return whether what `key` signed counts when it was published at `height` of `chain`."""
        return any(i.key == key and i.is_good(chain, height) for i in self.issuers)

    def name_of(self, key: PublicKey) -> str:
        """Return the name of the issuer with this key, empty if the policy names none."""
        return "".join(issuer.name for issuer in self.issuers if issuer.key == key)

    def keys(self) -> tuple[PublicKey, ...]:
        """Return the keys of all issuers."""
        return tuple(issuer.key for issuer in self.issuers)

    def is_same_issuer(self, key_id: str, other: str) -> bool:
        """Return whether two key ids belong to one issuer, who may have changed his key."""
        names = {issuer.key.key_id: issuer.name for issuer in self.issuers}
        return key_id in names and names[key_id] == names.get(other)

    @property
    def encoded(self) -> bytes:
        """The policy as canonical JSON."""
        licences: Json = None if self.licences is None else list(self.licences)
        models: Json = None if self.models is None else [digest.hex() for digest in self.models]
        return canonical.encode(
            {
                "kind": KIND,
                "name": self.name,
                "issuers": [_issuer_json(issuer) for issuer in self.issuers],
                "logs": [log.hex() for log in self.logs],
                "anchors": [_anchor_json(anchor) for anchor in self.anchors],
                "trusting_seconds": self.trusting_seconds,
                "operators": list(self.operators),
                "monitors": [key.hex() for key in self.monitors],
                "require": [
                    {"claim": item.claim, "subject": item.subject, "level": item.level.value}
                    for item in self.require
                ],
                "licences": licences,
                "models": models,
                "samples": self.samples,
                "srs": [digest.hex() for digest in self.srs],
                "circuits": [circuit.json for circuit in self.circuits],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "Policy":
        """Return the policy that `data` writes, or raise MalformedError naming the member."""
        fields = Fields.of(canonical.decode_loose(data), KIND)
        fields.constant("kind", KIND)
        policy = cls(
            name=fields.text("name", most=200),
            issuers=tuple(_issuer(item) for item in fields.objects("issuers", 1000)),
            logs=_digests(fields, "logs"),
            anchors=tuple(_anchor(item) for item in fields.objects("anchors", 1000)),
            trusting_seconds=fields.integer("trusting_seconds", 0, 10**9),
            operators=_texts(fields, "operators"),
            monitors=tuple(map(PublicKey, _digests(fields, "monitors"))),
            require=tuple(_requirement(item) for item in fields.objects("require", 10_000)),
            licences=fields.optional("licences", lambda name: _texts(fields, name)),
            models=fields.optional("models", lambda name: _digests(fields, name)),
            samples=fields.integer("samples", 0, 2**16),
            srs=_digests(fields, "srs"),
            circuits=tuple(map(TrustedCircuit.of, fields.objects("circuits", 10_000))),
        )
        fields.done()
        if len(set(policy.keys())) != len(policy.issuers):
            raise MalformedError("policy: a key belongs to two issuers")
        return policy


def _issuer(fields: Fields) -> Issuer:
    issuer = Issuer(
        PublicKey(fields.hexed("key", 32)),
        fields.text("name", most=200),
        tuple(_span(item) for item in fields.objects("good", 1000)),
    )
    fields.done()
    return issuer


def _span(fields: Fields) -> Span:
    span = Span(
        fields.text("chain", most=50),
        fields.integer("first", 1, MAX_HEIGHT),
        fields.optional("last", lambda name: fields.integer(name, 1, MAX_HEIGHT)),
    )
    fields.done()
    return span


def _anchor(fields: Fields) -> Anchor:
    anchor = Anchor(
        fields.name("ledger"),
        fields.text("chain", most=50),
        fields.integer("height", 1, MAX_HEIGHT),
        fields.digest("hash"),
    )
    fields.done()
    return anchor


def _requirement(fields: Fields) -> Requirement:
    claim = fields.text("claim", most=64)
    if claim not in CLAIMS:
        raise fields.error("claim", f"one of {', '.join(CLAIMS)}")
    subject, level = fields.text("subject", most=300), fields.text("level", most=2)
    fields.done()
    if level not in Level.__members__:
        raise MalformedError(f"policy: level {level!r} is none of {', '.join(Level.__members__)}")
    return Requirement(claim, subject, Level[level])


def _issuer_json(issuer: Issuer) -> Json:
    spans: list[Json] = [
        {"chain": span.chain, "first": span.first, "last": span.last} for span in issuer.good
    ]
    return {"key": issuer.key.hex(), "name": issuer.name, "good": spans}


def _anchor_json(anchor: Anchor) -> Json:
    return {
        "ledger": anchor.ledger,
        "chain": anchor.chain,
        "height": anchor.height,
        "hash": anchor.hash.hex(),
    }


def _digests(fields: Fields, name: str) -> tuple[Digest, ...]:
    return tuple(map(Digest.parse, _texts(fields, name)))


def _texts(fields: Fields, name: str) -> tuple[str, ...]:
    items = fields.items(name, 10_000)
    texts = tuple(item for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise fields.error(name, "an array of strings")
    return texts
