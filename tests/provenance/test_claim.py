"""The claim that proofs back: one form for each type, and a context for each part alone."""

import json
from dataclasses import replace
from hashlib import sha256
from itertools import chain
from typing import Any

import pytest

from provenance import canonical
from provenance.claim import (
    MAX_PARTS,
    AbsenceStatement,
    Claim,
    ClaimStatement,
    EvaluationStatement,
    InferenceStatement,
    PropertyStatement,
    Records,
    RunState,
    StepsStatement,
    part_context,
)
from provenance.errors import MalformedError
from provenance.exclusion_key import ExclusionKey
from provenance.field import FieldElement
from provenance.proof import context
from tests.provenance.documents import (
    CLAIMS,
    STRANGER,
    assert_members_are_needed,
    assert_one_form,
    vectors,
    word,
)

VECTORS = vectors("claim")
RECORDS = Records(word("dataset"), (3, 16384))
VALUES = ((7, -1), (2**53 - 1, 0))


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_has_one_form(name: str) -> None:
    claim = CLAIMS[name]
    assert Claim.parse(claim.encoded) == claim
    assert_members_are_needed(Claim.parse, claim.encoded)
    assert assert_one_form(Claim.parse, claim.encoded) > 100


@pytest.mark.parametrize("case", VECTORS["honest"], ids=lambda case: case["name"])
def test_honest_vectors(case: dict[str, Any]) -> None:
    claim = Claim.parse(case["claim"].encode())
    assert claim.digest.hex() == case["digest"]
    told = [claim.context(part).hex for part in range(len(claim.proofs))]
    assert told == case["contexts"]
    assert told == [slow_context(json.loads(case["claim"]), part) for part in range(len(told))]


