"""The blocks that are kept: few, and never another block's."""

from pathlib import Path

import pytest

from storage.celestia.serving import held
from storage.celestia.serving.held import Blocks
from storage.celestia.share import Blob
from tests.storage.celestia.serving.calling import SPACE, open_ledger


def blob(number: int, size: int = 10) -> Blob:
    return Blob(SPACE, bytes([number]) * size)


def test_a_block_is_made_once_and_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "_MOST_KEPT", 3)
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    heights = [ledger.submit([blob(n)]) for n in range(5)]
    blocks = Blocks(ledger)
    found = [blocks.at(height) for height in heights]
    assert [each.blobs for each in found] == [(blob(n),) for n in range(5)]
    assert blocks.at(6) is found[4]
    assert blocks.at(4) is found[2]
    assert blocks.at(2) is not found[0]
    assert len(blocks._kept) == len(blocks._headers) == 3


def test_large_squares_push_out_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "_MOST_SHARES", 80)
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    heights = [ledger.submit([blob(n, 20_000)]) for n in range(2)]
    blocks = Blocks(ledger)
    first, second = (blocks.at(height) for height in heights)
    assert first.laid.size == second.laid.size == 8
    assert blocks.at(heights[1]) is second
    assert blocks.at(heights[0]) is not first


def test_another_ledger_in_the_files_place_is_read_anew(tmp_path: Path) -> None:
    ledger, other = (open_ledger(tmp_path / f"{name}.sqlite") for name in ("one", "two"))
    ledger.submit([blob(1)])
    other.advance()
    blocks = Blocks(ledger)
    assert blocks.at(2).blobs == (blob(1),)
    (tmp_path / "two.sqlite").replace(tmp_path / "one.sqlite")
    assert blocks.at(2).blobs == ()
    assert blocks.header(2) != blocks.header(1)
