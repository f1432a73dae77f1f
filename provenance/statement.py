"""What is claimed about what: an in-toto Statement v1 around one commitment.

    {"_type":"https://in-toto.io/Statement/v1",
     "predicate":{…,"kind":"rootline/dataset/v1"},
     "predicateType":"urn:rootline:dataset:v1",
     "subject":[{"digest":{"sha256":"<digest of the predicate>"},"name":"cells@v2"}]}

The subject's digest is recomputed from the predicate, so a statement cannot point elsewhere.

Source: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from dataclasses import dataclass
from typing import Final

from provenance import canonical
from provenance.canonical import Fields, JsonObject
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest

TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
KINDS: Final = ("dataset", "start", "run", "membership", "claim")


@dataclass(frozen=True, slots=True)
class Statement:
    """One commitment of a known kind, under the name that its subject carries."""

    kind: str
    name: str
    predicate: bytes

    @property
    def digest(self) -> Digest:
        """The commitment's digest: SHA-256 of its canonical bytes."""
        return canonical.digest(self.predicate)


def write(kind: str, name: str, predicate: JsonObject) -> bytes:
    """Return the statement's canonical bytes, ready to be signed."""
    digest = canonical.digest(canonical.encode(predicate)).hex()
    return canonical.encode(
        {
            "_type": TYPE,
            "subject": [{"name": name, "digest": {"sha256": digest}}],
            "predicateType": f"urn:rootline:{kind}:v1",
            "predicate": predicate,
        }
    )


def parse(payload: bytes) -> Statement:
    """Return the statement that a verified `payload` makes.

    Raises:
        MalformedError: Not canonical, not one subject, or a predicate of an unknown kind.
        VerificationError: The subject's digest is not the predicate's.
    """
    fields = Fields.of(canonical.decode(payload), "statement")
    fields.constant("_type", TYPE)
    subjects = fields.objects("subject", 16)
    predicate_type = fields.text("predicateType", most=64)
    predicate = fields.inner("predicate")
    fields.done()
    if len(subjects) != 1:
        raise MalformedError(f"a statement has exactly one subject, not {len(subjects)}")
    kind = _kind(predicate_type, predicate)
    statement = Statement(
        kind, subjects[0].text("name", most=300), canonical.encode(predicate.members)
    )
    _check_subject(subjects[0], statement)
    return statement


def _kind(predicate_type: str, predicate: Fields) -> str:
    for kind in KINDS:
        if predicate_type == f"urn:rootline:{kind}:v1":
            if predicate.members.get("kind") != f"rootline/{kind}/v1":
                raise MalformedError(f"a predicate of type {kind} has another kind inside")
            return kind
    raise MalformedError(f"statement: unknown predicate type {predicate_type!r}")


def _check_subject(subject: Fields, statement: Statement) -> None:
    digests = subject.inner("digest")
    claimed = digests.digest("sha256")
    digests.done()
    subject.done()
    if claimed != statement.digest:
        raise VerificationError(
            f"statement: the subject's digest {claimed.hex()[:16]}… is not the predicate's "
            f"{statement.digest.hex()[:16]}…"
        )
