"""The cost model against the measurements it was made from, as its own page tells them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from circuits.graph import Graph
from circuits.proving import costs
from circuits.proving.costs import estimate, expected, observe
from circuits.spec import Circuit
from circuits.table import Table

ROWS = re.findall(
    r"^ +(\d+) +(\d+) +(\d+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)$", costs.__doc__ or "", re.MULTILINE
)


def of(logrows: int, columns: int, table: int) -> Circuit:
    wide = Table(logrows, table) if table else None
    return Circuit("x.v1", "", ("x",), Graph, logrows, columns, table=wide, hashed=bool(table))


def test_the_page_tells_all_kinds() -> None:
    assert len(ROWS) >= 12
    assert {row[2] for row in ROWS} >= {"0", "1", "2", "4"}


@pytest.mark.parametrize("row", ROWS)
def test_the_model_is_near_what_was_measured(row: tuple[str, ...]) -> None:
    logrows, columns, table = map(int, row[:3])
    setup, setup_memory, prove, prove_memory, key = map(float, row[3:])
    cost, rows = estimate(of(logrows, columns, table)), 2**logrows
    assert cost.keys_seconds - costs.GRAPH_SECONDS == pytest.approx(setup * rows / 1e6, rel=0.36)
    assert cost.proof_seconds - costs.BASE_SECONDS == pytest.approx(prove * rows / 1e6, rel=0.36)
    assert cost.keys_bytes > 0.95 * (40e6 + setup_memory * 1000 * rows)
    assert cost.memory_bytes > 0.95 * (40e6 + prove_memory * 1000 * rows)
    assert 1.35 * key * 1000 * rows > cost.disk_bytes > 0.9 * key * 1000 * rows


def test_more_threads_take_less_time_and_more_columns_more() -> None:
    one = estimate(of(14, 3, 1))
    assert estimate(of(14, 3, 1), threads=2).proof_seconds < one.proof_seconds
    assert estimate(of(14, 4, 1)).memory_bytes > one.memory_bytes
    twice = replace(of(14, 3, 1), cells=4 * 2**14)
    assert estimate(twice).disk_bytes > 1.3 * one.disk_bytes


def test_a_home_tells_what_it_has_seen(tmp_path: Path) -> None:
    circuit = of(13, 3, 0)
    observe(circuit, 1, tmp_path, "proof_seconds", 40.0)
    observe(circuit, 1, tmp_path, "proof_seconds", 60.0)
    model = estimate(circuit)
    assert expected(circuit, 1, tmp_path) == replace(model, proof_seconds=50.0)
    assert expected(circuit, 2, tmp_path) == estimate(circuit, 2)


@pytest.mark.parametrize(
    "rubbish", [b"", b"[]", b'{"x.v1 1":3}', b'{"x.v1 1":{"proof_seconds":"?"}}']
)
def test_rubbish_is_as_good_as_nothing_seen(tmp_path: Path, rubbish: bytes) -> None:
    (tmp_path / "observed.json").write_bytes(rubbish)
    assert expected(of(13, 3, 0), 1, tmp_path) == estimate(of(13, 3, 0))
    observe(of(13, 3, 0), 1, tmp_path, "proof_seconds", 2.0)
    assert expected(of(13, 3, 0), 1, tmp_path).proof_seconds == 2
