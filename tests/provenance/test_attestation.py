"""Attestations: verified before parsed, and signed only by the issuer that is named inside."""

from dataclasses import replace

import pytest

from provenance import canonical, envelope, statement
from provenance.attestation import Commitment, attest, issuer_of, parse_commitment, verify
from provenance.errors import MalformedError, SignatureError, VerificationError
from tests.provenance.documents import CLAIM, CLAIMS, DATASET, ISSUER, RUN, START, STRANGER, Key

COMMITMENTS: dict[str, tuple[Commitment, str]] = {
    "dataset": (DATASET, "cells@v2"),
    "start": (START, "cells-logistic"),
    "run": (RUN, f"run-{START.digest.hex()[:32]}"),
    "membership": (CLAIM, f"membership-{DATASET.digest.hex()[:32]}"),
    "claim": (CLAIMS["absence"], f"claim-{CLAIMS['absence'].digest.hex()[:32]}"),
}
TRUSTED = [STRANGER.public_key, ISSUER.public_key]


@pytest.mark.parametrize("kind", COMMITMENTS)
def test_an_attestation_tells_who_signed_what(kind: str) -> None:
    commitment, name = COMMITMENTS[kind]
    data = attest(commitment, ISSUER).encoded
    found = verify(data, TRUSTED)
    assert (found.kind, found.name, found.key) == (kind, name, ISSUER.public_key)
    assert found.commitment == commitment
    assert found.subject == commitment.digest
    assert (found.digest, found.envelope) == (canonical.digest(data), data)
    assert issuer_of(data) == ISSUER.public_key.key_id


@pytest.mark.parametrize("kind", COMMITMENTS)
def test_nobody_signs_a_commitment_that_names_another_issuer(kind: str) -> None:
    with pytest.raises(VerificationError, match="only by the issuer"):
        attest(COMMITMENTS[kind][0], STRANGER)


@pytest.mark.parametrize("kind", COMMITMENTS)
def test_a_foreign_commitment_signed_anew_is_refused_though_the_key_is_trusted(kind: str) -> None:
    commitment, name = COMMITMENTS[kind]
    with pytest.raises(VerificationError, match="the commitment names issuer"):
        verify(sealed(commitment, kind, name, STRANGER), TRUSTED)


def test_a_name_that_would_draw_in_a_terminal_is_told_without_its_effect() -> None:
    evil = "x\n\x1b[2Jcheckpoint  signed: all is well"
    with pytest.raises(VerificationError, match="the commitment names issuer") as told:
        verify(sealed(DATASET, "dataset", evil, STRANGER), TRUSTED)
    assert str(told.value).isprintable()


def test_a_key_that_is_not_trusted_makes_no_attestation() -> None:
    with pytest.raises(SignatureError, match="not trusted"):
        verify(attest(DATASET, ISSUER).encoded, [STRANGER.public_key])


@pytest.mark.parametrize("kind", COMMITMENTS)
def test_a_subject_under_another_name_is_refused(kind: str) -> None:
    with pytest.raises(VerificationError, match="the subject is called 'cells@v9'"):
        verify(sealed(COMMITMENTS[kind][0], kind, "cells@v9", ISSUER), TRUSTED)


def test_the_signature_is_checked_before_the_payload_is_read() -> None:
    forged = replace(
        envelope.seal(statement.PAYLOAD_TYPE, b"no JSON", STRANGER),
        key_id=ISSUER.public_key.key_id,
    )
    with pytest.raises(SignatureError):
        verify(forged.encoded, TRUSTED)
    signed = envelope.seal(statement.PAYLOAD_TYPE, b"no JSON", ISSUER)
    with pytest.raises(MalformedError, match="not JSON"):
        verify(signed.encoded, TRUSTED)


def test_a_statement_is_not_taken_from_an_envelope_of_another_type() -> None:
    payload = statement.write("dataset", DATASET.label, DATASET.json)
    with pytest.raises(MalformedError, match="expected a application"):
        verify(envelope.seal("application/json", payload, ISSUER).encoded, TRUSTED)


def test_a_malformed_commitment_is_refused_though_it_is_signed() -> None:
    payload = statement.write("dataset", DATASET.label, {**DATASET.json, "chunks": 0})
    with pytest.raises(MalformedError, match="'chunks'"):
        verify(envelope.seal(statement.PAYLOAD_TYPE, payload, ISSUER).encoded, TRUSTED)


def test_a_commitment_of_no_known_kind_is_refused() -> None:
    with pytest.raises(MalformedError, match="no commitment is of kind 'model'"):
        parse_commitment("model", DATASET.encoded)


def sealed(commitment: Commitment, kind: str, name: str, key: Key) -> bytes:
    payload = statement.write(kind, name, commitment.json)
    return envelope.seal(statement.PAYLOAD_TYPE, payload, key).encoded
