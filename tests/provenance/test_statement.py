"""Statements: in-toto's own reader agrees, and nothing points at another commitment."""

import json
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement as InTotoStatement
from in_toto_attestation.v1.statement_pb2 import Statement as Message

from provenance import canonical, statement
from provenance.attestation import Commitment
from provenance.errors import MalformedError, VerificationError
from tests.provenance.documents import (
    CLAIM,
    CLAIMS,
    DATASET,
    RUN,
    START,
    other_spellings,
    spoiled,
    vectors,
    word,
)

VECTORS = vectors("statement")
COMMITMENTS: dict[str, Commitment] = {
    "dataset": DATASET,
    "start": START,
    "run": RUN,
    "membership": CLAIM,
    "claim": CLAIMS["steps"],
}
PAYLOAD = statement.write("dataset", "cells@v2", DATASET.json)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_statement_vectors(case: dict[str, Any]) -> None:
    payload = case["payload"].encode()
    if case["error"] is None:
        found = statement.parse(payload)
        assert (found.kind, found.name) == (case["kind"], case["subject"])
        assert found.digest.hex() == case["digest"]
    else:
        kinds = {"MalformedError": MalformedError, "VerificationError": VerificationError}
        with pytest.raises(kinds[case["error"]]):
            statement.parse(payload)


@pytest.mark.parametrize("kind", statement.KINDS)
def test_a_statement_comes_back_as_it_was(kind: str) -> None:
    commitment = COMMITMENTS[kind]
    found = statement.parse(statement.write(kind, "a name", commitment.json))
    assert (found.kind, found.name) == (kind, "a name")
    assert found.predicate == commitment.encoded
    assert found.digest == commitment.digest


@pytest.mark.parametrize("kind", statement.KINDS)
def test_in_toto_reads_our_statement_and_finds_it_valid(kind: str) -> None:
    payload = statement.write(kind, "a name", COMMITMENTS[kind].json)
    message = json_format.Parse(payload, Message())
    InTotoStatement.copy_from_pb(message).validate()
    assert message.predicate_type == f"urn:rootline:{kind}:v1"
    assert message.subject[0].digest["sha256"] == COMMITMENTS[kind].digest.hex()


def test_in_toto_writes_what_we_read() -> None:
    message = json_format.Parse(PAYLOAD, Message())
    assert canonical.encode(json.loads(json_format.MessageToJson(message))) == PAYLOAD


def test_a_subject_with_another_digest_is_false() -> None:
    value = json.loads(PAYLOAD)
    value["subject"][0]["digest"]["sha256"] = word("other").hex()
    with pytest.raises(VerificationError, match="not the predicate's"):
        statement.parse(canonical.encode(value))


def test_a_predicate_swapped_under_its_subject_is_false() -> None:
    value = json.loads(PAYLOAD)
    value["predicate"]["version"] = "v3"
    with pytest.raises(VerificationError, match="not the predicate's"):
        statement.parse(canonical.encode(value))


def test_another_spelling_is_refused() -> None:
    for spelling in other_spellings(PAYLOAD):
        with pytest.raises(MalformedError):
            statement.parse(spelling)


def test_whatever_is_changed_outside_the_name_is_refused() -> None:
    for changed in spoiled(json.loads(PAYLOAD)):
        data = canonical.encode(changed)
        try:
            found = statement.parse(data)
        except (MalformedError, VerificationError):
            continue
        assert data == PAYLOAD or found.name != "cells@v2"
        assert found.predicate == DATASET.encoded


@pytest.mark.parametrize("count", [0, 2, 17])
def test_a_statement_has_exactly_one_subject(count: int) -> None:
    value = json.loads(PAYLOAD)
    value["subject"] *= count
    with pytest.raises(MalformedError):
        statement.parse(canonical.encode(value))


@pytest.mark.parametrize(
    "predicate_type",
    ["urn:rootline:other:v1", "urn:rootline:dataset:v2", "urn:rootline:dataset:v1 ", "dataset", ""],
)
def test_an_unknown_predicate_type_is_refused(predicate_type: str) -> None:
    value = json.loads(PAYLOAD) | {"predicateType": predicate_type}
    with pytest.raises(MalformedError, match="unknown predicate type"):
        statement.parse(canonical.encode(value))


def test_type_and_kind_of_a_predicate_are_one() -> None:
    for kind in ("start", "run", "membership"):
        value = json.loads(PAYLOAD) | {"predicateType": f"urn:rootline:{kind}:v1"}
        with pytest.raises(MalformedError, match="another kind inside"):
            statement.parse(canonical.encode(value))
    value = json.loads(PAYLOAD)
    del value["predicate"]["kind"]
    with pytest.raises(MalformedError, match="another kind inside"):
        statement.parse(canonical.encode(value))


def test_a_second_digest_in_the_subject_is_refused() -> None:
    value = json.loads(PAYLOAD)
    value["subject"][0]["digest"]["sha512"] = "00" * 64
    with pytest.raises(MalformedError, match="unknown member 'sha512'"):
        statement.parse(canonical.encode(value))
