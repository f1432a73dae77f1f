"""The report: one page without scripts or anything from elsewhere, which says all that is found."""

import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.flow.auditing import Audited
from pipelines.report import CLOSING, HEADLINES, as_html
from provenance.canonical import digest
from provenance.findings import CLAIMS, LEVELS, Edge, Finding, Level, Outcome, Verdict

ATTACK = "</style></script><script>document.title='pwned'</script><img src=x onerror=alert(1)>"
AT = 1_700_000_000 * 10**9
HOLDS = Finding(
    "dataset", "cells@v1", Outcome.HOLDS, "published", Level.L1, ("a key",), ("a note",)
)
FAILS = Finding("record", "cells@v1[0:7]", Outcome.FAILS, "leads elsewhere")
UNKNOWN = Finding("steps", "fit", Outcome.UNKNOWN, "none is opened")
REQUIRED = Finding("dataset", "*", Outcome.HOLDS, "found at L1", Level.L1)
EDGE = Edge("cells@v1", "fit", "train", Level.L2)
OPEN = {"meta", "br", "path", "rect", "img", "link"}


def page(*findings: Finding, required: tuple[Finding, ...] = (), policy: str = "lab") -> str:
    verdict = Verdict(policy, findings, required, (EDGE,))
    return as_html(Audited(verdict, digest(b"bundle"), digest(b"policy"), AT))


def test_a_page_says_whether_the_ledger_was_read() -> None:
    read = as_html(Audited(Verdict("p", (), (), ()), digest(b""), digest(b""), AT, "https://a<b"))
    assert "the ledger read at https://a&lt;b" in read
    assert "offline" not in read
    assert "UTC, offline" in page()


class Elements(HTMLParser):
    """Every element of a page with its attributes, and its text; a tag left open is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # type: ignore[explicit-override]  # Python 3.11
        self.found.append((tag, dict(attrs)))
        if tag not in OPEN:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # type: ignore[explicit-override]  # Python 3.11
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:  # type: ignore[explicit-override]  # Python 3.11
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:  # type: ignore[explicit-override]  # Python 3.11
        self.words.append(data)


@pytest.mark.parametrize(
    ("findings", "required", "outcome"),
    [
        ((HOLDS,), (REQUIRED,), Outcome.HOLDS),
        ((HOLDS, FAILS), (REQUIRED,), Outcome.FAILS),
        ((HOLDS, UNKNOWN), (), Outcome.UNKNOWN),
    ],
)
def test_the_headline_is_the_verdict(
    findings: tuple[Finding, ...], required: tuple[Finding, ...], outcome: Outcome
) -> None:
    assert HEADLINES[outcome] in page(*findings, required=required)


def test_the_page_says_all_that_was_found() -> None:
    words = " ".join(Elements(page(HOLDS, FAILS, UNKNOWN, required=(REQUIRED,))).words)
    for text in (
        "published",
        "a key",
        "a note",
        "leads elsewhere",
        "none is opened",
        "found at L1",
        "everything in the evidence",
        CLAIMS["dataset"].words,
        *CLAIMS["dataset"].not_proved,
        *CLAIMS["steps"].not_proved,
        LEVELS[Level.L1],
        LEVELS[Level.L5],
        digest(b"bundle").hex(),
        digest(b"policy").hex(),
        "14 November 2023, 22:13:20 UTC",
        "1 fail, 1 could not be found out, 1 hold",
        "What came from what",
        "train, L2",
        CLOSING,
    ):
        assert text in words


def test_what_failed_stands_first_and_what_is_unknown_next() -> None:
    text = page(HOLDS, UNKNOWN, FAILS)
    assert text.index("<h3>Record") < text.index("<h3>Steps") < text.index("<h3>Dataset")


def test_the_last_section_says_what_is_not_proved() -> None:
    text = page(HOLDS)
    assert text.rindex("<h2>") == text.index("<h2>What this does not prove")


def test_nothing_required_is_said() -> None:
    assert "requires nothing" in page(HOLDS)


def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    elements = Elements(page(HOLDS, FAILS, UNKNOWN, required=(REQUIRED,))).found
    assert not {tag for tag, _ in elements} & {"script", "link", "img", "iframe", "object", "base"}
    for _, attributes in elements:
        assert not {name for name in attributes if name.startswith("on")}
        assert not set(attributes) & {"src", "href", "action"}
    guard = [a for tag, a in elements if tag == "meta" and "http-equiv" in a]
    assert "default-src 'none'" in str(guard[0]["content"])


def attacked() -> str:
    finding = Finding("dataset", ATTACK, Outcome.HOLDS, ATTACK, Level.L1, (ATTACK,), (ATTACK,))
    verdict = Verdict(ATTACK, (finding,), (finding,), (Edge(ATTACK, ATTACK + "x", ATTACK, None),))
    return as_html(Audited(verdict, digest(b""), digest(b""), AT))


def test_names_that_are_markup_are_only_text() -> None:
    elements = Elements(attacked())
    assert not {tag for tag, _ in elements.found} & {"script", "img"}
    assert ATTACK in elements.words or any(ATTACK in word for word in elements.words)


@pytest.mark.parametrize("make", [attacked, lambda: page(HOLDS, FAILS, required=(REQUIRED,))])
def test_a_browser_shows_the_page(tmp_path: Path, make: Callable[[], str]) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here to look at the page with")
    (tmp_path / "report.html").write_text(make())
    quiet = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    command = [browser, "--headless", *quiet, f"--user-data-dir={tmp_path}/profile", "--dump-dom"]
    done = subprocess.run(
        [*command, f"file://{tmp_path}/report.html"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "<title>Verdict: " in done.stdout
    assert "<title>pwned" not in done.stdout
    assert "<script>document" not in done.stdout
