"""A verdict as one self-contained page that a lawyer can read: no script, nothing external."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from pipelines.flow.auditing import Audited
from pipelines.verdicts import MARKS, unproved
from provenance.findings import CLAIMS, LEVELS, Finding, Outcome, Verdict

HEADLINES: Final = {
    Outcome.HOLDS: "Every claim that the policy requires was found, at the level it requires.",
    Outcome.FAILS: "At least one statement in the evidence is false.",
    Outcome.UNKNOWN: "Not everything that the policy requires could be found out.",
}
ORDER: Final = (Outcome.FAILS, Outcome.UNKNOWN, Outcome.HOLDS)
STYLE: Final = """
:root{color-scheme:light dark;--ink:#1c2024;--soft:#5b6670;--line:#d6dbe0;--paper:#fff;
--card:#f6f8f9;--holds:#1a7f4b;--fails:#b3261e;--unknown:#8a6100}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a2abb3;--line:#3a4148;--paper:#15181b;
--card:#1d2125;--holds:#5fd39a;--fails:#ff8a80;--unknown:#f0c04a}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0 auto;
max-width:52rem;padding:2rem 1.25rem;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .3rem}h2{font-size:1.2rem;margin:2.2rem 0 .8rem}
h3{font-size:1rem;margin:0}p{margin:.3rem 0}.soft{color:var(--soft)}code{font-size:.85em}
.holds{color:var(--holds)}.fails{color:var(--fails)}.unknown{color:var(--unknown)}
article,.box{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--line);
border-radius:4px;padding:.8rem 1rem;margin:.7rem 0;break-inside:avoid}
article.holds{border-left-color:var(--holds);color:inherit}
article.fails{border-left-color:var(--fails);color:inherit}
article.unknown{border-left-color:var(--unknown);color:inherit}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line)}
th,td:first-child{white-space:nowrap}
ul{margin:.3rem 0;padding-left:1.2rem}
.level{border:1px solid var(--line);border-radius:3px;padding:0 .35rem;font-size:.85rem;
white-space:nowrap}
@media print{body{max-width:none}article{background:none}}
"""


def as_html(audited: Audited) -> str:
    """Return the page."""
    verdict = audited.verdict
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Verdict: {verdict.outcome} ({escape(verdict.policy)})</title>",
            f"<style>{STYLE}</style></head><body>",
            *_head(audited),
            *_required(verdict),
            *_findings(verdict),
            *_lineage(verdict),
            *_levels(),
            *_unproved(verdict),
            "</body></html>\n",
        ]
    )


def _head(audited: Audited) -> Iterator[str]:
    verdict = audited.verdict
    at = datetime.fromtimestamp(audited.at // 10**9, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield "<header>"
    yield f'<h1>Verdict: <span class="{verdict.outcome}">{verdict.outcome}</span></h1>'
    yield f"<p>{HEADLINES[verdict.outcome]}</p>"
    yield f'<p class="soft">Checked offline on {at}.<br>Policy “{escape(verdict.policy)}”.</p>'
    yield f'<p class="soft">Evidence <code>{audited.bundle.hex()}</code><br>'
    yield f"Policy <code>{audited.policy.hex()}</code> (SHA-256)</p></header>"


def _required(verdict: Verdict) -> Iterator[str]:
    yield "<section><h2>What the policy requires</h2>"
    if not verdict.required:
        yield "<p>Nothing; so no verdict under it can hold.</p>"
    yield "<table><thead><tr><th>Claim</th><th>About</th><th>Level</th><th>Found</th></tr></thead>"
    yield "<tbody>"
    for item in verdict.required:
        yield (
            f"<tr><td>{escape(item.claim)}</td><td>{escape(item.subject)}</td>"
            f'<td>{item.level}</td><td class="{item.outcome}">{MARKS[item.outcome]} '
            f"{item.outcome}: {escape(item.reason)}</td></tr>"
        )
    yield "</tbody></table></section>"


def _findings(verdict: Verdict) -> Iterator[str]:
    yield "<section><h2>What was found</h2>"
    for outcome in ORDER:
        for item in verdict.findings:
            if item.outcome is outcome:
                yield from _finding(item)
    yield "</section>"


def _finding(item: Finding) -> Iterator[str]:
    level = f' <span class="level">{item.level}</span>' if item.level else ""
    yield f'<article class="{item.outcome}">'
    yield f'<h3><span class="{item.outcome}">{MARKS[item.outcome]} {item.outcome}</span> '
    yield f"{escape(item.claim)}: {escape(item.subject)}{level}</h3>"
    yield f'<p class="soft">{escape(CLAIMS[item.claim].words)}</p><p>{escape(item.reason)}</p>'
    yield from _list("Rests on", item.rests_on)
    yield from _list("Notes", item.notes)
    yield from _list("Does not prove", item.not_proved)
    yield "</article>"


def _list(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        lines = "".join(f"<li>{escape(item)}</li>" for item in items)
        yield f'<p class="soft">{title}</p><ul>{lines}</ul>'


def _lineage(verdict: Verdict) -> Iterator[str]:
    if not verdict.edges:
        return
    yield "<section><h2>What came from what</h2><table><thead><tr><th>This</th><th>came from</th>"
    yield "<th>as</th><th>Level</th></tr></thead><tbody>"
    for edge in verdict.edges:
        yield (
            f"<tr><td>{escape(edge.target)}</td><td>{escape(edge.source)}</td>"
            f"<td>{escape(edge.role)}</td>"
            f'<td><span class="level">{edge.level or "unknown"}</span></td></tr>'
        )
    yield "</tbody></table></section>"


def _levels() -> Iterator[str]:
    yield "<section><h2>What the levels mean</h2><table><tbody>"
    for level, words in LEVELS.items():
        yield f'<tr><td><span class="level">{level}</span></td><td>{escape(words)}</td></tr>'
    yield "</tbody></table></section>"


def _unproved(verdict: Verdict) -> Iterator[str]:
    yield '<section><h2>What this does not prove</h2><div class="box"><ul>'
    for claim, words in unproved(verdict):
        yield f"<li><b>{escape(claim)}</b>: {escape(words)}</li>"
    yield "</ul></div></section>"