def slow_context(claim: dict[str, Any], part: int) -> str:
    """Return a part's context as the page says it, with nothing but the standard library."""
    parts = len(claim.pop("proofs"))
    told = {**claim, "kind": "rootline/context/v1", "part": part, "parts": parts}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    claim["proofs"] = [""] * parts
    return "00" + sha256(text.encode()).hexdigest()[:62]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_refused_vectors(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        Claim.parse(case["claim"].encode())


def statements() -> list[ClaimStatement]:
    """Return statements that differ in one thing from another."""
    dataset, run = word("dataset"), word("run")
    keys = (ExclusionKey(b"a" * 31), ExclusionKey(b"b" * 31))
    return [
        AbsenceStatement(dataset, 1, keys),
        AbsenceStatement(dataset, 1, keys[:1]),
        AbsenceStatement(dataset, 1, keys[::-1]),
        AbsenceStatement(dataset, 0, keys),
        AbsenceStatement(run, 1, keys),
        StepsStatement(run, 0, 4),
        StepsStatement(run, 4, 4),
        StepsStatement(run, 0, 5),
        StepsStatement(dataset, 0, 4),
        *(
            PropertyStatement(word(function), about, values)
            for function in ("mean", "share")
            for values in (VALUES, VALUES[::-1])
            for about in (RECORDS, RunState(run, "initial"), RunState(run, "final"))
        ),
        InferenceStatement(run, RECORDS, VALUES),
        InferenceStatement(run, VALUES, VALUES),
        InferenceStatement(run, VALUES, VALUES[::-1]),
        InferenceStatement(run, VALUES[::-1], VALUES),
        EvaluationStatement(run, RECORDS, (1, 0)),
        EvaluationStatement(run, RECORDS, (0, 1)),
        EvaluationStatement(run, replace(RECORDS, indexes=RECORDS.indexes[::-1]), (1, 0)),
        EvaluationStatement(dataset, RECORDS, (1, 0)),
    ]


def test_each_statement_part_circuit_issuer_and_log_has_a_context_of_its_own() -> None:
    issuers = (word("issuer").hex(), STRANGER.public_key.key_id)
    found = [
        part_context(issuer, log, circuit, statement, part, parts)
        for issuer in issuers
        for log in (word("log"), word("other log"))
        for circuit in ("c-1.v1", "c-2.v1")
        for statement in statements()
        for parts in (1, 2)
        for part in range(parts)
    ]
    assert len(set(found)) == len(found)
    assert max(found) < 2**248


def test_a_context_is_the_digest_that_other_proofs_take() -> None:
    claim = CLAIMS["steps"]
    told = {name: claim.json[name] for name in ("issuer", "log", "circuit", "statement")}
    told |= {"kind": "rootline/context/v1", "part": 1, "parts": 2}
    assert claim.context(1) == context(canonical.encode(told))
    assert isinstance(claim.context(1), FieldElement)


def test_there_is_no_context_of_a_part_that_there_is_not() -> None:
    for part in (-1, 2):
        with pytest.raises(MalformedError, match="part must be 0 to 1"):
            CLAIMS["steps"].context(part)
    with pytest.raises(MalformedError, match="parts must be"):
        part_context("", word("log"), "c", StepsStatement(word("run"), 0, 1), 0, MAX_PARTS + 1)


def test_no_proof_counts_for_two_parts() -> None:
    for claim in CLAIMS.values():
        with pytest.raises(MalformedError, match="proofs"):
            replace(claim, proofs=claim.proofs[:1] * len(claim.proofs) * 2)
        with pytest.raises(MalformedError, match="1 to 1024 proofs, not 0"):
            replace(claim, proofs=())


def test_values_are_given_for_each_part() -> None:
    for name in ("property", "state", "evaluation"):
        claim = CLAIMS[name]
        with pytest.raises(MalformedError, match="values for"):
            replace(claim, proofs=(*claim.proofs, word("one more")))


@pytest.mark.parametrize(
    "make",
    [
        lambda: AbsenceStatement(word("d"), 32, (ExclusionKey(bytes(31)),)),
        lambda: AbsenceStatement(word("d"), 0, ()),
        lambda: AbsenceStatement(word("d"), 0, (ExclusionKey(bytes(31)),) * 2),
        lambda: StepsStatement(word("r"), -1, 1),
        lambda: StepsStatement(word("r"), 0, 0),
        lambda: StepsStatement(word("r"), 1, 2**32),
        lambda: Records(word("d"), ()),
        lambda: Records(word("d"), (5, 5)),
        lambda: Records(word("d"), (-1,)),
        lambda: Records(word("d"), (2**32,)),
        lambda: Records(word("d"), tuple(range(2**14 + 1))),
        lambda: RunState(word("r"), "middle"),
        lambda: PropertyStatement(word("f"), RECORDS, ()),
        lambda: PropertyStatement(word("f"), RECORDS, ((),)),
        lambda: PropertyStatement(word("f"), RECORDS, ((2**125 + 1,),)),
        lambda: PropertyStatement(word("f"), RECORDS, ((0,) * (2**12 + 1),)),
        lambda: InferenceStatement(word("r"), RECORDS, VALUES[:1]),
        lambda: InferenceStatement(word("r"), (), ()),
        lambda: InferenceStatement(word("r"), ((),), ((1,),)),
        lambda: EvaluationStatement(word("r"), RECORDS, ()),
        lambda: EvaluationStatement(word("r"), RECORDS, (2**125 + 1,)),
        lambda: EvaluationStatement(word("r"), RECORDS, (-1,)),
        lambda: replace(CLAIMS["steps"], issuer="nobody"),
        lambda: replace(CLAIMS["steps"], circuit="No Name"),
    ],
)
def test_what_cannot_be_cannot_be_made(make: Any) -> None:
    with pytest.raises(MalformedError):
        make()


def test_the_vectors_hold_every_type_of_statement() -> None:
    types = [json.loads(case["claim"])["statement"]["type"] for case in VECTORS["honest"]]
    assert set(types) == {"absence", "steps", "property", "inference", "evaluation"}
    names = list(chain(VECTORS["honest"], VECTORS["refused"]))
    assert len({case["name"] for case in names}) == len(names)


@pytest.mark.parametrize("claim", [*CLAIMS.values()], ids=[*CLAIMS])
def test_all_contexts_at_once_are_those_of_each_part(claim: Claim) -> None:
    parts = range(len(claim.proofs))
    assert claim.contexts() == tuple(claim.context(part) for part in parts)
