"""Verdicts: when they hold, fail, or cannot tell."""

import itertools

import pytest

from provenance.findings import CLAIMS, LEVELS, Edge, Finding, Level, Outcome, Verdict

HOLDS, FAILS, UNKNOWN = Outcome.HOLDS, Outcome.FAILS, Outcome.UNKNOWN
PAIRS = list(itertools.product(Outcome, repeat=2))
NEVER = ("trained only", "copyright", "gdpr", "compliant", "unbiased", "complete")


def found(outcome: Outcome) -> Finding:
    level = Level.L1 if outcome is HOLDS else None
    return Finding("dataset", "cells@v1", outcome, "because", level)


@pytest.mark.parametrize("outcomes", PAIRS)
@pytest.mark.parametrize("required", [(), *PAIRS])
def test_a_verdict_follows_from_its_findings(
    outcomes: tuple[Outcome, ...], required: tuple[Outcome, ...]
) -> None:
    verdict = Verdict("policy", tuple(map(found, outcomes)), tuple(map(found, required)))
    if FAILS in outcomes:
        expected = FAILS
    elif required and set(required) == {HOLDS}:
        expected = HOLDS
    else:
        expected = UNKNOWN
    assert verdict.outcome is expected


def test_levels_are_ordered_and_have_words() -> None:
    assert max(Level) is Level.L5
    assert all(a < b for a, b in itertools.pairwise(Level))
    assert {level.words for level in Level} == set(LEVELS.values())


def test_every_claim_says_what_it_does_not_prove() -> None:
    for name, claim in CLAIMS.items():
        finding = Finding(name, "x", HOLDS, "because", Level.L1)
        assert finding.not_proved == claim.not_proved
        assert claim.not_proved
        assert claim.words


def test_no_claim_says_what_nobody_can_prove() -> None:
    for claim in CLAIMS.values():
        assert not any(word in claim.words.lower() for word in NEVER)


@pytest.mark.parametrize("bad", ["\x1b[2J", "a\nb", "\u202e", "\x9b", "\u2028"])
def test_what_an_issuer_wrote_cannot_draw_hide_or_turn_other_text(bad: str) -> None:
    finding = Finding("facts", bad, HOLDS, f"declared: {bad}", Level.L0, (bad,), (bad,))
    edge = Edge(bad, bad, bad, None)
    texts = (finding.subject, finding.reason, *finding.rests_on, *finding.notes)
    for text in (*texts, edge.source, edge.target, edge.role):
        assert text.isprintable()
        assert "\ufffd" in text
