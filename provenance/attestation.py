"""Commitment -> signed statement; envelope -> trusted statement.

The signature is verified before the payload is parsed, and the commitment inside must name the key
that signed it, so that nobody can sign another's commitment as his own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from provenance import canonical, envelope, statement
from provenance.claim import Claim
from provenance.dataset import DatasetCommitment
from provenance.envelope import Envelope, PublicKey, Signer
from provenance.errors import MalformedError, VerificationError
from provenance.field import Digest
from provenance.membership import MembershipClaim
from provenance.training import Run, RunStart

Commitment = DatasetCommitment | RunStart | Run | MembershipClaim | Claim
_KINDS: Final[dict[type, str]] = {
    DatasetCommitment: "dataset",
    RunStart: "start",
    Run: "run",
    MembershipClaim: "membership",
    Claim: "claim",
}


@dataclass(frozen=True, slots=True)
class Attestation:
    """A verified envelope: who signed which commitment.

    `digest` names the envelope's bytes, `subject` is the commitment's digest.
    """

    digest: Digest
    envelope: bytes
    key: PublicKey
    kind: str
    name: str
    commitment: Commitment
    subject: Digest


def attest(commitment: Commitment, signer: Signer) -> Envelope:
    """Return a signed statement about `commitment`, whose issuer must be the signer's key."""
    if commitment.issuer != signer.public_key.key_id:
        raise VerificationError("a commitment is signed only by the issuer that it names")
    payload = statement.write(_kind(commitment), _name(commitment), commitment.json)
    return envelope.seal(statement.PAYLOAD_TYPE, payload, signer)


def verify(data: bytes, trusted: Iterable[PublicKey]) -> Attestation:
    """Return the attestation in the envelope bytes `data`.

    Raises:
        MalformedError: Envelope, statement or commitment is not in its one form.
        SignatureError: Not signed by one of `trusted`.
        VerificationError: The commitment names another issuer, or the subject another digest.
    """
    sealed = envelope.parse(data)
    payload, key = envelope.verified_payload(sealed, statement.PAYLOAD_TYPE, trusted)
    claimed = statement.parse(payload)
    commitment = parse_commitment(claimed.kind, claimed.predicate)
    if commitment.issuer != key.key_id:
        raise VerificationError(
            f"{claimed.name!r}: the commitment names issuer {commitment.issuer[:16]}…, "
            f"but key {key.key_id[:16]}… signed it"
        )
    if claimed.name != _name(commitment):
        raise VerificationError(
            f"the subject is called {claimed.name!r}, not {_name(commitment)!r}"
        )
    return Attestation(
        digest=canonical.digest(data),
        envelope=data,
        key=key,
        kind=claimed.kind,
        name=claimed.name,
        commitment=commitment,
        subject=commitment.digest,
    )


def parse_commitment(kind: str, predicate: bytes) -> Commitment:
    """Return the commitment of a known kind that `predicate` writes, or raise MalformedError."""
    match kind:
        case "dataset":
            return DatasetCommitment.parse(predicate)
        case "start":
            return RunStart.parse(predicate)
        case "run":
            return Run.parse(predicate)
        case "membership":
            return MembershipClaim.parse(predicate)
        case "claim":
            return Claim.parse(predicate)
        case _:
            raise MalformedError(f"no commitment is of kind {kind!r}")


def issuer_of(data: bytes) -> str:
    """Return the key id that an envelope names; a hint, nothing is verified."""
    return envelope.parse(data).key_id


def _kind(commitment: Commitment) -> str:
    return _KINDS[type(commitment)]


def _name(commitment: Commitment) -> str:
    if isinstance(commitment, DatasetCommitment):
        return commitment.label
    if isinstance(commitment, RunStart):
        return commitment.name
    return f"{_kind(commitment)}-{_about(commitment).hex()[:32]}"


def _about(commitment: Run | MembershipClaim | Claim) -> Digest:
    match commitment:
        case Run():
            return commitment.start
        case MembershipClaim():
            return commitment.dataset
        case _:
            return commitment.digest
