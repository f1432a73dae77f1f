"""A verdict as one self-contained page that a lawyer can read: no script, nothing external.

Every text that came out of evidence or policy is escaped; the page forbids scripts and all loading
besides, so that a mistake here could show something wrong but never run it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Final

from pipelines.drawing import lineage_svg
from pipelines.flow.auditing import Audited
from pipelines.verdicts import MARKS, unproved
from provenance.findings import CLAIMS, LEVELS, Finding, Outcome, Verdict

HEADLINES: Final = {
    Outcome.HOLDS: "Every claim that the policy requires was found in the evidence, at the level "
    "that it requires, and nothing in the evidence was found to be false.",
    Outcome.FAILS: "At least one statement in the evidence is false. What failed stands first.",
    Outcome.UNKNOWN: "Nothing was found to be false, but not everything that the policy requires "
    "could be found out from this evidence.",
}
STATES: Final = {Outcome.HOLDS: "holds", Outcome.FAILS: "fails", Outcome.UNKNOWN: "not found out"}
COUNTED: Final = {
    Outcome.HOLDS: "hold",
    Outcome.FAILS: "fail",
    Outcome.UNKNOWN: "could not be found out",
}
ORDER: Final = (Outcome.FAILS, Outcome.UNKNOWN, Outcome.HOLDS)
GUARD: Final = "default-src 'none'; style-src 'unsafe-inline'"
CLOSING: Final = (
    "A verdict speaks of what was committed and of nothing else. It never says that a model was "
    "trained only on these data, that no protected work was used, or that any law was kept."
)


def as_html(audited: Audited) -> str:
    """Return the page."""
    verdict = audited.verdict
    style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{GUARD}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Verdict: {STATES[verdict.outcome]} ({escape(verdict.policy)})</title>",
            f"<style>{style}</style></head><body>",
            *_head(audited),
            "<main>",
            *_required(verdict),
            *_findings(verdict),
            *_lineage(verdict),
            *_levels(),
            *_unproved(verdict),
            "</main></body></html>\n",
        ]
    )


def _head(audited: Audited) -> Iterator[str]:
    verdict, outcome = audited.verdict, audited.verdict.outcome
    at = datetime.fromtimestamp(audited.at // 10**9, tz=UTC).strftime("%d %B %Y, %H:%M:%S UTC")
    counts = ", ".join(
        f"{sum(f.outcome is each for f in verdict.findings)} {COUNTED[each]}" for each in ORDER
    )
    yield f'<header><h1>Verdict: <span class="{outcome}">{MARKS[outcome]} {STATES[outcome]}</span>'
    yield f'</h1><p class="lead">{HEADLINES[outcome]}</p><dl>'
    yield f"<dt>Policy</dt><dd>{escape(verdict.policy)}</dd>"
    read = "offline" if audited.node is None else f"the ledger read at {escape(audited.node)}"
    yield f"<dt>Checked</dt><dd>{at}, {read}</dd>"
    yield f"<dt>Findings</dt><dd>{counts}</dd>"
    yield f"<dt>Evidence file</dt><dd><code>SHA-256 {audited.bundle.hex()}</code></dd>"
    yield f"<dt>Policy file</dt><dd><code>SHA-256 {audited.policy.hex()}</code></dd></dl></header>"


def _required(verdict: Verdict) -> Iterator[str]:
    yield "<section><h2>What the policy requires, and whether it was found</h2>"
    if verdict.required:
        columns = ("Claim", "About", "Level required", "Found")
        yield from _table(columns, (_requirement(item) for item in verdict.required))
    else:
        yield "<p>The policy requires nothing; under such a policy no verdict can hold.</p>"
    yield "</section>"


def _requirement(item: Finding) -> tuple[str, ...]:
    state = f'<span class="mark {item.outcome}">{MARKS[item.outcome]} {STATES[item.outcome]}</span>'
    about = "everything in the evidence" if item.subject == "*" else escape(item.subject)
    return (escape(item.claim), about, str(item.level), f"{state}: {escape(item.reason)}")


def _findings(verdict: Verdict) -> Iterator[str]:
    """Yield the findings by claim, those claims first of which something failed or is unknown."""
    yield "<section><h2>What was found</h2>"
    kinds = list(dict.fromkeys(finding.claim for finding in verdict.findings))
    groups = [[f for f in verdict.findings if f.claim == kind] for kind in kinds]
    for group in sorted(groups, key=lambda group: min(ORDER.index(f.outcome) for f in group)):
        yield from _claim(sorted(group, key=lambda f: ORDER.index(f.outcome)))
    yield "</section>"


def _claim(group: Sequence[Finding]) -> Iterator[str]:
    claim = group[0].claim
    yield f"<h3>{escape(claim.capitalize())}</h3>"
    yield f"<p>The claim: {escape(CLAIMS[claim].words)}.</p>"
    for item in group:
        yield from _entry(item)
    yield '<div class="limits">'
    yield from _list("Even where it holds, it does not prove", CLAIMS[claim].not_proved)
    yield "</div>"


def _entry(item: Finding) -> Iterator[str]:
    yield f'<article class="entry {item.outcome}"><p><span class="mark {item.outcome}">'
    yield f"{MARKS[item.outcome]} {STATES[item.outcome]}</span> <b>{escape(item.subject)}</b></p>"
    yield f"<p>{escape(item.reason)}</p>"
    if item.level is not None:
        yield f'<p class="soft"><span class="badge">{item.level}</span> '
        yield f"{escape(LEVELS[item.level])}</p>"
    yield from _list("Rests on", item.rests_on)
    yield from _list("Details", item.notes)
    yield "</article>"


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    if lines:
        yield f'<p class="label">{title}</p><ul>{lines}</ul>'


def _lineage(verdict: Verdict) -> Iterator[str]:
    if not verdict.edges:
        return
    yield "<section><h2>What came from what</h2>"
    if drawing := lineage_svg(verdict.edges):
        yield f"<figure>{drawing}</figure>"
    rows = (
        (escape(e.target), escape(e.source), escape(e.role), str(e.level or "unknown"))
        for e in verdict.edges
    )
    yield from _table(("This", "Came from", "As", "Level"), rows)
    yield "</section>"


def _levels() -> Iterator[str]:
    yield "<section><h2>What the levels mean</h2><dl>"
    for level, words in LEVELS.items():
        yield f'<dt><span class="badge">{level}</span></dt><dd>{escape(words)}</dd>'
    yield "</dl></section>"


def _unproved(verdict: Verdict) -> Iterator[str]:
    yield f"<section><h2>What this does not prove</h2><p>{CLOSING}</p><ul>"
    for claim, words in unproved(verdict):
        yield f"<li><b>{escape(claim)}</b>: {escape(words)}</li>"
    yield "</ul></section>"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table of cells that are HTML already."""
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    yield f'<table class="stack"><thead><tr>{heads}</tr></thead><tbody>'
    for row in rows:
        cells = zip(columns, row, strict=True)
        yield (
            "<tr>"
            + "".join(f'<td data-name="{name}">{cell}</td>' for name, cell in cells)
            + "</tr>"
        )
    yield "</tbody></table>"
