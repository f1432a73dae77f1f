"""A verdict in words, and as JSON: claim, level, what it rests on, what it does not prove."""

import json
from collections.abc import Iterator
from typing import Final

from provenance.findings import CLAIMS, LEVELS, Edge, Finding, Outcome, Verdict

MARKS: Final = {Outcome.HOLDS: "✓", Outcome.FAILS: "✗", Outcome.UNKNOWN: "?"}


def as_text(verdict: Verdict) -> str:
    """Return a verdict as lines for people; it ends with what was not proved."""
    return "\n".join(
        [
            f"Verdict under policy {verdict.policy!r}: {verdict.outcome.upper()}",
            "",
            "Required by the policy",
            *(_required(item) for item in verdict.required),
            "",
            "Findings",
            *(line for item in verdict.findings for line in _finding(item)),
            "",
            "What came from what",
            *(f"  {_edge(edge)}" for edge in verdict.edges),
            "",
            "Levels",
            *(f"  {level}  {words}" for level, words in LEVELS.items()),
            "",
            "What this does not prove",
            *(f"  {claim}: {words}" for claim, words in unproved(verdict)),
        ]
    )


def as_json(verdict: Verdict) -> str:
    """Return a verdict as one JSON document."""
    document = {
        "policy": verdict.policy,
        "outcome": verdict.outcome,
        "required": [_json(item) for item in verdict.required],
        "findings": [_json(item) for item in verdict.findings],
        "lineage": [
            {"from": e.source, "to": e.target, "role": e.role, "level": e.level}
            for e in verdict.edges
        ],
        "not_proved": [{"claim": claim, "words": words} for claim, words in unproved(verdict)],
        "levels": dict(LEVELS),
    }
    return json.dumps(document, indent=2)


def _edge(edge: Edge) -> str:
    return f"{edge.target} from {edge.source}: {edge.role} [{edge.level or 'unknown'}]"


def unproved(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Yield what none of the claims in a verdict proves, each once."""
    seen = dict.fromkeys(finding.claim for finding in verdict.findings)
    for claim in seen:
        for words in CLAIMS[claim].not_proved:
            yield claim, words


def _required(item: Finding) -> str:
    return f"  {MARKS[item.outcome]} {item.claim} {item.subject} at {item.level}: {item.reason}"


def _finding(item: Finding) -> Iterator[str]:
    level = f" [{item.level}]" if item.level else ""
    yield f"  {MARKS[item.outcome]} {item.claim} {item.subject}{level}: {item.reason}"
    if item.rests_on:
        yield f"      rests on {'; '.join(item.rests_on)}"
    for note in item.notes:
        yield f"      {note}"


def _json(item: Finding) -> dict[str, object]:
    return {
        "claim": item.claim,
        "subject": item.subject,
        "outcome": item.outcome,
        "level": item.level,
        "reason": item.reason,
        "rests_on": list(item.rests_on),
        "notes": list(item.notes),
        "not_proved": list(item.not_proved),
    }
