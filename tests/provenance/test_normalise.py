import json
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.errors import MalformedError, UnavailableError
from provenance.normalise import LATER, NORMALISERS, is_old, normalise

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors/exclusion.json").read_text()
)
FOLD = "text-nfkc-casefold/1"
CHARACTERS = "".join(chr(point) for point in range(0x32400) if not 0xD800 <= point <= 0xDFFF)


def slow_fold(text: str) -> str:
    """The rule as its page writes it, by walking over the text."""
    later = {
        point
        for first, _, last in (span.partition("-") for span in LATER.split())
        for point in range(int(first, 16), int(last or first, 16) + 1)
    }
    runs: list[tuple[bool, str]] = []
    for character in text:
        old = ord(character) not in later and unicodedata.category(character) != "Cn"
        if runs and runs[-1][0] == old:
            runs[-1] = (old, runs[-1][1] + character)
        else:
            runs.append((old, character))
    folded = ""
    for old, run in runs:
        once = unicodedata.normalize("NFKC", run).casefold()
        folded += unicodedata.normalize("NFKC", once) if old else run
    return folded


@pytest.mark.parametrize("case", VECTORS["folded"], ids=lambda case: case["name"])
def test_folding_vectors(case: dict[str, Any]) -> None:
    text = "".join(chr(int(point, 16)) for point in case["text"].split())
    assert normalise(FOLD, text).hex() == case["utf8"]


def test_every_character_folds_as_in_every_other_python() -> None:
    running = sha256()
    for character in CHARACTERS[:: VECTORS["all"]["step"]]:
        running.update(normalise(FOLD, f"a{character}\u0301"))
    assert running.hexdigest() == VECTORS["all"]["sha256"]


@settings(deadline=None, max_examples=150)
@given(st.text(st.sampled_from(CHARACTERS[::7]) | st.characters(exclude_categories=["Cs"])))
def test_fast_and_slow_folding_agree_and_folding_twice_is_folding_once(text: str) -> None:
    folded = normalise(FOLD, text)
    assert folded == slow_fold(text).encode()
    assert normalise(FOLD, folded.decode()) == folded


def test_what_looks_the_same_to_a_reader_has_one_key_and_what_does_not_has_two() -> None:
    assert normalise(FOLD, "\u212bngstr\u00f6m") == normalise(FOLD, "a\u030aNGSTRo\u0308M")
    assert normalise(FOLD, "stra\u00dfe") == normalise(FOLD, "STRA\u1e9eE")
    assert normalise(FOLD, "caf\u00e9") != normalise(FOLD, "cafe")
    assert normalise(FOLD, " a") != normalise(FOLD, "a")


def test_exact_takes_a_content_digest_as_it_is() -> None:
    assert normalise("exact/1", bytes(range(32))) == bytes(range(32))


@pytest.mark.parametrize(
    ("normaliser", "value"),
    [
        ("exact/1", bytes(31)),
        ("exact/1", "0" * 32),
        ("exact/1", None),
        (FOLD, b"bytes"),
        (FOLD, 5),
        (FOLD, None),
        (FOLD, "\ud800"),
    ],
)
def test_a_value_that_a_normaliser_does_not_take_is_refused(normaliser: str, value: Any) -> None:
    with pytest.raises(MalformedError):
        normalise(normaliser, value)


def test_a_normaliser_of_a_later_version_says_nothing_about_the_value() -> None:
    with pytest.raises(UnavailableError, match="use a newer version"):
        normalise("url/1", "https://example.org")
    assert sorted(NORMALISERS) == ["exact/1", FOLD]


def test_folding_refuses_to_guess_under_an_unlisted_version_of_unicode() -> None:
    assert is_old("a", "99.0.0")
    with pytest.raises(UnavailableError, match=r"Unicode 99\.0\.0"):
        is_old("\u00e4", "99.0.0")
