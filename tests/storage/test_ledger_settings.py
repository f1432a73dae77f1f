"""Which ledger a home has chosen: read strictly, chosen once, its token never told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.anchor import Anchor
from provenance.errors import MalformedError, UnavailableError
from provenance.field import Digest
from storage.celestia.client.options import TxOptions
from storage.ledger_settings import (
    LedgerSettings,
    parse_price,
    parse_token,
    read_settings,
    read_token,
    write_settings,
    write_token,
)

ANCHOR = Anchor("celestia", "mocha-4", 1200, Digest(bytes(range(32))))
SETTINGS = LedgerSettings("http://127.0.0.1:26658", ANCHOR, TxOptions(gas_price=0.004, priority=2))


@pytest.mark.parametrize("chain", ["mocha-4", "celestia", "private", "embedded-0011223344556677"])
def test_settings_round_trip(tmp_path: Path, chain: str) -> None:
    kind = "embedded" if chain.startswith("embedded-") else "celestia"
    fees = TxOptions(max_gas_price=0.5, key_name="payer")
    chosen = LedgerSettings(SETTINGS.url, Anchor(kind, chain, 7, ANCHOR.hash), fees)
    write_settings(tmp_path / "ledger.json", chosen)
    assert read_settings(tmp_path / "ledger.json") == chosen


def test_a_home_without_a_choice_has_none(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "ledger.json") is None
    assert read_token(tmp_path / "ledger.token") is None


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another kind": lambda d: d.update(kind="rootline/ledger/v2"),
    "no url": lambda d: d.pop("url"),
    "a long url": lambda d: d.update(url="h" * 2049),
    "height 0": lambda d: d["anchor"].update(height=0),
    "a short hash": lambda d: d["anchor"].update(hash="00"),
    "something more": lambda d: d.update(more=1),
    "something more inside": lambda d: d["fees"].update(more=1),
    "a price as a number": lambda d: d["fees"].update(gas_price=0.004),
    "a negative price": lambda d: d["fees"].update(gas_price="-1"),
    "a price with an exponent": lambda d: d["fees"].update(gas_price="1e9"),
    "priority 4": lambda d: d["fees"].update(priority=4),
    "no trusting period": lambda d: d.update(trusting_seconds=0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_damaged_settings_name_their_file(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    document = json.loads(SETTINGS.encoded)
    change(document)
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps(document))
    with pytest.raises(MalformedError, match=r"ledger\.json"):
        read_settings(path)


def test_another_chain_or_anchor_cannot_be_chosen_later(tmp_path: Path) -> None:
    path = tmp_path / "ledger.json"
    write_settings(path, SETTINGS)
    write_settings(path, SETTINGS)
    other = LedgerSettings(
        SETTINGS.url, Anchor("celestia", "mocha-4", 1201, ANCHOR.hash), TxOptions()
    )
    with pytest.raises(MalformedError, match="stays on its ledger"):
        write_settings(path, other)
    assert read_settings(path) == SETTINGS


@given(st.floats(0.001, 999_999).map(lambda price: round(price, 9)))
def test_prices_are_written_as_they_are_read(price: float) -> None:
    settings = LedgerSettings(SETTINGS.url, ANCHOR, TxOptions(gas_price=price))
    assert LedgerSettings.parse(settings.encoded).fees.gas_price == pytest.approx(price, abs=1e-12)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "nan", "inf", ".5", "1.", "0x1", "1 ", "٣"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(MalformedError, match="gas price"):
        parse_price(text)


def test_a_token_is_its_owners_only_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "ledger.token"
    write_token(path, "abc.def-ghi_1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(path) == "abc.def-ghi_1"
    with pytest.raises(UnavailableError, match="another token"):
        write_token(path, "other")
    path.chmod(0o640)
    with pytest.raises(MalformedError, match="chmod 600"):
        read_token(path)


@pytest.mark.parametrize(
    "data", [b"", b"two words", b"a\nb", b"a" * 4097, b"\xff\xfe", b"a\r\nX: y"]
)
def test_what_is_no_token_is_refused_without_being_told(data: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_token(data, "the variable")
    assert str(caught.value) == ("the variable: not a token in one line of at most 4096 characters")
