"""Corrupt keys, a full disk, memory at its end: one clear line each, never a wrong proof."""

import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from circuits.proving import machine, prover, worker
from circuits.proving.artifacts import FOLDER, Keys, keys, local_srs, object_path
from circuits.proving.files import write_whole
from circuits.proving.machine import free_memory, require_disk, require_memory
from circuits.proving.prover import ProvingFiles
from circuits.proving.requests import prove
from circuits.proving.worker import Limits, scratch, silent
from provenance.errors import UnavailableError, VerificationError
from tests.circuits.small import OPEN, open_solved

SOLVED = open_solved()
LIMITS = Limits(seconds=20, memory_bytes=2**31, threads=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corruption")


@pytest.fixture(scope="module")
def made(home: Path) -> Keys:
    return keys(OPEN, local_srs(home, OPEN.logrows), home)


def attempt(home: Path, made: Keys, **other: Path) -> bytes:
    """Return the proof that is made with other files than the home's."""
    verifying = (made.settings, made.verifying_key, made.srs)
    files = {
        "compiled": object_path(home, made.compiled),
        "proving_key": object_path(home, made.proving_key),
        "srs": local_srs(home, OPEN.logrows).path,
        **other,
    }
    a, b, c = (object_path(home, digest) for digest in verifying)
    with scratch(home) as folder:
        whole = ProvingFiles(**files, verifying=(a, b, c))
        return prover.prove(whole, SOLVED.witness, SOLVED.outputs, folder, LIMITS, silent)


def spoilt(data: bytes, where: str) -> bytes:
    if where == "empty":
        return b""
    if where == "cut":
        return data[: len(data) // 2]
    at = int(where) if int(where) >= 0 else len(data) + int(where)
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def deep(where: str) -> ParameterSet:
    """Return a place that only the slow run spoils: each takes a process of its own."""
    return pytest.param(where, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", ["compiled", "proving_key", "srs"])
@pytest.mark.parametrize(
    "where", ["empty", "cut", "3", "-300", *map(deep, ("0", "9", "200", "-1"))]
)
def test_a_corrupt_file_gives_an_error_of_one_line_or_a_proof_that_verifies(
    home: Path, made: Keys, tmp_path: Path, name: str, where: str
) -> None:
    path = local_srs(home, OPEN.logrows).path
    if name != "srs":
        path = object_path(home, getattr(made, name))
    other = tmp_path / name
    other.write_bytes(spoilt(path.read_bytes(), where))
    told = ""
    try:
        attempt(home, made, **{name: other})
    except (UnavailableError, VerificationError) as error:
        told = str(error)
    assert told or where not in ("empty", "cut")
    assert "\n" not in told
    assert len(told) < 500


@pytest.mark.parametrize("where", ["cut", deep("200"), deep("-40")])
@pytest.mark.parametrize("name", ["proving_key", "compiled", "verifying_key", "settings", "srs"])
def test_corrupt_keys_in_the_cache_are_made_anew(
    home: Path, made: Keys, name: str, where: str
) -> None:
    path = object_path(home, getattr(made, name))
    path.write_bytes(spoilt(path.read_bytes(), where))
    told: list[str] = []
    again = keys(OPEN, local_srs(home, OPEN.logrows), home, progress=told.append)
    assert told == ["settings", "compile", "setup"]
    assert again.verifying_key == made.verifying_key
    assert again.settings == made.settings
    object_path(home, getattr(again, name))


def run_limited(folder: Path, limit: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Prove in a process whose files, and those of its children, are bounded."""
    script = (
        "import pathlib, resource, sys\n"
        "from circuits.proving.requests import prove\n"
        "from provenance.errors import UnavailableError\n"
        "from tests.circuits.small import OPEN, open_solved\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "try:\n"
        "    prove(OPEN, open_solved(), pathlib.Path(sys.argv[1]))\n"
        "except UnavailableError as error:\n"
        "    print(error)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", script, str(home)],
        cwd=worker.SOURCE,
        # Python would keep half a compiled module where files are bounded.
        env={"TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("limit", ["100", "9000", "40000"])
def test_a_file_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, limit: str) -> None:
    ended = run_limited(tmp_path, limit, tmp_path / "home")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("\n") == 1
    assert "File too large" in ended.stdout
    assert ended.stderr == ""
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in left if "scratch" in str(path) or path.suffix == ".lock"]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = "size=60k"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only a superuser can mount a small disk")
    try:
        with pytest.raises(UnavailableError, match=r"make room|No space left") as caught:
            prove(OPEN, open_solved(), disk)
        assert "\n" not in str(caught.value)
        with pytest.raises(UnavailableError, match="No space left on device; make room"):
            write_whole(disk / "x", bytes(100_000))
        assert not list(disk.rglob("scratch-*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room_is_told_before_anything(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="keys needs about 1000000 MB in"):
        require_disk(10**12, tmp_path, "keys")
    require_disk(1, tmp_path, "keys")


def test_memory_is_counted_by_machine_and_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    assert free_memory() is None
    require_memory(10**9, 10**9, "proving")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2000 kB\nBuffers: 1 kB\n")
    assert free_memory() == 2_048_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert free_memory() == 2_048_000
    (tmp_path / "memory.max").write_text("1400000\n")
    assert free_memory() == 1_000_000
    with pytest.raises(UnavailableError, match="proving needs about 2 MB of memory, 1 are free"):
        require_memory(2 * 10**6, 10**9, "proving")
    with pytest.raises(UnavailableError, match="the limit is 2; raise it"):
        require_memory(3 * 10**6, 2 * 10**6, "proving")


def test_memory_that_ends_while_a_key_is_made_is_told(home: Path) -> None:
    srs = local_srs(home, OPEN.logrows)
    with scratch(home / FOLDER) as folder, pytest.raises(UnavailableError, match="out of memory"):
        prover.derive(OPEN, srs.path, folder, Limits(memory_bytes=150 * 2**20), silent)
