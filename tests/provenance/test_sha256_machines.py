"""Which instructions may be emitted: LLVM ends the process over one that the processor lacks."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from provenance.sha256.machines import EXTENSIONS_NEED, Extensions, Vectors, machines

compiling = pytest.importorskip("provenance.compiling")

HASH = """
import numpy as np
from provenance.sha256.kernels import available, hash_messages
print([type(machine).__name__ for machine in available()])
print(hash_messages(np.arange(200, dtype=np.uint8), np.array([0, 200]), b"").tobytes().hex())
"""


def test_the_extensions_come_first_where_the_processor_has_them() -> None:
    assert machines(EXTENSIONS_NEED | {"avx2"}) == (Extensions(), Vectors())


@pytest.mark.parametrize("lacking", sorted(EXTENSIONS_NEED))
def test_without_one_of_the_features_there_are_only_vectors(lacking: str) -> None:
    assert machines(EXTENSIONS_NEED - {lacking}) == (Vectors(),)


def child(**environment: str) -> list[str]:
    """Hash in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", HASH],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_processor_without_the_extensions_hashes_by_vectors_compiled_once(
    tmp_path: Path,
) -> None:
    """In one test, since compiling takes seconds: the next process finds what this one kept."""
    lacking = ",".join(
        f"+{name}" for name in sorted(compiling.features()) if name not in {"sha", "avx2", "avx"}
    )
    told = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": lacking}
    first = child(**told, NUMBA_CACHE_DIR=str(tmp_path))
    assert first == ["['Vectors']", sha256(bytes(range(200))).hexdigest()]
    indexes = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    assert {path.suffix for path in indexes} == {".nbi", ".nbc"}
    assert child(**told, NUMBA_CACHE_DIR=str(tmp_path)) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")} == indexes


@pytest.mark.slow
def test_compiled_code_is_kept_and_found_by_the_next_process(tmp_path: Path) -> None:
    first = child(NUMBA_CACHE_DIR=str(tmp_path))
    indexes = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    assert child(NUMBA_CACHE_DIR=str(tmp_path)) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")} == indexes
