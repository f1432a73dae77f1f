"""Compiled code is kept where the application says, and a fault there costs time only."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

numba = pytest.importorskip("numba", reason="there is nothing to compile with")
compiling = pytest.importorskip("provenance.compiling")

ROOT = Path(__file__).parents[2]
HERE = sys.modules[__name__]
HASH = """
from provenance.poseidon import from_words, kernels, to_words
hashes = kernels.Kernel("scalar").poseidon_rows(to_words([1, 2]).reshape(1, 2, 4))
print(*from_words(hashes), sum(kernels._hash_rows.stats.cache_hits.values()))
"""
DOUBLE = """
from provenance import compiling
from tests.provenance import test_compiling as here
function = compiling.kept(here)(here.doubled)
print(function(21), sum(function.stats.cache_hits.values()))
"""
OF_1_AND_2 = "7853200120776062878684798364095072458815029376092732009249414926327459813530"
NO_ROOM = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import sys; sys.dont_write_bytecode = True  # Python would keep half a module
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
"""


def doubled(number: int) -> int:
    return 2 * number


def kept(folder: Path | str, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> Any:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(folder))
    function = compiling.kept(HERE, *modules)(doubled)
    assert str(folder) == numba.config.CACHE_DIR
    return function


def computed(folder: Path, script: str) -> tuple[str, bool]:
    """Return what another process computes, and whether it found the code compiled."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    )
    value, hits = done.stdout.split()
    return value, hits != "0"


def test_what_is_compiled_is_kept_in_the_folder_that_the_application_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert kept(tmp_path, monkeypatch)(21) == 42
    assert list(tmp_path.rglob("*.nbi"))
    again = kept(tmp_path, monkeypatch)
    assert again(21) == 42
    assert sum(again.stats.cache_hits.values()) == 1


def test_code_that_draws_from_other_sources_is_kept_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept(tmp_path, monkeypatch)(21)
    changed = kept(tmp_path, monkeypatch, compiling)
    assert changed(21) == 42
    assert not changed.stats.cache_hits


@pytest.mark.parametrize("locators", ["", "numba.core.caching.UserProvidedCacheLocator"])
def test_without_a_folder_that_can_be_written_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locators: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", locators, raising=False)
    for folder in (tmp_path / "file" / "below", ""):
        function = kept(folder, monkeypatch)
        assert function(21) == 42
        assert function.stats.cache_path is None
    assert not list(Path(__file__).parent.rglob("*.nbi"))


@pytest.mark.parametrize(
    ("script", "result"),
    [(DOUBLE, "42"), pytest.param(HASH, OF_1_AND_2, marks=pytest.mark.slow)],
    ids=["double", "hash"],
)
def test_a_full_disk_costs_no_result_and_a_process_finds_what_another_has_compiled(
    tmp_path: Path, script: str, result: str
) -> None:
    assert computed(tmp_path, NO_ROOM + script) == (result, False)
    assert computed(tmp_path, script) == (result, False)
    assert computed(tmp_path, script) == (result, True)


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def garbled(data: bytes) -> bytes:
    return bytes(byte ^ 0x55 for byte in data)


def emptied(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut, garbled, emptied])
@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
def test_a_damaged_file_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    kept(tmp_path, monkeypatch)(21)
    (file,) = tmp_path.rglob(kind)
    file.write_bytes(damage(file.read_bytes()))
    for hits in (0, 1):
        function = kept(tmp_path, monkeypatch)
        assert function(21) == 42
        assert sum(function.stats.cache_hits.values()) == hits


def test_the_interpreters_lock_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kept("", monkeypatch).targetoptions["nogil"]
    assert compiling.compiled(doubled).targetoptions["nogil"]


def test_the_processor_is_the_one_that_numba_compiles_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CPU_FEATURES", "+avx2,-fma,+sse2")
    assert compiling.features() == {"avx2", "sse2"}
    monkeypatch.setattr(numba.config, "CPU_FEATURES", "")
    assert compiling.features() == frozenset()
