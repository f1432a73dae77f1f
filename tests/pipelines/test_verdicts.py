"""Verdicts in words and as JSON: nothing that was found is left out."""

import json

from pipelines.verdicts import as_json, as_text, unproved
from provenance.findings import CLAIMS, LEVELS, Edge, Finding, Level, Outcome, Verdict

HOLDS = Finding(
    "dataset", "cells@v1", Outcome.HOLDS, "published", Level.L1, ("a key",), ("a note",)
)
FAILS = Finding("record", "cells@v1[0:7]", Outcome.FAILS, "leads elsewhere")
UNKNOWN = Finding("steps", "fit", Outcome.UNKNOWN, "none is opened")
REQUIRED = Finding("dataset", "*", Outcome.HOLDS, "found at L1", Level.L1)
EDGES = (Edge("cells@v1", "fit", "train", Level.L2), Edge("fit", "other", "base", None))
VERDICT = Verdict("regulator", (HOLDS, FAILS, UNKNOWN), (REQUIRED,), EDGES)


def test_the_words_hold_every_finding_and_end_with_what_is_not_proved() -> None:
    text = as_text(VERDICT)
    assert text.startswith("Verdict under policy 'regulator': FAILS\n")
    for line in (
        "  ✓ dataset * at L1: found at L1",
        "  ✓ dataset cells@v1 [L1]: published",
        "      rests on a key",
        "      a note",
        "  ✗ record cells@v1[0:7]: leads elsewhere",
        "  ? steps fit: none is opened",
        "  fit from cells@v1: train [L2]",
        "  other from fit: base [unknown]",
    ):
        assert f"\n{line}\n" in text
    last = text.split("What this does not prove\n")[1].splitlines()
    assert len(last) == len(list(unproved(VERDICT)))


def test_the_document_holds_every_finding() -> None:
    document = json.loads(as_json(VERDICT))
    assert document["outcome"] == "fails"
    assert [item["claim"] for item in document["findings"]] == ["dataset", "record", "steps"]
    assert document["findings"][0] == {
        "claim": "dataset",
        "subject": "cells@v1",
        "outcome": "holds",
        "level": "L1",
        "reason": "published",
        "rests_on": ["a key"],
        "notes": ["a note"],
        "not_proved": list(CLAIMS["dataset"].not_proved),
    }
    assert document["lineage"][1] == {"from": "fit", "to": "other", "role": "base", "level": None}
    assert document["levels"] == dict(LEVELS)


def test_what_is_not_proved_is_told_once_for_each_claim() -> None:
    twice = Verdict("p", (HOLDS, HOLDS))
    assert list(unproved(twice)) == [("dataset", words) for words in CLAIMS["dataset"].not_proved]
